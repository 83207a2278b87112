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
#include "base/error.h"
#include "store/sqlite/migrations.h"

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;

// One commit holds at most this many transactions, so that the first of them does not wait for an
// endless crowd behind it.
constexpr std::size_t kMaxGroup = 1'000;
// What is past is looked for this often, and removed this many rows at a time.
constexpr absl::Duration kExpireInterval = absl::Minutes(1);
constexpr std::int64_t kExpireLimit = 500;
// Files up to this size are checked in full when they are opened (some tenths of a second); damage
// in larger ones shows when it is read.
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

// Whether `path` begins as every SQLite file does. SQLite itself takes a file of a few bytes for an
// empty one, and writes over it.
absl::Status CheckHeader(const std::string& path) {
  constexpr absl::string_view kMagic("SQLite format 3\0", 16);
  char header[kMagic.size()];
  // Nobody in this process has the file open yet, so closing it drops nobody's locks.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return SystemError("cannot be opened");
  const ssize_t size = ::pread(fd, header, sizeof(header), 0);
  ::close(fd);
  if (size < 0) return SystemError("cannot be read");
  if (absl::string_view(header, static_cast<std::size_t>(size)) == kMagic) return absl::OkStatus();
  return absl::DataLossError("is not a SQLite database; it was left as it is");
}

