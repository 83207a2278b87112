// A primary that waits for a standby before it answers a COMMIT.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "store/postgres/postgres_store.h"
#include "store/testing/postgres_server.h"
#include "store/testing/rows.h"

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;
using postgres::Eventually;
using postgres::TestServer;

constexpr char kWaiting[] = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

Key Asset(absl::string_view id) { return {"default", Kind::kAsset, std::string(id)}; }

class PostgresReplicationTest : public testing::Test {
 protected:
  void Open(absl::Duration outcome_timeout) {
    PostgresStore::Options options;
    options.uri = server_.Uri(database_);
    options.clock = &clock_;
    options.timeout = absl::Seconds(2);
    options.lock_timeout = absl::Seconds(1);
    options.outcome_timeout = outcome_timeout;
    options.probe_interval = absl::Milliseconds(100);
    absl::StatusOr<std::unique_ptr<PostgresStore>> store = PostgresStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    ASSERT_EQ(CommitAndWait(*store_, Create(Asset("before"), MakeContent("x"))).outcome,
              Outcome::kCommitted);
  }
  // From now on a COMMIT is answered once these standbys have confirmed it; at once if `standbys`
  // is empty.
  void Synchronize(absl::string_view standbys) {
    server_.Execute(absl::StrCat("ALTER SYSTEM SET synchronous_standby_names = '", standbys, "'"));
    server_.Execute("SELECT pg_reload_conf()");
    const std::unique_ptr<postgres::Connection> observer = Connect(server_);
    EXPECT_TRUE(Eventually([&] {
      const auto rows = observer->Run({"SELECT current_setting('synchronous_standby_names')", {}});
      return rows.ok() && rows->BytesAt(0, 0) == standbys;
    }));
    // Backends read the setting between two commands; the store's may have been idle.
    EXPECT_TRUE(
        standbys.empty() || Eventually([&] {
          return Count(*observer,
                       "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") > 0 ||
                 standbys == "nobody";
        }));
  }
  std::unique_ptr<postgres::Connection> Connect(TestServer& server) {
    postgres::Connection::Options options;
    options.uri = server.Uri(database_);
    absl::StatusOr<std::unique_ptr<postgres::Connection>> connection =
        postgres::Connection::Open(options);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }
  std::int64_t Count(postgres::Connection& connection, const char* sql) {
    absl::StatusOr<postgres::Rows> rows = connection.Run({sql, {}});
    EXPECT_TRUE(rows.ok()) << rows.status();
    return rows.ok() ? rows->IntAt(0, 0) : -1;
  }
  bool Has(absl::string_view id) {
    const absl::StatusOr<std::optional<Row>> row = store_->Get(Asset(id));
    return row.ok() && row->has_value();
  }
  bool BarrierIsCommitted() {
    Transaction barrier;
    barrier.barrier = true;
    return CommitAndWait(*store_, std::move(barrier)).outcome == Outcome::kCommitted;
  }

  base::SystemClock clock_;
  TestServer server_;
  const std::string database_ = server_.CreateDatabase();
  std::unique_ptr<PostgresStore> store_;
};

TEST_F(PostgresReplicationTest, MissingStandbyMakesTheOutcomeUnknownWithoutEndingTheWait) {
  Open(absl::Seconds(1));
  Synchronize("nobody");
  const CommitResult result = CommitAndWait(*store_, Create(Asset("a"), MakeContent("x")));
  EXPECT_EQ(result.outcome, Outcome::kUnknown) << result.message;
  EXPECT_TRUE(result.provisional);
  EXPECT_FALSE(Has("a")) << "its wait was ended, and it was committed on the primary alone";
  EXPECT_GE(Count(*Connect(server_), kWaiting), 1);
  // Transactions after it are not started, and get an error.
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("b"), MakeContent("x"))).outcome,
            Outcome::kUnavailable);
  EXPECT_FALSE(BarrierIsCommitted());

  Synchronize("");
  EXPECT_TRUE(Eventually([&] { return BarrierIsCommitted(); }));
  EXPECT_TRUE(Has("a"));
  EXPECT_FALSE(Has("b"));
}

TEST_F(PostgresReplicationTest, CancelledWaitMakesTheOutcomeUnknownAlthoughItCanBeRead) {
  Open(absl::Seconds(1));
  Synchronize("nobody");
  std::atomic<bool> answered = false;
  CommitResult result;
  store_->Commit(Create(Asset("a"), MakeContent("x")), [&](CommitResult committed) {
    result = std::move(committed);
    answered = true;
  });
  const std::unique_ptr<postgres::Connection> observer = Connect(server_);
  // An operator cancels the wait.
  ASSERT_TRUE(Eventually([&] {
    return Count(*observer,
                 "SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) FROM pg_stat_activity "
                 "WHERE wait_event = 'SyncRep' AND query = 'COMMIT'") > 0 &&
           Has("a");
  }));
  ASSERT_TRUE(Eventually([&] { return answered.load(); }));
  EXPECT_EQ(result.outcome, Outcome::kUnknown) << result.message;
  EXPECT_TRUE(result.provisional);
  EXPECT_TRUE(Has("a"));
  Synchronize("");
  EXPECT_TRUE(Eventually([&] { return BarrierIsCommitted(); }));
}

TEST_F(PostgresReplicationTest, StandbyOutageLosesNothingAcknowledged) {
  TestServer standby(&server_);
  Open(absl::Seconds(1));
  Synchronize("*");
  ASSERT_EQ(CommitAndWait(*store_, Create(Asset("a"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
  standby.Crash();
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("b"), MakeContent("x"))).outcome,
            Outcome::kUnknown);
  EXPECT_FALSE(Has("b"));

  standby.Start();
  ASSERT_TRUE(Eventually([&] { return BarrierIsCommitted(); }));
  EXPECT_TRUE(Has("b")) << "it was in flight, and was confirmed later";
  ASSERT_EQ(CommitAndWait(*store_, Create(Asset("c"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
  const std::unique_ptr<postgres::Connection> there = Connect(standby);
  EXPECT_TRUE(Eventually([&] { return Count(*there, "SELECT count(*) FROM resources") == 4; }));
}

TEST_F(PostgresReplicationTest, CommitWaitsForAStandbyThatComesBackInTime) {
  TestServer standby(&server_);
  Open(absl::Seconds(30));
  Synchronize("*");
  standby.Crash();
  std::atomic<bool> answered = false;
  CommitResult result;
  store_->Commit(Create(Asset("a"), MakeContent("x")), [&](CommitResult committed) {
    result = std::move(committed);
    answered = true;
  });
  const std::unique_ptr<postgres::Connection> observer = Connect(server_);
  ASSERT_TRUE(Eventually([&] { return Count(*observer, kWaiting) >= 1; }));
  standby.Start();
  ASSERT_TRUE(Eventually([&] { return answered.load(); }));
  EXPECT_EQ(result.outcome, Outcome::kCommitted) << result.message;
  EXPECT_TRUE(Has("a"));
}

}  // namespace
}  // namespace assetgate::store
