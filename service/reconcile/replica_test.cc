// Several gateways over one store: which of them does the work, and what becomes of it when they
// lose each other or the store.
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reconcile/testing/replicas.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

TEST(ReplicaTest, WorkIsFollowedOnlyByTheGatewayThatTookTheCall) {
  Replicas replicas(2);
  std::map<int, int> calls;
  replicas.script = [&](int at, const http::Request&) {
    ++calls[at];
    return Ok("id=up-1 state=running");
  };
  for (int i = 0; i < 5; ++i) replicas.Create(kA, Harness::Video(absl::StrCat("fox-", i)));
  replicas.Advance(absl::Minutes(1));
  EXPECT_GT(calls[kA], 20);
  EXPECT_EQ(calls[kB], 0);
  EXPECT_EQ(replicas.Counted(kA), 5);
  EXPECT_EQ(replicas.Counted(kB), 0) << "sums over gateways count everything once";
}

TEST(ReplicaTest, GatewayWithoutAShareLeavesNewWorkToTheOwner) {
  Replicas replicas(2);
  replicas.MoveAll(kB, kA);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto created = replicas.Create(kB, request);
  EXPECT_EQ(replicas.http(kB).pending(), 0u);
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  ASSERT_TRUE(created.has() && created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::RUNNING);
  const auto repeated = replicas.Create(kA, request);
  ASSERT_TRUE(repeated.has() && repeated.get().ok()) << repeated.status();
  EXPECT_EQ(repeated->name(), "videoTasks/fox");
  EXPECT_EQ(replicas.Counted(kA), 1);
  EXPECT_EQ(replicas.Counted(kB), 0);
}

TEST(ReplicaTest, WorkOfAnUnownedShardStartsWithItsLease) {
  Replicas replicas(2);
  replicas.MoveAll(kB, kA);
  replicas.Kill(kA);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.mutable_max_wait()->set_seconds(1);
  const auto created = replicas.Create(kB, request);
  replicas.Advance(absl::Seconds(2));
  ASSERT_TRUE(created.has() && created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::PENDING);
  replicas.TakeAll(kB);
  replicas.Run();
  replicas.AnswerNext(kB, 200, "id=up-1 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaTest, WorkOfADeadGatewayIsAdoptedAndItsPollsAreSpread) {
  Replicas replicas(2);
  std::vector<absl::Time> polls;
  int submitted = 0;
  replicas.script = [&](int at, const http::Request& request) {
    if (request.method == "POST") return Ok(absl::StrCat("id=up-", ++submitted, " state=running"));
    if (at == kB) polls.push_back(replicas.Now());
    return Ok(absl::StrCat("id=", request.path.substr(8), " state=running"));
  };
  constexpr int kTasks = 40;
  for (int i = 0; i < kTasks; ++i) replicas.Create(kA, Harness::Video(absl::StrCat("fox-", i)));
  replicas.Kill(kA);
  replicas.Skip(absl::Minutes(1));
  replicas.TakeAll(kB);
  replicas.Run();
  EXPECT_EQ(replicas.Counted(kB), kTasks);
  EXPECT_LT(polls.size(), std::size_t{kTasks} / 4) << "no stampede";
  const absl::Time taken = replicas.Now();
  replicas.Advance(absl::Seconds(5));
  EXPECT_GT(polls.size(), std::size_t{kTasks} / 8);
  replicas.Advance(absl::Seconds(20));
  EXPECT_GE(polls.size(), std::size_t{kTasks});
  EXPECT_EQ(submitted, kTasks) << "nothing is submitted twice";
  std::set<absl::Time> moments(polls.begin(), polls.begin() + kTasks);
  EXPECT_GT(moments.size(), std::size_t{kTasks} / 2);
  EXPECT_LE(*moments.rbegin() - taken, absl::Seconds(25));
}

TEST(ReplicaTest, FinishedRowThatGetsNewWorkIsFollowedByTheGatewayThatAddedIt) {
  Harness::Options options;
  options.asset_providers = {"alpha"};
  Replicas replicas(2, options);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  ASSERT_EQ(replicas.AssetNow("hero").state(), v1::Asset::ACTIVE);
  // A video that goes to beta needs it there as well.
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/beta");
  replicas.Create(kB, request);
  EXPECT_EQ(replicas.http(kA).pending(), 0u);
  replicas.AnswerNext(kB, 200, "id=up-2 state=done");
  replicas.AnswerNext(kB, 200, "id=up-3 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaTest, DrainingGatewayReleasesItsWorkAndGetsNoNewWork) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  bool quiet = false;
  replicas.reconciler(kA).Drain([&] { quiet = true; });
  replicas.Run();
  ASSERT_TRUE(quiet);
  replicas.leases(kA).Release();
  replicas.TakeAll(kB);
  replicas.Advance(absl::Seconds(10));
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
  replicas.AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReplicaTest, OutcomeThatCannotBeCommittedIsKeptAfterTheLeaseIsLost) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.faults(kA).judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  replicas.MoveAll(kA, kB);
  replicas.Advance(kLost + absl::Minutes(1));
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
  replicas.faults(kA).judge = nullptr;
  replicas.Advance(absl::Seconds(2));
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
  replicas.Advance(absl::Seconds(20));
  replicas.AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReplicaTest, UnknownCommitOfAnOutcomeIsLookedUpAfterLaterChanges) {
  for (const bool committed : {false, true}) {
    SCOPED_TRACE(committed);
    Replicas replicas(2);
    replicas.Create(kA, Harness::Video("fox"));
    bool once = true;
    replicas.faults(kA).judge = [&](const auto&) {
      return std::exchange(once, false) ? store::FaultyStore::Outcome::kUnknown
                                        : store::FaultyStore::Outcome::kCommitted;
    };
    replicas.faults(kA).unknown_commits = committed;
    replicas.AnswerNext(kA, 200, "id=up-1 state=queued");
    replicas.Advance(absl::Seconds(3));
    EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::QUEUED);
    EXPECT_EQ(replicas.Task("fox").attempts_size(), 1);
    EXPECT_EQ(replicas.http(kA).sent(), 2u) << "one submission, one poll";
  }
}

TEST(ReplicaTest, GatewayWithAnOverflowingFeedComparesWithTheStore) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/alpha");
  replicas.Create(kB, request);
  std::vector<store::ChangePtr> others;
  for (int i = 0; i < 17'000; ++i) {
    auto change = std::make_shared<store::Change>();
    change->key = {"default", store::Kind::kAsset, absl::StrCat("other-", i)};
    change->local = false;
    others.push_back(std::move(change));
  }
  // What is told before and after is lost among these.
  replicas.Pause(kB);
  replicas.reconciler(kB).OnChanges(others, 0);
  replicas.Advance(absl::Seconds(3));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  replicas.store(kB).Notify(100);
  replicas.Wake(kB);
  replicas.Run();
  EXPECT_EQ(replicas.http(kB).pending(), 1u) << "the asset is ready";
}

TEST(ReplicaTest, WorkIsAdoptedWhenTheStoreIsReadableAgain) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  replicas.Kill(kA);
  replicas.faults(kB).unreadable = true;
  replicas.TakeAll(kB);
  replicas.Advance(absl::Minutes(1));
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
  replicas.faults(kB).unreadable = false;
  replicas.Advance(absl::Seconds(30));
  EXPECT_EQ(replicas.http(kB).sent(), 1u);
}

}  // namespace
}  // namespace assetgate::reconcile