// Makes the file where there is none, readable by its owner only; looks at one that is there. Gives
// its size.
absl::StatusOr<off_t> PrepareFile(const std::string& path) {
  struct stat file;
  if (::stat(path.c_str(), &file) != 0) {
    if (errno != ENOENT) return SystemError("cannot be looked at");
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return SystemError("cannot be made");
    ::close(fd);
    return 0;
  }
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

// The damage that shows when the whole file is read.
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
  // Migrations before the journal mode: a file of somebody else stays as it is to the last byte.
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

// A caller's words for what a read or Health failed with.
absl::Status Unavailable(const absl::Status& status) {
  return base::Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
                     absl::StrCat("the store is not available: ", status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(Options options) {
  static absl::once_flag once;
  absl::call_once(once, [] {
    // Its statistics are a lock that all connections share, for numbers nobody reads.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  });
  absl::StatusOr<std::unique_ptr<sqlite::FileLock>> lock = sqlite::FileLock::Acquire(options.path);
  if (!lock.ok()) return lock.status();
  const std::string& path = (*lock)->real_path();
  absl::StatusOr<off_t> size = PrepareFile(path);
  if (!size.ok()) return Annotate(size.status(), options.path);
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

SqliteStore::SqliteStore(Options options, std::unique_ptr<sqlite::FileLock> lock,
                         std::unique_ptr<sqlite::Writer> writer, std::string store_id)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      writer_(std::move(writer)),
      store_id_(std::move(store_id)),
      readers_(lock_->real_path(), options_.max_readers),
      thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), "store");
}

SqliteStore::~SqliteStore() {
  Stop();
  {
    absl::MutexLock lock(&mu_);
    ending_ = true;
    wake_.Signal();
  }
  thread_.join();
}

void SqliteStore::Stop() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
  while (!queue_.empty() || in_group_ > 0) drained_.Wait(&mu_);
}

void SqliteStore::SetListener(ChangeListener* listener) {
  absl::MutexLock lock(&mu_);
  listener_ = listener;
}

void SqliteStore::Commit(Transaction transaction, CommitDone done) {
  absl::MutexLock lock(&mu_);
  if (stopped_) {
    refused_.push_back({std::move(done), "the store has stopped"});
  } else if (queue_.size() + in_group_ >= options_.max_queue) {
    refused_.push_back({std::move(done), "the store's queue is full"});
  } else {
    queue_.push_back({std::move(transaction), std::move(done)});
  }
  if (writer_waits_) wake_.Signal();
}

std::size_t SqliteStore::queue_depth() const {
  absl::MutexLock lock(&mu_);
  return queue_.size() + in_group_;
}

absl::Status SqliteStore::Health() {
  absl::MutexLock lock(&mu_);
  return health_.ok() ? health_ : Unavailable(health_);
}

void SqliteStore::Report(const absl::Status& status) {
  absl::MutexLock lock(&mu_);
  health_ = status;
}

void SqliteStore::Run() {
  absl::Time expired = options_.clock->Now();
  bool more_to_expire = true;  // What became due while nobody had the file open.
  for (;;) {
    std::vector<Pending> group;
    std::vector<Refused> refused;
    bool probe = false;
    {
      absl::MutexLock lock(&mu_);
      const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return queue_.empty() && refused_.empty() && !ending_;
      };
      if (idle() && !more_to_expire) {
        writer_waits_ = true;
        const absl::Duration patience = health_.ok() ? kExpireInterval : options_.probe_interval;
        while (idle() && !wake_.WaitWithTimeout(&mu_, patience)) {
        }
        writer_waits_ = false;
        probe = idle() && !health_.ok();
      }
      if (ending_ && queue_.empty() && refused_.empty()) return;
      refused.swap(refused_);
      in_group_ = std::min(queue_.size(), kMaxGroup);
      const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(in_group_);
      group.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
    }

    if (!group.empty()) CommitGroup(absl::MakeSpan(group));
    for (Refused& one : refused) {
      CommitResult result;
      result.message = one.message;
      std::move(one.done)(std::move(result));
    }
    {
      absl::MutexLock lock(&mu_);
      in_group_ = 0;
      if (queue_.empty()) drained_.SignalAll();
    }
    if (probe) Report(writer_->Probe());
    writer_->Checkpoint();

    const absl::Time now = options_.clock->Now();
    // Also when the clock has stepped back, lest it stand still for as long as the step was.
    if (now - expired >= kExpireInterval || now < expired) {
      expired = now;
      more_to_expire = true;
    }
    if (more_to_expire) more_to_expire = Expire();
  }
}

bool SqliteStore::Expire() {
  const absl::StatusOr<bool> more =
      writer_->Expire(options_.retention, options_.clock->Now(), kExpireLimit);
  if (!more.ok()) Report(more.status());
  return more.ok() && *more;
}

void SqliteStore::CommitGroup(absl::Span<Pending> group) {
  ChangeListener* listener;
  {
    absl::MutexLock lock(&mu_);
    listener = listener_;
  }
  const absl::Time began = options_.clock->Now();
  Group done = TryGroup(group);
  if (done.fault_of_one && group.size() > 1) {
    for (Pending& one : group) CommitGroup(absl::MakeSpan(&one, 1));
    return;
  }
  Report(done.status);
  Measure(done, options_.clock->Now() - began);
  if (listener != nullptr && !done.changes.empty()) {
    listener->OnChanges(done.changes, writer_->head());
  }
  for (std::size_t i = 0; i < group.size(); ++i) {
    std::move(group[i].done)(std::move(done.results[i]));
  }
}

void SqliteStore::Measure(const Group& group, absl::Duration took) {
  if (options_.metrics == nullptr) return;
  for (const CommitResult& result : group.results) {
    const auto outcome = result.outcome == Outcome::kCommitted ? base::CommitOutcome::kCommitted
                         : result.outcome == Outcome::kConflict ||
                                 result.outcome == Outcome::kRequestIdTaken ||
                                 result.outcome == Outcome::kConditionUnmet
                             ? base::CommitOutcome::kConflict
                             : base::CommitOutcome::kFailed;
    options_.metrics->StoreCommits(outcome).Increment();
  }
  options_.metrics->StoreCommitSeconds().Observe(std::max(0.0, absl::ToDoubleSeconds(took)));
  options_.metrics->StoreCommitChanges().Observe(static_cast<double>(group.changes.size()));
}

SqliteStore::Group SqliteStore::TryGroup(absl::Span<const Pending> group) {
  using sqlite::Writer;
  const absl::Time now = options_.clock->Now();
  Group done;
  done.results.resize(group.size());
  Writer::Ended ended{Writer::End::kRolledBack, writer_->Begin()};
  if (ended.status.ok()) {
    for (std::size_t i = 0; i < group.size() && ended.status.ok(); ++i) {
      ended.status = writer_->Apply(group[i].transaction, now, done.results[i], done.changes);
    }
    if (ended.status.ok()) {
      ended = writer_->Commit();
    } else {
      writer_->Rollback();
      done.fault_of_one = !absl::IsUnavailable(ended.status);
    }
  }
  if (ended.end == Writer::End::kCommitted) return done;

  // What did not fit did not fit to something that now does not count either.
  for (CommitResult& result : done.results) {
    const bool may_count =
        result.outcome == Outcome::kCommitted && ended.end == Writer::End::kUnknown;
    result = CommitResult();
    result.outcome = may_count ? Outcome::kUnknown : Outcome::kUnavailable;
    result.message = std::string(ended.status.message());
  }
  done.changes.clear();
  done.status = ended.status;
  return done;
}

template <typename Result, typename Read>
absl::StatusOr<Result> SqliteStore::ReadWith(Read read) {
  absl::StatusOr<Result> result = readers_.With<Result>(std::move(read));
  if (!result.ok()) return Unavailable(result.status());
  return result;
}

absl::StatusOr<std::optional<Row>> SqliteStore::Get(const Key& key) {
  return ReadWith<std::optional<Row>>([&](sqlite::Reader& reader) { return reader.Get(key); });
}

absl::StatusOr<ListPage> SqliteStore::List(const ListQuery& query) {
  return ReadWith<ListPage>([&](sqlite::Reader& reader) { return reader.List(query); });
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

absl::StatusOr<Revision> SqliteStore::Head() {
  return ReadWith<Revision>([](sqlite::Reader& reader) { return reader.Head(); });
}

}  // namespace assetgate::store
