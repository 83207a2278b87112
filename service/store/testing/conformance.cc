#include "store/testing/conformance.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "store/testing/rows.h"

namespace assetgate::store {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformanceTest);

void StoreConformanceTest::Reopen() {
  store_.reset();
  absl::StatusOr<std::unique_ptr<Store>> store = place_->Open(settings_);
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
}

namespace {

using Outcome = CommitResult::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Key Asset(absl::string_view id, absl::string_view tenant = "default") {
  return {std::string(tenant), Kind::kAsset, std::string(id)};
}

RequestRow Request(absl::string_view id, std::vector<Key> rows, absl::Time create_time) {
  return {{"default", "CreateAsset", std::string(id)}, "body", std::move(rows), create_time};
}

// Records its notifications.
class Listener : public ChangeListener {
 public:
  void OnChanges(const std::vector<ChangePtr>& changes, Revision head) override {
    absl::MutexLock lock(&mu_);
    changes_.insert(changes_.end(), changes.begin(), changes.end());
    heads_.push_back(head);
  }
  std::vector<ChangePtr> changes() const {
    absl::MutexLock lock(&mu_);
    return changes_;
  }
  std::vector<Revision> heads() const {
    absl::MutexLock lock(&mu_);
    return heads_;
  }

 private:
  mutable absl::Mutex mu_;
  std::vector<ChangePtr> changes_ ABSL_GUARDED_BY(mu_);
  std::vector<Revision> heads_ ABSL_GUARDED_BY(mu_);
};

constexpr ListQuery::Order kOrders[] = {ListQuery::Order::kNewestFirst,
                                        ListQuery::Order::kOldestFirst};

// Blocks the store's thread while it exists, so that transactions committed meanwhile are queued
// and form one group.
class WriterStall {
 public:
  explicit WriterStall(Store& store) {
    store.Commit({}, [this](CommitResult) {
      begun_.Notify();
      over_.WaitForNotification();
      left_.Notify();
    });
    begun_.WaitForNotification();
  }
  // The store's thread may still use members of this object.
  ~WriterStall() {
    End();
    left_.WaitForNotification();
  }
  void End() {
    if (!over_.HasBeenNotified()) over_.Notify();
  }

 private:
  absl::Notification begun_;
  absl::Notification over_;
  absl::Notification left_;
};

// Makes irrelevant commits until `condition` holds; false if it never does. Expired data is removed
// between commits, at times of the store's choice.
template <typename Condition>
bool Eventually(Store& store, Condition condition) {
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  while (!condition()) {
    if (absl::Now() > deadline) return false;
    CommitAndWait(store, {});
  }
  return true;
}

std::vector<std::string> Ids(const std::vector<Row>& rows) {
  std::vector<std::string> ids;
  ids.reserve(rows.size());
  for (const Row& row : rows) ids.push_back(row.key.id);
  return ids;
}

// All changes after `after`, read in pages of `limit`.
std::vector<ChangePtr> AllChanges(Store& store, absl::string_view tenant, Revision after,
                                  std::size_t limit) {
  std::vector<ChangePtr> changes;
  for (;;) {
    absl::StatusOr<ChangesPage> page =
        store.ReadChanges({std::string(tenant), Kind::kAsset, after, limit});
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return changes;
    EXPECT_FALSE(page->compacted);
    EXPECT_LE(page->changes.size(), limit);
    changes.insert(changes.end(), page->changes.begin(), page->changes.end());
    if (page->upto >= page->head) return changes;
    EXPECT_GT(page->upto, after) << "a page must advance";
    if (page->upto <= after) return changes;
    after = page->upto;
  }
}

// Whether continuing the list at `end` advances it.
bool Advances(const ListQuery& query, Revision end) {
  if (query.order == ListQuery::Order::kOldestFirst) {
    return end > query.after_create_revision.value_or(0);
  }
  return end < query.after_create_revision.value_or(std::numeric_limits<Revision>::max());
}

// All rows that `query` finds, read in pages. Counts the pages that end early, if that is allowed.
std::vector<Row> AllRows(Store& store, ListQuery query, int* short_pages = nullptr) {
  std::vector<Row> rows;
  for (;;) {
    absl::StatusOr<ListPage> page = store.List(query);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return rows;
    EXPECT_LE(page->rows.size(), query.limit);
    rows.insert(rows.end(), page->rows.begin(), page->rows.end());
    if (!page->more) return rows;
    if (short_pages == nullptr) {
      EXPECT_EQ(page->rows.size(), query.limit) << "a page with more to come is full";
    } else if (page->rows.size() < query.limit) {
      ++*short_pages;
    }
    EXPECT_TRUE(Advances(query, page->end)) << "a page must advance";
    if (!Advances(query, page->end)) return rows;
    query.after_create_revision = page->end;
  }
}

void ExpectSameContent(const Content& actual, const Content& expected) {
  EXPECT_EQ(actual.resource, expected.resource);
  EXPECT_EQ(actual.internal, expected.internal);
  EXPECT_EQ(actual.unfinished, expected.unfinished);
  EXPECT_EQ(actual.settled, expected.settled);
  EXPECT_EQ(actual.terms, expected.terms);
}

TEST_P(StoreConformanceTest, NewStoreIsEmpty) {
  EXPECT_EQ(*store_->Head(), 0);
  EXPECT_FALSE(store_->Get(Asset("a"))->has_value());
  EXPECT_FALSE(store_->FindRequest({"default", "CreateAsset", "r"})->has_value());
  EXPECT_THAT(*store_->ListUnfinished({.limit = 10}), IsEmpty());
  const ListPage page = *store_->List({.tenant = "default"});
  EXPECT_THAT(page.rows, IsEmpty());
  EXPECT_FALSE(page.more);
  const ChangesPage changes = *store_->ReadChanges({.tenant = "default"});
  EXPECT_THAT(changes.changes, IsEmpty());
  EXPECT_EQ(changes.upto, 0);
  EXPECT_FALSE(changes.compacted);
  EXPECT_TRUE(store_->Health().ok()) << store_->Health();
  EXPECT_EQ(store_->queue_depth(), 0u);
}

TEST_P(StoreConformanceTest, RowReadsBackAsItWasWritten) {
  Content content;
  content.resource = std::string("\0\xff resource\n", 12);
  content.internal = std::string(100'000, '\0');  // More than fits a page.
  content.unfinished = true;
  content.settled = false;
  content.terms = {"state:ACTIVE", "label:a=b", std::string(300, 'x'), "", "label:a=b", "\n'\""};
  const CommitResult result = CommitAndWait(*store_, Create(Asset("hero"), content));
  ASSERT_EQ(result.outcome, Outcome::kCommitted);
  EXPECT_THAT(result.revisions, SizeIs(1));

  const std::optional<Row> row = *store_->Get(Asset("hero"));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->key, Asset("hero"));
  EXPECT_EQ(row->revision, result.revisions[0]);
  EXPECT_EQ(row->create_revision, result.revisions[0]);
  ExpectSameContent(row->content, content);
  EXPECT_EQ(*store_->Head(), result.revisions[0]);
}

TEST_P(StoreConformanceTest, UpdateKeepsTheCreateRevisionButRecreationDoesNot) {
  const Revision created =
      CommitAndWait(*store_, Create(Asset("a"), MakeContent("1"))).revisions[0];
  const Revision updated =
      CommitAndWait(*store_, Update(Asset("a"), created, MakeContent("2"))).revisions[0];
  EXPECT_GT(updated, created);
  std::optional<Row> row = *store_->Get(Asset("a"));
  EXPECT_EQ(row->revision, updated);
  EXPECT_EQ(row->create_revision, created);
  EXPECT_EQ(row->content.resource, "2");

  const CommitResult deleted = CommitAndWait(*store_, Delete(Asset("a"), updated));
  ASSERT_EQ(deleted.outcome, Outcome::kCommitted);
  EXPECT_FALSE(store_->Get(Asset("a"))->has_value());
  const Revision again = CommitAndWait(*store_, Create(Asset("a"), MakeContent("3"))).revisions[0];
  EXPECT_GT(again, deleted.revisions[0]);
  EXPECT_EQ((*store_->Get(Asset("a")))->create_revision, again);
}

TEST_P(StoreConformanceTest, WriteWithAnotherExpectedRevisionConflicts) {
  const Revision first = CommitAndWait(*store_, Create(Asset("a"), MakeContent("1"))).revisions[0];
  const Revision second =
      CommitAndWait(*store_, Update(Asset("a"), first, MakeContent("2"))).revisions[0];

  const auto expect_conflict = [&](Transaction transaction) {
    const CommitResult result = CommitAndWait(*store_, std::move(transaction));
    EXPECT_EQ(result.outcome, Outcome::kConflict);
    EXPECT_THAT(result.conflicts, ElementsAre(0));
    EXPECT_THAT(result.revisions, IsEmpty());
  };
  expect_conflict(Update(Asset("a"), first, MakeContent("late")));
  expect_conflict(Update(Asset("a"), second + 1, MakeContent("early")));
  expect_conflict(Create(Asset("a"), MakeContent("exists")));
  expect_conflict(Delete(Asset("a"), first));
  expect_conflict(Delete(Asset("missing"), 0));
  expect_conflict(Delete(Asset("missing"), first));
  expect_conflict(Update(Asset("missing"), first, MakeContent("gone")));
  EXPECT_EQ((*store_->Get(Asset("a")))->content.resource, "2");
  EXPECT_EQ(*store_->Head(), second);
  EXPECT_TRUE(store_->Health().ok());
}

TEST_P(StoreConformanceTest, TransactionWithAConflictChangesNothing) {
  const Revision a = CommitAndWait(*store_, Create(Asset("a"), MakeContent("a"))).revisions[0];
  const Revision b = CommitAndWait(*store_, Create(Asset("b"), MakeContent("b"))).revisions[0];
  Transaction transaction;
  transaction.writes.push_back({Asset("new"), 0, MakeContent("new"), {}});
  transaction.writes.push_back({Asset("a"), a + 100, MakeContent("changed"), {}});
  transaction.writes.push_back({Asset("b"), b, std::nullopt, {}});
  transaction.writes.push_back({Asset("a"), a, MakeContent("changed"), {}});
  transaction.claim_request = Request("r", {Asset("new")}, clock_.Now());
  const CommitResult result = CommitAndWait(*store_, std::move(transaction));
  EXPECT_EQ(result.outcome, Outcome::kConflict);
  EXPECT_THAT(result.conflicts, ElementsAre(1, 3)) << "the fourth repeats a key";

  EXPECT_FALSE(store_->Get(Asset("new"))->has_value());
  EXPECT_EQ((*store_->Get(Asset("a")))->revision, a);
  EXPECT_EQ((*store_->Get(Asset("b")))->revision, b);
  EXPECT_FALSE(store_->FindRequest({"default", "CreateAsset", "r"})->has_value());
  EXPECT_EQ(*store_->Head(), b);
  EXPECT_THAT(AllChanges(*store_, "default", 0, 10), SizeIs(2));
}

TEST_P(StoreConformanceTest, TransactionOfManyWritesIsAtomic) {
  Listener listener;
  store_->SetListener(&listener);
  Transaction transaction;
  for (int i = 0; i < 100; ++i) {
    transaction.writes.push_back({Asset(absl::StrCat("a", i)), 0, MakeContent("x"), {}});
  }
  const CommitResult result = CommitAndWait(*store_, std::move(transaction));
  ASSERT_EQ(result.outcome, Outcome::kCommitted);
  ASSERT_THAT(result.revisions, SizeIs(100));
  EXPECT_TRUE(std::is_sorted(result.revisions.begin(), result.revisions.end()));
  EXPECT_THAT(listener.heads(), ElementsAre(result.revisions.back()));
  store_->Stop();
}

TEST_P(StoreConformanceTest, RequestIdIsTakenOnceAndReturnsTheRowsItCreated) {
  Transaction first = Create(Asset("a"), MakeContent("a"));
  first.claim_request =
      Request("r", {Asset("a"), {"default", Kind::kVideoTask, "t"}}, clock_.Now());
  ASSERT_EQ(CommitAndWait(*store_, std::move(first)).outcome, Outcome::kCommitted);

  // The id is checked before the rows: a repeated request gets the first one's result, not a
  // conflict about the name.
  Transaction second = Create(Asset("a"), MakeContent("again"));
  second.claim_request = Request("r", {Asset("a")}, clock_.Now() + absl::Hours(1));
  const CommitResult result = CommitAndWait(*store_, std::move(second));
  ASSERT_EQ(result.outcome, Outcome::kRequestIdTaken);
  ASSERT_TRUE(result.request.has_value());
  EXPECT_EQ(result.request->request, "body");
  EXPECT_THAT(result.request->rows, ElementsAre(Asset("a"), Key{"default", Kind::kVideoTask, "t"}));
  if (!place_->has_own_clock()) {
    EXPECT_EQ(result.request->create_time, clock_.Now());
  }
  EXPECT_EQ((*store_->Get(Asset("a")))->content.resource, "a");

  const std::optional<RequestRow> found = *store_->FindRequest({"default", "CreateAsset", "r"});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->key, (RequestKey{"default", "CreateAsset", "r"}));
  EXPECT_EQ(found->rows, result.request->rows);
}

