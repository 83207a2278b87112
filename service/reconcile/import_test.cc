// ImportVideoTask: what a provider already has is followed, and nothing is ever submitted.
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"
#include "store/testing/rows.h"

namespace assetgate::reconcile {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ImportTest, TaskIsPolledAtOnceAndNeverSubmitted) {
  Harness harness;
  v1::ImportVideoTaskRequest request = Import("found");
  request.set_prompt("a fox");
  (*request.mutable_labels())["project"] = "summer";
  auto imported = harness.Import(request);
  ASSERT_TRUE(imported.has() && imported.get().ok()) << imported.status();
  EXPECT_EQ(imported->state(), v1::VideoTask::QUEUED);
  EXPECT_EQ(imported->attempts(0).provider_task_id(), "up-7");
  EXPECT_EQ(imported->attempts(0).billing(), v1::Attempt::UNKNOWN);
  EXPECT_EQ(imported->attempts(0).provider_model(), "video-1");
  EXPECT_TRUE(imported->attempts(0).has_import_time());
  EXPECT_EQ(imported->attempts(0).tries(), 0);
  auto poll = harness.Take();
  EXPECT_EQ(poll.request.method, "GET");
  EXPECT_EQ(poll.request.path, "/videos/up-7");
  std::move(poll).Answer(http::Response{200, {}, "id=up-7 state=done", {}});
  harness.Run();
  EXPECT_EQ(harness.Task("found").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(harness.Task("found").labels().at("project"), "summer");
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(ImportTest, ModelMayBeARouteAPinOrTheProvidersName) {
  Harness harness;
  int i = 0;
  for (const char* model : {"film", "providers/alpha/models/video-1", "video-1"}) {
    v1::ImportVideoTaskRequest request = Import("", absl::StrCat("up-", ++i));
    request.set_model(model);
    auto imported = harness.Import(request);
    ASSERT_TRUE(imported.get().ok()) << model << ": " << imported.status();
    EXPECT_EQ(imported->attempts(0).provider_model(), "video-1");
  }
  v1::ImportVideoTaskRequest request = Import("", "up-9");
  request.set_model("no-such-model");
  EXPECT_EQ(base::ReasonOf(harness.Import(request).status()), v1::RESOURCE_NOT_FOUND);
  request.set_model("providers/beta/models/video-1");
  EXPECT_EQ(base::ReasonOf(harness.Import(request).status()), v1::INVALID_FIELD);
}

TEST(ImportTest, InvalidRequestsNameEveryFault) {
  Harness harness;
  auto refused = harness.Import(v1::ImportVideoTaskRequest());
  EXPECT_EQ(base::ReasonOf(refused.status()), v1::INVALID_FIELD);
  for (const char* field : {"provider", "provider_task_id", "model"}) {
    EXPECT_THAT(base::ToRpcStatus(refused.status()).SerializeAsString(), HasSubstr(field));
  }
  EXPECT_EQ(base::ReasonOf(harness.Import(Import("a", "Asset-1")).status()), v1::INVALID_FIELD);
  v1::ImportVideoTaskRequest unknown = Import("a");
  unknown.set_provider("providers/gamma");
  EXPECT_EQ(base::ReasonOf(harness.Import(unknown).status()), v1::RESOURCE_NOT_FOUND);
  EXPECT_EQ(harness.http().sent(), 0u);
}

TEST(ImportTest, RepetitionGetsTheFirstAnswer) {
  Harness harness;
  v1::ImportVideoTaskRequest request = Import("");
  request.set_request_id("r1");
  auto first = harness.Import(request);
  auto second = harness.Import(request);
  ASSERT_TRUE(second.get().ok()) << second.status();
  EXPECT_EQ(first->name(), second->name());
  request.set_provider_task_id("up-8");
  EXPECT_EQ(base::ReasonOf(harness.Import(request).status()), v1::REQUEST_ID_REUSED);
}

TEST(ImportTest, TaskThatIsAlreadyFollowedIsNotImported) {
  Harness harness;
  Accept(harness, "fox", "up-7");
  auto unfinished = harness.Import(Import("again"));
  EXPECT_EQ(base::ReasonOf(unfinished.status()), v1::PROVIDER_TASK_TAKEN);
  EXPECT_THAT(std::string(unfinished.status().message()), HasSubstr("videoTasks/fox"));
  harness.Advance(absl::Seconds(10));
  harness.AnswerNext(200, "id=up-7 state=done");
  EXPECT_EQ(base::ReasonOf(harness.Import(Import("again")).status()), v1::PROVIDER_TASK_TAKEN);
  // At another provider the same id is another task.
  v1::ImportVideoTaskRequest other = Import("again");
  other.set_provider("beta");
  EXPECT_TRUE(harness.Import(other).get().ok());
}

TEST(ImportTest, AbandonedTaskCanBeImported) {
  Harness harness;
  Accept(harness, "fox", "up-7");
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{404, {}, "", {}});
  };
  harness.Advance(absl::Minutes(12));
  ASSERT_EQ(base::ReasonOf(harness.Task("fox").error()), v1::PROVIDER_FORGOT);
  harness.script = nullptr;
  ASSERT_TRUE(harness.Import(Import("found")).get().ok());
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{200, {}, "id=up-7 state=done", {}});
  };
  harness.Advance(absl::Hours(2));
  EXPECT_EQ(harness.Task("found").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::FAILED) << "what we said stays";
  EXPECT_EQ(harness.Task("fox").attempts(0).state(), v1::Attempt::SUCCEEDED);
  // Now there is a result: it is not imported a second time.
  EXPECT_EQ(base::ReasonOf(harness.Import(Import("third")).status()), v1::PROVIDER_TASK_TAKEN);
}

