// Several gateways on one database.
#include <algorithm>
#include <atomic>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "store/postgres/postgres_store.h"
#include "store/testing/postgres_proxy.h"
#include "store/testing/postgres_server.h"
#include "store/testing/rows.h"

namespace assetgate::store {
namespace {

using Outcome = CommitResult::Outcome;
using postgres::Eventually;
using ::testing::ElementsAre;
using ::testing::Le;
using ::testing::SizeIs;

constexpr absl::Duration kTimeout = absl::Seconds(60);

Key Asset(absl::string_view id) { return {"default", Kind::kAsset, std::string(id)}; }

// Records its notifications and their times.
class Listener : public ChangeListener {
 public:
  void OnChanges(const std::vector<ChangePtr>& changes, Revision head) override {
    absl::MutexLock lock(&mu_);
    changes_.insert(changes_.end(), changes.begin(), changes.end());
    for (const ChangePtr& change : changes) receive_times_[change->revision] = absl::Now();
    head_ = head;
  }
  std::vector<ChangePtr> changes() const {
    absl::MutexLock lock(&mu_);
    return changes_;
  }
  Revision head() const {
    absl::MutexLock lock(&mu_);
    return head_;
  }
  // Waits until everything up to `revision` was notified.
  bool AwaitHead(Revision revision) {
    const auto notified = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return head_ >= revision; };
    absl::MutexLock lock(&mu_);
    return mu_.AwaitWithTimeout(absl::Condition(&notified), kTimeout);
  }
  absl::Time received(Revision revision) const {
    absl::MutexLock lock(&mu_);
    const auto it = receive_times_.find(revision);
    return it == receive_times_.end() ? absl::InfiniteFuture() : it->second;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<ChangePtr> changes_ ABSL_GUARDED_BY(mu_);
  std::map<Revision, absl::Time> receive_times_ ABSL_GUARDED_BY(mu_);
  Revision head_ ABSL_GUARDED_BY(mu_) = 0;
};

class PostgresGatewaysTest : public testing::Test {
 protected:
  ~PostgresGatewaysTest() override {
    for (const auto& store : stores_) {
      if (store != nullptr) store->Stop();
    }
    stores_.clear();
    server_.DropDatabase(database_);
  }

  PostgresStore::Options Options() {
    PostgresStore::Options options;
    options.uri = server_.Uri(database_);
    options.clock = &clock_;
    return options;
  }
  PostgresStore& Open(const PostgresStore::Options& options) {
    absl::StatusOr<std::unique_ptr<PostgresStore>> store = PostgresStore::Open(options);
    EXPECT_TRUE(store.ok()) << store.status();
    stores_.push_back(*std::move(store));
    return *stores_.back();
  }
  void OpenMany(int count) {
    for (int i = 0; i < count; ++i) Open(Options());
  }
  // A separate connection that a test can stall.
  std::unique_ptr<postgres::Connection> Connect() {
    postgres::Connection::Options options;
    options.uri = server_.Uri(database_);
    options.application_name = "assetgate of another gateway";
    options.timeout = kTimeout;
    options.lock_timeout = kTimeout;
    absl::StatusOr<std::unique_ptr<postgres::Connection>> connection =
        postgres::Connection::Open(options);
    EXPECT_TRUE(connection.ok()) << connection.status();
    return *std::move(connection);
  }

  // Calls `run(store, number)` on one thread for each gateway, and waits for all.
  template <typename Run>
  void OnEach(Run run) {
    std::vector<std::thread> threads;
    threads.reserve(stores_.size());
    for (std::size_t i = 0; i < stores_.size(); ++i) {
      threads.emplace_back([&, i] { run(*stores_[i], static_cast<int>(i)); });
    }
    for (std::thread& thread : threads) thread.join();
  }

