#include "reconcile/purge.h"

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "gtest/gtest.h"
#include "model/resource.h"
#include "reconcile/testing/harness.h"
#include "store/testing/rows.h"

namespace assetgate::reconcile {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Short, since a sweep runs every ten minutes of it.
constexpr absl::Duration kAfter = absl::Hours(24 * 3);
// At least one whole sweep.
constexpr absl::Duration kSweep = absl::Minutes(30);

class PurgeTest : public testing::Test {
 protected:
  void Start(Purge::Options options) {
    // Nothing becomes old at the very moment of a sweep.
    harness_.Advance(absl::Seconds(30));
    purge_ =
        std::make_unique<Purge>(harness_.loop(), harness_.store(), harness_.telemetry(), options);
    purge_->Start();
  }
  void Start(std::size_t page = 100) {
    Start(Purge::Options{.video_tasks_after = kAfter, .page = page});
  }

  // A task that has just ended.
  model::VideoEntity Ended(const std::string& id,
                           v1::VideoTask::State state = v1::VideoTask::SUCCEEDED) {
    model::VideoEntity entity;
    entity.key = {model::kDefaultTenant, store::Kind::kVideoTask, id};
    entity.resource.set_name(model::MakeName(model::kVideoTasks, id));
    entity.resource.set_state(state);
    *entity.resource.mutable_create_time() = base::ToProto(harness_.Now() - absl::Minutes(5));
    if (model::IsFinal(state)) *entity.resource.mutable_end_time() = base::ToProto(harness_.Now());
    return entity;
  }
  void Commit(model::VideoEntity entity, store::Revision expected = 0) {
    Commit(entity.key, model::ToContent(entity), expected);
  }
  void Commit(const store::Key& key, store::Content content, store::Revision expected = 0) {
    const store::CommitResult result =
        store::CommitAndWait(harness_.real(), store::Update(key, expected, std::move(content)));
    EXPECT_EQ(result.outcome, store::CommitResult::Outcome::kCommitted);
  }
  void CommitEnded(int from, int to) {
    for (int i = from; i < to; ++i) Commit(Ended(absl::StrCat("task-", i)));
  }

  std::vector<std::string> Left() {
    std::vector<std::string> ids;
    store::ListQuery query{.tenant = model::kDefaultTenant,
                           .kind = store::Kind::kVideoTask,
                           .order = store::ListQuery::Order::kOldestFirst,
                           .limit = 1000};
    const auto page = harness_.store().List(query);
    EXPECT_TRUE(page.ok()) << page.status();
    for (const store::Row& row : page->rows) ids.push_back(row.key.id);
    return ids;
  }

