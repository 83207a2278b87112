// The cost of reads and writes on large tables, counted by the server in entries and rows, so that
// a slow machine does not matter.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "gmock/gmock.h"
#include "store/postgres/postgres_store.h"
#include "store/testing/postgres_server.h"
#include "store/testing/rows.h"

namespace assetgate::store {
namespace {

using ::testing::SizeIs;

constexpr int kRows = 100'000;

Key Asset(absl::string_view id) { return {"default", Kind::kAsset, std::string(id)}; }

class PostgresCostTest : public testing::Test {
 protected:
  // The planner has statistics, as it does some time after the tables have grown.
  PostgresCostTest() : PostgresCostTest("ANALYZE") {}
  // `then`: SQL to run once they are filled.
  explicit PostgresCostTest(absl::string_view then) {
    Open();
    store_.reset();
    // Autovacuum might run before a test, or not.
    for (const char* table : {"resources", "terms", "changes", "requests"}) {
      server_.Execute(
          absl::StrCat("ALTER TABLE assetgate.", table, " SET (autovacuum_enabled = off)"),
          database_);
    }
    server_.Execute(
        absl::StrCat(
            "SET search_path = assetgate;"
            "INSERT INTO resources SELECT g, 'default', 2, (g * 7919 % ",
            kRows,
            ")::text::bytea, g, g % 100 = 0, g % 256, true, '', 'x', 'x' "
            "FROM generate_series(1, ",
            kRows,
            ") g;"
            "INSERT INTO terms SELECT 'default', 2, t::bytea, g FROM generate_series(1, ",
            kRows,
            ") g, LATERAL (VALUES ('all'), ('half:' || g % 2), ('third:' || g % 3), "
            "('rare:' || g % 5000)) v(t);"
            "INSERT INTO changes SELECT g, 1, 1, 'default', 2, (g * 7919 % ",
            kRows,
            ")::text::bytea, g, false, 1, true, false, 0, '', '', 'x' FROM generate_series(1, ",
            kRows,
            ") g;"
            "UPDATE head SET revision = ",
            kRows, "; ", then),
        database_);
    Open();
  }
  ~PostgresCostTest() override {
    store_.reset();
    server_.DropDatabase(database_);
  }

  void Open() {
    PostgresStore::Options options;
    options.uri = server_.Uri(database_);
    options.clock = &clock_;
    options.retention.changes = absl::InfiniteDuration();
    absl::StatusOr<std::unique_ptr<PostgresStore>> store = PostgresStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }

  // Entries and rows that the server reads in the large tables during `run`.
  template <typename Run>
  std::int64_t Cost(Run run) {
    store_.reset();  // Backends report their counts when they end.
    server_.Execute("SELECT pg_stat_reset()", database_);
    Open();
    run();
    store_.reset();
    postgres::Connection::Options options;
    options.uri = server_.Uri(database_);
    absl::StatusOr<std::unique_ptr<postgres::Connection>> connection =
        postgres::Connection::Open(options);
    EXPECT_TRUE(connection.ok()) << connection.status();
    // pg_stat_activity includes this connection.
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    for (bool alone = false; !alone && absl::Now() < deadline;) {
      absl::StatusOr<postgres::Rows> rows =
          (*connection)
              ->Run(
                  {"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()", {}});
      alone = rows.ok() && rows->IntAt(0, 0) == 1;
    }
    absl::StatusOr<postgres::Rows> rows =
        (*connection)
            ->Run({"SELECT (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE "
                   "relname IN "
                   "('resources', 'terms', 'changes', 'requests') "
                   // Used by the store's first Expire, which may run at any time.
                   "AND indexrelname <> 'changes_pkey'), (SELECT "
                   "sum(seq_tup_read)::bigint FROM "
                   "pg_stat_user_tables WHERE relname IN ('resources', 'terms', 'changes', "
                   "'requests'))",
                   {}});
    EXPECT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(rows->IntAt(0, 1), 0) << "a table was scanned";
    Open();
    return rows->IntAt(0, 0);
  }
  std::int64_t CostOfList(const ListQuery& query, std::size_t shows) {
    return Cost([&] {
      const absl::StatusOr<ListPage> page = store_->List(query);
      ASSERT_TRUE(page.ok()) << page.status();
      EXPECT_THAT(page->rows, SizeIs(shows));
    });
  }

