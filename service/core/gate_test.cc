#include "core/gate.h"

#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::core {
namespace {

using testing::ElementsAre;

class GateTest : public testing::Test {
 protected:
  // Asks for a place; its name is in `granted_` once it is there.
  bool Ask(Gate& gate, CallClass call_class, std::string name) {
    const bool now = gate.Acquire(call_class, [this, name] { granted_.push_back(name); });
    if (now) granted_.push_back(name);
    return now;
  }
  // Fails so often that the breaker opens.
  void Open(Gate& gate) {
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
      gate.Release(CallHealth::kTrouble, std::nullopt);
    }
    ASSERT_EQ(gate.state(), v1::Provider::UNAVAILABLE);
  }

  base::FakeEventLoop loop_;
  std::vector<std::string> granted_;
};

TEST_F(GateTest, KeepsToTheBudget) {
  Gate gate({2, 100}, loop_);
  for (int i = 0; i < 10; ++i) Ask(gate, CallClass::kPoll, std::to_string(i));
  EXPECT_EQ(granted_.size(), 2u) << "one second's worth at once";
  loop_.Advance(absl::Seconds(1.01));
  EXPECT_EQ(granted_.size(), 4u);
  loop_.Advance(absl::Seconds(1.01));
  EXPECT_EQ(granted_.size(), 6u);
  loop_.Advance(absl::Seconds(60));
  EXPECT_EQ(granted_.size(), 10u);
  EXPECT_EQ(gate.in_flight(), 10);
  EXPECT_EQ(loop_.timers(), 0u);
}

TEST_F(GateTest, WhatWaitsForTheBudgetIsMeasured) {
  std::vector<absl::Duration> waits;
  Gate gate({2, 100}, loop_, [&](absl::Duration waited) { waits.push_back(waited); });
  for (int i = 0; i < 4; ++i) Ask(gate, CallClass::kPoll, std::to_string(i));
  EXPECT_TRUE(waits.empty()) << "the first two went at once";
  loop_.Advance(absl::Seconds(2));
  ASSERT_EQ(waits.size(), 2u);
  EXPECT_NEAR(absl::ToDoubleSeconds(waits[0]), 0.5, 0.01);
  EXPECT_NEAR(absl::ToDoubleSeconds(waits[1]), 1.0, 0.01);
}

TEST_F(GateTest, WhatAnUnwellProviderHoldsUpIsNotTheBudgets) {
  std::vector<absl::Duration> waits;
  Gate gate({1000, 10}, loop_, [&](absl::Duration waited) { waits.push_back(waited); });
  Ask(gate, CallClass::kPoll, "a");
  gate.Release(CallHealth::kRateLimited, absl::Seconds(5));
  Ask(gate, CallClass::kPoll, "b");
  loop_.Advance(absl::Seconds(6));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
  EXPECT_TRUE(waits.empty());
}

TEST_F(GateTest, TheConditionSaysWhatIsWrong) {
  Gate gate({1000, 10}, loop_);
  const auto after = [&](CallHealth health) {
    Ask(gate, CallClass::kPoll, "x");
    loop_.Advance(absl::Minutes(2));
    gate.Release(health, std::nullopt);
    return gate.condition();
  };
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kAvailable);
  EXPECT_EQ(after(CallHealth::kCredentials), base::ProviderCondition::kCredentialsRejected);
  EXPECT_EQ(after(CallHealth::kOutOfCredit), base::ProviderCondition::kOutOfCredit);
  EXPECT_EQ(after(CallHealth::kGood), base::ProviderCondition::kAvailable);
  EXPECT_EQ(after(CallHealth::kTrouble), base::ProviderCondition::kDegraded);
  for (int i = 0; i < 5; ++i) after(CallHealth::kTrouble);
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kDown);
}

