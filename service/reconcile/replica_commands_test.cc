// Several gateways over one store: commands for work that another gateway follows.
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gtest/gtest.h"
#include "reconcile/testing/replicas.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;

calls::Caller Of(absl::string_view tenant) {
  calls::Caller caller;
  caller.tenant = std::string(tenant);
  return caller;
}

// A task whose submission is in doubt.
void Cut(Replicas& replicas, int at, absl::string_view id, absl::string_view tenant) {
  replicas.Create(at, Harness::Video(id), Of(tenant));
  replicas.Take(at).Answer(TransportError{TransportError::Kind::kReset, true, "reset"});
  replicas.Run();
}

TEST(ReplicaCommandsTest, TaskIsCancelledWhereItIsNotFollowed) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/alpha");
  replicas.Create(kA, request);
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::PENDING);
  const auto cancelled = replicas.Cancel(kB, "fox");
  ASSERT_TRUE(cancelled.has() && cancelled.get().ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::VideoTask::CANCELLED);
  replicas.Advance(absl::Seconds(3));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas.http(kA).pending(), 0u) << "nothing is submitted";
  EXPECT_EQ(replicas.Counted(kA), 0);
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaCommandsTest, CancelThatRacesWithTheSubmissionLosesOrWinsAndNeverBoth) {
  Replicas replicas(2);
  replicas.script = [](int, const http::Request& request) {
    return request.method == "POST" ? std::optional<http::Result>(Ok("id=up-1 state=running"))
                                    : std::nullopt;
  };
  Answer<v1::VideoTask> created;
  replicas.gateway(kA).CreateVideoTask(calls::Caller(), Harness::Video("fox"), created.reply());
  replicas.loop(kA).RunDue();
  const auto cancelled = replicas.Cancel(kB, "fox");
  EXPECT_EQ(base::ReasonOf(cancelled.status()), v1::CANCEL_UNSUPPORTED);
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaCommandsTest, AssetIsDeletedWhereItIsNotFollowedWithItsCopies) {
  Harness::Options options;
  options.alpha.can_delete = true;
  Replicas replicas(2, options);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  const auto deleted = replicas.DeleteAsset(kB, "hero");
  ASSERT_TRUE(deleted.has() && deleted.get().ok()) << deleted.status();
  EXPECT_FALSE(replicas.StoredAsset("hero").has_value());
  EXPECT_EQ(replicas.Counted(kA), 0);
  const auto call = replicas.Take(kB);
  EXPECT_EQ(call.request.method, "DELETE");
  replicas.Advance(absl::Minutes(1));
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
}

TEST(ReplicaCommandsTest, VideoWaitsForAnAssetThatAnotherGatewayFollows) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/alpha");
  const auto created = replicas.Create(kB, request);
  ASSERT_TRUE(created.has() && created.get().ok());
  EXPECT_EQ(created->waiting().reason(), v1::Waiting::ASSET_PROCESSING);
  replicas.Advance(absl::Seconds(3));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  // At once, by the feed.
  replicas.AnswerNext(kB, 200, "id=up-2 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaCommandsTest, PlacementForAVideoIsMadeByTheOwnerOfTheAsset) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/beta");
  replicas.Create(kB, request);
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
  replicas.AnswerNext(kA, 200, "id=up-2 state=done");
  replicas.AnswerNext(kB, 200, "id=up-3 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaCommandsTest, ProviderTaskIsAdoptedByOneOfTwoGateways) {
  const struct {
    const char* description;
    bool a_resolves;
    bool b_resolves;
  } kWays[] = {{"two imports", false, false},
               {"an import and a resolution", false, true},
               {"a resolution and an import", true, false},
               {"two resolutions", true, true}};
  for (const auto& way : kWays) {
    for (const char* tenant : {model::kDefaultTenant, "other"}) {
      for (const int first : {kA, kB}) {
        SCOPED_TRACE(absl::StrCat(way.description, ", ", tenant, ", first: ", first));
        Harness::Options options;
        options.alpha.ids_in_any_case = true;
        Replicas replicas(2, options);
        const std::string tenants[] = {model::kDefaultTenant, tenant};
        const bool resolves[] = {way.a_resolves, way.b_resolves};
        const std::string ids[] = {"fox", "wolf"};
        const std::string spellings[] = {"up-7", "UP-7"};
        for (const int at : {kA, kB}) {
          if (resolves[at]) Cut(replicas, at, ids[at], tenants[at]);
        }
        // Both have found it free before either is committed.
        Answer<v1::VideoTask> answers[2];
        for (const int at : {first, 1 - first}) {
          if (resolves[at]) {
            replicas.gateway(at).ResolveVideoTask(
                Of(tenants[at]), Harness::Accepted(ids[at], spellings[at]), answers[at].reply());
          } else {
            replicas.gateway(at).ImportVideoTask(Of(tenants[at]), Import(ids[at], spellings[at]),
                                                 answers[at].reply());
          }
        }
        replicas.loop(first).RunDue();
        replicas.Run();
        ASSERT_TRUE(answers[kA].has() && answers[kB].has());
        ASSERT_NE(answers[kA].get().ok(), answers[kB].get().ok())
            << answers[kA].status() << answers[kB].status();
        const int loser = answers[kA].get().ok() ? kB : kA;
        EXPECT_NE(loser, first);
        EXPECT_EQ(base::ReasonOf(answers[loser].status()), v1::PROVIDER_TASK_TAKEN)
            << answers[loser].status();
        EXPECT_EQ(absl::StrContains(answers[loser].status().message(), ids[1 - loser]),
                  tenants[kA] == tenants[kB])
            << "named to its own tenant alone: " << answers[loser].status();
        auto row = replicas.real().Get({tenants[loser], store::Kind::kVideoTask, ids[loser]});
        ASSERT_TRUE(row.ok());
        ASSERT_EQ(row->has_value(), resolves[loser]);
        if (!resolves[loser]) continue;
        EXPECT_EQ(model::VideoTaskFromRow(**row).state(), v1::VideoTask::UNCONFIRMED);
        // It goes on: it can be resolved with what is its own.
        Answer<v1::VideoTask> again;
        replicas.gateway(loser).ResolveVideoTask(
            Of(tenants[loser]), Harness::Accepted(ids[loser], "up-8"), again.reply());
        replicas.Run();
        EXPECT_TRUE(again.has() && again.get().ok()) << again.status();
      }
    }
  }
}

