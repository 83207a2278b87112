// What a person is told who asks why something stands where it stands.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "assetgate/v1/explanation.pb.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/replicas.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using v1::Explanation;

Answer<Explanation> Ask(Gateway& gateway, const std::string& name) {
  Answer<Explanation> answer;
  v1::ExplainRequest request;
  request.set_name(name);
  gateway.Explain(calls::Caller(), request, answer.reply());
  return answer;
}

Explanation Explain(Harness& harness, const std::string& name) {
  const Answer<Explanation> answer = Ask(harness.gateway(), name);
  harness.Run();
  EXPECT_TRUE(answer.has() && answer.get().ok()) << answer.status();
  return answer.has() && answer.get().ok() ? *answer : Explanation();
}

absl::Duration DueIn(Harness& harness, const Explanation::Next& next) {
  EXPECT_TRUE(next.has_due_time()) << next.DebugString();
  return base::FromProto(next.due_time()) - harness.Now();
}

TEST(ExplainTest, MalformedAndUnknownNamesFailAsInGet) {
  Harness harness;
  for (const char* name : {"", "fox", "providers/alpha", "videoTasks/", "videoTasks/F!"}) {
    EXPECT_EQ(Ask(harness.gateway(), name).status().code(), absl::StatusCode::kInvalidArgument)
        << name;
  }
  for (const char* name : {"videoTasks/fox", "assets/fox", "assetGroups/fox"}) {
    EXPECT_EQ(base::ReasonOf(Ask(harness.gateway(), name).status()), v1::RESOURCE_NOT_FOUND)
        << name;
  }
}

TEST(ExplainTest, PollsAreCountedWithTheLastAnswerAndWhenTheNextOneIsDue) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.state(), "RUNNING");
  ASSERT_EQ(told.units_size(), 1);
  EXPECT_EQ(told.units(0).calls().polls(), 0);
  EXPECT_EQ(told.units(0).calls().last_answer().http_status(), 200);
  EXPECT_EQ(told.units(0).submission().outcome(), Explanation::Submission::ACCEPTED);
  EXPECT_EQ(told.units(0).submission().sends(), 1);
  EXPECT_EQ(told.units(0).next().reason(), Explanation::POLL_INTERVAL);
  EXPECT_EQ(DueIn(harness, told.units(0).next()), absl::Seconds(2));
  EXPECT_THAT(told.summary(), HasSubstr("alpha is working on it (running)"));
  EXPECT_FALSE(told.needs_person());
  EXPECT_TRUE(told.followed_here());

  harness.Advance(absl::Seconds(2));
  const absl::Time asked = harness.Now();
  told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::CALL_UNDER_WAY);
  harness.AnswerNext(200, "id=up-1 state=running");
  told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.units(0).calls().polls(), 1);
  EXPECT_EQ(base::FromProto(told.units(0).calls().last_poll_time()), asked);
  EXPECT_GE(DueIn(harness, told.units(0).next()), absl::Seconds(5));
}

TEST(ExplainTest, ExplainChangesNothing) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  const auto commits = harness.store().commits();
  const auto sent = harness.http().sent();
  Explain(harness, "videoTasks/fox");
  EXPECT_EQ(harness.store().commits(), commits);
  EXPECT_EQ(harness.http().sent(), sent);
  // Nor is a poll that changes nothing written, now that it is counted.
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=running");
  EXPECT_EQ(harness.store().commits(), commits);
}

TEST(ExplainTest, ConsecutiveFailuresCarryTheProvidersSanitizedText) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(500, absl::StrCat("broke\nat https://alpha.example/x?sig=secret-of-alpha ",
                                       std::string(5000, 'x')));
  Explanation told = Explain(harness, "videoTasks/fox");
  const auto& calls = told.units(0).calls();
  EXPECT_EQ(calls.failures(), 1);
  EXPECT_EQ(calls.last_answer().http_status(), 500);
  EXPECT_THAT(calls.last_answer().message(), HasSubstr("broke at https://alpha.example/x?"));
  EXPECT_LE(calls.last_answer().message().size(), 512u);
  EXPECT_THAT(told.DebugString(), Not(HasSubstr("sig=")));
  EXPECT_THAT(told.DebugString(), Not(HasSubstr("secret-of-alpha")));
  EXPECT_THAT(told.summary(), HasSubstr("the last call failed (HTTP 500)"));

  harness.Advance(absl::Seconds(10));
  harness.FailNext(http::TransportError::Kind::kConnect, /*maybe_sent=*/false);
  told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.units(0).calls().failures(), 2);
  EXPECT_EQ(told.units(0).calls().last_answer().http_status(), 0);
  EXPECT_THAT(told.units(0).calls().last_answer().message(), HasSubstr("the test says so"));
  EXPECT_THAT(told.summary(), HasSubstr("2 calls in a row failed"));
}

