// The outcomes of transactions when the disk fails.
#include <sqlite3.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "store/sqlite/sqlite_store.h"
#include "store/testing/faulty_vfs.h"
#include "store/testing/rows.h"
#include "store/testing/temporary_directory.h"

namespace assetgate::store {
namespace {

using Operation = sqlite::FaultyVfs::Operation;
using Outcome = CommitResult::Outcome;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Key Asset(absl::string_view id) { return {"default", Kind::kAsset, std::string(id)}; }

class CountingListener : public ChangeListener {
 public:
  void OnChanges(const std::vector<ChangePtr>& changes, Revision) override {
    count += static_cast<int>(changes.size());
  }
  std::atomic<int> count = 0;
};

class SqliteStoreFaultTest : public testing::Test {
 protected:
  SqliteStoreFaultTest()
      : vfs_([this](Operation operation, absl::string_view path) {
          absl::MutexLock lock(&mu_);
          return judge_ == nullptr ? SQLITE_OK : judge_(operation, path);
        }) {}

  // Waits for the writer's first housekeeping, so that a fault set up by a test hits the test's
  // commit.
  void SetUp() override {
    store_ = Open(path_);
    Transaction nothing;
    nothing.barrier = true;
    // The housekeeping runs after the first commit, and at the latest before the second one.
    for (int i = 0; i < 2; ++i) {
      ASSERT_EQ(CommitAndWait(*store_, nothing).outcome, Outcome::kCommitted);
    }
  }

