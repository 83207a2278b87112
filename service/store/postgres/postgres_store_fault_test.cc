// The database becomes unreachable, and comes back.
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "store/postgres/postgres_store.h"
#include "store/testing/postgres_proxy.h"
#include "store/testing/postgres_server.h"
#include "store/testing/rows.h"

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;
using postgres::Eventually;
using postgres::TestProxy;
using postgres::TestServer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr absl::Duration kTimeout = absl::Seconds(60);

Key Asset(absl::string_view id) { return {"default", Kind::kAsset, std::string(id)}; }

class Listener final : public ChangeListener {
 public:
  void OnChanges(const std::vector<ChangePtr>& changes, Revision) override {
    absl::MutexLock lock(&mu_);
    for (const ChangePtr& change : changes) revisions_.push_back(change->revision);
  }
  std::vector<Revision> revisions() const {
    absl::MutexLock lock(&mu_);
    return revisions_;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<Revision> revisions_ ABSL_GUARDED_BY(mu_);
};

class PostgresFaultTest : public testing::Test {
 protected:
  PostgresFaultTest() : proxy_(server_.port()) {}
  ~PostgresFaultTest() override {
    proxy_.Set(TestProxy::Mode::kCut);
    store_.reset();
    server_.DropDatabase(database_);
  }

