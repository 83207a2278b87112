#include "store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/strings/str_cat.h"
#include "store/sqlite/migrations.h"

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;

// Expired data is removed this many rows at a time.
constexpr std::int64_t kExpireLimit = 500;
// Files up to this size are checked in full when they are opened (a few tenths of a second); damage
// in larger ones is detected when it is read.
constexpr off_t kFullCheckBytes = 64 << 20;

absl::Status Annotate(const absl::Status& status, absl::string_view path) {
  const absl::StatusCode code = status.code() == absl::StatusCode::kDataLoss
                                    ? status.code()
                                    : absl::StatusCode::kFailedPrecondition;
  return absl::Status(code, absl::StrCat("store file ", path, ": ", status.message()));
}

absl::Status SystemError(absl::string_view what) {
  return absl::FailedPreconditionError(absl::StrCat(what, ": ", std::strerror(errno)));
}

// Whether `path` starts like every SQLite file. SQLite itself takes a file of a few bytes for an
// empty one and overwrites it.
absl::Status CheckHeader(const std::string& path) {
  constexpr absl::string_view kMagic("SQLite format 3\0", 16);
  char header[kMagic.size()];
  // This process does not have the file open yet, so closing it drops no locks.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot be opened");
  const ssize_t size = ::pread(fd, header, sizeof(header), 0);
  ::close(fd);
  if (size < 0) return SystemError("cannot be read");
  if (absl::string_view(header, static_cast<std::size_t>(size)) == kMagic) return absl::OkStatus();
  return absl::DataLossError("is not a SQLite database; it was not changed");
}

// Checks an existing file and returns its size.
absl::StatusOr<off_t> CheckFileAt(const std::string& path, const struct stat& file) {
  if (!S_ISREG(file.st_mode)) return absl::FailedPreconditionError("is not a regular file");
  if (file.st_nlink > 1) {
    return absl::FailedPreconditionError(
        absl::StrCat("has ", file.st_nlink,
                     " names (hard links); SQLite files must have one. Remove the others"));
  }
  if (::access(path.c_str(), R_OK | W_OK) != 0) return SystemError("cannot be opened for writing");
  if (file.st_size > 0) {
    if (absl::Status s = CheckHeader(path); !s.ok()) return s;
  }
  return file.st_size;
}

// Creates the file if there is none, readable by its owner only; checks an existing one. Returns
// its size.
absl::StatusOr<off_t> PrepareFile(const std::string& path) {
  struct stat file;
  if (::stat(path.c_str(), &file) == 0) return CheckFileAt(path, file);
  if (errno != ENOENT) return SystemError("cannot be examined");
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return SystemError("cannot be created");
  ::close(fd);
  return 0;
}

// The damage found by reading the whole file.
absl::Status CheckFile(const sqlite::Connection& connection) {
  absl::StatusOr<sqlite::Statement> statement = connection.Prepare("PRAGMA quick_check(1)");
  if (!statement.ok()) return statement.status();
  sqlite::Query query(*statement);
  if (!query.Next()) return query.status();
  if (query.TextAt(0) == "ok") return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("is damaged: ", query.TextAt(0)));
}

absl::Status PrepareDatabase(const std::string& path, off_t size) {
  absl::StatusOr<sqlite::Connection> connection = sqlite::Connection::Open(path, absl::Seconds(5));
  if (!connection.ok()) return connection.status();
  if (size > 0 && size <= kFullCheckBytes) {
    if (absl::Status s = CheckFile(*connection); !s.ok()) return s;
  }
  // Migrations before the journal mode: a foreign file must stay unchanged to the last byte.
  if (absl::Status s = connection->Execute("PRAGMA synchronous = FULL"); !s.ok()) return s;
  if (absl::Status s = sqlite::Migrate(*connection, sqlite::Migrations()); !s.ok()) return s;
  absl::StatusOr<sqlite::Statement> statement = connection->Prepare("PRAGMA journal_mode = WAL");
  if (!statement.ok()) return statement.status();
  sqlite::Query query(*statement);
  if (!query.Next()) return query.status();
  if (query.TextAt(0) == "wal") return absl::OkStatus();
  return absl::FailedPreconditionError(
      "cannot use write-ahead logging here; put it on a local file system");
}