TEST_P(StoreConformanceTest, RequestIdBelongsToTenantAndMethod) {
  for (const RequestKey& key :
       {RequestKey{"default", "CreateAsset", "r"}, RequestKey{"other", "CreateAsset", "r"},
        RequestKey{"default", "CreateVideoTask", "r"}, RequestKey{"default", "CreateAsset", "s"}}) {
    Transaction transaction;
    transaction.claim_request = RequestRow{key, key.method, {}, clock_.Now()};
    EXPECT_EQ(CommitAndWait(*store_, std::move(transaction)).outcome, Outcome::kCommitted);
  }
  EXPECT_EQ((*store_->FindRequest({"default", "CreateVideoTask", "r"}))->request,
            "CreateVideoTask");
  EXPECT_FALSE(store_->FindRequest({"other", "CreateVideoTask", "r"})->has_value());
}

TEST_P(StoreConformanceTest, FreedRequestIdCanBeClaimedAgain) {
  Transaction claim;
  claim.claim_request = Request("r", {}, clock_.Now());
  ASSERT_EQ(CommitAndWait(*store_, std::move(claim)).outcome, Outcome::kCommitted);
  Transaction free = Create(Asset("a"), MakeContent("a"));
  free.free_request = RequestKey{"default", "CreateAsset", "r"};
  ASSERT_EQ(CommitAndWait(*store_, std::move(free)).outcome, Outcome::kCommitted);
  EXPECT_FALSE(store_->FindRequest({"default", "CreateAsset", "r"})->has_value());

  Transaction free_nothing;
  free_nothing.free_request = RequestKey{"default", "CreateAsset", "r"};
  EXPECT_EQ(CommitAndWait(*store_, std::move(free_nothing)).outcome, Outcome::kCommitted);
  Transaction again;
  again.claim_request = Request("r", {}, clock_.Now());
  EXPECT_EQ(CommitAndWait(*store_, std::move(again)).outcome, Outcome::kCommitted);

  // A conflict frees nothing.
  Transaction conflict = Create(Asset("a"), MakeContent("exists"));
  conflict.free_request = RequestKey{"default", "CreateAsset", "r"};
  EXPECT_EQ(CommitAndWait(*store_, std::move(conflict)).outcome, Outcome::kConflict);
  EXPECT_TRUE(store_->FindRequest({"default", "CreateAsset", "r"})->has_value());
}

TEST_P(StoreConformanceTest, TransactionsOfOneGroupSeeEachOtherAndFailIndependently) {
  Listener listener;
  store_->SetListener(&listener);
  std::vector<CommitResult> results(6);
  std::vector<int> order;
  absl::BlockingCounter answered(6);
  {
    WriterStall stall(*store_);
    int next = 0;
    const auto commit = [&](Transaction transaction) {
      const int i = next++;
      store_->Commit(std::move(transaction), [&, i](CommitResult result) {
        results[static_cast<std::size_t>(i)] = std::move(result);
        order.push_back(i);
        answered.DecrementCount();
      });
    };
    commit(Create(Asset("a"), MakeContent("first")));
    commit(Create(Asset("a"), MakeContent("second")));
    commit(Update(Asset("a"), 1, MakeContent("third")));
    commit(Update(Asset("a"), 1, MakeContent("fourth")));
    Transaction claim;
    claim.claim_request = Request("r", {Asset("a")}, clock_.Now());
    commit(Transaction(claim));
    commit(Transaction(claim));
    EXPECT_EQ(store_->queue_depth(), 7u);
  }
  answered.Wait();
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(results[0].outcome, Outcome::kCommitted);
  EXPECT_THAT(results[0].revisions, ElementsAre(1));
  EXPECT_EQ(results[1].outcome, Outcome::kConflict);
  EXPECT_EQ(results[2].outcome, Outcome::kCommitted);
  EXPECT_EQ(results[3].outcome, Outcome::kConflict);
  EXPECT_EQ(results[4].outcome, Outcome::kCommitted);
  EXPECT_EQ(results[5].outcome, Outcome::kRequestIdTaken);
  EXPECT_THAT(results[5].request->rows, ElementsAre(Asset("a")));
  EXPECT_EQ((*store_->Get(Asset("a")))->content.resource, "third");
  EXPECT_THAT(listener.changes(), SizeIs(2));
  store_->Stop();
}

TEST_P(StoreConformanceTest, FullQueueRejectsTransactionsWithoutExecutingThem) {
  settings_.max_queue = 3;
  Reopen();
  std::vector<CommitResult> results(4);
  absl::BlockingCounter answered(4);
  {
    WriterStall stall(*store_);  // Counts: it is not answered yet.
    for (std::size_t i = 0; i < results.size(); ++i) {
      store_->Commit(Create(Asset(absl::StrCat("a", i)), MakeContent("x")),
                     [&, i](CommitResult result) {
                       results[i] = std::move(result);
                       answered.DecrementCount();
                     });
    }
    EXPECT_EQ(store_->queue_depth(), 3u);
  }
  answered.Wait();
  EXPECT_EQ(results[0].outcome, Outcome::kCommitted);
  EXPECT_EQ(results[1].outcome, Outcome::kCommitted);
  for (std::size_t i = 2; i < 4; ++i) {
    EXPECT_EQ(results[i].outcome, Outcome::kUnavailable);
    EXPECT_THAT(results[i].message, HasSubstr("queue is full"));
    EXPECT_FALSE(store_->Get(Asset(absl::StrCat("a", i)))->has_value());
  }
  EXPECT_EQ(CommitAndWait(*store_, Create(Asset("later"), MakeContent("x"))).outcome,
            Outcome::kCommitted);
}