  PostgresStore::Options Options() {
    PostgresStore::Options options;
    options.uri = server_.TcpUri(database_, TestServer::kSuperuser, proxy_.port());
    options.clock = &clock_;
    options.connect_timeout = absl::Seconds(2);
    options.timeout = absl::Seconds(2);
    options.probe_interval = absl::Milliseconds(100);
    return options;
  }
  PostgresStore& Open(const PostgresStore::Options& options) {
    absl::StatusOr<std::unique_ptr<PostgresStore>> store = PostgresStore::Open(options);
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    return *store_;
  }
  std::unique_ptr<postgres::Connection> Connect() {
    postgres::Connection::Options options;
    options.uri = server_.Uri(database_);
    options.timeout = options.lock_timeout = kTimeout;
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
  // Makes the server stop in the middle of every group until the lock is released: it has received
  // everything up to and including COMMIT.
  std::unique_ptr<postgres::Connection> HoldCommits() {
    std::unique_ptr<postgres::Connection> holder = Connect();
    EXPECT_TRUE(holder
                    ->Execute("CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                              "PERFORM pg_advisory_xact_lock(42); RETURN NULL; END $$;"
                              "CREATE TRIGGER hold AFTER INSERT ON changes EXECUTE FUNCTION hold();"
                              "SELECT pg_advisory_lock(42)")
                    .ok());
    return holder;
  }
  static constexpr char kHeld[] =
      "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE d.datname = "
      "current_database() AND locktype = 'advisory' AND objid = 42 AND NOT granted";

  base::SystemClock clock_;
  TestServer& server_ = TestServer::Shared();
  const std::string database_ = server_.CreateDatabase();
  TestProxy proxy_;
  std::unique_ptr<PostgresStore> store_;
};

TEST_F(PostgresFaultTest, OutageFailsCallsAtOnceAndEverythingResumesAfterwards) {
  PostgresStore& store = Open(Options());
  Listener listener;
  store.SetListener(&listener);
  ASSERT_EQ(CommitAndWait(store, Create(Asset("a"), MakeContent("1"))).outcome,
            Outcome::kCommitted);
  proxy_.Set(TestProxy::Mode::kCut);
  ASSERT_TRUE(Eventually([&] { return !store.Get(Asset("a")).ok(); }));
  ASSERT_TRUE(Eventually([&] { return !store.Health().ok(); }));
  EXPECT_THAT(std::string(store.Health().message()), HasSubstr("PostgreSQL"));
  EXPECT_THAT(std::string(store.Health().message()), testing::Not(HasSubstr("super-secret")));
  const absl::Time began = absl::Now();
  for (int i = 0; i < 1'000; ++i) {
    const absl::StatusOr<std::optional<Row>> row = store.Get(Asset("a"));
    EXPECT_EQ(row.status().code(), absl::StatusCode::kUnavailable);
  }
  EXPECT_LT(absl::Now() - began, absl::Seconds(2))
      << "known to be unreachable, and asked nevertheless";
  const CommitResult refused = CommitAndWait(store, Update(Asset("a"), 1, MakeContent("no")));
  EXPECT_EQ(refused.outcome, Outcome::kUnavailable);

  proxy_.Set(TestProxy::Mode::kForward);
  EXPECT_TRUE(Eventually([&] { return store.Health().ok(); }));
  EXPECT_EQ((*store.Get(Asset("a")))->content.resource, "1");
  EXPECT_EQ(CommitAndWait(store, Update(Asset("a"), 1, MakeContent("2"))).outcome,
            Outcome::kCommitted);
  EXPECT_THAT(listener.revisions(), ElementsAre(1, 2));
  store.Stop();
}

TEST_F(PostgresFaultTest, DatabaseThatDoesNotAnswerTimesOut) {
  PostgresStore& store = Open(Options());
  ASSERT_EQ(CommitAndWait(store, Create(Asset("a"), MakeContent("1"))).outcome,
            Outcome::kCommitted);
  proxy_.Set(TestProxy::Mode::kFrozen);
  const absl::Time began = absl::Now();
  EXPECT_FALSE(store.Get(Asset("a")).ok());
  EXPECT_EQ(CommitAndWait(store, Update(Asset("a"), 1, MakeContent("2"))).outcome,
            Outcome::kUnavailable)
      << "it was never sent";
  EXPECT_LT(absl::Now() - began, absl::Seconds(30));
  proxy_.Set(TestProxy::Mode::kForward);
  EXPECT_TRUE(Eventually([&] { return store.Health().ok(); }));
  EXPECT_EQ((*store.Get(Asset("a")))->content.resource, "1");
}

TEST_F(PostgresFaultTest, CommitWhoseAnswerIsLostIsFoundCommitted) {
  PostgresStore& store = Open(Options());
  Listener listener;
  store.SetListener(&listener);
  CommitAndWait(store, Create(Asset("before"), MakeContent("x")));
  const std::unique_ptr<postgres::Connection> holder = HoldCommits();
  const std::unique_ptr<postgres::Connection> observer = Connect();
  std::atomic<bool> answered = false;
  CommitResult result;
  store.Commit(Create(Asset("a"), MakeContent("x")), [&](CommitResult committed) {
    result = std::move(committed);
    answered = true;
  });
  ASSERT_TRUE(Eventually([&] { return Count(*observer, kHeld) == 1; }));
  proxy_.Set(TestProxy::Mode::kDropReplies);
  ASSERT_TRUE(holder->Execute("SELECT pg_advisory_unlock(42)").ok());
  ASSERT_TRUE(Eventually([&] { return Count(*observer, "SELECT revision FROM head") == 2; }));
  EXPECT_FALSE(answered);
  proxy_.Cut();
  proxy_.Set(TestProxy::Mode::kForward);
  ASSERT_TRUE(Eventually([&] { return answered.load(); }));
  EXPECT_EQ(result.outcome, Outcome::kCommitted) << result.message;
  EXPECT_THAT(result.revisions, ElementsAre(2));
  EXPECT_THAT(listener.revisions(), ElementsAre(1, 2));
  store.Stop();
}

TEST_F(PostgresFaultTest, CommitThatWasNotExecutedIsRetriedOnce) {
  PostgresStore& store = Open(Options());
  const std::unique_ptr<postgres::Connection> holder = HoldCommits();
  const std::unique_ptr<postgres::Connection> observer = Connect();
  std::atomic<bool> answered = false;
  CommitResult result;
  store.Commit(Create(Asset("a"), MakeContent("x")), [&](CommitResult committed) {
    result = std::move(committed);
    answered = true;
  });
  ASSERT_TRUE(Eventually([&] { return Count(*observer, kHeld) == 1; }));
  proxy_.Cut();
  // It is still in progress when it is looked up, and is terminated; otherwise its outcome would
  // stay open.
  proxy_.Set(TestProxy::Mode::kForward);
  ASSERT_TRUE(Eventually([&] {
    return Count(*observer,
                 "SELECT count(*) FROM pg_stat_activity WHERE datname = "
                 "current_database() AND wait_event_type = 'Lock'") == 1;
  }));
  ASSERT_TRUE(holder->Execute("SELECT pg_advisory_unlock(42)").ok());
  ASSERT_TRUE(Eventually([&] { return answered.load(); }));
  EXPECT_EQ(result.outcome, Outcome::kCommitted) << result.message;
  EXPECT_EQ(Count(*observer, "SELECT count(*) FROM changes"), 1);
}

TEST_F(PostgresFaultTest, CommitThatCannotBeLookedUpIsUnknown) {
  PostgresStore::Options options = Options();
  options.outcome_timeout = absl::Milliseconds(500);
  PostgresStore& store = Open(options);
  const std::unique_ptr<postgres::Connection> holder = HoldCommits();
  const std::unique_ptr<postgres::Connection> observer = Connect();
  std::atomic<int> answered = 0;
  CommitResult results[2];
  store.Commit(Create(Asset("a"), MakeContent("x")), [&](CommitResult committed) {
    results[0] = std::move(committed);
    ++answered;
  });
  ASSERT_TRUE(Eventually([&] { return Count(*observer, kHeld) == 1; }));
  store.Commit(Create(Asset("b"), MakeContent("x")), [&](CommitResult committed) {
    results[1] = std::move(committed);
    ++answered;
  });
  proxy_.Set(TestProxy::Mode::kCut);
  ASSERT_TRUE(Eventually([&] { return answered == 2; }));
  EXPECT_EQ(results[0].outcome, Outcome::kUnknown);
  EXPECT_EQ(results[1].outcome, Outcome::kUnavailable);
  ASSERT_TRUE(holder->Execute("SELECT pg_advisory_unlock(42)").ok());
}

TEST_F(PostgresFaultTest, ServerCrashUnderLoadLosesNothingAcknowledged) {
  constexpr int kThreads = 4;
  PostgresStore::Options options = Options();
  options.uri = server_.Uri(database_);
  PostgresStore& store = Open(options);
  Listener listener;
  store.SetListener(&listener);
  absl::Mutex mu;
  std::map<std::string, Revision> acknowledged;
  std::set<std::string> refused;
  std::atomic<bool> over = false;
  std::atomic<int> committed = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !over; ++i) {
        const std::string id = absl::StrCat(t, "-", i);
        const CommitResult result = CommitAndWait(store, Create(Asset(id), MakeContent("x")));
        absl::MutexLock lock(&mu);
        if (result.outcome == Outcome::kCommitted) {
          ++committed;
          EXPECT_TRUE(acknowledged.emplace(id, result.revisions[0]).second);
        } else {
          EXPECT_NE(result.outcome, Outcome::kConflict) << id;
          if (result.outcome == Outcome::kUnavailable) refused.insert(id);
        }
      }
    });
  }
  for (int round = 0; round < 3; ++round) {
    const int before = committed;
    EXPECT_TRUE(Eventually([&] { return committed > before + 50; })) << "work does not resume";
    server_.Crash();
    server_.Start();
  }
  const int before = committed;
  EXPECT_TRUE(Eventually([&] { return committed > before + 50; }));
  over = true;
  for (std::thread& thread : threads) thread.join();

  EXPECT_TRUE(Eventually([&] { return store.Health().ok(); })) << store.Health();
  for (const auto& [id, revision] : acknowledged) {
    const absl::StatusOr<std::optional<Row>> row = store.Get(Asset(id));
    ASSERT_TRUE(row.ok()) << row.status();
    ASSERT_TRUE(row->has_value()) << id << " was acknowledged and is lost";
    EXPECT_EQ((*row)->revision, revision);
  }
  for (const std::string& id : refused) {
    EXPECT_FALSE(store.Get(Asset(id))->has_value()) << id << " was rejected and exists";
  }
  const Revision head = *store.Head();
  ASSERT_TRUE(Eventually(
      [&] { return !listener.revisions().empty() && listener.revisions().back() == head; }));
  const std::vector<Revision> received = listener.revisions();
  ASSERT_THAT(received, SizeIs(static_cast<std::size_t>(head)));
  for (std::size_t i = 0; i < received.size(); ++i) {
    ASSERT_EQ(received[i], static_cast<Revision>(i) + 1);
  }
  store.Stop();
}

TEST_F(PostgresFaultTest, ReplacedDatabaseIsNotWrittenTo) {
  PostgresStore& store = Open(Options());
  ASSERT_EQ(CommitAndWait(store, Create(Asset("a"), MakeContent("1"))).outcome,
            Outcome::kCommitted);
  server_.Execute("UPDATE assetgate.meta SET value = 'another' WHERE name = 'store_id'", database_);
  proxy_.Set(TestProxy::Mode::kCut);
  ASSERT_TRUE(Eventually([&] { return !store.Health().ok(); }));
  proxy_.Set(TestProxy::Mode::kForward);
  ASSERT_TRUE(Eventually([&] {
    return CommitAndWait(store, Create(Asset("b"), MakeContent("1")))
               .message.find("another store") != std::string::npos;
  }));
  EXPECT_EQ(Count(*Connect(), "SELECT count(*) FROM resources"), 1);
}

}  // namespace
}  // namespace assetgate::store