TEST(ImportTest, TenantCannotImportAnotherTenantsTask) {
  Harness harness;
  Accept(harness, "fox", "up-7");
  calls::Caller stranger;
  stranger.tenant = "other";
  auto held = harness.Import(Import("mine"), stranger);
  EXPECT_EQ(base::ReasonOf(held.status()), v1::PROVIDER_TASK_TAKEN);
  EXPECT_THAT(std::string(held.status().message()), Not(HasSubstr("fox")));
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{404, {}, "", {}});
  };
  harness.Advance(absl::Minutes(12));
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::FAILED);
  auto given_up = harness.Import(Import("mine"), stranger);
  EXPECT_EQ(base::ReasonOf(given_up.status()), v1::PROVIDER_TASK_TAKEN);
  EXPECT_EQ(held.status().message(), given_up.status().message()) << "all alike";
}

TEST(ImportTest, ResolutionCannotTakeAnotherTenantsTask) {
  Harness harness;
  calls::Caller stranger;
  stranger.tenant = "other";
  ASSERT_TRUE(harness.Import(Import("theirs"), stranger).get().ok());
  harness.AnswerNext(200, "id=up-7 state=done");
  harness.Create(Harness::Video("fox"));
  harness.FailNext(http::TransportError::Kind::kReset, /*maybe_sent=*/true);
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  const auto taken = harness.Resolve(Harness::Accepted("fox", "up-7"));
  EXPECT_EQ(base::ReasonOf(taken.status()), v1::PROVIDER_TASK_TAKEN);
  EXPECT_THAT(std::string(taken.status().message()), Not(HasSubstr("theirs")));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  ASSERT_TRUE(harness.Resolve(Harness::Accepted("fox", "up-8")).get().ok());
}

TEST(ImportTest, IdInAnotherSpellingNamesTheSameTask) {
  Harness::Options options;
  options.alpha.ids_in_any_case = true;
  Harness harness(options);
  Accept(harness, "fox", "up-7");
  calls::Caller stranger;
  stranger.tenant = "other";
  // A submission of theirs that is in doubt.
  Answer<v1::VideoTask> created;
  harness.gateway().CreateVideoTask(stranger, Harness::Video("wolf"), created.reply());
  harness.Run();
  harness.FailNext(http::TransportError::Kind::kReset, /*maybe_sent=*/true);
  for (const char* spelling : {"UP-7", "Up-7", "up-7"}) {
    EXPECT_EQ(base::ReasonOf(harness.Import(Import("mine", spelling), stranger).status()),
              v1::PROVIDER_TASK_TAKEN)
        << spelling;
    EXPECT_EQ(base::ReasonOf(harness.Import(Import("mine", spelling)).status()),
              v1::PROVIDER_TASK_TAKEN)
        << spelling;
    const auto resolved = harness.Resolve(Harness::Accepted("wolf", spelling), stranger);
    EXPECT_EQ(base::ReasonOf(resolved.status()), v1::PROVIDER_TASK_TAKEN) << spelling;
    EXPECT_THAT(std::string(resolved.status().message()), Not(HasSubstr("fox")));
  }
  // What is free is kept, and followed, as the provider spells it.
  const auto imported = harness.Import(Import("mine", "UP-8"));
  ASSERT_TRUE(imported.has() && imported.get().ok()) << imported.status();
  EXPECT_EQ(imported->attempts(0).provider_task_id(), "up-8");
  EXPECT_EQ(base::ReasonOf(harness.Import(Import("again", "uP-8")).status()),
            v1::PROVIDER_TASK_TAKEN);
  const auto resolved = harness.Resolve(Harness::Accepted("wolf", "UP-9"), stranger);
  ASSERT_TRUE(resolved.has() && resolved.get().ok()) << resolved.status();
  EXPECT_EQ(resolved->attempts(0).provider_task_id(), "up-9");
  const auto repeated = harness.Resolve(Harness::Accepted("wolf", "UP-9"), stranger);
  EXPECT_TRUE(repeated.has() && repeated.get().ok()) << repeated.status();
  EXPECT_EQ(base::ReasonOf(harness.Import(Import("again", "uP-9")).status()),
            v1::PROVIDER_TASK_TAKEN);
}

TEST(ImportTest, IdsAreCaseSensitiveWhereTheProvidersAre) {
  Harness harness;
  ASSERT_TRUE(harness.Import(Import("one", "up-a")).get().ok());
  EXPECT_TRUE(harness.Import(Import("two", "up-A")).get().ok());
}