TEST_P(StoreConformanceTest, ListenerGetsEveryChangeInOrderBeforeTheWriter) {
  constexpr int kThreads = 4;
  constexpr int kEach = 100;
  Listener listener;
  store_->SetListener(&listener);
  std::atomic<int> answered_too_early = 0;
  absl::BlockingCounter answered(kThreads * kEach);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        store_->Commit(Create(Asset(absl::StrCat(t, "-", i)), MakeContent("x")),
                       [&](CommitResult result) {
                         const std::vector<Revision> heads = listener.heads();
                         if (heads.empty() || heads.back() < result.revisions[0])
                           ++answered_too_early;
                         answered.DecrementCount();
                       });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  answered.Wait();
  store_->Stop();
  EXPECT_EQ(answered_too_early, 0);
  const std::vector<ChangePtr> received = listener.changes();
  const std::vector<ChangePtr> kept = AllChanges(*store_, "default", 0, 7);
  ASSERT_THAT(received, SizeIs(kThreads * kEach));
  ASSERT_THAT(kept, SizeIs(kThreads * kEach));
  for (std::size_t i = 0; i < received.size(); ++i) {
    EXPECT_EQ(received[i]->revision, kept[i]->revision);
    EXPECT_EQ(received[i]->key, kept[i]->key);
    if (i > 0) {
      EXPECT_GT(received[i]->revision, received[i - 1]->revision);
    }
  }
  EXPECT_EQ(listener.heads().back(), received.back()->revision);
}

TEST_P(StoreConformanceTest, ChangeHoldsTheStateBeforeAndAfter) {
  Listener listener;
  store_->SetListener(&listener);
  Content content = MakeContent("1", {"state:PROCESSING", "label:a"});
  content.settled = false;
  const Revision r1 = CommitAndWait(*store_, Create(Asset("a"), content)).revisions[0];
  const Revision r2 =
      CommitAndWait(*store_, Update(Asset("a"), r1, MakeContent("2", {"state:ACTIVE"})))
          .revisions[0];
  Transaction purge = Delete(Asset("a"), r2);
  purge.writes[0].cause = DeleteCause::kPurged;
  const Revision r3 = CommitAndWait(*store_, std::move(purge)).revisions[0];
  store_->Stop();

  for (const std::vector<ChangePtr>& changes :
       {listener.changes(), AllChanges(*store_, "default", 0, 10)}) {
    ASSERT_THAT(changes, SizeIs(3));
    EXPECT_EQ(changes[0]->revision, r1);
    EXPECT_EQ(changes[0]->create_revision, r1);
    EXPECT_FALSE(changes[0]->deleted);
    EXPECT_FALSE(changes[0]->settled);
    EXPECT_EQ(changes[0]->resource, "1");
    EXPECT_THAT(changes[0]->terms, ElementsAre("state:PROCESSING", "label:a"));
    EXPECT_THAT(changes[0]->previous_terms, IsEmpty());

    EXPECT_EQ(changes[1]->revision, r2);
    EXPECT_EQ(changes[1]->create_revision, r1);
    EXPECT_TRUE(changes[1]->settled);
    EXPECT_EQ(changes[1]->resource, "2");
    EXPECT_THAT(changes[1]->terms, ElementsAre("state:ACTIVE"));
    EXPECT_THAT(changes[1]->previous_terms, ElementsAre("state:PROCESSING", "label:a"));

    EXPECT_EQ(changes[2]->revision, r3);
    EXPECT_EQ(changes[2]->create_revision, r1);
    EXPECT_TRUE(changes[2]->deleted);
    EXPECT_EQ(changes[2]->cause, DeleteCause::kPurged);
    EXPECT_EQ(changes[2]->resource, "2") << "its last state";
    EXPECT_THAT(changes[2]->terms, IsEmpty());
    EXPECT_THAT(changes[2]->previous_terms, ElementsAre("state:ACTIVE"));
  }
}

TEST_P(StoreConformanceTest, ReadChangesSkipsOtherTenantsAndReportsItsProgress) {
  for (int i = 0; i < 30; ++i) {
    const Key keys[] = {Asset(absl::StrCat(i)),
                        Asset(absl::StrCat(i), "other"),
                        {"default", Kind::kVideoTask, absl::StrCat(i)}};
    CommitAndWait(*store_, Create(keys[i % 3], MakeContent("x")));
  }
  ChangesPage page = *store_->ReadChanges({"default", Kind::kAsset, 0, 4});
  ASSERT_THAT(page.changes, SizeIs(4));
  EXPECT_EQ(page.upto, page.changes.back()->revision);
  EXPECT_EQ(page.head, 30);
  EXPECT_THAT(AllChanges(*store_, "default", 0, 4), SizeIs(10));
  EXPECT_THAT(AllChanges(*store_, "default", 0, 10), SizeIs(10)) << "the last page is exactly full";
  EXPECT_THAT(AllChanges(*store_, "other", 0, 4), SizeIs(10));
  EXPECT_THAT(AllChanges(*store_, "nobody", 0, 4), IsEmpty());

  page = *store_->ReadChanges({"default", Kind::kAsset, 30, 4});
  EXPECT_THAT(page.changes, IsEmpty());
  EXPECT_EQ(page.upto, 30);
  page = *store_->ReadChanges({"default", Kind::kAsset, 35, 4});
  EXPECT_THAT(page.changes, IsEmpty()) << "a token from the future";
  EXPECT_EQ(page.upto, 35);
  EXPECT_EQ(page.head, 30);
}

TEST_P(StoreConformanceTest, ListPagesInEachOrder) {
  for (const char* id : {"d", "a", "c", "e", "b"}) {
    CommitAndWait(*store_, Create(Asset(id), MakeContent(id)));
  }
  // An update does not make a row newer.
  CommitAndWait(*store_, Update(Asset("d"), 1, MakeContent("changed")));
  ListQuery query{.tenant = "default", .limit = 2};
  EXPECT_THAT(Ids(AllRows(*store_, query)), ElementsAre("b", "e", "c", "a", "d"));
  query.order = ListQuery::Order::kOldestFirst;
  EXPECT_THAT(Ids(AllRows(*store_, query)), ElementsAre("d", "a", "c", "e", "b"));
  query.limit = 5;
  const ListPage page = *store_->List(query);
  EXPECT_FALSE(page.more) << "the page is exactly full";
  EXPECT_EQ(page.head, 6);
  EXPECT_EQ(page.rows[0].content.resource, "changed");
}

TEST_P(StoreConformanceTest, PagesAreBoundedInBytes) {
  for (int i = 0; i < 10; ++i) {
    Content content = MakeContent(std::string(100, 'r'), {"t", "u"});
    content.internal = std::string(50, 'i');
    CommitAndWait(*store_, Create(Asset(absl::StrCat(i)), std::move(content)));
  }
  const std::vector<TermFilter> filters = {{}, {{{"t"}}}, {{{"t"}, {"u"}}}};
  for (const TermFilter& filter : filters) {
    for (const auto order : {ListQuery::Order::kNewestFirst, ListQuery::Order::kOldestFirst}) {
      SCOPED_TRACE(
          absl::StrCat(filter.clauses.size(), " clauses, order ", static_cast<int>(order)));
      ListQuery query{.tenant = "default", .filter = filter, .order = order, .limit = 9};
      query.max_bytes = 450;
      const ListPage page = *store_->List(query);
      EXPECT_EQ(page.rows.size(), 3u) << "the row that reaches it is the last one";
      EXPECT_TRUE(page.more);
      query.max_bytes = 451;
      EXPECT_EQ(store_->List(query)->rows.size(), 4u);
      query.max_bytes = 1;
      EXPECT_EQ(store_->List(query)->rows.size(), 1u) << "one row, however large it is";
      query.max_bytes = 450;
      int short_pages = 0;
      EXPECT_THAT(AllRows(*store_, query, &short_pages), SizeIs(10));
      EXPECT_GE(short_pages, 3);
      query.max_bytes = kMaxPageBytes;
      EXPECT_THAT(AllRows(*store_, query, &short_pages), SizeIs(10));
    }
  }
  Revision after = 0;
  std::vector<std::size_t> sizes;
  for (;;) {
    const ChangesPage page =
        *store_->ReadChanges({.tenant = "default", .after = after, .limit = 9, .max_bytes = 450});
    sizes.push_back(page.changes.size());
    after = page.upto;
    if (page.upto == page.head) break;
  }
  EXPECT_THAT(sizes, ElementsAre(5, 5)) << "five have 500 bytes";
}

TEST_P(StoreConformanceTest, ListPagesContinueWhileRowsAreCreatedAndDeleted) {
  for (int i = 0; i < 10; ++i) {
    CommitAndWait(*store_, Create(Asset(absl::StrCat(i)), MakeContent("x", {"t"})));
  }
  ListQuery query{.tenant = "default", .filter = {{{"t"}}}, .limit = 4};
  ListPage page = *store_->List(query);
  EXPECT_THAT(Ids(page.rows), ElementsAre("9", "8", "7", "6"));
  CommitAndWait(*store_, Create(Asset("new"), MakeContent("x", {"t"})));
  CommitAndWait(*store_, Delete(Asset("6"), page.rows[3].revision));  // The last row of the page.
  EXPECT_EQ(page.end, page.rows[3].create_revision);
  query.after_create_revision = page.end;
  page = *store_->List(query);
  EXPECT_THAT(Ids(page.rows), ElementsAre("5", "4", "3", "2"));
}

