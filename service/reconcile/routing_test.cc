// Which of a task's targets takes it: by the mode, the circuit and the budget of each provider.
#include <cstddef>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

// The provider of the oldest call that waits for an answer: "alpha".
std::string NextProvider(Harness& harness) {
  const std::string url = harness.Take().options.base_url;
  return url.substr(8, url.find('.') - 8);  // behind https://
}

TEST(RoutingTest, FirstTargetTakesTheTaskWhereAllCan) {
  Harness harness;
  harness.Create(NotWaitedFor("fox"));
  EXPECT_EQ(NextProvider(harness), "alpha");
  EXPECT_EQ(harness.http().pending(), 0u);
}

TEST(RoutingTest, DrainedOrDisabledProviderGetsNoNewTask) {
  for (const v1::Provider::Mode mode : {v1::Provider::DRAIN, v1::Provider::OFF}) {
    SCOPED_TRACE(v1::Provider::Mode_Name(mode));
    Harness::Options options;
    options.alpha_mode = mode;
    Harness harness(options);
    harness.Create(NotWaitedFor("fox"));
    EXPECT_EQ(NextProvider(harness), "beta");
    EXPECT_EQ(harness.http().pending(), 0u);
  }
}

TEST(RoutingTest, TaskWaitsWhileItsOnlyProviderDrains) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_mode = v1::Provider::DRAIN;
  Harness harness(options);
  harness.Create(NotWaitedFor("fox"));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::PENDING);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  EXPECT_EQ(harness.Task("fox").waiting().subject(), "providers/alpha");
  options.alpha_mode = v1::Provider::SERVE;
  harness.Reconfigure(options);
  EXPECT_EQ(NextProvider(harness), "alpha");
}

// Opens alpha's circuit. The outcome of a submission that is answered with a 500 is unknown, so
// these tasks go to no other target.
void OpenCircuitOfAlpha(Harness& harness) {
  for (int i = 0; i < 5; ++i) {
    harness.Create(NotWaitedFor(absl::StrCat("trouble-", i)));
    harness.AnswerNext(500, "broken");
  }
  ASSERT_EQ(harness.Provider("alpha").state(), v1::Provider::UNAVAILABLE);
}

TEST(RoutingTest, TaskGoesToTheNextTargetWhileTheCircuitIsOpen) {
  Harness harness;
  ASSERT_NO_FATAL_FAILURE(OpenCircuitOfAlpha(harness));
  harness.Create(NotWaitedFor("fox"));
  EXPECT_EQ(NextProvider(harness), "beta");
  EXPECT_EQ(harness.Task("fox").attempts(0).provider(), "providers/beta");
}

TEST(RoutingTest, TaskWaitsWhileTheCircuitOfItsOnlyTargetIsOpen) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  Harness harness(options);
  ASSERT_NO_FATAL_FAILURE(OpenCircuitOfAlpha(harness));
  const std::size_t sent = harness.http().sent();
  harness.Create(NotWaitedFor("fox"));
  EXPECT_EQ(harness.http().sent(), sent);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::PENDING);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_UNAVAILABLE);
}

// One call at a time to each provider.
Harness::Options OneAtATime() {
  Harness::Options options;
  options.limits = {1000, 1};
  return options;
}

TEST(RoutingTest, TaskGoesToTheNextTargetWhereNoPlaceIsFree) {
  for (const bool one_priority : {false, true}) {
    SCOPED_TRACE(one_priority);
    Harness::Options options = OneAtATime();
    options.one_priority = one_priority;
    // The order of the config.
    options.random = [] { return 0.5; };
    Harness harness(options);
    harness.Create(NotWaitedFor("one"));
    harness.Create(NotWaitedFor("two"));
    EXPECT_EQ(harness.Task("one").attempts(0).provider(), "providers/alpha");
    EXPECT_EQ(harness.Task("two").attempts(0).provider(), "providers/beta");
    EXPECT_EQ(harness.http().pending(), 2u);
  }
}

TEST(RoutingTest, TaskWaitsForItsFirstTargetWhereNoPlaceIsFreeAnywhere) {
  Harness harness(OneAtATime());
  harness.Create(NotWaitedFor("one"));
  harness.Create(NotWaitedFor("two"));
  harness.Create(NotWaitedFor("three"));
  EXPECT_EQ(harness.http().pending(), 2u);
  EXPECT_EQ(harness.Task("three").state(), v1::VideoTask::PENDING);
  EXPECT_EQ(harness.Task("three").attempts_size(), 0);
  // Alpha's call ends; its place goes to the task that waits.
  harness.AnswerNext(200, "id=up-1 state=running");
  EXPECT_EQ(harness.Task("three").attempts(0).provider(), "providers/alpha");
}

}  // namespace
}  // namespace assetgate::reconcile