  std::unique_ptr<SqliteStore> Open(const std::string& path) {
    SqliteStore::Options options;
    options.path = path;
    options.clock = &clock_;
    options.probe_interval = probe_interval_;
    absl::StatusOr<std::unique_ptr<SqliteStore>> store = SqliteStore::Open(options);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  void SetJudge(sqlite::FaultyVfs::Judge judge) {
    absl::MutexLock lock(&mu_);
    judge_ = std::move(judge);
  }
  // Makes the given operation on the log fail with `code`, at most `times` times.
  void FailLog(Operation operation, int code, int times = 1'000'000) {
    SetJudge([=, left = times](Operation asked, absl::string_view path) mutable {
      if (asked != operation || !absl::EndsWith(path, "-wal") || left == 0) return SQLITE_OK;
      --left;
      return code;
    });
  }
  void Heal() { SetJudge(nullptr); }

  // The state after a power failure at this moment, if the disk has everything that was ever
  // written.
  std::unique_ptr<SqliteStore> OpenAfterCrash() {
    // Copied by another process: closing a copy here would drop SQLite's locks on the original.
    const std::string crashed = absl::StrCat(directory_.path(), "/crashed", ++crashes_);
    std::filesystem::create_directory(crashed);
    EXPECT_EQ(std::system(absl::StrCat("cp ", path_, " ", path_, "-wal ", crashed).c_str()), 0);
    return Open(crashed + "/store.db");
  }

  absl::Mutex mu_;
  sqlite::FaultyVfs::Judge judge_ ABSL_GUARDED_BY(mu_);
  sqlite::FaultyVfs vfs_;
  base::FakeClock clock_;
  absl::Duration probe_interval_ = absl::Hours(1);
  sqlite::TemporaryDirectory directory_;
  const std::string path_ = directory_.path() + "/store.db";
  std::unique_ptr<SqliteStore> store_;
  int crashes_ = 0;
};

TEST_F(SqliteStoreFaultTest, CommitIsAnsweredOnlyWhenTheLogIsOnTheDisk) {
  std::atomic<bool> log_is_dirty = false;
  std::atomic<int> syncs = 0;
  SetJudge([&](Operation operation, absl::string_view path) {
    if (absl::EndsWith(path, "-wal")) {
      if (operation == Operation::kWrite) log_is_dirty = true;
      if (operation == Operation::kSync) {
        log_is_dirty = false;
        ++syncs;
      }
    }
    return SQLITE_OK;
  });
  int answered_too_early = 0;
  for (int i = 0; i < 20; ++i) {
    absl::Notification done;
    store_->Commit(Create(Asset(absl::StrCat(i)), MakeContent("x")), [&](CommitResult result) {
      if (result.outcome != Outcome::kCommitted || log_is_dirty) ++answered_too_early;
      done.Notify();
    });
    done.WaitForNotification();
  }
  EXPECT_EQ(answered_too_early, 0);
  EXPECT_GE(syncs, 20);
  Heal();
}

TEST_F(SqliteStoreFaultTest, FullDiskRejectsWritesAndRecoversWithTheNextSuccess) {
  CountingListener listener;
  store_->SetListener(&listener);
  ASSERT_EQ(CommitAndWait(*store_, Create(Asset("before"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
  FailLog(Operation::kWrite, SQLITE_FULL);
  for (int i = 0; i < 3; ++i) {
    const CommitResult result = CommitAndWait(*store_, Create(Asset("a"), MakeContent("x")));
    EXPECT_EQ(result.outcome, Outcome::kUnavailable);
    EXPECT_THAT(result.message, HasSubstr("full"));
    EXPECT_THAT(result.revisions, IsEmpty());
  }
  const absl::Status health = store_->Health();
  EXPECT_EQ(health.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(health.message()), HasSubstr("full"));
  EXPECT_EQ(*store_->Head(), 1) << "reads still work";
  EXPECT_FALSE(store_->Get(Asset("a"))->has_value());
  EXPECT_EQ(listener.count, 1);

  Heal();
  const CommitResult result = CommitAndWait(*store_, Create(Asset("a"), MakeContent("x")));
  EXPECT_EQ(result.outcome, Outcome::kCommitted);
  EXPECT_THAT(result.revisions, testing::ElementsAre(2));
  EXPECT_TRUE(store_->Health().ok());
  EXPECT_EQ(listener.count, 2);
  store_->Stop();
}

TEST_F(SqliteStoreFaultTest, FailureFailsTheWholeGroupAndDependentConflicts) {
  std::vector<Outcome> outcomes;
  absl::BlockingCounter answered(3);
  absl::Notification begun;
  absl::Notification queued;
  store_->Commit({}, [&](CommitResult) {
    begun.Notify();
    queued.WaitForNotification();
  });
  begun.WaitForNotification();
  FailLog(Operation::kWrite, SQLITE_IOERR_WRITE);
  for (const char* id : {"a", "a", "b"}) {
    store_->Commit(Create(Asset(id), MakeContent("x")), [&](CommitResult result) {
      outcomes.push_back(result.outcome);
      answered.DecrementCount();
    });
  }
  queued.Notify();
  answered.Wait();
  // The second conflicted with the first, which was not committed after all.
  EXPECT_THAT(outcomes, SizeIs(3));
  EXPECT_THAT(outcomes, Each(Outcome::kUnavailable));
  Heal();
}

TEST_F(SqliteStoreFaultTest, RecoveredSyncFailureIsCertainlyNotCommitted) {
  ASSERT_EQ(CommitAndWait(*store_, Create(Asset("before"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
  FailLog(Operation::kSync, SQLITE_IOERR_FSYNC, /*times=*/1);
  const CommitResult result = CommitAndWait(*store_, Create(Asset("a"), MakeContent("x")));
  EXPECT_EQ(result.outcome, Outcome::kUnavailable);
  EXPECT_FALSE(store_->Get(Asset("a"))->has_value());
  // The answer was that nothing changed, so no crash may restore it.
  std::unique_ptr<SqliteStore> crashed = OpenAfterCrash();
  EXPECT_FALSE(crashed->Get(Asset("a"))->has_value());
  EXPECT_TRUE(crashed->Get(Asset("before"))->has_value());
}

TEST_F(SqliteStoreFaultTest, PersistentSyncFailureIsUnknownBecauseACrashMayRestoreIt) {
  ASSERT_EQ(CommitAndWait(*store_, Create(Asset("before"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
  // A disk that fails in the middle of a sync and then accepts nothing.
  SetJudge([failed = false](Operation operation, absl::string_view path) mutable {
    if (!absl::EndsWith(path, "-wal")) return SQLITE_OK;
    if (operation == Operation::kSync) failed = true;
    return failed && operation != Operation::kRead ? SQLITE_IOERR : SQLITE_OK;
  });
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("a"), MakeContent("x"))).outcome,
            Outcome::kUnknown);
  EXPECT_FALSE(store_->Get(Asset("a"))->has_value());
  EXPECT_FALSE(store_->Health().ok());
  // So kUnavailable would have been wrong.
  Heal();
  EXPECT_TRUE(OpenAfterCrash()->Get(Asset("a"))->has_value());

  // The next commit without it decides that it was not committed.
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("b"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
  std::unique_ptr<SqliteStore> crashed = OpenAfterCrash();
  EXPECT_FALSE(crashed->Get(Asset("a"))->has_value());
  EXPECT_TRUE(crashed->Get(Asset("b"))->has_value());
}

TEST_F(SqliteStoreFaultTest, TransactionThatChangedNothingIsNotUnknown) {
  std::vector<Outcome> outcomes;
  absl::BlockingCounter answered(2);
  absl::Notification begun;
  absl::Notification queued;
  store_->Commit({}, [&](CommitResult) {
    begun.Notify();
    queued.WaitForNotification();
  });
  begun.WaitForNotification();
  FailLog(Operation::kSync, SQLITE_IOERR_FSYNC);
  for (int i = 0; i < 2; ++i) {
    store_->Commit(Create(Asset("a"), MakeContent("x")), [&](CommitResult result) {
      outcomes.push_back(result.outcome);
      answered.DecrementCount();
    });
  }
  queued.Notify();
  answered.Wait();
  EXPECT_THAT(outcomes, testing::ElementsAre(Outcome::kUnknown, Outcome::kUnavailable));
  Heal();
}

TEST_F(SqliteStoreFaultTest, FailureToGrowTheLogsIndexIsCertainlyNotCommitted) {
  // The log's index grows after about four thousand pages, once these are on the disk: the log is
  // long enough for recovery to find it, and too short to have been copied before.
  const std::string seven_megabytes(7'000'000, 'x');
  ASSERT_EQ(CommitAndWait(*store_, Create(Asset("before"), MakeContent(seven_megabytes))).outcome,
            Outcome::kCommitted);
  std::atomic<int> refusals = 0;
  SetJudge([&](Operation operation, absl::string_view) {
    if (operation != Operation::kGrowIndex) return SQLITE_OK;
    ++refusals;
    return SQLITE_IOERR_SHMSIZE;
  });
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("a"), MakeContent(seven_megabytes))).outcome,
            Outcome::kUnavailable);
  EXPECT_GT(refusals, 0);
  EXPECT_FALSE(store_->Get(Asset("a"))->has_value());
  Heal();
  std::unique_ptr<SqliteStore> crashed = OpenAfterCrash();
  EXPECT_TRUE(crashed->Get(Asset("before"))->has_value());
  EXPECT_FALSE(crashed->Get(Asset("a"))->has_value());
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("a"), MakeContent(seven_megabytes))).outcome,
            Outcome::kCommitted);
}

TEST_F(SqliteStoreFaultTest, IdleStoreDetectsThatTheDiskWorksAgain) {
  store_.reset();
  probe_interval_ = absl::Milliseconds(1);
  store_ = Open(path_);
  FailLog(Operation::kWrite, SQLITE_FULL);
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("a"), MakeContent("x"))).outcome,
            Outcome::kUnavailable);
  EXPECT_FALSE(store_->Health().ok());
  Heal();
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!store_->Health().ok() && absl::Now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(store_->Health().ok());
}

TEST_F(SqliteStoreFaultTest, FailedCheckpointDelaysNoCommit) {
  SetJudge([this](Operation operation, absl::string_view path) {
    return operation == Operation::kWrite && path == path_ ? SQLITE_FULL : SQLITE_OK;
  });
  const std::string resource(100'000, 'x');
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(CommitAndWait(*store_, Create(Asset(absl::StrCat(i)), MakeContent(resource))).outcome,
              Outcome::kCommitted);
  }
  EXPECT_TRUE(store_->Health().ok());
  Heal();
  store_.reset();
  store_ = Open(path_);
  EXPECT_EQ(*store_->Head(), 300);
}

TEST_F(SqliteStoreFaultTest, DamagedRowFailsOnlyTransactionsThatTouchIt) {
  const Revision revision =
      CommitAndWait(*store_, Create(Asset("a"), MakeContent("x", {"t"}))).revisions[0];
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  // The store may still do housekeeping after the commit.
  sqlite3_busy_timeout(db, 20'000);
  EXPECT_EQ(sqlite3_exec(db, "UPDATE resources SET terms = x'ff'", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(db);

  std::vector<Outcome> outcomes;
  absl::BlockingCounter answered(3);
  absl::Notification begun;
  absl::Notification queued;
  store_->Commit({}, [&](CommitResult) {
    begun.Notify();
    queued.WaitForNotification();
  });
  begun.WaitForNotification();
  for (Transaction& transaction : std::vector<Transaction>{
           Create(Asset("b"), MakeContent("x")), Update(Asset("a"), revision, MakeContent("y")),
           Create(Asset("c"), MakeContent("x"))}) {
    store_->Commit(std::move(transaction), [&](CommitResult result) {
      outcomes.push_back(result.outcome);
      answered.DecrementCount();
    });
  }
  queued.Notify();
  answered.Wait();
  EXPECT_THAT(outcomes, testing::ElementsAre(Outcome::kCommitted, Outcome::kUnavailable,
                                             Outcome::kCommitted));
  EXPECT_FALSE(store_->Get(Asset("a")).ok());
  EXPECT_TRUE(store_->Get(Asset("c"))->has_value());
}

TEST_F(SqliteStoreFaultTest, FailedReadReturnsAnError) {
  CommitAndWait(*store_, Create(Asset("a"), MakeContent("x")));
  SetJudge([](Operation operation, absl::string_view) {
    return operation == Operation::kRead ? SQLITE_IOERR_READ : SQLITE_OK;
  });
  const absl::Status status = store_->Get(Asset("a")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(store_->List({.tenant = "default"}).ok());
  EXPECT_FALSE(store_->ReadChanges({.tenant = "default"}).ok());
  Heal();
  EXPECT_TRUE(store_->Get(Asset("a"))->has_value());
}

}  // namespace
}  // namespace assetgate::store