// Snapshots rely on this: a page read newest first shows its range of create revisions exactly as
// the log has it at the head that the page saw, whatever is committed meanwhile.
void ExpectPagesToAgreeWithTheLog(Store& store, const TermFilter& filter) {
  constexpr int kWriters = 3;
  constexpr int kCommitsEach = 200;
  std::atomic<int> writing = kWriters;
  std::vector<std::thread> writers;
  writers.reserve(kWriters);
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      std::mt19937 random(static_cast<unsigned>(w));
      std::map<std::string, Revision> rows;
      for (int i = 0; i < kCommitsEach; ++i) {
        // Few ids, so that they are deleted and created again.
        const std::string id = absl::StrCat(w, "-", random() % 12);
        const auto row = rows.find(id);
        Content content = MakeContent("x");
        if (random() % 4 != 0) content.terms.push_back("t");
        if (random() % 4 == 0) content.terms.push_back("u");
        if (row == rows.end()) {
          rows[id] = CommitAndWait(store, Create(Asset(id), content)).revisions.at(0);
        } else if (random() % 2 == 0) {
          CommitAndWait(store, Delete(Asset(id), row->second));
          rows.erase(row);
        } else {
          row->second =
              CommitAndWait(store, Update(Asset(id), row->second, content)).revisions.at(0);
        }
      }
      --writing;
    });
  }
  struct Range {
    Revision newest;
    Revision oldest;
    ListPage page;
  };
  std::vector<Range> ranges;
  for (bool readable = true; readable && writing > 0;) {
    ListQuery query{.tenant = "default", .filter = filter, .limit = 4};
    Revision newest = std::numeric_limits<Revision>::max();
    for (bool more = true; more;) {
      absl::StatusOr<ListPage> page = store.List(query);
      EXPECT_TRUE(page.ok()) << page.status();
      readable = page.ok();
      if (!readable) break;
      more = page->more;
      const Revision oldest = more ? page->end : 0;
      ranges.push_back({newest, oldest, *std::move(page)});
      query.after_create_revision = oldest;
      newest = oldest - 1;
    }
  }
  for (std::thread& writer : writers) writer.join();

  const std::vector<ChangePtr> log = AllChanges(store, "default", 0, 1'000);
  ASSERT_THAT(log, SizeIs(kWriters * kCommitsEach));
  std::map<Revision, ChangePtr, std::greater<>> rows;  // By create revision.
  auto next = log.begin();
  for (const Range& range : ranges) {
    const Revision head = range.page.head;
    ASSERT_TRUE(next == log.begin() || head >= (*std::prev(next))->revision)
        << "the head went back";
    for (; next != log.end() && (*next)->revision <= head; ++next) {
      if ((*next)->deleted) {
        ASSERT_EQ(rows.erase((*next)->create_revision), 1u);
      } else {
        rows[(*next)->create_revision] = *next;
      }
    }
    std::vector<std::pair<std::string, Revision>> expected;
    for (auto row = rows.lower_bound(range.newest); row != rows.end() && row->first >= range.oldest;
         ++row) {
      if (!filter.Matches(row->second->terms)) continue;
      expected.emplace_back(row->second->key.id, row->second->revision);
    }
    std::vector<std::pair<std::string, Revision>> shown;
    shown.reserve(range.page.rows.size());
    for (const Row& row : range.page.rows) shown.emplace_back(row.key.id, row.revision);
    ASSERT_EQ(shown, expected) << "as of " << head;
  }
}

TEST_P(StoreConformanceTest, PagesNewestFirstAgreeWithTheLogDuringChanges) {
  ExpectPagesToAgreeWithTheLog(*store_, {{{"t"}}});
}

TEST_P(StoreConformanceTest, ShortPagesAgreeWithTheLogDuringChanges) {
  settings_.max_look_ups = 3;
  Reopen();
  ExpectPagesToAgreeWithTheLog(*store_, {{{"t"}, {"u"}}});
}

TEST_P(StoreConformanceTest, ListOfSparseMatchesEndsEarlyAndContinues) {
  constexpr int kRows = 3'000;
  constexpr int kMaxLookUps = 100;
  settings_.max_look_ups = kMaxLookUps;
  Reopen();
  std::vector<std::string> both;
  absl::BlockingCounter answered(kRows);
  for (int i = 0; i < kRows; ++i) {
    const std::string id = absl::StrCat(i);
    std::vector<std::string> terms = {absl::StrCat("half:", i % 2)};
    if (i % 1'000 == 500) {
      terms.push_back("half:1");
      both.push_back(id);
    }
    store_->Commit(Create(Asset(id), MakeContent("x", std::move(terms))),
                   [&](CommitResult) { answered.DecrementCount(); });
  }
  answered.Wait();
  for (const ListQuery::Order order : kOrders) {
    ListQuery query{.tenant = "default", .filter = {{{"half:0"}, {"half:1"}}}, .order = order};
    std::reverse(both.begin(), both.end());
    std::vector<std::string> shown;
    int empty_pages = 0;
    for (bool more = true; more;) {
      const ListPage page = *store_->List(query);
      for (const std::string& id : Ids(page.rows)) shown.push_back(id);
      more = page.more;
      if (!more) break;
      ASSERT_TRUE(Advances(query, page.end)) << "a page must advance";
      if (page.rows.empty()) ++empty_pages;
      // Each row has one of the two words, so none can be skipped.
      if (query.after_create_revision.has_value()) {
        ASSERT_LE(std::abs(page.end - *query.after_create_revision), kMaxLookUps + 1);
      }
      query.after_create_revision = page.end;
    }
    EXPECT_EQ(shown, both);
    EXPECT_GE(empty_pages, kRows / kMaxLookUps - 5);
  }

  // Every query finds all its rows, and a bound that is too low for one row still advances. The
  // oldest and the newest rows are enough to test that.
  constexpr int kEnd = 200;
  for (const std::size_t max_look_ups : {std::size_t{1}, std::size_t{7}}) {
    settings_.max_look_ups = max_look_ups;
    Reopen();
    for (const TermFilter& filter : {TermFilter{{{"half:0", "nobody's"}, {"half:0"}, {"half:0"}}},
                                     TermFilter{{{"half:0"}, {"nobody's"}}}, TermFilter{{{}}},
                                     TermFilter{{{"half:0"}}}, TermFilter{}}) {
      for (const ListQuery::Order order : kOrders) {
        int short_pages = 0;
        const bool newest_first = order == ListQuery::Order::kNewestFirst;
        const ListQuery query{.tenant = "default",
                              .filter = filter,
                              .order = order,
                              .after_create_revision = newest_first ? kEnd + 1 : kRows - kEnd,
                              .limit = 30};
        std::size_t expected = 0;
        for (int i = 0; i < kEnd; ++i) {
          if (filter.Matches({absl::StrCat("half:", i % 2)})) ++expected;
        }
        EXPECT_THAT(AllRows(*store_, query, &short_pages), SizeIs(expected));
      }
    }
  }
}

TEST_P(StoreConformanceTest, FilterNeedsATermOfEachClause) {
  CommitAndWait(*store_, Create(Asset("1"), MakeContent("", {"state:A", "label:x"})));
  CommitAndWait(*store_, Create(Asset("2"), MakeContent("", {"state:B", "label:x"})));
  CommitAndWait(*store_, Create(Asset("3"), MakeContent("", {"state:A", "label:y"})));
  CommitAndWait(*store_, Create(Asset("4"), MakeContent("", {})));
  const auto list = [&](TermFilter filter) {
    ListQuery query{.tenant = "default", .filter = std::move(filter), .limit = 1};
    std::vector<std::string> newest_first = Ids(AllRows(*store_, query));
    query.order = ListQuery::Order::kOldestFirst;
    std::vector<std::string> oldest_first = Ids(AllRows(*store_, query));
    std::reverse(oldest_first.begin(), oldest_first.end());
    EXPECT_EQ(newest_first, oldest_first);
    return newest_first;
  };
  EXPECT_THAT(list({}), ElementsAre("4", "3", "2", "1"));
  EXPECT_THAT(list({{{"state:A"}}}), ElementsAre("3", "1"));
  EXPECT_THAT(list({{{"state:A", "state:B"}}}), ElementsAre("3", "2", "1"));
  EXPECT_THAT(list({{{"state:A", "label:x"}}}), ElementsAre("3", "2", "1")) << "each row once";
  EXPECT_THAT(list({{{"state:A", "state:B"}, {"label:x"}}}), ElementsAre("2", "1"));
  EXPECT_THAT(list({{{"state:A"}, {"label:x"}, {"state:A"}}}), ElementsAre("1"));
  EXPECT_THAT(list({{{"state:B"}, {"label:y"}}}), IsEmpty());
  EXPECT_THAT(list({{{"state:C"}}}), IsEmpty());
  EXPECT_THAT(list({{{"state"}}}), IsEmpty()) << "terms are whole words";
  EXPECT_THAT(list({{{}}}), IsEmpty()) << "a clause without terms matches nothing";

  // Changed and deleted rows are found by their present terms, not by earlier ones.
  CommitAndWait(*store_, Update(Asset("1"), 1, MakeContent("", {"state:B", "label:x"})));
  CommitAndWait(*store_, Delete(Asset("3"), 3));
  EXPECT_THAT(list({{{"state:A"}}}), IsEmpty());
  EXPECT_THAT(list({{{"state:B"}, {"label:x"}}}), ElementsAre("2", "1"));
}

TEST_P(StoreConformanceTest, TransactionNeedsTheRowsThatMustExist) {
  CommitAndWait(*store_, Create(Asset("there"), MakeContent("x")));
  const auto member = [&](absl::string_view id, std::vector<Key> needed) {
    Transaction transaction = Create(Asset(id), MakeContent("x"));
    transaction.conditions.exist = std::move(needed);
    transaction.claim_request = Request(id, {Asset(id)}, clock_.Now());
    return CommitAndWait(*store_, std::move(transaction));
  };
  const Revision head = *store_->Head();
  const CommitResult refused =
      member("a", {Asset("there"), Asset("gone"), Asset("there", "other tenant")});
  EXPECT_EQ(refused.outcome, Outcome::kConditionUnmet);
  EXPECT_THAT(refused.unmet, ElementsAre(Asset("gone"), Asset("there", "other tenant")));
  EXPECT_EQ(*store_->Head(), head);
  EXPECT_FALSE(store_->Get(Asset("a"))->has_value());
  EXPECT_FALSE(store_->FindRequest({"default", "CreateAsset", "a"})->has_value());

  EXPECT_EQ(member("a", {Asset("there"), Asset("there")}).outcome, Outcome::kCommitted);
  CommitAndWait(*store_, Delete(Asset("there"), 1));
  EXPECT_EQ(member("b", {Asset("there")}).outcome, Outcome::kConditionUnmet);
}

