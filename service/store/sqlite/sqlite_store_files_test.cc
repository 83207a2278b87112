// Files of an open store that are deleted, replaced, truncated or overwritten.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/rows.h"
#include "store/testing/temporary_directory.h"

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;
using ::testing::HasSubstr;

class SqliteStoreFilesTest : public testing::Test {
 protected:
  SqliteStoreFilesTest() { Open(); }

  void Open(absl::Duration check_interval = absl::Hours(1)) {
    store_.reset();
    SqliteStore::Options options;
    options.path = path_;
    options.clock = &clock_;
    options.check_interval = check_interval;
    options.probe_interval = absl::Hours(1);
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  CommitResult Add(const std::string& id) {
    return CommitAndWait(
        *store_, Create({"default", Kind::kAsset, id}, MakeContent(std::string(3'000, 'x'))));
  }

  // Runs in another process: closing a file of the store in this one would drop SQLite's locks. $DB
  // is the database.
  void Run(const std::string& command) const {
    EXPECT_EQ(std::system(absl::StrCat("DB='", path_, "'; ", command).c_str()), 0) << command;
  }

  // The writer checks the files after each commit. What it would find of a damage that happens
  // meanwhile depends on the moment.
  void AwaitIdle() const {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (!store_->idle() && absl::Now() < deadline) std::this_thread::yield();
    ASSERT_TRUE(store_->idle());
  }

  // Copies the log into the database, as an operator's tool does.
  void Checkpoint() const {
    AwaitIdle();
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", nullptr, nullptr, nullptr),
              SQLITE_OK);
    sqlite3_close(db);
  }

  bool HealthBecomesDataLoss() const {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (!absl::IsDataLoss(store_->Health()) && absl::Now() < deadline) {
      std::this_thread::yield();
    }
    return absl::IsDataLoss(store_->Health());
  }

  base::FakeClock clock_;
  sqlite::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/store.db";
  std::unique_ptr<SqliteStore> store_;
};

struct Damage {
  const char* what;
  const char* command;
  const char* why;
};

// The command may use $DB and $DB.old, an older state of it.
constexpr Damage kDamages[] = {
    {"deleted", "rm $DB", "store.db was deleted"},
    {"its folder was moved", "mv $(dirname $DB) $(dirname $DB).moved", "store.db was deleted"},
    {"moved away", "mv $DB $DB.away", "store.db was deleted"},
    {"replaced by rename", "cp $DB $DB.new && mv $DB.new $DB", "was replaced by another file"},
    {"replaced by another's link", "ln -s /dev/zero $DB.l && mv $DB.l $DB",
     "was replaced by another file"},
    {"cut to nothing", "truncate -s 0 $DB", "store.db was truncated"},
    {"cut in half", "truncate -s 32768 $DB", "store.db was truncated"},
    {"an older state in place", "dd if=$DB.old of=$DB conv=notrunc 2>/dev/null", "older state"},
    {"garbage in place", "yes garbage | head -c 1000000 > $DB", "is damaged"},
    {"garbage inside", "yes garbage | dd of=$DB bs=4096 seek=1 count=5 conv=notrunc 2>/dev/null",
     "is damaged"},
    {"its log deleted", "rm $DB-wal", "store.db-wal was deleted"},
    {"its log replaced", "cp $DB-wal $DB-n && mv $DB-n $DB-wal", "was replaced by another file"},
    {"its index deleted", "rm $DB-shm", "store.db-shm was deleted"},
};

TEST_F(SqliteStoreFilesTest, NothingIsAcknowledgedOnceAFileIsNoLongerTheStores) {
  for (const Damage& damage : kDamages) {
    SCOPED_TRACE(damage.what);
    store_.reset();
    std::filesystem::remove_all(directory_.path() + ".moved");
    std::filesystem::remove_all(directory_.path());
    std::filesystem::create_directory(directory_.path());
    Open();
    // The older state ends with the first half.
    for (int i = 0; i < 10; ++i) Add(absl::StrCat("old-", i));
    Checkpoint();
    ASSERT_EQ(Add("between").outcome, Outcome::kCommitted) << "a checkpoint is harmless";
    Run("cp $DB $DB.old");
    for (int i = 0; i < 10; ++i) Add(absl::StrCat("new-", i));
    Checkpoint();
    ASSERT_EQ(Add("last").outcome, Outcome::kCommitted);
    ASSERT_TRUE(store_->Health().ok()) << store_->Health();
    // The rest of the log would repair part of the damage.
    Checkpoint();

    Run(damage.command);
    EXPECT_EQ(Add("after").outcome, Outcome::kUnavailable);
    EXPECT_EQ(store_->Health().code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(std::string(store_->Health().message()),
                testing::AllOf(HasSubstr(damage.why), HasSubstr("restart the gateway")));
    EXPECT_EQ(Add("later").outcome, Outcome::kUnavailable);
  }
  std::filesystem::remove_all(directory_.path() + ".moved");
}

TEST_F(SqliteStoreFilesTest, DamageIsDetectedWhileNothingIsWritten) {
  Open(/*check_interval=*/absl::Milliseconds(1));
  ASSERT_EQ(Add("a").outcome, Outcome::kCommitted);
  Run("rm $DB");
  EXPECT_TRUE(HealthBecomesDataLoss()) << store_->Health();
}

TEST_F(SqliteStoreFilesTest, FileThatIsPutBackIsUsedAgain) {
  ASSERT_EQ(Add("a").outcome, Outcome::kCommitted);
  Run("mv $DB $DB.away");
  EXPECT_EQ(Add("b").outcome, Outcome::kUnavailable);
  Run("mv $DB.away $DB");
  EXPECT_EQ(Add("b").outcome, Outcome::kCommitted);
  EXPECT_TRUE(store_->Health().ok()) << store_->Health();
  Open();
  EXPECT_TRUE(store_->Get({"default", Kind::kAsset, "b"})->has_value());
}

TEST_F(SqliteStoreFilesTest, HarmlessUsesOfTheFilesAreAccepted) {
  ASSERT_EQ(Add("a").outcome, Outcome::kCommitted);
  const struct {
    const char* what;
    std::function<void()> use;
  } uses[] = {
      {"touched", [&] { Run("touch $DB $DB-wal $DB-shm"); }},
      {"copied", [&] { Run("cp $DB $DB.copy"); }},
      {"linked", [&] { Run("ln $DB $DB.link"); }},
      {"checkpointed", [&] { Checkpoint(); }},
      {"other rights", [&] { Run("chmod 0640 $DB"); }},
  };
  for (const auto& [what, use] : uses) {
    use();
    EXPECT_EQ(Add(what).outcome, Outcome::kCommitted) << what << ": " << store_->Health();
  }
}

TEST_F(SqliteStoreFilesTest, AnotherProcessIsRejectedEvenWithoutTheLockFile) {
  std::filesystem::remove(path_ + ".lock");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    SqliteStore::Options options;
    options.path = path_;
    options.clock = &clock_;
    const absl::Status status = SqliteStore::Open(options).status();
    const bool refused =
        absl::IsFailedPrecondition(status) &&
        absl::StrContains(status.message(), absl::StrCat("in use by process ", ::getppid()));
    _exit(refused ? 0 : 1);
  }
  int ended = 0;
  ASSERT_EQ(::waitpid(child, &ended, 0), child);
  EXPECT_EQ(ended, 0) << "the second one was let in";
  EXPECT_EQ(*SqliteStore::Inspect(path_)->holder, ::getpid());
  EXPECT_EQ(Add("a").outcome, Outcome::kCommitted);
}

}  // namespace
}  // namespace assetgate::store