TEST(ExplainTest, RetryAfterBackOffAndExhaustedBudgetAreDistinguished) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(429, "slow down", {{"Retry-After", "90"}});
  Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::RETRY_AFTER);
  EXPECT_EQ(DueIn(harness, told.units(0).next()), absl::Seconds(90));

  Harness::Options narrow;
  narrow.limits = {1000, 1};
  Harness busy(narrow);
  v1::CreateVideoTaskRequest request = Harness::Video("first");
  *request.mutable_video_task()->mutable_model() = "providers/alpha/models/video-1";
  busy.Create(request);  // Its call is under way, and is the only one allowed.
  request.set_video_task_id("second");
  busy.Create(request);
  told = Explain(busy, "videoTasks/second");
  EXPECT_EQ(told.next().reason(), Explanation::PROVIDER_BUDGET) << told.DebugString();
  EXPECT_THAT(told.summary(), HasSubstr("in flight 1, waiting 1"));
  EXPECT_EQ(told.units_size(), 0);
}

TEST(ExplainTest, RefusedKeyNeedsAPersonAndIsRetried) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(401, "bad key");
  const Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::CREDENTIALS_REJECTED);
  EXPECT_TRUE(told.units(0).next().has_due_time());
  EXPECT_TRUE(told.needs_person());
  EXPECT_EQ(told.command(), "") << "the key is mended in the config";
}

TEST(ExplainTest, UnconfirmedTaskNamesTheCommandThatResolvesIt) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  harness.FailNext(http::TransportError::Kind::kReset, /*maybe_sent=*/true);
  const Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.state(), "UNCONFIRMED");
  EXPECT_TRUE(told.needs_person());
  EXPECT_FALSE(told.settled());
  EXPECT_EQ(told.command(), "assetctl videos resolve videoTasks/fox --attempt 0");
  EXPECT_EQ(told.units(0).submission().outcome(), Explanation::Submission::UNKNOWN);
  EXPECT_EQ(told.units(0).next().reason(), Explanation::NEEDS_PERSON);
  EXPECT_THAT(told.summary(), HasSubstr("there may be a video, and a bill"));
}

TEST(ExplainTest, UnconfirmedTaskWithAKeyIsSentAgainByItself) {
  Harness::Options options;
  options.alpha.idempotency_window = absl::Hours(24);
  Harness harness(options);
  harness.Create(Harness::Video("fox"));
  harness.FailNext(http::TransportError::Kind::kReset, /*maybe_sent=*/true);
  const Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_FALSE(told.needs_person());
  EXPECT_EQ(told.command(), "");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::BACK_OFF);
  EXPECT_THAT(told.units(0).next().message(), HasSubstr("idempotency key"));
}

TEST(ExplainTest, SkippedTargetsSayWhy) {
  Harness::Options options;
  options.beta.seed = false;
  Harness harness(options);
  // beta cannot express the seed; alpha has no credit.
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.mutable_video_task()->set_seed(7);
  *request.mutable_max_wait() = base::ToProto(absl::ZeroDuration());
  harness.Create(request);
  harness.AnswerNext(402, "top up");
  const Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.state(), "PENDING");
  EXPECT_EQ(told.next().reason(), Explanation::OUT_OF_CREDIT) << told.DebugString();
  EXPECT_EQ(told.next().subject(), "providers/alpha");
  EXPECT_TRUE(told.needs_person());
  ASSERT_EQ(told.passed_targets_size(), 2);
  EXPECT_EQ(told.passed_targets(0).provider(), "providers/alpha");
  EXPECT_THAT(told.passed_targets(0).message(), HasSubstr("top up"));
  EXPECT_TRUE(told.passed_targets(0).has_next_try_time());
  EXPECT_EQ(told.passed_targets(1).provider(), "providers/beta");
  EXPECT_THAT(told.passed_targets(1).message(), HasSubstr("seed"));
  EXPECT_FALSE(told.passed_targets(1).has_next_try_time());
  ASSERT_EQ(told.units_size(), 1);
  EXPECT_EQ(told.units(0).state(), "NOT_ACCEPTED");
  EXPECT_THAT(told.units(0).error(), HasSubstr("top up"));
}

TEST(ExplainTest, TargetThatWasAttemptedIsListedOnce) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  harness.AnswerNext(402, "top up");
  harness.AnswerNext(200, "id=v-1 state=running");
  const Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.state(), "RUNNING") << told.DebugString();
  ASSERT_EQ(told.units_size(), 2);
  EXPECT_EQ(told.units(0).provider(), "providers/alpha");
  EXPECT_THAT(told.units(0).error(), HasSubstr("top up"));
  EXPECT_EQ(told.units(1).provider(), "providers/beta");
  EXPECT_THAT(told.passed_targets(), IsEmpty());
}