TEST_P(StoreConformanceTest, TransactionNeedsTheAbsenceOfForbiddenTerms) {
  CommitAndWait(*store_, Create(Asset("group"), MakeContent("x")));
  const Revision member =
      CommitAndWait(*store_, Create(Asset("member"), MakeContent("x", {"group:g"}))).revisions[0];
  const auto remove = [&] {
    Transaction transaction = Delete(Asset("group"), 1);
    transaction.conditions.absent = {{"default", Kind::kAsset, "group:g"},
                                     {"other tenant", Kind::kAsset, "group:g"},
                                     {"default", Kind::kVideoTask, "group:g"},
                                     {"default", Kind::kAsset, "group"}};
    return CommitAndWait(*store_, std::move(transaction));
  };
  const CommitResult refused = remove();
  EXPECT_EQ(refused.outcome, Outcome::kConditionUnmet);
  EXPECT_THAT(refused.unmet, ElementsAre(Asset("member")));
  EXPECT_TRUE(store_->Get(Asset("group"))->has_value());
  // A conflict is reported first: after reading the row again, the writer gets the condition's
  // result.
  Transaction stale = Delete(Asset("group"), 7);
  stale.conditions.absent = {{"default", Kind::kAsset, "group:g"}};
  EXPECT_EQ(CommitAndWait(*store_, std::move(stale)).outcome, Outcome::kConflict);

  CommitAndWait(*store_, Update(Asset("member"), member, MakeContent("x", {"group:h"})));
  EXPECT_EQ(remove().outcome, Outcome::kCommitted);
}

TEST_P(StoreConformanceTest, GroupIsNeverDeletedWhileAMemberIsCreated) {
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round) {
    const std::string group = absl::StrCat("group", round);
    const std::string term = absl::StrCat("group:", group);
    const Revision revision =
        CommitAndWait(*store_, Create(Asset(group), MakeContent("x"))).revisions[0];
    const auto create = [&] {
      Transaction transaction = Create(Asset(absl::StrCat("m", round)), MakeContent("x", {term}));
      transaction.conditions.exist = {Asset(group)};
      return transaction;
    };
    const auto remove = [&] {
      Transaction transaction = Delete(Asset(group), revision);
      transaction.conditions.absent = {{"default", Kind::kAsset, term}};
      return transaction;
    };
    CommitResult created;
    CommitResult removed;
    std::thread creator([&] { created = CommitAndWait(*store_, create()); });
    std::thread remover([&] { removed = CommitAndWait(*store_, remove()); });
    creator.join();
    remover.join();
    const std::set<Outcome> outcomes = {created.outcome, removed.outcome};
    EXPECT_THAT(outcomes, ElementsAre(Outcome::kCommitted, Outcome::kConditionUnmet));
  }
}

TEST_P(StoreConformanceTest, AbsentAnywhereIsCheckedInEveryTenant) {
  for (const char* tenant : {"a", "default", "z"}) {
    CommitAndWait(*store_, Create(Asset("other", tenant), MakeContent("x", {"other"})));
  }
  const auto create = [&](absl::string_view id, std::vector<Key> except = {},
                          Kind kind = Kind::kAsset) {
    Transaction transaction = Create(Asset(id), MakeContent("x", {"task:7"}));
    transaction.conditions.absent_anywhere = {{kind, "task:7", std::move(except)},
                                              {Kind::kAsset, "task:8", {}}};
    return CommitAndWait(*store_, std::move(transaction));
  };
  const Revision first =
      CommitAndWait(*store_, Create(Asset("held", "z"), MakeContent("x", {"task:7"}))).revisions[0];
  const Revision head = *store_->Head();
  CommitResult refused = create("new");
  EXPECT_EQ(refused.outcome, Outcome::kConditionUnmet);
  EXPECT_THAT(refused.unmet, ElementsAre(Asset("held", "z")));
  EXPECT_EQ(*store_->Head(), head);
  EXPECT_FALSE(store_->Get(Asset("new"))->has_value());
  EXPECT_EQ(create("of another kind", {}, Kind::kVideoTask).outcome, Outcome::kCommitted);

  // Exactly the excepted rows are ignored.
  const std::vector<Key> known = {Asset("of another kind"), Asset("held", "z")};
  refused = create("new", {known[0]});
  EXPECT_THAT(refused.unmet, ElementsAre(known[1]));
  refused = create("new", {known[1], Asset("held", "a"), Asset("nobody")});
  EXPECT_THAT(refused.unmet, ElementsAre(known[0]));
  EXPECT_EQ(create("new", known).outcome, Outcome::kCommitted);

  // A row that no longer has the term does not matter.
  CommitAndWait(*store_, Update(Asset("held", "z"), first, MakeContent("x", {"task:9"})));
  CommitAndWait(*store_, Delete(Asset("of another kind"), head + 1));
  EXPECT_EQ(create("last", {Asset("new")}).outcome, Outcome::kCommitted);
  // Nor does a term that the written row itself has.
  Transaction renewed = Update(Asset("last"), head + 5, MakeContent("y", {"task:7"}));
  renewed.conditions.absent_anywhere = {{Kind::kAsset, "task:7", {Asset("new"), Asset("last")}}};
  EXPECT_EQ(CommitAndWait(*store_, std::move(renewed)).outcome, Outcome::kCommitted);
}

TEST_P(StoreConformanceTest, OnlyOneTransactionGetsATermThatMustBeAbsentAnywhere) {
  const auto take = [&](int round, absl::string_view tenant) {
    const std::string term = absl::StrCat("task:", round);
    Transaction transaction =
        Create(Asset(absl::StrCat("t", round), tenant), MakeContent("x", {term}));
    transaction.conditions.absent_anywhere = {{Kind::kAsset, term, {}}};
    return transaction;
  };
  const auto refused_of = [](const CommitResult& one, const CommitResult& two) {
    const std::set<Outcome> outcomes = {one.outcome, two.outcome};
    EXPECT_THAT(outcomes, ElementsAre(Outcome::kCommitted, Outcome::kConditionUnmet));
    return one.outcome == Outcome::kConditionUnmet ? one : two;
  };
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round) {
    CommitResult mine;
    CommitResult theirs;
    std::thread me([&] { mine = CommitAndWait(*store_, take(round, "mine")); });
    std::thread them([&] { theirs = CommitAndWait(*store_, take(round, "theirs")); });
    me.join();
    them.join();
    refused_of(mine, theirs);
  }
  // The same within one group, and next to a transaction that writes the term without a condition.
  std::vector<CommitResult> results(4);
  absl::Mutex mu;
  int answered = 0;
  const auto commit = [&](int which, Transaction transaction) {
    store_->Commit(std::move(transaction), [&, which](CommitResult result) {
      absl::MutexLock lock(&mu);
      results[which] = std::move(result);
      ++answered;
    });
  };
  {
    WriterStall stall(*store_);
    commit(0, take(kRounds, "mine"));
    commit(1, take(kRounds, "theirs"));
    Transaction unconditional = take(kRounds + 1, "mine");
    unconditional.conditions = {};
    commit(2, std::move(unconditional));
    commit(3, take(kRounds + 1, "theirs"));
  }
  {
    absl::MutexLock lock(&mu);
    const auto all = [&] { return answered == 4; };
    mu.Await(absl::Condition(&all));
  }
  EXPECT_THAT(refused_of(results[0], results[1]).unmet,
              ElementsAre(Asset(absl::StrCat("t", kRounds), "mine")));
  EXPECT_EQ(results[2].outcome, Outcome::kCommitted);
  EXPECT_THAT(results[3].unmet, ElementsAre(Asset(absl::StrCat("t", kRounds + 1), "mine")));
}

TEST_P(StoreConformanceTest, UnfinishedRowsOfAllTenantsAreListedInKeyOrder) {
  Content unfinished = MakeContent("x");
  unfinished.unfinished = true;
  const std::vector<Key> keys = {Asset("a", "one"),
                                 Asset("b", "one"),
                                 {"one", Kind::kVideoTask, "a"},
                                 Asset("a", "two"),
                                 {"two", Kind::kAssetGroup, "g"},
                                 {"two", Kind::kUpstreamDeletion, "d"}};
  for (const Key& key : keys) {
    ASSERT_EQ(CommitAndWait(*store_, Create(key, unfinished)).outcome, Outcome::kCommitted);
  }
  CommitAndWait(*store_, Create(Asset("finished", "one"), MakeContent("x")));
  // Finished and then unfinished again: listed once more.
  CommitAndWait(*store_, Update(keys[1], 2, MakeContent("x")));
  Revision again = CommitAndWait(*store_, Create(Asset("z", "zzz"), MakeContent("x"))).revisions[0];
  CommitAndWait(*store_, Update(Asset("z", "zzz"), again, unfinished));
  // Deleted: no longer listed.
  CommitAndWait(*store_, Delete(keys[3], 4));

  std::vector<Key> expected = {keys[0], keys[2], keys[4], keys[5], Asset("z", "zzz")};
  std::sort(expected.begin(), expected.end());
  for (std::size_t limit = 1; limit <= 6; ++limit) {
    std::vector<Key> listed;
    std::optional<Key> after;
    for (;;) {
      const std::vector<Row> rows = *store_->ListUnfinished({.after = after, .limit = limit});
      EXPECT_LE(rows.size(), limit);
      for (const Row& row : rows) {
        listed.push_back(row.key);
        EXPECT_TRUE(row.content.unfinished);
      }
      if (rows.size() < limit) break;
      after = rows.back().key;
    }
    EXPECT_EQ(listed, expected) << "limit " << limit;
  }
}