  base::SystemClock clock_;
  postgres::TestServer& server_ = postgres::TestServer::Shared();
  const std::string database_ = server_.CreateDatabase();
  std::unique_ptr<PostgresStore> store_;
};

TEST_F(PostgresCostTest, ReadsCostInProportionToTheirResult) {
  EXPECT_LE(Cost([&] { EXPECT_TRUE((*store_->Get(Asset("17"))).has_value()); }), 10);
  EXPECT_LE(CostOfList({.tenant = "default"}, 50), 200);
  EXPECT_LE(CostOfList({.tenant = "default", .after_create_revision = kRows / 2}, 50), 200);
  EXPECT_LE(CostOfList({.tenant = "default", .filter = {{{"all"}}}}, 50), 400);
  EXPECT_LE(CostOfList({.tenant = "default", .filter = {{{"rare:17"}}}, .limit = 10}, 10), 200);
  EXPECT_LE(CostOfList({.tenant = "default", .filter = {{{"all"}, {"rare:17"}}}}, 20), 400);
  EXPECT_LE(CostOfList({.tenant = "default", .filter = {{{"half:0", "half:1"}, {"third:1"}}}}, 50),
            1'500);
  EXPECT_LE(CostOfList({.tenant = "default", .filter = {{{"all"}, {"nobody's"}}}}, 0), 100);
  // No row has both; the work for such a page is bounded.
  for (const ListQuery::Order order :
       {ListQuery::Order::kNewestFirst, ListQuery::Order::kOldestFirst}) {
    EXPECT_LE(
        CostOfList({.tenant = "default", .filter = {{{"half:0"}, {"half:1"}}}, .order = order}, 0),
        6'000);
  }

  // Repeated, because the server may replan it for any word.
  EXPECT_LE(Cost([&] {
              for (const char* term : {"all", "half:0", "rare:17", "nobody's"}) {
                for (int i = 0; i < 10; ++i) {
                  EXPECT_TRUE(store_->List({.tenant = "default", .filter = {{{term}}}}).ok());
                }
              }
            }),
            40 * 120);

  // A page of a snapshot.
  EXPECT_LE(CostOfList({.tenant = "default",
                        .filter = {{{"half:0"}, {"third:1"}}},
                        .after_create_revision = kRows / 2,
                        .limit = 256},
                       256),
            6'000);

  EXPECT_LE(Cost([&] {
              EXPECT_THAT(store_->ReadChanges({"default", Kind::kAsset, kRows - 100, 50})->changes,
                          SizeIs(50));
            }),
            200);
  EXPECT_LE(Cost([&] {
              EXPECT_THAT(*store_->ListUnfinished({.shards = {{0}}, .limit = 10}), SizeIs(10));
            }),
            100);
  EXPECT_LE(Cost([&] { EXPECT_THAT(*store_->ListUnfinished({.limit = 100}), SizeIs(100)); }), 300);
}

TEST_F(PostgresCostTest, WritesCostInProportionToWhatTheyWrite) {
  const std::int64_t cost = Cost([&] {
    Transaction first = Create(Asset("new"), MakeContent("x", {"all", "half:0"}));
    first.claim_request = RequestRow{{"default", "m", "r"}, "", {}, clock_.Now()};
    first.conditions.exist = {Asset("17")};
    const CommitResult created = CommitAndWait(*store_, std::move(first));
    ASSERT_EQ(created.outcome, CommitResult::Outcome::kCommitted) << created.message;
    Transaction second = Update(Asset("new"), created.revisions[0], MakeContent("y", {"half:1"}));
    second.free_request = RequestKey{"default", "m", "r"};
    const CommitResult updated = CommitAndWait(*store_, std::move(second));
    ASSERT_EQ(updated.outcome, CommitResult::Outcome::kCommitted) << updated.message;
    Transaction third = Delete(Asset("new"), updated.revisions[0]);
    third.conditions.absent = {{"default", Kind::kAsset, "nobody's"}};
    ASSERT_EQ(CommitAndWait(*store_, std::move(third)).outcome, CommitResult::Outcome::kCommitted);
  });
  EXPECT_LE(cost, 100);
  EXPECT_LE(Cost([&] {
              Transaction anywhere = Create(Asset("other"), MakeContent("x", {"task:7"}));
              anywhere.conditions.absent_anywhere = {{Kind::kAsset, "task:7", {}},
                                                     {Kind::kAsset, "TASK:7", {}}};
              ASSERT_EQ(CommitAndWait(*store_, std::move(anywhere)).outcome,
                        CommitResult::Outcome::kCommitted);
            }),
            100);
}

// Tables that have grown since a gateway opened an empty database, and that were not analysed yet:
// the planner has no statistics.
class PostgresYoungTablesTest : public PostgresCostTest {
 protected:
  PostgresYoungTablesTest() : PostgresCostTest("SELECT 1") {}
};

TEST_F(PostgresYoungTablesTest, RowsAreFoundByTheirKey) {
  EXPECT_LE(Cost([&] { EXPECT_TRUE((*store_->Get(Asset("17"))).has_value()); }), 10);
  EXPECT_LE(Cost([&] { EXPECT_FALSE((*store_->Get(Asset("none"))).has_value()); }), 10);
  const std::int64_t cost = Cost([&] {
    for (int i = 0; i < 20; ++i) {
      Transaction create = Create(Asset(absl::StrCat("new", i)), MakeContent("x", {"all"}));
      create.claim_request = RequestRow{{"default", "m", absl::StrCat(i)}, "", {}, clock_.Now()};
      create.conditions.exist = {Asset("17")};
      const CommitResult created = CommitAndWait(*store_, std::move(create));
      ASSERT_EQ(created.outcome, CommitResult::Outcome::kCommitted) << created.message;
      const CommitResult updated =
          CommitAndWait(*store_, Update(Asset(absl::StrCat("new", i)), created.revisions[0],
                                        MakeContent("y", {"half:1"})));
      ASSERT_EQ(updated.outcome, CommitResult::Outcome::kCommitted) << updated.message;
      ASSERT_EQ(CommitAndWait(*store_, Delete(Asset(absl::StrCat("new", i)), updated.revisions[0]))
                    .outcome,
                CommitResult::Outcome::kCommitted);
    }
  });
  EXPECT_LE(cost, 20 * 40);
  EXPECT_LE(Cost([&] {
              Transaction anywhere = Create(Asset("other"), MakeContent("x", {"task:7"}));
              anywhere.conditions.absent_anywhere = {{Kind::kAsset, "task:7", {}}};
              ASSERT_EQ(CommitAndWait(*store_, std::move(anywhere)).outcome,
                        CommitResult::Outcome::kCommitted);
            }),
            100);
}

// Prints the rate for information; the test only asserts that it ends.
TEST_F(PostgresCostTest, CommitsPerSecond) {
  constexpr int kCommits = 5'000;
  constexpr int kOutstanding = 64;
  absl::Mutex mu;
  int outstanding = 0;
  int failed = 0;
  const auto room = [&] { return outstanding < kOutstanding; };
  const auto none = [&] { return outstanding == 0; };
  const absl::Time began = absl::Now();
  for (int i = 0; i < kCommits; ++i) {
    {
      absl::MutexLock lock(&mu);
      mu.Await(absl::Condition(&room));
      ++outstanding;
    }
    store_->Commit(Create(Asset(absl::StrCat("new", i)), MakeContent("x", {"all", "half:0"})),
                   [&](CommitResult result) {
                     absl::MutexLock lock(&mu);
                     --outstanding;
                     if (result.outcome != CommitResult::Outcome::kCommitted) ++failed;
                   });
  }
  absl::MutexLock lock(&mu);
  mu.Await(absl::Condition(&none));
  const double seconds = absl::ToDoubleSeconds(absl::Now() - began);
  std::cout << kCommits / seconds << " commits/s at " << kOutstanding
            << " outstanding, without fsync" << std::endl;
  EXPECT_EQ(failed, 0);
}

}  // namespace
}  // namespace assetgate::store
