// What a provider takes only so many of at one time, and how calls to it leave: slots per model,
// asset submissions, time limits per operation, headers and proxy.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/replicas.h"

namespace assetgate::reconcile {
namespace {

constexpr int kA = 0;
constexpr int kB = 1;

// "film" goes to alpha alone, which has so many slots of its model.
Harness::Options WithSlots(int slots) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_slots.by_model["video-1"] = slots;
  return options;
}

v1::CreateVideoTaskRequest NotWaitedFor(absl::string_view id) {
  v1::CreateVideoTaskRequest request = Harness::Video(id);
  request.mutable_max_wait()->set_seconds(0);
  return request;
}

void Accept(Harness& harness, absl::string_view id) {
  harness.Create(NotWaitedFor(id));
  harness.AnswerNext(200, absl::StrCat("id=up-", id, " state=running"));
  ASSERT_EQ(harness.Task(id).state(), v1::VideoTask::RUNNING);
}

// Has the poll of the task answered that it is done.
void Finish(Harness& harness, absl::string_view id) {
  for (int i = 0; i < 40 && !model::IsFinal(harness.Task(id).state()); ++i) {
    harness.Advance(absl::Seconds(1));
    while (harness.http().pending() > 0) {
      http::FakeHttpClient::Call call = harness.Take();
      const bool its = absl::EndsWith(call.request.path, absl::StrCat("up-", id));
      std::move(call).Answer(http::Response{
          200, {}, absl::StrCat("id=up-", id, its ? " state=done" : " state=running")});
      harness.Run();
      if (its) break;
    }
  }
  ASSERT_EQ(harness.Task(id).state(), v1::VideoTask::SUCCEEDED);
}

TEST(SlotsTest, AFullSlotHoldsTheTaskBackUntilOneEnds) {
  Harness harness(WithSlots(1));
  Accept(harness, "one");
  harness.Create(NotWaitedFor("two"));
  EXPECT_EQ(harness.http().pending(), 0u) << "it is not sent";
  EXPECT_EQ(harness.Task("two").state(), v1::VideoTask::PENDING);
  EXPECT_EQ(harness.Task("two").waiting().reason(), v1::Waiting::PROVIDER_SLOTS);
  EXPECT_EQ(harness.Task("two").waiting().subject(), "providers/alpha");
  EXPECT_EQ(harness.Task("two").waiting().message(),
            "all slots of video-1 (1) are taken by unfinished tasks");
  Finish(harness, "one");
  ASSERT_EQ(harness.http().pending(), 1u) << "sent in the same moment";
  harness.AnswerNext(200, "id=up-two state=running");
  EXPECT_EQ(harness.Task("two").state(), v1::VideoTask::RUNNING);
}

TEST(SlotsTest, TheNextTargetIsTakenWhenOneIsFull) {
  Harness::Options options = WithSlots(1);
  options.film_targets.clear();
  Harness harness(options);
  Accept(harness, "one");
  harness.Create(NotWaitedFor("two"));
  http::FakeHttpClient::Call call = harness.Take();
  EXPECT_EQ(call.options.base_url, "https://beta.example");
}

TEST(SlotsTest, AnUnconfirmedAttemptHoldsItsSlot) {
  Harness harness(WithSlots(1));
  harness.Create(NotWaitedFor("one"));
  harness.AnswerNext(502);
  ASSERT_EQ(harness.Task("one").state(), v1::VideoTask::UNCONFIRMED);
  harness.Create(NotWaitedFor("two"));
  EXPECT_EQ(harness.http().pending(), 0u);
  EXPECT_EQ(harness.Task("two").waiting().reason(), v1::Waiting::PROVIDER_SLOTS);
  harness.Resolve(Harness::NotAccepted("one", /*resubmit=*/false));
  ASSERT_EQ(harness.http().pending(), 1u) << "a person's word gave it back";
}

TEST(SlotsTest, OneThatWasNotAcceptedGivesItsSlotToTheNextInLine) {
  Harness harness(WithSlots(1));
  harness.Create(NotWaitedFor("one"));
  harness.Create(NotWaitedFor("two"));
  harness.Advance(absl::Milliseconds(10));
  harness.Create(NotWaitedFor("three"));
  ASSERT_EQ(harness.http().pending(), 1u);
  harness.AnswerNext(400, "no");
  ASSERT_EQ(harness.http().pending(), 1u);
  harness.AnswerNext(200, "id=up-two state=running");
  EXPECT_EQ(harness.Task("two").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(harness.Task("three").waiting().reason(), v1::Waiting::PROVIDER_SLOTS);
}

TEST(SlotsTest, OneThatIsCancelledLeavesTheLine) {
  Harness harness(WithSlots(1));
  Accept(harness, "one");
  harness.Create(NotWaitedFor("two"));
  harness.Create(NotWaitedFor("three"));
  harness.Cancel("two");
  Finish(harness, "one");
  ASSERT_EQ(harness.http().pending(), 1u);
  harness.AnswerNext(200, "id=up-three state=running");
  EXPECT_EQ(harness.Task("three").state(), v1::VideoTask::RUNNING);
}

TEST(SlotsTest, ManyAtOnceNeverExceedTheLimit) {
  Harness harness(WithSlots(3));
  for (int i = 0; i < 10; ++i) harness.Create(NotWaitedFor(absl::StrCat("t-", i)));
  EXPECT_EQ(harness.http().pending(), 3u);
}

TEST(SlotsTest, ARestartForgetsNoSlot) {
  Harness harness(WithSlots(1));
  Accept(harness, "one");
  harness.Restart();
  harness.Create(NotWaitedFor("two"));
  EXPECT_EQ(harness.Task("two").waiting().reason(), v1::Waiting::PROVIDER_SLOTS);
}

TEST(SlotsTest, AnotherLimitCountsAtOnce) {
  Harness harness(WithSlots(1));
  Accept(harness, "one");
  harness.Create(NotWaitedFor("two"));
  harness.Create(NotWaitedFor("three"));
  harness.Reconfigure(WithSlots(2));
  EXPECT_EQ(harness.http().pending(), 1u);
  Harness::Options unlimited = WithSlots(1);
  unlimited.alpha_slots = {};
  harness.Reconfigure(unlimited);
  EXPECT_EQ(harness.http().pending(), 2u);
}

TEST(SlotsTest, SlotsOfEachModelThatIsNotNamedAreLimitedToo) {
  Harness::Options options = WithSlots(1);
  options.alpha_slots.by_model.clear();
  options.alpha_slots.each = 1;
  Harness harness(options);
  Accept(harness, "one");
  harness.Create(NotWaitedFor("two"));
  EXPECT_EQ(harness.Task("two").waiting().reason(), v1::Waiting::PROVIDER_SLOTS);
}

TEST(SlotsTest, TasksOfAllGatewaysCount) {
  Replicas replicas(2, WithSlots(1));
  replicas.Create(kA, NotWaitedFor("one"));
  replicas.AnswerNext(kA, 200, "id=up-one state=running");
  replicas.Create(kB, NotWaitedFor("two"));
  EXPECT_EQ(replicas.http(kB).pending(), 0u);
  EXPECT_EQ(replicas.Task("two").waiting().reason(), v1::Waiting::PROVIDER_SLOTS);
  // Its end, at the other gateway, lets it go.
  replicas.script = [](int at, const http::Request& request) -> std::optional<http::Result> {
    if (at == kB || request.method != "GET") return std::nullopt;
    return http::Response{200, {}, "id=up-one state=done"};
  };
  replicas.Advance(absl::Seconds(10));
  ASSERT_EQ(replicas.Task("one").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(replicas.http(kB).pending(), 1u);
}

TEST(AssetSubmissionsTest, NoMoreAreInFlightThanTheDialectSays) {
  Harness::Options options;
  options.alpha.max_asset_submissions = 2;
  Harness harness(options);
  for (int i = 0; i < 5; ++i) harness.Create(Harness::Asset(absl::StrCat("a-", i), {"alpha"}));
  EXPECT_EQ(harness.http().pending(), 2u);
  // Videos are not held up by them.
  harness.Create(NotWaitedFor("film"));
  ASSERT_EQ(harness.http().pending(), 3u);
  harness.AnswerNext(200, "id=up-0 state=running");
  EXPECT_EQ(harness.http().pending(), 3u) << "the next one went at once";
  harness.AnswerNext(400, "no");
  EXPECT_EQ(harness.http().pending(), 3u);
}

TEST(TimeoutsTest, EachOperationHasItsOwn) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_timeouts.submit_asset = absl::Seconds(150);
  options.alpha_timeouts.submit_video = absl::Seconds(90);
  options.alpha_timeouts.poll = absl::Seconds(10);
  Harness harness(options);
  harness.Create(Harness::Asset("a", {"alpha"}));
  http::FakeHttpClient::Call asset = harness.Take();
  EXPECT_EQ(asset.options.timeout, absl::Seconds(150));
  std::move(asset).Answer(http::Response{200, {}, "id=up-a state=done"});
  harness.Create(NotWaitedFor("v"));
  http::FakeHttpClient::Call video = harness.Take();
  EXPECT_EQ(video.options.timeout, absl::Seconds(90));
  std::move(video).Answer(http::Response{200, {}, "id=up-v state=running"});
  harness.Advance(absl::Seconds(3));
  EXPECT_EQ(harness.Take().options.timeout, absl::Seconds(10));
}

// 15 s to begin, 150 s to be answered, 5 s of skew.
TEST(TimeoutsTest, ASuccessorCallsNoSubmissionLostBeforeItsTimeLimitIsOver) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_timeouts.submit_asset = absl::Seconds(150);
  Replicas replicas(2, options);
  replicas.Create(kA, Harness::Asset("a", {"alpha"}));
  ASSERT_EQ(replicas.http(kA).pending(), 1u);
  replicas.Kill(kA);
  replicas.TakeAll(kB);
  replicas.Advance(absl::Seconds(150));
  EXPECT_EQ(replicas.http(kB).pending(), 0u) << "it may still be under way";
  replicas.Advance(absl::Seconds(25));
  EXPECT_EQ(replicas.http(kB).pending(), 1u);
}

TEST(EgressTest, HeadersAndProxyGoWithEveryCall) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_egress.headers = {{"User-Agent", "studio/1"}, {"authorization", "mine"}};
  options.alpha_egress.proxy = "http://proxy.example:3128";
  Harness harness(options);
  Accept(harness, "one");
  harness.Advance(absl::Seconds(3));
  const http::FakeHttpClient::Call poll = harness.Take();
  const http::Response headers{.headers = poll.request.headers};
  EXPECT_EQ(headers.HeaderValue("User-Agent"), "studio/1");
  EXPECT_EQ(headers.HeaderValue("Authorization"), "Bearer secret-of-alpha")
      << "what the dialect writes stays";
  EXPECT_EQ(poll.options.proxy, "http://proxy.example:3128");
}

}  // namespace
}  // namespace assetgate::reconcile
