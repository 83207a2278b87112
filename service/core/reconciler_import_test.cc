// ImportVideoTask: what a provider already has is followed, and nothing is ever submitted.
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "core/testing/harness.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::core {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::ImportVideoTaskRequest Import(absl::string_view id, absl::string_view task_id = "up-7") {
  v1::ImportVideoTaskRequest request;
  request.set_provider("providers/alpha");
  request.set_provider_task_id(std::string(task_id));
  request.set_model("film");
  request.set_video_task_id(std::string(id));
  return request;
}

// A task "fox" that alpha accepted as "up-7".
void Accept(Harness& harness) {
  harness.Create(Harness::Video("fox"));
  harness.AnswerNext(200, "id=up-7 state=running");
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReconcilerImportTest, TaskIsPolledAtOnceAndNeverSubmitted) {
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

TEST(ReconcilerImportTest, ModelIsARouteAPinOrTheProvidersOwnName) {
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

TEST(ReconcilerImportTest, FaultyRequestsSayAllThatIsWrong) {
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

TEST(ReconcilerImportTest, RepetitionGetsTheFirstAnswer) {
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

TEST(ReconcilerImportTest, TaskThatIsHeldIsNotTakenAgain) {
  Harness harness;
  Accept(harness);
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

TEST(ReconcilerImportTest, WhatWasGivenUpIsTakenOver) {
  Harness harness;
  Accept(harness);
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

TEST(ReconcilerImportTest, NoTenantTakesAnothersTask) {
  Harness harness;
  Accept(harness);
  Caller stranger;
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

TEST(ReconcilerImportTest, NoResolutionTakesAnotherTenantsTask) {
  Harness harness;
  Caller stranger;
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

TEST(ReconcilerImportTest, IdThatTheProviderDoesNotKnowIsSaidAndFails) {
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

TEST(ReconcilerImportTest, CallerKeepsToItsProvidersAndItsLimit) {
  Harness harness;
  Caller narrow;
  narrow.identity = "narrow";
  narrow.providers = std::make_shared<const std::set<std::string>>(std::set<std::string>{"beta"});
  EXPECT_EQ(base::ReasonOf(harness.Import(Import("a"), narrow).status()), v1::NOT_ALLOWED);
}

TEST(ReconcilerImportTest, RestartGoesOnWithWhatWasImported) {
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
}  // namespace assetgate::core