TEST(ReplicaCommandsTest, AnswerToASubmissionIsRecordedByANewOwner) {
  for (const bool answered_first : {false, true}) {
    SCOPED_TRACE(answered_first);
    Replicas replicas(2);
    replicas.Create(kA, Harness::Video("fox"));
    auto call = replicas.Take(kA);
    Answer<v1::VideoTask> imported;
    replicas.gateway(kB).ImportVideoTask(Of("other"), Import("wolf", "up-7"), imported.reply());
    if (!answered_first) replicas.Run();
    std::move(call).Answer(Ok("id=up-7 state=running"));
    // Where the answer is committed first, the import finds it so, though it had found nothing.
    if (answered_first) replicas.loop(kA).RunDue();
    replicas.Run();
    EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
    EXPECT_EQ(replicas.Task("fox").attempts(0).provider_task_id(), "up-7");
    ASSERT_TRUE(imported.has());
    EXPECT_EQ(imported.get().ok(), !answered_first) << imported.status();
    if (answered_first) {
      EXPECT_EQ(base::ReasonOf(imported.status()), v1::PROVIDER_TASK_TAKEN);
    }
  }
}

TEST(ReplicaCommandsTest, UnconfirmedTaskIsResolvedWhereItIsNotFollowed) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.AnswerNext(kA, 500, "what");
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  ASSERT_TRUE(replicas.Resolve(kB, Harness::Accepted("fox", "up-7")).status().ok());
  // At once, whatever A waited for.
  replicas.AnswerNext(kA, 200, "id=up-7 state=done");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaCommandsTest, ResourceDeletedAndCreatedAgainElsewhereIsADifferentOne) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  // A hears of neither until it is all over.
  replicas.Pause(kA);
  ASSERT_TRUE(replicas.DeleteAsset(kB, "hero").status().ok());
  replicas.Create(kB, Harness::Asset("hero", {"beta"}));
  replicas.AnswerNext(kB, 200, "id=up-9 state=running");
  replicas.Wake(kA);
  replicas.Advance(absl::Seconds(1));
  EXPECT_EQ(replicas.Counted(kA), 0);
  EXPECT_EQ(replicas.Counted(kB), 1);
  ASSERT_EQ(replicas.AssetNow("hero").placements_size(), 1);
  EXPECT_EQ(replicas.AssetNow("hero").placements(0).provider(), "providers/beta");
}

TEST(ReplicaCommandsTest, AnswerForADeletedResourceDoesNotReachItsNamesake) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  replicas.Advance(absl::Seconds(2.5));
  auto poll = replicas.Take(kA);
  replicas.Pause(kA);
  ASSERT_TRUE(replicas.DeleteAsset(kB, "hero").status().ok());
  replicas.Create(kB, Harness::Asset("hero", {"beta"}));
  replicas.AnswerNext(kB, 200, "id=up-9 state=running");
  std::move(poll).Answer(Ok("id=up-1 state=done"));
  replicas.Wake(kA);
  // A commits what it heard before it hears of the deletion.
  replicas.loop(kA).RunDue();
  replicas.Run();
  ASSERT_EQ(replicas.AssetNow("hero").placements_size(), 1);
  EXPECT_EQ(replicas.AssetNow("hero").placements(0).state(), v1::Placement::PROCESSING);
  EXPECT_EQ(replicas.AssetNow("hero").placements(0).provider_asset_id(), "up-9");
}

TEST(ReplicaCommandsTest, ChangeNotifiedBeforeItsCommitReturnsIsKept) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  auto call = replicas.Take(kA);
  std::move(call).Answer(Ok("id=up-1 state=running"));
  replicas.loop(kA).RunDue();
  // That is committed, A does not know it yet, and B builds on it.
  replicas.Pause(kA);
  ASSERT_TRUE(replicas.DeleteAsset(kB, "hero").status().ok());
  replicas.Wake(kA);
  replicas.store(kA).Notify(100);
  replicas.Run();
  EXPECT_EQ(replicas.Counted(kA), 0);
  replicas.Advance(absl::Minutes(1));
  EXPECT_EQ(replicas.http(kA).sent(), 1u) << "what is gone is not polled";
}

}  // namespace
}  // namespace assetgate::reconcile