  base::SystemClock clock_;
  postgres::TestServer& server_ = postgres::TestServer::Shared();
  const std::string database_ = server_.CreateDatabase();
  std::vector<std::unique_ptr<PostgresStore>> stores_;
};

TEST_F(PostgresGatewaysTest, GatewaysThatStartTogetherAgreeOnOneStore) {
  std::vector<std::unique_ptr<PostgresStore>> opened(5);
  std::vector<std::thread> threads;
  threads.reserve(opened.size());
  for (auto& store : opened) {
    threads.emplace_back([&] {
      absl::StatusOr<std::unique_ptr<PostgresStore>> result = PostgresStore::Open(Options());
      ASSERT_TRUE(result.ok()) << result.status();
      store = *std::move(result);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& store : opened) EXPECT_EQ(store->store_id(), opened[0]->store_id());
}

TEST_F(PostgresGatewaysTest, EveryListenerGetsAllChangesInOrderAndKnowsItsOwn) {
  constexpr int kEach = 150;
  OpenMany(3);
  Listener listeners[3];
  for (std::size_t i = 0; i < 3; ++i) stores_[i]->SetListener(&listeners[i]);
  std::atomic<int> answered_too_early = 0;
  OnEach([&](Store& store, int number) {
    Listener& listener = listeners[number];
    std::atomic<int> answered = 0;
    for (int i = 0; i < kEach; ++i) {
      Content content = MakeContent(absl::StrCat(number), {absl::StrCat("of:", number)});
      content.unfinished = i % 2 == 0;
      content.shard = i % kShards;
      store.Commit(Create(Asset(absl::StrCat(number, "-", i)), content), [&](CommitResult result) {
        if (result.outcome != Outcome::kCommitted || listener.head() < result.revisions[0]) {
          ++answered_too_early;
        }
        ++answered;
      });
    }
    EXPECT_TRUE(Eventually([&] { return answered == kEach; }));
  });
  EXPECT_EQ(answered_too_early, 0);
  for (int number = 0; number < 3; ++number) {
    ASSERT_TRUE(listeners[number].AwaitHead(3 * kEach));
    const std::vector<ChangePtr> changes = listeners[number].changes();
    ASSERT_THAT(changes, SizeIs(3 * kEach));
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const Change& change = *changes[i];
      EXPECT_EQ(change.revision, static_cast<Revision>(i) + 1);
      EXPECT_EQ(change.local, change.resource == absl::StrCat(number));
      EXPECT_THAT(change.terms, ElementsAre(absl::StrCat("of:", change.resource)));
      const Change& other = *listeners[0].changes()[i];
      EXPECT_EQ(change.key, other.key);
      EXPECT_EQ(change.unfinished, other.unfinished);
      EXPECT_EQ(change.shard, other.shard);
    }
  }
}

TEST_F(PostgresGatewaysTest, ChangesReachOtherGatewaysQuickly) {
  OpenMany(2);
  Listener listener;
  stores_[1]->SetListener(&listener);
  std::vector<absl::Duration> took;
  for (int i = 0; i < 100; ++i) {
    const absl::Time began = absl::Now();
    const Revision revision =
        CommitAndWait(*stores_[0], Create(Asset(absl::StrCat(i)), MakeContent("x"))).revisions[0];
    ASSERT_TRUE(listener.AwaitHead(revision));
    took.push_back(listener.received(revision) - began);
  }
  std::sort(took.begin(), took.end());
  std::cout << "from Commit at one gateway to the listener of another: median " << took[50]
            << ", 95th of 100 " << took[94] << std::endl;
  // Polling without notifications would take half a second.
  EXPECT_LT(took[50], absl::Milliseconds(250));
}

TEST_F(PostgresGatewaysTest, ConcurrentUpdatesOfOneRowLoseNothing) {
  constexpr int kEach = 25;
  OpenMany(5);
  CommitAndWait(*stores_[0], Create(Asset("n"), MakeContent("0")));
  std::atomic<int> conflicts = 0;
  OnEach([&](Store& store, int) {
    for (int added = 0; added < kEach;) {
      const absl::StatusOr<std::optional<Row>> row = store.Get(Asset("n"));
      ASSERT_TRUE(row.ok()) << row.status();
      const int n = std::stoi((*row)->content.resource);
      const CommitResult result = CommitAndWait(
          store, Update(Asset("n"), (*row)->revision, MakeContent(absl::StrCat(n + 1))));
      if (result.outcome == Outcome::kCommitted) {
        ++added;
      } else {
        ASSERT_EQ(result.outcome, Outcome::kConflict) << result.message;
        EXPECT_THAT(result.conflicts, ElementsAre(0));
        ++conflicts;
      }
    }
  });
  EXPECT_EQ((*stores_[0]->Get(Asset("n")))->content.resource, absl::StrCat(5 * kEach));
  EXPECT_EQ(*stores_[0]->Head(), 5 * kEach + 1) << "a conflict uses no revision";
  EXPECT_GT(conflicts, 0) << "the gateways did not conflict";
}

TEST_F(PostgresGatewaysTest, RequestIdIsClaimedByOneGatewayAndReturnedToTheOthers) {
  OpenMany(4);
  for (int round = 0; round < 25; ++round) {
    std::vector<CommitResult> results(stores_.size());
    OnEach([&](Store& store, int number) {
      const Key mine = Asset(absl::StrCat(round, "-", number));
      Transaction transaction = Create(mine, MakeContent("x"));
      transaction.claim_request =
          RequestRow{{"default", "CreateAsset", absl::StrCat(round)}, "body", {mine}, clock_.Now()};
      results[static_cast<std::size_t>(number)] = CommitAndWait(store, std::move(transaction));
    });
    std::optional<Key> winner;
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (results[i].outcome != Outcome::kCommitted) continue;
      EXPECT_FALSE(winner.has_value()) << "claimed twice";
      winner = Asset(absl::StrCat(round, "-", i));
    }
    ASSERT_TRUE(winner.has_value());
    for (const CommitResult& result : results) {
      if (result.outcome == Outcome::kCommitted) continue;
      ASSERT_EQ(result.outcome, Outcome::kRequestIdTaken) << result.message;
      EXPECT_THAT(result.request->rows, ElementsAre(*winner));
    }
  }
}

TEST_F(PostgresGatewaysTest, OnlyOneGatewayCreatesARowOfAName) {
  OpenMany(4);
  for (int round = 0; round < 25; ++round) {
    std::atomic<int> created = 0;
    OnEach([&](Store& store, int) {
      const Outcome outcome =
          CommitAndWait(store, Create(Asset(absl::StrCat(round)), MakeContent("x"))).outcome;
      if (outcome == Outcome::kCommitted) {
        ++created;
      } else {
        EXPECT_EQ(outcome, Outcome::kConflict);
      }
    });
    EXPECT_EQ(created, 1);
  }
}

TEST_F(PostgresGatewaysTest, GroupIsNeverDeletedWhileAnotherGatewayCreatesAMember) {
  OpenMany(2);
  for (int round = 0; round < 30; ++round) {
    const std::string group = absl::StrCat("group", round);
    const std::string term = absl::StrCat("group:", group);
    const Revision revision =
        CommitAndWait(*stores_[0], Create(Asset(group), MakeContent("x"))).revisions[0];
    std::vector<Outcome> outcomes(2);
    OnEach([&](Store& store, int number) {
      Transaction transaction;
      if (number == 0) {
        transaction = Create(Asset(absl::StrCat("m", round)), MakeContent("x", {term}));
        transaction.conditions.exist = {Asset(group)};
      } else {
        transaction = Delete(Asset(group), revision);
        transaction.conditions.absent = {{"default", Kind::kAsset, term}};
      }
      outcomes[static_cast<std::size_t>(number)] =
          CommitAndWait(store, std::move(transaction)).outcome;
    });
    const std::set<Outcome> seen(outcomes.begin(), outcomes.end());
    EXPECT_THAT(seen, ElementsAre(Outcome::kCommitted, Outcome::kConditionUnmet));
  }
}

// All groups use the same few rows, ids and groups in every order.
TEST_F(PostgresGatewaysTest, OnlyOneOfTwoGatewaysGetsATermThatMustBeAbsentAnywhere) {
  OpenMany(2);
  for (int round = 0; round < 20; ++round) {
    const std::string term = absl::StrCat("task:", round);
    CommitResult results[2];
    OnEach([&](PostgresStore& store, int number) {
      Transaction transaction =
          Create({absl::StrCat("tenant-", number), Kind::kAsset, absl::StrCat("t", round)},
                 MakeContent("x", {term}));
      // In every other round one of them is an ordinary writer.
      if (round % 2 == 0 || number == 0) {
        transaction.conditions.absent_anywhere = {{Kind::kAsset, term, {}}};
      }
      results[number] = CommitAndWait(store, std::move(transaction));
    });
    const int committed = static_cast<int>(results[0].outcome == Outcome::kCommitted) +
                          static_cast<int>(results[1].outcome == Outcome::kCommitted);
    if (round % 2 == 0) {
      EXPECT_EQ(committed, 1);
    } else {
      EXPECT_EQ(results[1].outcome, Outcome::kCommitted) << "rejected without a condition";
    }
    for (const CommitResult& result : results) {
      if (result.outcome == Outcome::kCommitted) continue;
      EXPECT_EQ(result.outcome, Outcome::kConditionUnmet) << result.message;
    }
  }
}

TEST_F(PostgresGatewaysTest, OverlappingWritersDoNotDeadlock) {
  constexpr int kEach = 300;
  OpenMany(4);
  std::atomic<int> committed = 0;
  OnEach([&](Store& store, int number) {
    std::mt19937 random(static_cast<unsigned>(number));
    const auto below = [&](int bound) {
      return std::uniform_int_distribution<int>(0, bound - 1)(random);
    };
    std::map<std::string, Revision> seen;
    absl::Mutex mu;
    std::atomic<int> answered = 0;
    for (int i = 0; i < kEach; ++i) {
      Transaction transaction;
      std::set<int> ids;
      while (ids.size() < 4) ids.insert(below(12));
      std::vector<int> order(ids.begin(), ids.end());
      std::shuffle(order.begin(), order.end(), random);
      for (const int id : order) {
        const std::string name = absl::StrCat(id);
        Revision expected;
        {
          absl::MutexLock lock(&mu);
          expected = seen[name];
        }
        transaction.writes.push_back({Asset(name), expected, MakeContent("x", {"t"}), {}});
      }
      transaction.conditions.exist = {Asset(absl::StrCat(below(12)))};
      if (below(2) == 0) transaction.conditions.exist.clear();
      if (below(3) == 0) {
        transaction.claim_request =
            RequestRow{{"default", "m", absl::StrCat(below(500))}, "", {}, clock_.Now()};
      }
      store.Commit(std::move(transaction), [&, order](CommitResult result) {
        EXPECT_NE(result.outcome, Outcome::kUnavailable) << result.message;
        EXPECT_NE(result.outcome, Outcome::kUnknown) << result.message;
        if (result.outcome == Outcome::kCommitted) ++committed;
        ++answered;
      });
      if (i % 10 == 9) {
        EXPECT_TRUE(Eventually([&] { return answered == i + 1; }));
        for (int id = 0; id < 12; ++id) {
          const absl::StatusOr<std::optional<Row>> row = store.Get(Asset(absl::StrCat(id)));
          ASSERT_TRUE(row.ok()) << row.status();
          absl::MutexLock lock(&mu);
          seen[absl::StrCat(id)] = row->has_value() ? (*row)->revision : 0;
        }
      }
    }
    EXPECT_TRUE(Eventually([&] { return answered == kEach; }));
  });
  EXPECT_GT(committed, 0);
  stores_.clear();  // Backends report their statistics when they end.
  const std::unique_ptr<postgres::Connection> connection = Connect();
  const absl::StatusOr<postgres::Rows> rows = connection->Run(
      {"SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()", {}});
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->IntAt(0, 0), 0);
}

TEST_F(PostgresGatewaysTest, SlowTransactionHidesNoChanges) {
  OpenMany(2);
  Listener listener;
  stores_[1]->SetListener(&listener);
  // Another writer has a revision and has not committed yet.
  const std::unique_ptr<postgres::Connection> slow = Connect();
  ASSERT_TRUE(
      slow->Execute("BEGIN; UPDATE head SET revision = revision + 1;"
                    "INSERT INTO changes SELECT 1, 1, 1, 'default', 2, 'slow', 1, false, 1, "
                    "true, false, 0, '', '', 'slow'")
          .ok());
  std::atomic<bool> answered = false;
  CommitResult result;
  stores_[0]->Commit(Create(Asset("quick"), MakeContent("quick")), [&](CommitResult committed) {
    result = std::move(committed);
    answered = true;
  });
  // The quick writer waits for the head.
  const std::unique_ptr<postgres::Connection> observer = Connect();
  ASSERT_TRUE(Eventually([&] {
    absl::StatusOr<postgres::Rows> rows = observer->Run(
        {"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = "
         "current_database()",
         {}});
    return rows.ok() && rows->IntAt(0, 0) == 1;
  }));
  EXPECT_FALSE(answered);
  EXPECT_EQ(*stores_[1]->Head(), 0);
  EXPECT_THAT(listener.changes(), SizeIs(0));
  ASSERT_TRUE(slow->Execute("COMMIT").ok());
  ASSERT_TRUE(Eventually([&] { return answered.load(); }));
  ASSERT_EQ(result.outcome, Outcome::kCommitted) << result.message;
  EXPECT_THAT(result.revisions, ElementsAre(2));
  ASSERT_TRUE(listener.AwaitHead(2));
  const std::vector<ChangePtr> received = listener.changes();
  ASSERT_THAT(received, SizeIs(2));
  EXPECT_EQ(received[0]->resource, "slow");
  EXPECT_EQ(received[1]->resource, "quick");
}

// One holds the head, which all need; one holds a row that others need.
TEST_F(PostgresGatewaysTest, StalledWriterIsTerminated) {
  PostgresStore::Options options = Options();
  options.lock_timeout = absl::Milliseconds(300);
  PostgresStore& store = Open(options);
  // Also waits for its client in a transaction, but holds nothing that others need.
  const std::unique_ptr<postgres::Connection> bystander = Connect();
  ASSERT_TRUE(bystander->Execute("BEGIN; SELECT 1").ok());
  for (const char* lock : {"SELECT revision FROM head FOR UPDATE",
                           "SELECT pg_advisory_xact_lock(x'4147535400000001'::bigint)"}) {
    const std::unique_ptr<postgres::Connection> stalled = Connect();
    ASSERT_TRUE(stalled->Execute(absl::StrCat("BEGIN; ", lock)).ok());
    const absl::Time began = absl::Now();
    const CommitResult result = CommitAndWait(store, Create(Asset(lock), MakeContent("x")));
    EXPECT_EQ(result.outcome, Outcome::kCommitted) << lock << ": " << result.message;
    EXPECT_LT(absl::Now() - began, absl::Seconds(20));
    EXPECT_FALSE(stalled->Execute("SELECT 1").ok());
    EXPECT_TRUE(stalled->broken());
  }
  EXPECT_TRUE(bystander->Execute("COMMIT").ok());
}

TEST_F(PostgresGatewaysTest, ServerTerminatesAStalledWriterByItself) {
  PostgresStore& store = Open(Options());
  postgres::Connection::Options options;
  options.uri = server_.Uri(database_);
  options.lock_timeout = absl::Milliseconds(200);
  absl::StatusOr<std::unique_ptr<postgres::Connection>> stalled =
      postgres::Connection::Open(options);
  ASSERT_TRUE(stalled.ok()) << stalled.status();
  ASSERT_TRUE((*stalled)->Execute("BEGIN; SELECT revision FROM head FOR UPDATE").ok());
  EXPECT_EQ(CommitAndWait(store, Create(Asset("a"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
  EXPECT_FALSE((*stalled)->Execute("SELECT 1").ok());
}

TEST_F(PostgresGatewaysTest, GatewayThatWasDisconnectedTooLongIsNotifiedOfTheGap) {
  PostgresStore::Options options = Options();
  postgres::TestProxy proxy(server_.port());
  options.uri = server_.TcpUri(database_, postgres::TestServer::kSuperuser, proxy.port());
  options.connect_timeout = absl::Seconds(2);
  PostgresStore& away = Open(options);
  PostgresStore& here = Open(Options());

  class GapListener final : public Listener {
   public:
    void OnGap(Revision upto) override { gap = upto; }
    std::atomic<Revision> gap = 0;
  } listener;
  away.SetListener(&listener);
  ASSERT_EQ(CommitAndWait(here, Create(Asset("a"), MakeContent("1"))).outcome, Outcome::kCommitted);
  ASSERT_TRUE(listener.AwaitHead(1));
  proxy.Set(postgres::TestProxy::Mode::kCut);
  ASSERT_TRUE(Eventually([&] { return !away.Health().ok(); }));
  for (Revision revision = 1; revision < 5; ++revision) {
    CommitAndWait(here, Update(Asset("a"), revision, MakeContent("x")));
  }
  // As Expire does.
  server_.Execute(
      "DELETE FROM assetgate.changes WHERE revision <= 3; UPDATE assetgate.compaction "
      "SET upto = 3",
      database_);
  proxy.Set(postgres::TestProxy::Mode::kForward);
  ASSERT_TRUE(listener.AwaitHead(5));
  EXPECT_EQ(listener.gap, 3);
  std::vector<Revision> received;
  for (const ChangePtr& change : listener.changes()) received.push_back(change->revision);
  EXPECT_THAT(received, ElementsAre(1, 4, 5));
  EXPECT_TRUE(Eventually([&] { return away.Health().ok(); }));
}

// Records which shards it was notified to hold.
class Holder final : public LeaseListener {
 public:
  void OnTaken(const std::vector<Shard>& shards) override {
    absl::MutexLock lock(&mu_);
    for (const Shard shard : shards) EXPECT_TRUE(held_.insert(shard).second) << shard;
  }
  void OnLost(const std::vector<Shard>& shards) override {
    absl::MutexLock lock(&mu_);
    for (const Shard shard : shards) EXPECT_EQ(held_.erase(shard), 1u) << shard;
  }
  std::set<Shard> held() const {
    absl::MutexLock lock(&mu_);
    return held_;
  }

 private:
  mutable absl::Mutex mu_;
  std::set<Shard> held_ ABSL_GUARDED_BY(mu_);
};

std::set<Shard> Held(PostgresStore& store) {
  std::set<Shard> held;
  for (Shard shard = 0; shard < kShards; ++shard) {
    if (store.leases().HeldUntil(shard).has_value()) held.insert(shard);
  }
  return held;
}

class PostgresLeasesTest : public PostgresGatewaysTest {
 protected:
  PostgresStore::Options Options() {
    PostgresStore::Options options = PostgresGatewaysTest::Options();
    options.lease_duration = absl::Seconds(4);
    options.lease_margin = absl::Seconds(1);
    options.lease_renewal = absl::Milliseconds(200);
    return options;
  }
  // Whether all have a fair share, and every shard is held.
  bool AreDealt(const std::vector<const Holder*>& holders) {
    const std::size_t share = (kShards + holders.size() - 1) / holders.size();
    std::size_t all = 0;
    for (const Holder* holder : holders) {
      if (holder->held().size() > share) return false;
      all += holder->held().size();
    }
    return all == kShards;
  }
};

TEST_F(PostgresLeasesTest, SingleGatewayHoldsAllShardsFromTheStart) {
  PostgresStore& store = Open(Options());
  Holder holder;
  store.leases().SetListener(&holder);
  EXPECT_THAT(holder.held(), SizeIs(kShards));
  EXPECT_EQ(store.leases().gateways(), 1);
  std::set<Shard> picked;
  for (int i = 0; i < kShards; ++i) picked.insert(*store.leases().Pick());
  EXPECT_THAT(picked, SizeIs(kShards)) << "new work is spread";
  const absl::Time now = clock_.Now();
  const std::optional<absl::Time> until = store.leases().HeldUntil(7);
  ASSERT_TRUE(until.has_value());
  EXPECT_GT(*until, now);
  EXPECT_LE(*until, clock_.Now() + absl::Seconds(3)) << "the margin is not subtracted";
  EXPECT_FALSE(store.leases().HeldUntil(-1).has_value());
  EXPECT_FALSE(store.leases().HeldUntil(kShards).has_value());
  store.Stop();
}

TEST_F(PostgresLeasesTest, HolderOfAShardIsReportedByName) {
  PostgresStore::Options options = Options();
  options.name = "pod-0";
  PostgresStore& first = Open(options);
  options.name = "pod-1";
  PostgresStore& second = Open(options);
  const auto both = [&](PostgresStore& asked) {
    std::set<std::string> names;
    for (Shard shard = 0; shard < kShards; ++shard) {
      names.insert(asked.HolderOf(shard).value_or("?"));
    }
    return names == std::set<std::string>{"pod-0", "pod-1"};
  };
  EXPECT_TRUE(Eventually([&] { return both(first) && both(second); }));
  for (const Shard shard : Held(second)) {
    EXPECT_EQ(first.HolderOf(shard).value_or("?"), "pod-1");
    break;
  }
  second.Stop();
  first.Stop();
  EXPECT_EQ(first.HolderOf(7).value_or("?"), "") << "released";
}

TEST_F(PostgresLeasesTest, SharesAreEvenAndDisjoint) {
  Holder holders[3];
  for (Holder& holder : holders) Open(Options()).leases().SetListener(&holder);
  ASSERT_TRUE(Eventually([&] { return AreDealt({&holders[0], &holders[1], &holders[2]}); }));
  std::set<Shard> all;
  for (std::size_t i = 0; i < 3; ++i) {
    for (const Shard shard : holders[i].held()) EXPECT_TRUE(all.insert(shard).second) << shard;
    EXPECT_TRUE(Eventually([&] { return stores_[i]->leases().gateways() == 3; }));
  }
  // One shuts down cleanly: the others get its share at once, not after the leases expire.
  stores_[2]->Stop();
  EXPECT_THAT(Held(*stores_[2]), SizeIs(0));
  EXPECT_FALSE(stores_[2]->leases().Pick().has_value());
  EXPECT_TRUE(Eventually([&] { return AreDealt({&holders[0], &holders[1]}); }));
  EXPECT_EQ(stores_[0]->leases().gateways(), 2);
  stores_[1]->Stop();
  stores_[0]->Stop();
}

// Its process runs, but cannot reach its database.
TEST_F(PostgresLeasesTest, DisconnectedGatewayGivesUpEachShardBeforeAnotherTakesIt) {
  postgres::TestProxy proxy(server_.port());
  PostgresStore::Options options = Options();
  options.uri = server_.TcpUri(database_, postgres::TestServer::kSuperuser, proxy.port());
  options.timeout = absl::Milliseconds(500);
  options.connect_timeout = absl::Milliseconds(500);
  PostgresStore& cut = Open(options);
  Holder of_cut;
  cut.leases().SetListener(&of_cut);
  PostgresStore& other = Open(Options());
  Holder of_other;
  other.leases().SetListener(&of_other);
  ASSERT_TRUE(Eventually([&] { return AreDealt({&of_cut, &of_other}); }));

  proxy.Set(postgres::TestProxy::Mode::kFrozen);
  // At every moment, a shard that the other was notified to hold is not held by this one.
  ASSERT_TRUE(Eventually([&] {
    const std::set<Shard> theirs = of_other.held();
    for (const Shard shard : Held(cut)) EXPECT_FALSE(theirs.contains(shard)) << shard;
    return theirs.size() == kShards;
  }));
  EXPECT_THAT(Held(cut), SizeIs(0));
  EXPECT_TRUE(Eventually([&] { return of_cut.held().empty(); }));

  proxy.Set(postgres::TestProxy::Mode::kForward);
  EXPECT_TRUE(Eventually([&] { return AreDealt({&of_cut, &of_other}); }));
  cut.Stop();
  other.Stop();
}

// The wall clock does not decide when a lease ends.
TEST_F(PostgresLeasesTest, StepOfTheClockDoesNotExtendALease) {
  base::FakeClock stepping;
  PostgresStore::Options options = Options();
  options.clock = &stepping;
  PostgresStore& store = Open(options);
  for (const absl::Duration step : {absl::Hours(5), absl::Hours(-10)}) {
    stepping.Advance(step);
    const std::optional<absl::Time> until = store.leases().HeldUntil(1);
    ASSERT_TRUE(until.has_value());
    EXPECT_THAT(*until - stepping.Now(), Le(absl::Seconds(3)));
  }
  store.Stop();
}

}  // namespace
}  // namespace assetgate::store