TEST_F(GateTest, SlowBudgetStillLetsCallsThrough) {
  Gate gate({0.1, 100}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  Ask(gate, CallClass::kPoll, "b");
  loop_.Advance(absl::Seconds(9));
  EXPECT_THAT(granted_, ElementsAre("a"));
  loop_.Advance(absl::Seconds(2));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, KeepsToTheCapInFlight) {
  Gate gate({1000, 2}, loop_);
  for (const char* name : {"a", "b", "c", "d"}) Ask(gate, CallClass::kPoll, name);
  loop_.Advance(absl::Minutes(1));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
  EXPECT_EQ(gate.WouldBlock()->reason, v1::Waiting::PROVIDER_BUSY);
  EXPECT_EQ(gate.Unwell(), std::nullopt);
  gate.Release(CallHealth::kGood, std::nullopt);
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(gate.in_flight(), 2);
}

TEST_F(GateTest, SubmissionsComeBeforePolls) {
  Gate gate({1000, 1}, loop_);
  Ask(gate, CallClass::kPoll, "running");
  Ask(gate, CallClass::kDeletion, "deletion");
  Ask(gate, CallClass::kPoll, "poll 1");
  Ask(gate, CallClass::kFirstPoll, "first poll");
  Ask(gate, CallClass::kPoll, "poll 2");
  Ask(gate, CallClass::kSubmission, "submission");
  for (int i = 0; i < 5; ++i) {
    gate.Release(CallHealth::kGood, std::nullopt);
    loop_.RunDue();
  }
  EXPECT_THAT(granted_,
              ElementsAre("running", "submission", "first poll", "poll 1", "poll 2", "deletion"));
}

TEST_F(GateTest, PlaceThatNobodyWantsGoesToTheNext) {
  Gate gate({1000, 1}, loop_);
  ASSERT_TRUE(Ask(gate, CallClass::kPoll, "a"));
  EXPECT_FALSE(gate.Acquire(CallClass::kPoll, [&gate] { gate.Abandon(); }));
  Ask(gate, CallClass::kPoll, "c");
  gate.Release(CallHealth::kGood, std::nullopt);
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("a", "c"));
  gate.Release(CallHealth::kGood, std::nullopt);
  EXPECT_EQ(gate.in_flight(), 0);
}

TEST_F(GateTest, OpensAfterFailuresInARowAndProbesOnce) {
  Gate gate({1000, 10}, loop_);
  Open(gate);
  Ask(gate, CallClass::kPoll, "a");
  Ask(gate, CallClass::kPoll, "b");
  EXPECT_THAT(granted_, ElementsAre());
  EXPECT_EQ(gate.Unwell()->reason, v1::Waiting::PROVIDER_UNAVAILABLE);
  loop_.Advance(absl::Seconds(3));
  EXPECT_THAT(granted_, ElementsAre("a"));
  // The probe fails: open again, for longer.
  gate.Release(CallHealth::kTrouble, std::nullopt);
  loop_.Advance(absl::Seconds(3));
  EXPECT_THAT(granted_, ElementsAre("a"));
  loop_.Advance(absl::Seconds(2));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
  gate.Release(CallHealth::kGood, std::nullopt);
  EXPECT_EQ(gate.state(), v1::Provider::AVAILABLE);
  EXPECT_EQ(gate.WouldBlock(), std::nullopt);
  EXPECT_EQ(gate.in_flight(), 0);
}

TEST_F(GateTest, SuccessInBetweenKeepsItClosed) {
  Gate gate({1000, 10}, loop_);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
    gate.Release(i % 4 == 3 ? CallHealth::kGood : CallHealth::kTrouble, std::nullopt);
  }
  EXPECT_EQ(gate.Unwell(), std::nullopt);
}

