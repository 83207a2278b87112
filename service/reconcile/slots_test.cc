// Slots: how many unfinished tasks of a model a provider accepts.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/replicas.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

// "film" goes to alpha alone, which has so many slots of its model.
Harness::Options WithSlots(int slots) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_slots.by_model["video-1"] = slots;
  return options;
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

TEST(SlotsTest, TaskWaitsUntilASlotIsFree) {
  Harness harness(WithSlots(1));
  Accept(harness, "one", "up-one");
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

TEST(SlotsTest, TaskGoesToTheNextTargetWhenTheFirstHasNoFreeSlot) {
  Harness::Options options = WithSlots(1);
  options.film_targets.clear();
  Harness harness(options);
  Accept(harness, "one", "up-one");
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

TEST(SlotsTest, RejectedTaskFreesItsSlotForTheNextInLine) {
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

TEST(SlotsTest, CancelledTaskLeavesTheLine) {
  Harness harness(WithSlots(1));
  Accept(harness, "one", "up-one");
  harness.Create(NotWaitedFor("two"));
  harness.Create(NotWaitedFor("three"));
  harness.Cancel("two");
  Finish(harness, "one");
  ASSERT_EQ(harness.http().pending(), 1u);
  harness.AnswerNext(200, "id=up-three state=running");
  EXPECT_EQ(harness.Task("three").state(), v1::VideoTask::RUNNING);
}

TEST(SlotsTest, ConcurrentTasksNeverExceedTheLimit) {
  Harness harness(WithSlots(3));
  for (int i = 0; i < 10; ++i) harness.Create(NotWaitedFor(absl::StrCat("t-", i)));
  EXPECT_EQ(harness.http().pending(), 3u);
}

TEST(SlotsTest, SlotsSurviveARestart) {
  Harness harness(WithSlots(1));
  Accept(harness, "one", "up-one");
  harness.Restart();
  harness.Create(NotWaitedFor("two"));
  EXPECT_EQ(harness.Task("two").waiting().reason(), v1::Waiting::PROVIDER_SLOTS);
}

TEST(SlotsTest, ChangedLimitAppliesAtOnce) {
  Harness harness(WithSlots(1));
  Accept(harness, "one", "up-one");
  harness.Create(NotWaitedFor("two"));
  harness.Create(NotWaitedFor("three"));
  harness.Reconfigure(WithSlots(2));
  EXPECT_EQ(harness.http().pending(), 1u);
  Harness::Options unlimited = WithSlots(1);
  unlimited.alpha_slots = {};
  harness.Reconfigure(unlimited);
  EXPECT_EQ(harness.http().pending(), 2u);
}

TEST(SlotsTest, ModelsWithoutALimitOfTheirOwnAreLimitedToo) {
  Harness::Options options = WithSlots(1);
  options.alpha_slots.by_model.clear();
  options.alpha_slots.each = 1;
  Harness harness(options);
  Accept(harness, "one", "up-one");
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

}  // namespace
}  // namespace assetgate::reconcile