TEST(ExplainTest, TaskThatWaitsForAnAssetNamesIt) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.AnswerNext(200, "id=up-a state=running");
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  *request.mutable_video_task()->mutable_model() = "providers/alpha/models/video-1";
  v1::Reference& reference = *request.mutable_video_task()->add_references();
  reference.set_role(v1::Reference::REFERENCE);
  reference.set_asset("assets/hero");
  harness.Create(request);
  Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_EQ(told.next().reason(), Explanation::DEPENDENCY) << told.DebugString();
  EXPECT_EQ(told.next().subject(), "assets/hero");
  EXPECT_THAT(told.summary(), HasSubstr("assets/hero"));

  told = Explain(harness, "assets/hero");
  EXPECT_EQ(told.state(), "PROCESSING");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::POLL_INTERVAL);
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-a state=done");
  told = Explain(harness, "assets/hero");
  EXPECT_TRUE(told.settled());
  EXPECT_TRUE(told.units(0).settled());
  EXPECT_FALSE(told.units(0).has_next());
  EXPECT_THAT(told.summary(), HasSubstr("ACTIVE at alpha (up-a)"));
}

TEST(ExplainTest, AssetThatWaitsForItsGroupNamesIt) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  harness.Create(Harness::Asset("hero", {"alpha"}));
  const Explanation told = Explain(harness, "assets/hero");
  EXPECT_EQ(told.units(0).state(), "SUBMITTING");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::DEPENDENCY) << told.DebugString();
  const std::string group = told.units(0).next().subject();
  EXPECT_THAT(group, HasSubstr("assetGroups/"));
  const Explanation of_group = Explain(harness, group);
  EXPECT_EQ(of_group.name(), group);
  EXPECT_EQ(of_group.units(0).next().reason(), Explanation::CALL_UNDER_WAY);
  EXPECT_EQ(of_group.units(0).submission().outcome(), Explanation::Submission::UNDER_WAY);
}

TEST(ExplainTest, DrainedOrDisabledProviderIsNamedAsTheReason) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  Harness::Options options;
  options.alpha_mode = v1::Provider::DRAIN;
  harness.Restart(options);
  Explanation told = Explain(harness, "assets/hero");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::PROVIDER_MODE);
  EXPECT_THAT(told.summary(), HasSubstr("DRAIN"));
  EXPECT_TRUE(told.needs_person());

  Harness followed;
  Accept(followed, "fox", "up-1");
  options.alpha_mode = v1::Provider::OFF;
  followed.Restart(options);
  told = Explain(followed, "videoTasks/fox");
  EXPECT_EQ(told.units(0).next().reason(), Explanation::PROVIDER_MODE);
  EXPECT_THAT(told.summary(), HasSubstr("OFF"));
}

TEST(ExplainTest, FinishedTaskShowsItsOutcome) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=failed why=too_dark");
  const Explanation told = Explain(harness, "videoTasks/fox");
  EXPECT_TRUE(told.settled());
  EXPECT_TRUE(told.followed_here());
  EXPECT_THAT(told.summary(), HasSubstr("it is FAILED since"));
  EXPECT_THAT(told.summary(), HasSubstr("too_dark"));
  EXPECT_FALSE(told.units(0).has_next());
  ASSERT_EQ(told.passed_targets_size(), 1);
  EXPECT_EQ(told.passed_targets(0).message(), "it was not needed");
}

TEST(ExplainTest, KnowledgeOfTheFollowingGatewayIsAbsentElsewhere) {
  Replicas replicas(2);
  replicas.Create(0, Harness::Video("fox"));
  replicas.AnswerNext(0, 200, "id=up-1 state=running");
  const Answer<Explanation> here = Ask(replicas.gateway(0), "videoTasks/fox");
  const Answer<Explanation> there = Ask(replicas.gateway(1), "videoTasks/fox");
  replicas.Run();
  ASSERT_TRUE(here.has() && here.get().ok()) << here.status();
  EXPECT_TRUE(here->followed_here());
  EXPECT_TRUE(here->units(0).has_calls());
  ASSERT_TRUE(there.has() && there.get().ok()) << there.status();
  EXPECT_FALSE(there->followed_here());
  EXPECT_FALSE(there->units(0).has_calls());
  EXPECT_FALSE(there->units(0).next().has_due_time());
  EXPECT_EQ(there->units(0).next().reason(), Explanation::OTHER_GATEWAY);
  EXPECT_EQ(there->units(0).submission().outcome(), Explanation::Submission::ACCEPTED)
      << "what the store has is told everywhere";
  EXPECT_THAT(there->summary(), HasSubstr("alpha is working on it"));
  EXPECT_THAT(there->summary(), HasSubstr("another gateway follows it"));

  auto row = replicas.real().Get({model::kDefaultTenant, store::Kind::kVideoTask, "fox"});
  ASSERT_TRUE(row.ok() && row->has_value());
  Answer<Explanation> named;
  store::Row there_row = **row;
  there_row.content.shard = replicas.leases(0).held().front();
  replicas.reconciler(1).Explain(std::move(there_row), "pod-0", named.reply());
  replicas.Run();
  ASSERT_TRUE(named.has() && named.get().ok());
  EXPECT_EQ(named->gateway(), "pod-0");
  EXPECT_THAT(named->summary(), HasSubstr("gateway pod-0 follows it"));
}

}  // namespace
}  // namespace assetgate::reconcile