TEST_P(StoreConformanceTest, UnfinishedRowsAreListedByTheirShards) {
  if (!place_->keeps_shards()) GTEST_SKIP() << "a store of one shard";
  Listener listener;
  store_->SetListener(&listener);
  std::map<Key, Shard> expected;
  for (int i = 0; i < 60; ++i) {
    Content content = MakeContent("x");
    content.unfinished = i % 4 != 0;
    content.shard = i % 3 == 0 ? 255 : i % 20;
    const Key key = Asset(absl::StrCat(i), i % 2 == 0 ? "even" : "odd");
    ASSERT_EQ(CommitAndWait(*store_, Create(key, content)).outcome, Outcome::kCommitted);
    EXPECT_EQ(listener.changes().back()->shard, content.shard);
    EXPECT_EQ((*store_->Get(key))->content.shard, content.shard);
    if (content.unfinished) expected[key] = content.shard;
  }
  // One row moves to another shard.
  Content moved = MakeContent("x");
  moved.unfinished = true;
  moved.shard = 77;
  CommitAndWait(*store_, Update(Asset("1", "odd"), 2, moved));
  expected[Asset("1", "odd")] = 77;
  store_->Stop();

  std::vector<Shard> many;
  many.reserve(20);
  for (Shard shard = 0; shard < 20; ++shard) many.push_back(shard);
  const std::vector<std::vector<Shard>> queries = {{}, {255}, {77, 255, 77}, {1, 2, 5, 250}, many};
  for (const std::vector<Shard>& shards : queries) {
    std::vector<Key> wanted;
    for (const auto& [key, shard] : expected) {
      if (std::find(shards.begin(), shards.end(), shard) != shards.end()) wanted.push_back(key);
    }
    std::vector<Key> listed;
    std::optional<Key> after;
    for (;;) {
      const std::vector<Row> rows =
          *store_->ListUnfinished({.shards = shards, .after = after, .limit = 7});
      for (const Row& row : rows) listed.push_back(row.key);
      if (rows.size() < 7) break;
      after = rows.back().key;
    }
    EXPECT_EQ(listed, wanted);
  }
}