TEST(ImportTest, IdStoredUnnormalizedByAnEarlierReleaseIsFound) {
  Harness::Options options;
  options.alpha.ids_in_any_case = true;
  Harness harness(options);
  Accept(harness, "fox", "up-7");
  harness.Advance(absl::Seconds(10));
  harness.AnswerNext(200, "id=up-7 state=done");
  model::VideoEntity fox = *harness.StoredVideo("fox");
  fox.resource.mutable_attempts(0)->set_provider_task_id("UP-7");
  harness.store().Commit(store::Update(fox.key, fox.revision, model::ToContent(fox)),
                         [](const store::CommitResult&) {});
  harness.Run();
  ASSERT_EQ(harness.Task("fox").attempts(0).provider_task_id(), "UP-7");
  for (const char* spelling : {"UP-7", "Up-7", "up-7"}) {
    EXPECT_EQ(base::ReasonOf(harness.Import(Import("mine", spelling)).status()),
              v1::PROVIDER_TASK_TAKEN)
        << spelling;
  }
}

TEST(ImportTest, ConcurrentImportsOfOneTaskLetOneSucceed) {
  for (const char* tenant : {model::kDefaultTenant, "other"}) {
    for (const bool given_up : {false, true}) {
      SCOPED_TRACE(absl::StrCat(tenant, given_up ? ", given up before" : ""));
      Harness::Options options;
      options.alpha.ids_in_any_case = true;
      Harness harness(options);
      if (given_up) {
        Accept(harness, "fox", "up-7");
        harness.script = [](const http::Request&, const http::SendOptions&) {
          return http::Result(http::Response{404, {}, "", {}});
        };
        harness.Advance(absl::Minutes(12));
        ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::FAILED);
        harness.script = nullptr;
      }
      calls::Caller second;
      second.tenant = tenant;
      Answer<v1::VideoTask> answers[2];
      harness.gateway().ImportVideoTask(calls::Caller(), Import("a"), answers[0].reply());
      harness.gateway().ImportVideoTask(second, Import("b", "UP-7"), answers[1].reply());
      harness.Run();
      ASSERT_TRUE(answers[0].has() && answers[0].get().ok()) << answers[0].status();
      EXPECT_EQ(base::ReasonOf(answers[1].status()), v1::PROVIDER_TASK_TAKEN);
      EXPECT_EQ(absl::StrContains(answers[1].status().message(), "videoTasks/a"),
                second.tenant == model::kDefaultTenant)
          << answers[1].status();
      // A refusal leaves nothing behind.
      auto row = harness.store().Get({tenant, store::Kind::kVideoTask, "b"});
      ASSERT_TRUE(row.ok());
      EXPECT_FALSE(row->has_value());
      EXPECT_TRUE(harness.Import(Import("b", "up-8"), second).get().ok());
    }
  }
}

TEST(ImportTest, SameIdAtAnotherProviderDoesNotConflict) {
  Harness harness;
  v1::ImportVideoTaskRequest at_beta = Import("b");
  at_beta.set_provider("beta");
  Answer<v1::VideoTask> answers[2];
  harness.gateway().ImportVideoTask(calls::Caller(), Import("a"), answers[0].reply());
  harness.gateway().ImportVideoTask(calls::Caller(), at_beta, answers[1].reply());
  harness.Run();
  for (const auto& answer : answers) {
    EXPECT_TRUE(answer.has() && answer.get().ok()) << answer.status();
  }
}

TEST(ImportTest, IdThatTheProviderDoesNotKnowIsReportedAndFails) {
  Harness harness;
  ASSERT_TRUE(harness.Import(Import("found")).get().ok());
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{404, {}, "", {}});
  };
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.Task("found").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  EXPECT_THAT(harness.Task("found").waiting().message(), HasSubstr("imported"));
  harness.Advance(absl::Minutes(12));
  EXPECT_EQ(base::ReasonOf(harness.Task("found").error()), v1::PROVIDER_FORGOT);
}

TEST(ImportTest, CallersProvidersAndLimitApply) {
  Harness harness;
  calls::Caller narrow;
  narrow.identity = "narrow";
  narrow.providers = std::make_shared<const std::set<std::string>>(std::set<std::string>{"beta"});
  EXPECT_EQ(base::ReasonOf(harness.Import(Import("a"), narrow).status()), v1::NOT_ALLOWED);
}

TEST(ImportTest, ImportedTaskIsFollowedAfterARestart) {
  Harness harness;
  ASSERT_TRUE(harness.Import(Import("found")).get().ok());
  harness.Restart();
  harness.script = [](const http::Request& request, const http::SendOptions&) {
    EXPECT_EQ(request.method, "GET");
    return http::Result(http::Response{200, {}, "id=up-7 state=done", {}});
  };
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.Task("found").state(), v1::VideoTask::SUCCEEDED);
}

}  // namespace
}  // namespace assetgate::reconcile