  Harness harness_;
  std::unique_ptr<Purge> purge_;
};

TEST_F(PurgeTest, NothingIsPurgedByDefault) {
  CommitEnded(0, 3);
  Start(Purge::Options());
  harness_.Advance(absl::Hours(24 * 3650));
  EXPECT_THAT(Left(), SizeIs(3));
  EXPECT_EQ(harness_.store().lists, 1) << "the test's own";
}

TEST_F(PurgeTest, OldestTasksArePurgedFirstAndWatchersAreNotified) {
  CommitEnded(0, 25);
  const store::Revision before = *harness_.store().Head();
  Start(10);
  harness_.Advance(kAfter - absl::Minutes(1));
  EXPECT_THAT(Left(), SizeIs(25)) << "not before its time";

  harness_.Advance(kSweep);
  EXPECT_THAT(Left(), IsEmpty());
  EXPECT_THAT(harness_.telemetry().purged, ElementsAre(10, 10, 5));
  EXPECT_THAT(harness_.telemetry().purge_ends, ElementsAre(25));
  const auto changes =
      harness_.store().ReadChanges({model::kDefaultTenant, store::Kind::kVideoTask, before, 100});
  ASSERT_TRUE(changes.ok()) << changes.status();
  ASSERT_THAT(changes->changes, SizeIs(25));
  for (int i = 0; i < 25; ++i) {
    const store::Change& change = *changes->changes[static_cast<std::size_t>(i)];
    EXPECT_EQ(change.key.id, absl::StrCat("task-", i));
    EXPECT_TRUE(change.deleted);
    EXPECT_EQ(change.cause, store::DeleteCause::kPurged);
  }
}

TEST_F(PurgeTest, TasksOfEveryTenantArePurged) {
  const std::vector<std::string> tenants = {"acme", model::kDefaultTenant, "umbrella"};
  for (const std::string& tenant : tenants) {
    for (int i = 0; i < 3; ++i) {
      model::VideoEntity entity = Ended(absl::StrCat("task-", i));
      entity.key.tenant = tenant;
      Commit(std::move(entity));
    }
  }
  Start(2);
  harness_.Advance(kAfter + kSweep);
  for (const std::string& tenant : tenants) {
    const auto page = harness_.store().List({.tenant = tenant, .kind = store::Kind::kVideoTask});
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_THAT(page->rows, IsEmpty()) << tenant;
  }
  EXPECT_THAT(harness_.telemetry().purge_ends, ElementsAre(9));
}

TEST_F(PurgeTest, EachTaskIsPurgedAtItsOwnTime) {
  Start();
  CommitEnded(0, 2);
  harness_.Advance(absl::Hours(24));
  CommitEnded(2, 4);
  Commit(Ended("failed", v1::VideoTask::FAILED));
  Commit(Ended("cancelled", v1::VideoTask::CANCELLED));
  harness_.Advance(kAfter - absl::Hours(12));
  EXPECT_THAT(Left(), ElementsAre("task-2", "task-3", "failed", "cancelled"));
  harness_.Advance(absl::Hours(24));
  EXPECT_THAT(Left(), IsEmpty());
  EXPECT_THAT(harness_.telemetry().purge_ends, ElementsAre(2, 4));
}

TEST_F(PurgeTest, NothingUnfinishedOrInDoubtIsPurged) {
  Commit(Ended("pending", v1::VideoTask::PENDING));
  Commit(Ended("running", v1::VideoTask::RUNNING));
  model::VideoEntity unconfirmed = Ended("unconfirmed", v1::VideoTask::UNCONFIRMED);
  // Settled for those who watch; not for whoever gets the bill.
  unconfirmed.resource.mutable_waiting()->set_reason(v1::Waiting::NEEDS_OPERATOR);
  EXPECT_TRUE(model::IsSettled(unconfirmed.resource));
  Commit(unconfirmed);
  // Given up by us, while its provider may still be at it.
  model::VideoEntity expected = Ended("result-expected", v1::VideoTask::FAILED);
  expected.resource.add_attempts()->set_state(v1::Attempt::RUNNING);
  expected.record.add_units();
  Commit(expected);
  CommitEnded(0, 1);
  Start(2);
  harness_.Advance(2 * kAfter);
  EXPECT_THAT(Left(), ElementsAre("pending", "running", "unconfirmed", "result-expected"));

  // Its time begins with its end.
  const auto row = harness_.store().Get(unconfirmed.key);
  Commit(Ended("unconfirmed"), (*row)->revision);
  harness_.Advance(kAfter - absl::Hours(1));
  EXPECT_THAT(Left(), testing::Contains("unconfirmed"));
  harness_.Advance(absl::Hours(2));
  EXPECT_THAT(Left(), ElementsAre("pending", "running", "result-expected"));
}

TEST_F(PurgeTest, AssetsAndGroupsStay) {
  v1::CreateAssetGroupRequest group;
  group.set_asset_group_id("cast");
  group.mutable_asset_group()->set_display_name("Cast");
  ASSERT_TRUE(harness_.Create(group).get().ok());
  ASSERT_TRUE(harness_.Create(Harness::Asset("hero", {})).get().ok());
  Start();
  harness_.Advance(kAfter + absl::Hours(24));
  EXPECT_TRUE(harness_.StoredAsset("hero").has_value());
  EXPECT_TRUE(
      harness_.store().Get({model::kDefaultTenant, store::Kind::kAssetGroup, "cast"})->has_value());
}

TEST_F(PurgeTest, SweepEndsAtAPageOfYoungTasks) {
  CommitEnded(0, 15);
  harness_.Advance(kAfter - absl::Hours(1));
  CommitEnded(15, 200);
  Start(10);
  harness_.Advance(absl::Hours(1) - absl::Minutes(5));
  EXPECT_THAT(harness_.telemetry().purged, IsEmpty());
  const int before = harness_.store().lists;
  harness_.Advance(absl::Minutes(10));  // One sweep.
  EXPECT_THAT(harness_.telemetry().purge_ends, ElementsAre(15));
  EXPECT_EQ(harness_.store().lists - before, 3) << "two pages with old ones, and one without";
}

TEST_F(PurgeTest, TaskWithAWrongDateHidesNoOtherTask) {
  model::VideoEntity wrong = Ended("wrong");
  *wrong.resource.mutable_create_time() = base::ToProto(harness_.Now() + absl::Hours(24 * 3650));
  *wrong.resource.mutable_end_time() = wrong.resource.create_time();
  Commit(wrong);
  CommitEnded(0, 5);
  Start(3);
  harness_.Advance(kAfter + kSweep);
  EXPECT_THAT(Left(), ElementsAre("wrong"));
}

TEST_F(PurgeTest, GatewayWhoseClockIsAheadPurgesNothingEarly) {
  CommitEnded(0, 3);
  harness_.store().other_trusted_time = harness_.Now();
  const absl::Duration ahead = kAfter + absl::Hours(24 * 8);
  harness_.loop().fake_clock().Step(ahead);
  Start();
  harness_.Advance(absl::Hours(3));
  EXPECT_THAT(Left(), SizeIs(3));
  harness_.loop().fake_clock().Step(-ahead);
  harness_.Restart();
  Start();
  harness_.Advance(kAfter - absl::Hours(4));
  EXPECT_THAT(Left(), SizeIs(3));
  harness_.Advance(absl::Hours(2));
  EXPECT_THAT(Left(), IsEmpty()) << "in its time";
}

// Where the store was closed for long, the trusted time only gradually reaches the clock.
TEST_F(PurgeTest, TaskThatExpiredWhileTheStoreWasClosedIsPurgedSoonAfter) {
  CommitEnded(0, 3);
  harness_.store().other_trusted_time = harness_.Now();
  harness_.Advance(kAfter + absl::Hours(24));
  Start();
  harness_.Advance(kAfter / 30);
  EXPECT_THAT(Left(), SizeIs(3));
  harness_.Advance(kAfter / 9);
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(PurgeTest, RowsOfALaterReleaseStay) {
  constexpr int kOfALaterRelease = 77;
  const auto commit = [&](const std::string& id, const std::function<void(v1::Attempt&)>& edit) {
    model::VideoEntity entity = Ended(id);
    entity.record.add_units();
    entity.resource.add_attempts()->set_state(v1::Attempt::SUCCEEDED);
    edit(*entity.resource.mutable_attempts(0));
    store::Content content = model::ToContent(entity);
    // That release knows that there is nothing left to do.
    content.unfinished = false;
    Commit(entity.key, std::move(content));
  };
  commit("known", [](v1::Attempt&) {});
  commit("state", [](v1::Attempt& attempt) {
    attempt.set_state(static_cast<v1::Attempt::State>(kOfALaterRelease));
  });
  commit("billing", [](v1::Attempt& attempt) {
    attempt.set_billing(static_cast<v1::Attempt::Billing>(kOfALaterRelease));
  });
  model::VideoEntity unreadable = Ended("unreadable");
  store::Content content = model::ToContent(unreadable);
  content.internal = "\xff\xff";
  Commit(unreadable.key, std::move(content));
  Start();
  harness_.Advance(kAfter + kSweep);
  EXPECT_THAT(Left(), ElementsAre("state", "billing", "unreadable"));
}

TEST_F(PurgeTest, PageThatChangedMeanwhileIsReadAgain) {
  CommitEnded(0, 3);
  Start();
  int tries = 0;
  harness_.store().judge = [&](const store::Transaction& transaction) {
    if (++tries == 1) {
      // It runs again after all, as far as the purge is concerned.
      Commit(Ended("task-1", v1::VideoTask::RUNNING), transaction.writes[1].expected_revision);
    }
    return store::CommitResult::Outcome::kCommitted;
  };
  harness_.Advance(kAfter + kSweep);
  EXPECT_EQ(tries, 2);
  EXPECT_THAT(Left(), ElementsAre("task-1"));
  EXPECT_THAT(harness_.telemetry().purge_ends, ElementsAre(2));
}

TEST_F(PurgeTest, FailingStoreIsRetried) {
  CommitEnded(0, 3);
  Start(2);
  int tries = 0;
  harness_.store().unknown_commits = true;
  harness_.store().judge = [&](const store::Transaction&) {
    ++tries;
    return tries == 1   ? store::CommitResult::Outcome::kUnavailable
           : tries == 2 ? store::CommitResult::Outcome::kUnknown
                        : store::CommitResult::Outcome::kCommitted;
  };
  harness_.Advance(kAfter + kSweep);
  EXPECT_EQ(tries, 3);
  EXPECT_THAT(Left(), IsEmpty());
}

TEST_F(PurgeTest, RestartDuringASweepLosesNothing) {
  CommitEnded(0, 25);
  Start(Purge::Options{.video_tasks_after = kAfter, .pause = absl::Minutes(2), .page = 10});
  harness_.Advance(kAfter);
  while (harness_.telemetry().purged.empty()) harness_.Advance(absl::Minutes(1));
  EXPECT_THAT(Left(), SizeIs(15));
  harness_.Restart();
  Start(10);
  harness_.Advance(kSweep);
  EXPECT_THAT(Left(), IsEmpty());
  EXPECT_THAT(harness_.telemetry().purged, ElementsAre(10, 10, 5));
}

TEST_F(PurgeTest, OnlyTheHolderOfTheFirstShardSweeps) {
  class Elsewhere final : public store::Leases {
   public:
    std::optional<absl::Time> HeldUntil(store::Shard) override { return until; }
    std::optional<store::Shard> Pick() override { return std::nullopt; }
    int gateways() override { return 2; }
    int held_count() override { return 0; }
    void SetListener(store::LeaseListener*) override {}
    void Release() override {}
    std::optional<absl::Time> until;
  };
  Elsewhere leases;
  CommitEnded(0, 3);
  Start();
  harness_.store().other_leases = &leases;
  harness_.Advance(kAfter + kSweep);
  EXPECT_THAT(Left(), SizeIs(3));
  leases.until = harness_.Now();
  harness_.Advance(kSweep);
  EXPECT_THAT(Left(), SizeIs(3)) << "it has expired";
  leases.until = absl::InfiniteFuture();
  harness_.Advance(kSweep);
  EXPECT_THAT(Left(), IsEmpty());
  harness_.store().other_leases = nullptr;
}

}  // namespace
}  // namespace assetgate::reconcile