// Returns the new id.
absl::StatusOr<std::string> RenewStoreId(const std::string& path) {
  absl::StatusOr<sqlite::Connection> connection = sqlite::Connection::Open(path, absl::Seconds(5));
  if (!connection.ok()) return connection.status();
  if (absl::Status s = connection->Execute(
          "PRAGMA synchronous = FULL;"
          "UPDATE meta SET value = lower(hex(randomblob(16))) WHERE name = 'store_id'");
      !s.ok()) {
    return s;
  }
  absl::StatusOr<std::unique_ptr<sqlite::Reader>> reader = sqlite::Reader::Open(path);
  if (!reader.ok()) return reader.status();
  return (*reader)->StoreId();
}

// The error of a read or of Health, for logs and /readyz; callers do not see it.
absl::Status Unavailable(const absl::Status& status) {
  return absl::UnavailableError(absl::StrCat("the store is unavailable: ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(Options options) {
  static absl::once_flag once;
  absl::call_once(once, [] {
    // SQLite's memory statistics need a lock that all connections share, and are not used.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  });
  absl::StatusOr<std::unique_ptr<sqlite::FileLock>> lock = sqlite::FileLock::Acquire(options.path);
  if (!lock.ok()) return lock.status();
  const std::string& path = (*lock)->real_path();
  absl::StatusOr<off_t> size = PrepareFile(path);
  if (!size.ok()) return Annotate(size.status(), options.path);
  if (absl::Status s = (*lock)->LockFile(); !s.ok()) return s;
  if (absl::Status s = PrepareDatabase(path, *size); !s.ok()) return Annotate(s, options.path);
  absl::StatusOr<std::unique_ptr<sqlite::Writer>> writer = sqlite::Writer::Open(path);
  if (!writer.ok()) return Annotate(writer.status(), options.path);
  absl::StatusOr<std::unique_ptr<sqlite::Reader>> reader = sqlite::Reader::Open(path);
  if (!reader.ok()) return Annotate(reader.status(), options.path);
  absl::StatusOr<std::string> store_id = (*reader)->StoreId();
  if (!store_id.ok()) return Annotate(store_id.status(), options.path);
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(options), *std::move(lock),
                                                      *std::move(writer), *std::move(store_id)));
}

absl::StatusOr<std::string> SqliteStore::MarkRestored(const std::string& path) {
  absl::StatusOr<std::unique_ptr<sqlite::FileLock>> lock = sqlite::FileLock::Acquire(path);
  if (!lock.ok()) return lock.status();
  const std::string& real_path = (*lock)->real_path();
  struct stat file;
  if (::stat(real_path.c_str(), &file) != 0 || file.st_size == 0) {
    return Annotate(absl::FailedPreconditionError(
                        "there is no store; put the backup in its place, then run this again"),
                    path);
  }
  absl::StatusOr<off_t> size = PrepareFile(real_path);
  if (!size.ok()) return Annotate(size.status(), path);
  if (absl::Status s = (*lock)->LockFile(); !s.ok()) return s;
  if (absl::Status s = PrepareDatabase(real_path, *size); !s.ok()) return Annotate(s, path);
  absl::StatusOr<std::string> id = RenewStoreId(real_path);
  if (!id.ok()) return Annotate(id.status(), path);
  return id;
}

absl::StatusOr<SqliteStore::Inspection> SqliteStore::Inspect(const std::string& path) {
  Inspection inspection;
  absl::StatusOr<std::optional<int>> holder = sqlite::FileLock::Holder(path);
  if (!holder.ok()) return holder.status();
  inspection.holder = *holder;
  struct stat file;
  if (::stat(path.c_str(), &file) != 0) {
    if (errno != ENOENT) return Annotate(SystemError("cannot be examined"), path);
    const std::size_t slash = path.rfind('/');
    const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (::access(directory.c_str(), W_OK | X_OK) == 0) return inspection;
    return Annotate(SystemError(absl::StrCat("cannot be created in ", directory)), path);
  }
  inspection.exists = true;
  const absl::StatusOr<off_t> size = CheckFileAt(path, file);
  if (!size.ok()) return Annotate(size.status(), path);
  if (inspection.holder.has_value()) return inspection;
  const absl::StatusOr<sqlite::Connection> connection = sqlite::Connection::OpenForInspection(path);
  if (!connection.ok()) return Annotate(connection.status(), path);
  const absl::StatusOr<std::int64_t> version =
      sqlite::CheckSchema(*connection, sqlite::Migrations().back().version);
  if (!version.ok()) return Annotate(version.status(), path);
  inspection.version = *version;
  return inspection;
}

SqliteStore::SqliteStore(Options options, std::unique_ptr<sqlite::FileLock> lock,
                         std::unique_ptr<sqlite::Writer> writer, std::string store_id)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      writer_(std::move(writer)),
      files_(lock_->real_path()),
      store_id_(std::move(store_id)),
      trusted_time_(
          writer_->StartTrustedTime(options_.clock->Now()).value_or(absl::InfinitePast())),
      readers_(lock_->real_path(), options_.max_readers),
      queue_({.clock = options_.clock,
              .max_queue = options_.max_queue,
              .probe_interval = options_.probe_interval,
              .check_interval = options_.check_interval,
              .metrics = options_.metrics},
             *this) {}

SqliteStore::~SqliteStore() = default;

void SqliteStore::SetListener(ChangeListener* listener) {
  absl::MutexLock lock(&mu_);
  listener_ = listener;
}

void SqliteStore::Commit(Transaction transaction, CommitDone done) {
  queue_.Commit(std::move(transaction), std::move(done));
}

absl::Status SqliteStore::Health() {
  absl::Status health = damage();
  if (health.ok()) health = queue_.health();
  if (health.ok() || absl::IsDataLoss(health)) return health;
  return Unavailable(health);
}

absl::Status SqliteStore::damage() const {
  absl::MutexLock lock(&mu_);
  return damage_;
}

absl::Status SqliteStore::RecordDamage(absl::Status status) {
  if (!absl::IsDataLoss(status)) return status;
  absl::MutexLock lock(&mu_);
  if (damage_.ok()) {
    damage_ = absl::DataLossError(
        absl::StrCat("store file ", options_.path, " is damaged: ", status.message(),
                     "; nothing is written any more. Restore a backup, and restart the gateway"));
  }
  return status;
}

absl::Status SqliteStore::CheckFiles() {
  if (absl::Status s = damage(); !s.ok()) return s;
  const absl::StatusOr<bool> touched = files_.Check();
  if (!touched.ok()) return touched.status();
  if (!*touched) return absl::OkStatus();
  if (absl::Status s = RecordDamage(CheckContent()); !s.ok()) return s;
  files_.Accept();
  return absl::OkStatus();
}

absl::Status SqliteStore::CheckContent() {
  // New connections have no cached pages.
  const std::string& path = lock_->real_path();
  struct stat file;
  if (::stat(path.c_str(), &file) != 0) return SystemError("cannot be examined");
  if (file.st_size <= kFullCheckBytes) {
    absl::StatusOr<sqlite::Connection> connection =
        sqlite::Connection::Open(path, absl::Seconds(1));
    if (!connection.ok()) return connection.status();
    if (absl::Status s = CheckFile(*connection); !s.ok()) return s;
  }
  const absl::StatusOr<std::unique_ptr<sqlite::Reader>> reader = sqlite::Reader::Open(path);
  if (!reader.ok()) return reader.status();
  const absl::StatusOr<std::string> id = (*reader)->StoreId();
  if (!id.ok()) return id.status();
  const absl::StatusOr<Revision> head = (*reader)->Head();
  if (!head.ok()) return head.status();
  if (*id != store_id_) return absl::DataLossError("it was replaced by another store");
  if (*head < writer_->head()) {
    return absl::DataLossError("it was replaced by an older state of the store");
  }
  return absl::OkStatus();
}

absl::Status SqliteStore::Probe() {
  if (absl::Status s = CheckFiles(); !s.ok()) return s;
  return RecordDamage(writer_->Probe());
}

void SqliteStore::Maintain() {
  // A damaged or foreign file is left as it is.
  if (CheckFiles().ok() && writer_->Checkpoint()) files_.Accept();
}

void SqliteStore::Notify(const std::vector<ChangePtr>& changes) {
  ChangeListener* listener;
  {
    absl::MutexLock lock(&mu_);
    listener = listener_;
  }
  if (listener != nullptr) listener->OnChanges(changes, writer_->head());
}

absl::StatusOr<bool> SqliteStore::Expire() {
  const absl::Duration steady = options_.clock->Steady();
  const absl::Duration elapsed = steady - expired_.value_or(steady);
  expired_ = steady;
  if (absl::Status s = CheckFiles(); !s.ok()) return s;
  absl::StatusOr<bool> more =
      writer_->Expire(options_.retention, options_.clock->Now(), elapsed, kExpireLimit);
  if (!more.ok()) return RecordDamage(more.status());
  return more;
}

GroupWriter::Group SqliteStore::Write(absl::Span<const PendingCommit> group) {
  using sqlite::Writer;
  const absl::Time now = options_.clock->Now();
  Group done;
  done.results.resize(group.size());
  if (absl::Status s = CheckFiles(); !s.ok()) {
    Fail(s, /*unknown=*/false, done);
    return done;
  }
  Writer::Ended ended{Writer::End::kRolledBack, writer_->Begin()};
  if (ended.status.ok()) {
    for (std::size_t i = 0; i < group.size() && ended.status.ok(); ++i) {
      ended.status = writer_->Apply(group[i].transaction, now, done.results[i], done.changes);
    }
    if (ended.status.ok()) {
      ended = writer_->Commit();
    } else {
      writer_->Rollback();
      done.caused_by_one = !absl::IsUnavailable(ended.status) && !absl::IsDataLoss(ended.status);
    }
  }
  if (ended.end == Writer::End::kCommitted) {
    // A commit counts only if it is in the file that the next start will open.
    if (absl::Status s = CheckFiles(); !s.ok()) Fail(s, /*unknown=*/true, done);
    return done;
  }
  Fail(RecordDamage(ended.status), ended.end == Writer::End::kUnknown, done);
  return done;
}

void SqliteStore::Fail(const absl::Status& status, bool unknown, Group& group) {
  // A conflict with a transaction that does not count now does not count either.
  for (CommitResult& result : group.results) {
    const bool may_count = unknown && result.outcome == Outcome::kCommitted;
    result = CommitResult();
    result.outcome = may_count ? Outcome::kUnknown : Outcome::kUnavailable;
    result.message = std::string(status.message());
  }
  group.changes.clear();
  group.status = status;
}

template <typename Result, typename Read>
absl::StatusOr<Result> SqliteStore::ReadWith(Read read) {
  absl::StatusOr<Result> result = readers_.With<Result>(std::move(read));
  if (!result.ok()) return Unavailable(RecordDamage(result.status()));
  return result;
}

absl::StatusOr<std::optional<Row>> SqliteStore::Get(const Key& key) {
  return ReadWith<std::optional<Row>>([&](sqlite::Reader& reader) { return reader.Get(key); });
}

absl::StatusOr<ListPage> SqliteStore::List(const ListQuery& query) {
  return ReadWith<ListPage>(
      [&](sqlite::Reader& reader) { return reader.List(query, options_.max_look_ups); });
}

absl::StatusOr<ChangesPage> SqliteStore::ReadChanges(const ChangesQuery& query) {
  return ReadWith<ChangesPage>([&](sqlite::Reader& reader) { return reader.ReadChanges(query); });
}

absl::StatusOr<std::optional<RequestRow>> SqliteStore::FindRequest(const RequestKey& key) {
  return ReadWith<std::optional<RequestRow>>(
      [&](sqlite::Reader& reader) { return reader.FindRequest(key); });
}

absl::StatusOr<std::vector<Row>> SqliteStore::ListUnfinished(const UnfinishedQuery& query) {
  return ReadWith<std::vector<Row>>(
      [&](sqlite::Reader& reader) { return reader.ListUnfinished(query); });
}

absl::StatusOr<std::optional<std::string>> SqliteStore::NextTenant(const std::string& after) {
  return ReadWith<std::optional<std::string>>(
      [&](sqlite::Reader& reader) { return reader.NextTenant(after); });
}

absl::StatusOr<Revision> SqliteStore::Head() {
  return ReadWith<Revision>([](sqlite::Reader& reader) { return reader.Head(); });
}

}  // namespace assetgate::store