TEST_F(GateTest, ProbeThatIsAbandonedLetsAnotherProbe) {
  Gate gate({1000, 10}, loop_);
  Open(gate);
  loop_.Advance(absl::Seconds(3));
  ASSERT_TRUE(Ask(gate, CallClass::kPoll, "a"));
  ASSERT_FALSE(Ask(gate, CallClass::kPoll, "b"));
  gate.Abandon();
  loop_.Advance(absl::Seconds(3));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, RetryAfterIsObeyed) {
  Gate gate({1000, 10}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  gate.Release(CallHealth::kRateLimited, absl::Seconds(30));
  Ask(gate, CallClass::kSubmission, "b");
  EXPECT_EQ(gate.Unwell()->reason, v1::Waiting::PROVIDER_RATE_LIMITED);
  EXPECT_EQ(gate.state(), v1::Provider::DEGRADED);
  loop_.Advance(absl::Seconds(29));
  EXPECT_THAT(granted_, ElementsAre("a"));
  loop_.Advance(absl::Seconds(2));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, BrokenRetryAfterBlocksForAnHourAtMost) {
  Gate gate({1000, 10}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  gate.Release(CallHealth::kRateLimited, absl::Hours(24 * 365));
  Ask(gate, CallClass::kPoll, "b");
  loop_.Advance(absl::Hours(1) + absl::Seconds(1));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, GatewaysDivideTheBudgetAndTheCapInFlight) {
  Gate gate({30, 9}, loop_);
  gate.Share(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Ask(gate, CallClass::kPoll, "now"));
  EXPECT_FALSE(Ask(gate, CallClass::kPoll, "later")) << "three of nine are this gateway's";
  for (int i = 0; i < 3; ++i) gate.Release(CallHealth::kGood, std::nullopt);
  loop_.RunDue();
  ASSERT_EQ(gate.in_flight(), 1);
  gate.Release(CallHealth::kGood, std::nullopt);
  int calls = 4;
  for (; Ask(gate, CallClass::kPoll, "more"); ++calls)
    gate.Release(CallHealth::kGood, std::nullopt);
  EXPECT_EQ(calls, 10) << "ten of thirty a second are this gateway's";
}

TEST_F(GateTest, GatewayThatIsAloneAgainHasTheWholeBudgetAtOnce) {
  Gate gate({100, 2}, loop_);
  gate.Share(5);
  EXPECT_TRUE(Ask(gate, CallClass::kPoll, "a")) << "never less than one in flight";
  EXPECT_FALSE(Ask(gate, CallClass::kPoll, "b"));
  gate.Share(1);
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, RefusedKeyIsShownAndBlocksNothing) {
  Gate gate({1000, 10}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  gate.Release(CallHealth::kCredentials, std::nullopt);
  EXPECT_EQ(gate.state(), v1::Provider::UNAVAILABLE);
  EXPECT_NE(gate.state_reason(), "");
  EXPECT_TRUE(Ask(gate, CallClass::kPoll, "b"));
  gate.Release(CallHealth::kGood, std::nullopt);
  EXPECT_EQ(gate.state(), v1::Provider::AVAILABLE);
}

TEST_F(GateTest, ClockThatStepsBackDoesNotBlockForLonger) {
  Gate gate({10, 10}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  gate.Release(CallHealth::kRateLimited, absl::Seconds(10));
  loop_.fake_clock().Advance(-absl::Hours(24));
  Ask(gate, CallClass::kPoll, "b");
  loop_.Advance(absl::Seconds(11));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, OtherLimitsGoForWhatWaitsAlready) {
  Gate gate({0.01, 1}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  Ask(gate, CallClass::kPoll, "b");
  Ask(gate, CallClass::kPoll, "c");
  gate.SetLimits({10, 2});
  loop_.Advance(absl::Seconds(1));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
  gate.SetLimits({10, 3});
  loop_.Advance(absl::Seconds(1));
  EXPECT_THAT(granted_, ElementsAre("a", "b", "c"));
  // Several gateways divide the new ones.
  gate.Share(3);
  gate.Release(CallHealth::kGood, std::nullopt);
  EXPECT_FALSE(Ask(gate, CallClass::kPoll, "d"));
  gate.SetLimits({10, 9});
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("a", "b", "c", "d"));
}

TEST_F(GateTest, WhatWasLearnedIsForgottenWithTheKey) {
  Gate gate({1000, 10}, loop_);
  Open(gate);
  Ask(gate, CallClass::kPoll, "waits");
  loop_.RunDue();
  EXPECT_TRUE(granted_.empty());
  gate.Forget();
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("waits"));
  EXPECT_EQ(gate.state(), v1::Provider::AVAILABLE);
  gate.Release(CallHealth::kRateLimited, absl::Hours(1));
  EXPECT_TRUE(gate.Unwell().has_value());
  gate.Forget();
  EXPECT_FALSE(gate.Unwell().has_value());
  Ask(gate, CallClass::kPoll, "refused");
  gate.Release(CallHealth::kCredentials, std::nullopt);
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kCredentialsRejected);
  gate.Forget();
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kAvailable);
}

}  // namespace
}  // namespace assetgate::core