TEST_P(StoreConformanceTest, TermsMayBeLong) {
  // Longer than an index entry, and incompressible.
  std::mt19937 random(7);
  std::string noise(5'000, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  const std::string other = noise + "x";
  CommitAndWait(*store_, Create(Asset("a"), MakeContent("x", {noise, "t"})));
  CommitAndWait(*store_, Create(Asset("b"), MakeContent("x", {other, "t"})));
  EXPECT_THAT(Ids(AllRows(*store_, {.tenant = "default", .filter = {{{noise}}}})),
              ElementsAre("a"));
  EXPECT_THAT(Ids(AllRows(*store_, {.tenant = "default", .filter = {{{other}}}})),
              ElementsAre("b"));
  Transaction transaction = Create(Asset("c"), MakeContent("x"));
  transaction.conditions.absent = {{"default", Kind::kAsset, other}};
  EXPECT_EQ(CommitAndWait(*store_, std::move(transaction)).outcome, Outcome::kConditionUnmet);
  CommitAndWait(*store_, Update(Asset("b"), 2, MakeContent("x", {"t"})));
  EXPECT_THAT(AllRows(*store_, {.tenant = "default", .filter = {{{other}}}}), IsEmpty());
  EXPECT_THAT(Ids(AllRows(*store_, {.tenant = "default", .filter = {{{"t"}}}})),
              ElementsAre("b", "a"));
}

TEST_P(StoreConformanceTest, TenantsSeeNothingOfEachOther) {
  const Revision mine =
      CommitAndWait(*store_, Create(Asset("a", "mine"), MakeContent("mine", {"t"}))).revisions[0];
  const CommitResult theirs =
      CommitAndWait(*store_, Create(Asset("a", "theirs"), MakeContent("theirs", {"t"})));
  EXPECT_EQ(theirs.outcome, Outcome::kCommitted) << "the same id in another tenant is free";
  EXPECT_EQ((*store_->Get(Asset("a", "mine")))->content.resource, "mine");
  EXPECT_FALSE(store_->Get(Asset("a", "nobody"))->has_value());
  for (const TermFilter& filter : {TermFilter{}, TermFilter{{{"t"}}}}) {
    for (const ListQuery::Order order : kOrders) {
      const std::vector<Row> rows =
          AllRows(*store_, {.tenant = "mine", .filter = filter, .order = order});
      ASSERT_THAT(rows, SizeIs(1));
      EXPECT_EQ(rows[0].revision, mine);
    }
  }
  EXPECT_THAT(AllChanges(*store_, "mine", 0, 10), SizeIs(1));
  // Kinds are separated in the same way.
  EXPECT_THAT(AllRows(*store_, {.tenant = "mine", .kind = Kind::kVideoTask}), IsEmpty());
  EXPECT_FALSE(store_->Get({"mine", Kind::kVideoTask, "a"})->has_value());
}

TEST_P(StoreConformanceTest, ReopenedStoreContinuesWhereItStopped) {
  const std::string store_id = store_->store_id();
  EXPECT_THAT(store_id, SizeIs(32));
  Content content = MakeContent("x", {"t"});
  content.unfinished = true;
  Transaction transaction = Create(Asset("a"), content);
  transaction.claim_request = Request("r", {Asset("a")}, clock_.Now());
  CommitAndWait(*store_, std::move(transaction));
  const Revision deleted =
      CommitAndWait(*store_, Create(Asset("gone"), MakeContent("x"))).revisions[0];
  const Revision head = CommitAndWait(*store_, Delete(Asset("gone"), deleted)).revisions[0];

  Reopen();
  EXPECT_EQ(store_->store_id(), store_id);
  EXPECT_EQ(*store_->Head(), head);
  ExpectSameContent((*store_->Get(Asset("a")))->content, content);
  EXPECT_THAT(Ids(AllRows(*store_, {.tenant = "default", .filter = {{{"t"}}}})), ElementsAre("a"));
  EXPECT_THAT(AllChanges(*store_, "default", 0, 10), SizeIs(3));
  EXPECT_THAT(*store_->ListUnfinished({.limit = 10}), SizeIs(1));
  EXPECT_TRUE(store_->FindRequest({"default", "CreateAsset", "r"})->has_value());
  EXPECT_GT(CommitAndWait(*store_, Create(Asset("b"), MakeContent("x"))).revisions[0], head);

  EXPECT_NE((*GetParam()()->Open(settings_))->store_id(), store_id) << "another store, another id";
}

TEST_P(StoreConformanceTest, StopAnswersPendingTransactionsAndRejectsLaterOnes) {
  std::vector<Outcome> outcomes;
  {
    WriterStall stall(*store_);
    for (int i = 0; i < 50; ++i) {
      store_->Commit(Create(Asset(absl::StrCat(i)), MakeContent("x")),
                     [&](CommitResult result) { outcomes.push_back(result.outcome); });
    }
  }
  store_->Stop();
  EXPECT_THAT(outcomes, SizeIs(50));
  EXPECT_THAT(outcomes, testing::Each(Outcome::kCommitted));
  EXPECT_EQ(store_->queue_depth(), 0u);

  const CommitResult late = CommitAndWait(*store_, Create(Asset("late"), MakeContent("x")));
  EXPECT_EQ(late.outcome, Outcome::kUnavailable);
  EXPECT_THAT(late.message, HasSubstr("stopped"));
  EXPECT_FALSE(store_->Get(Asset("late"))->has_value());
  EXPECT_THAT(AllRows(*store_, {.tenant = "default"}), SizeIs(50));
  store_->Stop();
}

TEST_P(StoreConformanceTest, AnswersAreGivenOutsideTheCallOfCommit) {
  std::thread::id answered_on;
  const auto commit = [&] {
    absl::Notification done;
    store_->Commit({}, [&](CommitResult) {
      answered_on = std::this_thread::get_id();
      done.Notify();
    });
    done.WaitForNotification();
    EXPECT_NE(answered_on, std::this_thread::get_id());
  };
  commit();
  store_->Stop();
  commit();  // Rejected, and still not inside the call.
}

TEST_P(StoreConformanceTest, DestructionAnswersEveryTransaction) {
  std::atomic<int> answered = 0;
  for (int i = 0; i < 20; ++i) {
    store_->Commit(Create(Asset(absl::StrCat(i)), MakeContent("x")),
                   [&](CommitResult) { ++answered; });
  }
  store_.reset();
  EXPECT_EQ(answered, 20);
}

TEST_P(StoreConformanceTest, ReadersSeeEveryAnsweredCommit) {
  std::atomic<Revision> committed = 0;
  std::atomic<bool> over = false;
  std::atomic<int> stale = 0;
  std::vector<std::thread> readers;
  readers.reserve(6);
  for (int i = 0; i < 6; ++i) {
    readers.emplace_back([&] {
      while (!over) {
        const Revision at_least = committed;
        const absl::StatusOr<std::optional<Row>> row = store_->Get(Asset("a"));
        if (!row.ok() || (at_least > 0 && (!row->has_value() || (*row)->revision < at_least))) {
          ++stale;
        }
        const absl::StatusOr<ListPage> page =
            store_->List({.tenant = "default", .filter = {{{"t"}}}});
        if (!page.ok() || (at_least > 0 && (page->rows.empty() || page->head < at_least ||
                                            page->rows[0].revision > page->head))) {
          ++stale;
        }
      }
    });
  }
  for (int i = 0; i < 200; ++i) {
    committed =
        CommitAndWait(*store_, Update(Asset("a"), committed, MakeContent("x", {"t"}))).revisions[0];
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(stale, 0);
}

TEST_P(StoreConformanceTest, ChangesBeyondTheCountAreCompacted) {
  settings_.retention.max_changes = 10;
  Reopen();
  Revision head = 0;
  for (int i = 0; i < 40; ++i) {
    head = CommitAndWait(*store_, Create(Asset(absl::StrCat(i)), MakeContent("x"))).revisions[0];
  }
  place_->Pass(clock_, absl::Minutes(2));
  ASSERT_TRUE(Eventually(*store_, [&] {
    return store_->ReadChanges({"default", Kind::kAsset, head - 11, 100})->compacted;
  }));
  const ChangesPage compacted = *store_->ReadChanges({"default", Kind::kAsset, 0, 100});
  EXPECT_TRUE(compacted.compacted);
  EXPECT_THAT(compacted.changes, IsEmpty());
  const ChangesPage kept = *store_->ReadChanges({"default", Kind::kAsset, head - 10, 100});
  EXPECT_FALSE(kept.compacted);
  EXPECT_THAT(kept.changes, SizeIs(10));
  EXPECT_THAT(AllRows(*store_, {.tenant = "default"}), SizeIs(40)) << "rows are not changes";
}

// Each page is read in its own transaction: it starts where it was asked to, or reports that this
// part is compacted.
TEST_P(StoreConformanceTest, CompactionThatOvertakesAReaderIsReportedAndSkipsNothing) {
  settings_.retention.max_changes = 20;
  Reopen();
  std::atomic<bool> over = false;
  std::atomic<int> overtaken = 0;
  std::atomic<int> gaps = 0;
  std::thread reader([&] {
    // Reads the log repeatedly until compaction overtakes it.
    Revision begin = 0;
    for (Revision after = begin; !over;) {
      const auto page = store_->ReadChanges({"default", Kind::kAsset, after, 3});
      if (!page.ok()) continue;
      if (page->compacted) {
        ++overtaken;
        after = begin = page->head - 10;
        continue;
      }
      for (const ChangePtr& change : page->changes) {
        if (change->revision != ++after) ++gaps;
      }
      if (page->upto != after) ++gaps;
      if (page->upto == page->head) after = begin;
    }
  });
  const absl::Time deadline = absl::Now() + absl::Seconds(20);
  for (Revision revision = 0; overtaken < 3 && absl::Now() < deadline;) {
    for (int i = 0; i < 30; ++i) {
      revision =
          CommitAndWait(*store_, Update(Asset("a"), revision, MakeContent("x"))).revisions[0];
    }
    place_->Pass(clock_, absl::Minutes(2));
    CommitAndWait(*store_, {});
  }
  over = true;
  reader.join();
  EXPECT_GE(overtaken, 3);
  EXPECT_EQ(gaps, 0);
}

TEST_P(StoreConformanceTest, OldChangesAreCompactedAndRevisionsContinue) {
  settings_.retention.changes = absl::Hours(1);
  Reopen();
  Revision head = 0;
  for (int i = 0; i < 5; ++i) {
    head = CommitAndWait(*store_, Create(Asset(absl::StrCat(i)), MakeContent("x"))).revisions[0];
  }
  place_->Pass(clock_, absl::Minutes(50));
  const Revision young = CommitAndWait(*store_, Create(Asset("y"), MakeContent("x"))).revisions[0];
  place_->Pass(clock_, absl::Minutes(20));
  ASSERT_TRUE(Eventually(*store_, [&] {
    return store_->ReadChanges({"default", Kind::kAsset, head - 1, 100})->compacted;
  }));
  const ChangesPage page = *store_->ReadChanges({"default", Kind::kAsset, head, 100});
  EXPECT_FALSE(page.compacted) << "everything after it is kept";
  ASSERT_THAT(page.changes, SizeIs(1));
  EXPECT_EQ(page.changes[0]->revision, young);

  place_->Pass(clock_, absl::Hours(2));
  ASSERT_TRUE(Eventually(*store_, [&] {
    return store_->ReadChanges({"default", Kind::kAsset, young - 1, 100})->compacted;
  }));
  // Now no change is kept at all; the head must survive that.
  Reopen();
  EXPECT_EQ(*store_->Head(), young);
  EXPECT_GT(CommitAndWait(*store_, Create(Asset("z"), MakeContent("x"))).revisions[0], young);
}

TEST_P(StoreConformanceTest, RequestIdsExpire) {
  settings_.retention.requests = absl::Hours(24);
  Reopen();
  for (const int hours : {0, 20}) {
    Transaction transaction;
    transaction.claim_request = Request(absl::StrCat(hours), {}, clock_.Now());
    CommitAndWait(*store_, std::move(transaction));
    place_->Pass(clock_, absl::Hours(20));
  }
  ASSERT_TRUE(Eventually(*store_, [&] {
    return !store_->FindRequest({"default", "CreateAsset", "0"})->has_value();
  }));
  EXPECT_TRUE(store_->FindRequest({"default", "CreateAsset", "20"})->has_value());
}

TEST_P(StoreConformanceTest, NothingIsRemovedWhenTheGatewaysClockIsSetForward) {
  settings_.retention.requests = absl::Hours(24);
  settings_.retention.changes = absl::Hours(24);
  Reopen();
  const auto claim = [&](absl::string_view id) {
    Transaction transaction = Create(Asset(id), MakeContent("x"));
    transaction.claim_request = Request(id, {Asset(id)}, clock_.Now());
    return CommitAndWait(*store_, std::move(transaction)).outcome;
  };
  ASSERT_EQ(claim("a"), Outcome::kCommitted);
  place_->Pass(clock_, absl::Minutes(2));
  clock_.Step(absl::Hours(8 * 24));
  // Expiry runs between these commits, more than once.
  for (const char* id : {"b", "c", "d"}) {
    place_->Pass(clock_, absl::Minutes(2));
    ASSERT_EQ(claim(id), Outcome::kCommitted);
  }
  EXPECT_EQ(claim("a"), Outcome::kRequestIdTaken);
  // Nor when a process starts with such a clock.
  Reopen();
  ASSERT_EQ(claim("e"), Outcome::kCommitted);
  EXPECT_EQ(claim("a"), Outcome::kRequestIdTaken);
  EXPECT_FALSE(store_->ReadChanges({"default", Kind::kAsset, 0, 100})->compacted);
  clock_.Step(-absl::Hours(8 * 24));
  place_->Pass(clock_, absl::Minutes(2));
  ASSERT_EQ(claim("f"), Outcome::kCommitted);
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(claim(id), Outcome::kRequestIdTaken) << id;
  }
}

TEST_P(StoreConformanceTest, TenantsThatHaveRowsAreFoundOneAfterTheOther) {
  EXPECT_EQ(*store_->NextTenant(""), std::nullopt);
  for (const char* tenant : {"b", "a", "b", "c"}) {
    const Revision head = *store_->Head();
    CommitAndWait(*store_, Create({tenant, Kind::kAsset, absl::StrCat(head)}, MakeContent("x")));
  }
  EXPECT_EQ(*store_->NextTenant(""), "a");
  EXPECT_EQ(*store_->NextTenant("a"), "b");
  EXPECT_EQ(*store_->NextTenant("b"), "c");
  EXPECT_EQ(*store_->NextTenant("c"), std::nullopt);
}

TEST_P(StoreConformanceTest, BarrierIsCommittedAloneAndChangesNothing) {
  const Revision head = CommitAndWait(*store_, Create(Asset("a"), MakeContent("x"))).revisions[0];
  Transaction barrier;
  barrier.barrier = true;
  const CommitResult result = CommitAndWait(*store_, std::move(barrier));
  EXPECT_EQ(result.outcome, Outcome::kCommitted) << result.message;
  EXPECT_THAT(result.revisions, IsEmpty());
  EXPECT_EQ(*store_->Head(), head);
}

TEST_P(StoreConformanceTest, ExpiredDataIsRemovedInManySteps) {
  settings_.retention.requests = absl::Hours(1);
  Reopen();
  constexpr int kRequests = 1'700;
  absl::BlockingCounter answered(kRequests);
  for (int i = 0; i < kRequests; ++i) {
    Transaction transaction;
    transaction.claim_request = Request(absl::StrCat(i), {}, clock_.Now());
    store_->Commit(std::move(transaction), [&](CommitResult) { answered.DecrementCount(); });
  }
  answered.Wait();
  place_->Pass(clock_, absl::Hours(2));
  EXPECT_TRUE(Eventually(*store_, [&] {
    return !store_->FindRequest({"default", "CreateAsset", absl::StrCat(kRequests - 1)})
                ->has_value();
  }));
}

// The expected content of a store, kept in the simplest way.
struct Model {
  std::map<Key, Row> rows;
  std::vector<Change> changes;
  std::map<std::string, std::vector<Key>> requests;
  Revision head = 0;

  CommitResult Commit(const Transaction& transaction) {
    CommitResult result;
    if (transaction.claim_request.has_value()) {
      const auto taken = requests.find(transaction.claim_request->key.request_id);
      if (taken != requests.end()) {
        result.outcome = Outcome::kRequestIdTaken;
        return result;
      }
    }
    std::set<Key> seen;
    for (std::size_t i = 0; i < transaction.writes.size(); ++i) {
      const Write& write = transaction.writes[i];
      const auto row = rows.find(write.key);
      const Revision revision = row == rows.end() ? 0 : row->second.revision;
      const bool repeated = !seen.insert(write.key).second;
      const bool deletes_nothing = revision == 0 && !write.content.has_value();
      if (revision != write.expected_revision || repeated || deletes_nothing) {
        result.conflicts.push_back(i);
      }
    }
    if (!result.conflicts.empty()) {
      result.outcome = Outcome::kConflict;
      return result;
    }
    for (const Write& write : transaction.writes) {
      Change change;
      change.key = write.key;
      change.revision = ++head;
      result.revisions.push_back(head);
      const auto row = rows.find(write.key);
      change.create_revision = row == rows.end() ? head : row->second.create_revision;
      if (row != rows.end()) {
        change.previous_terms = row->second.content.terms;
        change.resource = row->second.content.resource;
      }
      if (write.content.has_value()) {
        change.resource = write.content->resource;
        change.settled = write.content->settled;
        change.terms = write.content->terms;
        rows[write.key] = {write.key, head, change.create_revision, *write.content};
      } else {
        change.deleted = true;
        change.cause = write.cause;
        rows.erase(write.key);
      }
      changes.push_back(std::move(change));
    }
    if (transaction.free_request.has_value()) {
      requests.erase(transaction.free_request->request_id);
    }
    if (transaction.claim_request.has_value()) {
      requests[transaction.claim_request->key.request_id] = transaction.claim_request->rows;
    }
    result.outcome = Outcome::kCommitted;
    return result;
  }

  std::vector<std::string> List(const ListQuery& query) const {
    std::vector<const Row*> found;
    for (const auto& [key, row] : rows) {
      if (key.tenant == query.tenant && key.kind == query.kind &&
          query.filter.Matches(row.content.terms)) {
        found.push_back(&row);
      }
    }
    std::sort(found.begin(), found.end(),
              [](const Row* a, const Row* b) { return a->create_revision > b->create_revision; });
    if (query.order == ListQuery::Order::kOldestFirst) std::reverse(found.begin(), found.end());
    std::vector<std::string> ids;
    ids.reserve(found.size());
    for (const Row* row : found) ids.push_back(row->key.id);
    return ids;
  }
};

// Random transactions, some of which conflict, in groups of random size.
class History {
 public:
  explicit History(unsigned seed) : random_(seed) {}

  int Below(int bound) { return std::uniform_int_distribution<int>(0, bound - 1)(random_); }

  Transaction Next(const Model& model, absl::Time now) {
    Transaction transaction;
    for (int i = Below(4); i >= 0; --i) {
      Write write;
      write.key = AnyKey();
      const auto row = model.rows.find(write.key);
      write.expected_revision = row == model.rows.end() ? 0 : row->second.revision;
      if (Below(20) == 0) write.expected_revision += 1;
      const bool deletes = row != model.rows.end() && Below(5) == 0;
      if (deletes) {
        write.cause = Below(2) == 0 ? DeleteCause::kDeleted : DeleteCause::kPurged;
      } else {
        write.content = AnyContent();
      }
      transaction.writes.push_back(std::move(write));
    }
    const RequestKey request{"default", "CreateAsset", absl::StrCat("r", Below(200))};
    if (Below(3) == 0) {
      transaction.claim_request = RequestRow{request, "body", {transaction.writes[0].key}, now};
    } else if (Below(6) == 0) {
      transaction.free_request = request;
    }
    return transaction;
  }

  ListQuery AnyQuery() {
    ListQuery query{.tenant = Tenant(), .kind = AnyKind()};
    for (int clauses = Below(4); clauses > 0; --clauses) {
      std::vector<std::string>& clause = query.filter.clauses.emplace_back();
      for (int terms = Below(3); terms >= 0; --terms) clause.push_back(Term());
    }
    query.order = kOrders[static_cast<std::size_t>(Below(2))];
    query.limit = 1 + static_cast<std::size_t>(Below(40));
    return query;
  }

 private:
  std::string Tenant() { return Below(3) == 0 ? "other" : "default"; }
  Kind AnyKind() { return Below(4) == 0 ? Kind::kVideoTask : Kind::kAsset; }
  Key AnyKey() { return {Tenant(), AnyKind(), absl::StrCat(Below(400))}; }
  // Some terms are on most rows, some on almost none.
  std::string Term() {
    const int bound = 1 << Below(8);
    return absl::StrCat("term:", Below(bound));
  }
  Content AnyContent() {
    Content content;
    content.resource = std::string(static_cast<std::size_t>(Below(200)), 'r');
    content.internal = absl::StrCat(Below(1'000));
    content.unfinished = Below(2) == 0;
    content.settled = Below(2) == 0;
    for (int terms = Below(6); terms > 0; --terms) content.terms.push_back(Term());
    return content;
  }

  std::mt19937 random_;
};

TEST_P(StoreConformanceTest, RandomHistoryAgreesWithAModel) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  History history(seed);
  Model model;
  for (int round = 0; round < 60; ++round) {
    struct Committed {
      CommitResult expected;
      CommitResult actual;
    };
    const auto count = 1 + static_cast<std::size_t>(history.Below(60));
    std::vector<Committed> group(count);
    absl::BlockingCounter answered(static_cast<int>(count));
    {
      WriterStall stall(*store_);
      for (Committed& committed : group) {
        Transaction transaction = history.Next(model, clock_.Now());
        committed.expected = model.Commit(transaction);
        store_->Commit(std::move(transaction), [&](CommitResult result) {
          committed.actual = std::move(result);
          answered.DecrementCount();
        });
      }
    }
    answered.Wait();
    for (const Committed& committed : group) {
      ASSERT_EQ(committed.actual.outcome, committed.expected.outcome);
      ASSERT_EQ(committed.actual.revisions, committed.expected.revisions);
      ASSERT_EQ(committed.actual.conflicts, committed.expected.conflicts);
    }
    if (history.Below(10) == 0) Reopen();
    for (int i = 0; i < 5; ++i) {
      const ListQuery query = history.AnyQuery();
      ASSERT_EQ(Ids(AllRows(*store_, query)), model.List(query));
    }
  }

  ASSERT_EQ(*store_->Head(), model.head);
  for (const auto& [key, expected] : model.rows) {
    const std::optional<Row> row = *store_->Get(key);
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(row->revision, expected.revision);
    EXPECT_EQ(row->create_revision, expected.create_revision);
    ExpectSameContent(row->content, expected.content);
  }
  for (const auto& [id, made] : model.requests) {
    EXPECT_EQ((*store_->FindRequest({"default", "CreateAsset", id}))->rows, made);
  }
  std::vector<Key> unfinished;
  for (const auto& [key, row] : model.rows) {
    if (row.content.unfinished) unfinished.push_back(key);
  }
  std::vector<Key> listed;
  const std::vector<Row> rows = *store_->ListUnfinished({.limit = 10'000});
  listed.reserve(rows.size());
  for (const Row& row : rows) listed.push_back(row.key);
  EXPECT_EQ(listed, unfinished);

  std::size_t next = 0;
  std::vector<const Change*> expected;
  for (const Change& change : model.changes) {
    if (change.key.tenant == "default" && change.key.kind == Kind::kAsset) {
      expected.push_back(&change);
    }
  }
  for (const ChangePtr& change : AllChanges(*store_, "default", 0, 97)) {
    ASSERT_LT(next, expected.size());
    const Change& wanted = *expected[next++];
    EXPECT_EQ(change->key, wanted.key);
    EXPECT_EQ(change->revision, wanted.revision);
    EXPECT_EQ(change->create_revision, wanted.create_revision);
    EXPECT_EQ(change->deleted, wanted.deleted);
    EXPECT_EQ(change->cause, wanted.cause);
    EXPECT_EQ(change->settled, wanted.settled);
    EXPECT_EQ(change->resource, wanted.resource);
    EXPECT_EQ(change->terms, wanted.terms);
    EXPECT_EQ(change->previous_terms, wanted.previous_terms);
  }
  EXPECT_EQ(next, expected.size());
}

// Terms that few of many rows have, and terms whose rows fill more than one read-ahead run.
TEST_P(StoreConformanceTest, FiltersOfManyRowsAgreeWithAModel) {
  constexpr int kRows = 6'000;
  Model model;
  absl::BlockingCounter answered(kRows);
  for (int i = 0; i < kRows; ++i) {
    std::vector<std::string> terms = {"all", absl::StrCat("half:", i % 2),
                                      absl::StrCat("third:", i % 3),
                                      absl::StrCat("100th:", i % 100)};
    if (i > 5'000) terms.push_back("new");
    if (i < 100) terms.push_back("old");
    // Ids in another order than creation.
    Transaction transaction =
        Create(Asset(absl::StrCat(i * 7'919 % kRows)), MakeContent("x", std::move(terms)));
    model.Commit(transaction);
    store_->Commit(std::move(transaction), [&](CommitResult) { answered.DecrementCount(); });
  }
  answered.Wait();
  const TermFilter filters[] = {
      {},
      {{{"all"}}},
      {{{"half:0"}, {"third:1"}}},
      {{{"half:0", "half:1"}}},
      {{{"100th:7", "100th:8"}, {"half:1"}}},
      {{{"all"}, {"100th:7"}, {"third:0", "third:2"}}},
      {{{"new"}, {"old"}}},
      {{{"old"}, {"half:1"}, {"all"}}},
      {{{"half:0"}, {"half:1"}}},
  };
  for (const TermFilter& filter : filters) {
    for (const ListQuery::Order order : kOrders) {
      const ListQuery query{.tenant = "default", .filter = filter, .order = order, .limit = 777};
      int short_pages = 0;
      ASSERT_EQ(Ids(AllRows(*store_, query, &short_pages)), model.List(query));
    }
  }
}

}  // namespace
}  // namespace assetgate::store
