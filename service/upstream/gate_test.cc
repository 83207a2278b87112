#include "upstream/gate.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/testing/fake_event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::upstream {
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
      Over(gate, CallHealth::kTrouble);
    }
    ASSERT_EQ(gate.state(), v1::Provider::UNAVAILABLE);
  }

  // A call of that class is over, and said so of the provider's health.
  static void Over(Gate& gate, CallHealth health,
                   std::optional<absl::Duration> retry_after = std::nullopt,
                   CallClass call_class = CallClass::kPoll, std::uint64_t unit = 0) {
    provider::Failure failure;
    failure.retry_after = retry_after;
    switch (health) {
      case CallHealth::kGood:
        return gate.Release(call_class, nullptr, unit);
      case CallHealth::kTrouble:
        failure.reason = v1::PROVIDER_UNAVAILABLE;
        break;
      case CallHealth::kRateLimited:
        failure.reason = v1::PROVIDER_RATE_LIMITED;
        break;
      case CallHealth::kCredentials:
        failure.reason = v1::PROVIDER_CREDENTIALS_REJECTED;
        break;
      case CallHealth::kOutOfCredit:
        failure.reason = v1::PROVIDER_OUT_OF_CREDIT;
        break;
      case CallHealth::kNeutral:
        failure.reason = v1::PROVIDER_PROTOCOL_ERROR;
        failure.unreadable = true;
        break;
    }
    ASSERT_EQ(HealthOf(&failure), health);
    gate.Release(call_class, &failure, unit);
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
  Over(gate, CallHealth::kRateLimited, absl::Seconds(5));
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
    Over(gate, health);
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
  Over(gate, CallHealth::kGood);
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
  for (const CallClass over : {CallClass::kPoll, CallClass::kSubmission, CallClass::kFirstPoll,
                               CallClass::kPoll, CallClass::kPoll}) {
    Over(gate, CallHealth::kGood, std::nullopt, over);
    loop_.RunDue();
  }
  EXPECT_THAT(granted_,
              ElementsAre("running", "submission", "first poll", "poll 1", "poll 2", "deletion"));
}

TEST_F(GateTest, PlaceThatNobodyWantsGoesToTheNext) {
  Gate gate({1000, 1}, loop_);
  ASSERT_TRUE(Ask(gate, CallClass::kPoll, "a"));
  EXPECT_FALSE(gate.Acquire(CallClass::kPoll, [&gate] { gate.Abandon(CallClass::kPoll); }));
  Ask(gate, CallClass::kPoll, "c");
  Over(gate, CallHealth::kGood);
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("a", "c"));
  Over(gate, CallHealth::kGood);
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
  Over(gate, CallHealth::kTrouble);
  loop_.Advance(absl::Seconds(3));
  EXPECT_THAT(granted_, ElementsAre("a"));
  loop_.Advance(absl::Seconds(2));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
  Over(gate, CallHealth::kGood);
  EXPECT_EQ(gate.state(), v1::Provider::AVAILABLE);
  EXPECT_EQ(gate.WouldBlock(), std::nullopt);
  EXPECT_EQ(gate.in_flight(), 0);
}

TEST_F(GateTest, APollProbesRatherThanASubmission) {
  Gate gate({1000, 10}, loop_);
  Open(gate);
  Ask(gate, CallClass::kSubmission, "submission");
  Ask(gate, CallClass::kPoll, "poll");
  loop_.Advance(absl::Seconds(3));
  EXPECT_THAT(granted_, ElementsAre("poll"));
  // What is asked for may be broken while the provider is not: the next one is of another kind.
  Over(gate, CallHealth::kTrouble);
  Ask(gate, CallClass::kPoll, "another poll");
  loop_.Advance(absl::Seconds(5));
  EXPECT_THAT(granted_, ElementsAre("poll", "submission"));
}

TEST_F(GateTest, PollsThatHangHoldUpSubmissionsAndNoOtherPolls) {
  Gate gate({1000, 16}, loop_);
  const auto hang = [&gate](CallClass call_class) {
    provider::Failure failure;
    failure.reason = v1::PROVIDER_UNAVAILABLE;
    failure.timed_out = true;
    gate.Release(call_class, &failure);
  };
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
    hang(CallClass::kPoll);
  }
  // What hangs on polls would swallow a submission, and nobody would know what became of it.
  EXPECT_EQ(gate.Unwell()->reason, v1::Waiting::PROVIDER_UNAVAILABLE);
  EXPECT_FALSE(Ask(gate, CallClass::kSubmission, "probe"));
  EXPECT_EQ(gate.Unwell(CallClass::kPoll), std::nullopt);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
    hang(CallClass::kPoll);
  }
  EXPECT_THAT(granted_, ElementsAre());
  loop_.Advance(absl::Seconds(3));
  EXPECT_THAT(granted_, ElementsAre("probe"));
  EXPECT_FALSE(Ask(gate, CallClass::kSubmission, "next"));
  // Polls that end meanwhile are not the probe.
  EXPECT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
  hang(CallClass::kPoll);
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("probe"));
  hang(CallClass::kSubmission);
  EXPECT_TRUE(gate.Acquire(CallClass::kPoll, [] {})) << "polls go on";
  Over(gate, CallHealth::kGood);
  loop_.RunDue();
  EXPECT_THAT(granted_, ElementsAre("probe", "next")) << "one answer closes it";
  EXPECT_EQ(gate.Unwell(), std::nullopt);
}

TEST_F(GateTest, WhatIsWorseThanHangingHoldsUpPollsToo) {
  Gate gate({1000, 16}, loop_);
  provider::Failure hangs;
  hangs.reason = v1::PROVIDER_UNAVAILABLE;
  hangs.timed_out = true;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
    gate.Release(CallClass::kPoll, &hangs);
  }
  ASSERT_TRUE(Ask(gate, CallClass::kPoll, "refused"));
  Over(gate, CallHealth::kTrouble);
  EXPECT_TRUE(gate.Unwell(CallClass::kPoll).has_value());
  EXPECT_FALSE(Ask(gate, CallClass::kPoll, "probe"));
  loop_.Advance(absl::Seconds(5));
  EXPECT_THAT(granted_, ElementsAre("refused", "probe"));
}

TEST_F(GateTest, SuccessInBetweenKeepsItClosed) {
  Gate gate({1000, 10}, loop_);
  for (int i = 0; i < 30; ++i) {
    ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
    Over(gate, i % 4 == 3 ? CallHealth::kGood : CallHealth::kTrouble);
  }
  EXPECT_EQ(gate.Unwell(), std::nullopt);
}

TEST_F(GateTest, ProbeThatIsAbandonedLetsAnotherProbe) {
  Gate gate({1000, 10}, loop_);
  Open(gate);
  loop_.Advance(absl::Seconds(3));
  ASSERT_TRUE(Ask(gate, CallClass::kPoll, "a"));
  ASSERT_FALSE(Ask(gate, CallClass::kPoll, "b"));
  gate.Abandon(CallClass::kPoll);
  loop_.Advance(absl::Seconds(3));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, RetryAfterIsObeyed) {
  Gate gate({1000, 10}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  Over(gate, CallHealth::kRateLimited, absl::Seconds(30));
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
  Over(gate, CallHealth::kRateLimited, absl::Hours(24 * 365));
  Ask(gate, CallClass::kPoll, "b");
  loop_.Advance(absl::Hours(1) + absl::Seconds(1));
  EXPECT_THAT(granted_, ElementsAre("a", "b"));
}

TEST_F(GateTest, GatewaysDivideTheBudgetAndTheCapInFlight) {
  Gate gate({30, 9}, loop_);
  gate.Share(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Ask(gate, CallClass::kPoll, "now"));
  EXPECT_FALSE(Ask(gate, CallClass::kPoll, "later")) << "three of nine are this gateway's";
  for (int i = 0; i < 3; ++i) Over(gate, CallHealth::kGood);
  loop_.RunDue();
  ASSERT_EQ(gate.in_flight(), 1);
  Over(gate, CallHealth::kGood);
  int calls = 4;
  for (; Ask(gate, CallClass::kPoll, "more"); ++calls) Over(gate, CallHealth::kGood);
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
  Over(gate, CallHealth::kCredentials);
  EXPECT_EQ(gate.state(), v1::Provider::UNAVAILABLE);
  EXPECT_NE(gate.state_reason(), "");
  EXPECT_TRUE(Ask(gate, CallClass::kPoll, "b"));
  Over(gate, CallHealth::kGood);
  EXPECT_EQ(gate.state(), v1::Provider::AVAILABLE);
}

TEST_F(GateTest, ClockThatStepsBackDoesNotBlockForLonger) {
  Gate gate({10, 10}, loop_);
  Ask(gate, CallClass::kPoll, "a");
  Over(gate, CallHealth::kRateLimited, absl::Seconds(10));
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
  Over(gate, CallHealth::kGood);
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
  Over(gate, CallHealth::kRateLimited, absl::Hours(1));
  EXPECT_TRUE(gate.Unwell().has_value());
  gate.Forget();
  EXPECT_FALSE(gate.Unwell().has_value());
  Ask(gate, CallClass::kPoll, "refused");
  Over(gate, CallHealth::kCredentials);
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kCredentialsRejected);
  gate.Forget();
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kAvailable);
}

TEST_F(GateTest, PollsHaveTheirShareOfTheBudgetUnderAWallOfSubmissions) {
  Gate gate({5, 64}, loop_);
  int submissions = 0;
  int polls = 0;
  // Each asks again as soon as it was answered.
  std::function<void(CallClass, int*)> ask = [&](CallClass call_class, int* count) {
    auto go = [&, call_class, count] {
      ++*count;
      Over(gate, CallHealth::kGood, std::nullopt, call_class);
      loop_.Post([&, call_class, count] { ask(call_class, count); });
    };
    if (gate.Acquire(call_class, go)) go();
  };
  for (int i = 0; i < 260; ++i) ask(CallClass::kSubmission, &submissions);
  for (int i = 0; i < 20; ++i) ask(CallClass::kPoll, &polls);
  loop_.Advance(absl::Seconds(40));
  EXPECT_GE(polls, 45) << "a quarter of five a second";
  EXPECT_GE(submissions, 120) << "the rest";
}

TEST_F(GateTest, SubmissionsThatHangLeavePlacesForPolls) {
  Gate gate({1000, 16}, loop_);
  for (int i = 0; i < 40; ++i) Ask(gate, CallClass::kSubmission, "submission");
  EXPECT_EQ(granted_.size(), 12u);
  EXPECT_TRUE(Ask(gate, CallClass::kPoll, "poll"));
  EXPECT_TRUE(Ask(gate, CallClass::kFirstPoll, "first poll"));
  Ask(gate, CallClass::kDeletion, "deletion");
  loop_.Advance(absl::Minutes(1));
  EXPECT_EQ(granted_.size(), 14u) << "deletions and submissions share theirs";
}

TEST_F(GateTest, PollsThatHangLeavePlacesForSubmissions) {
  Gate gate({1000, 16}, loop_);
  for (int i = 0; i < 40; ++i) Ask(gate, CallClass::kPoll, "poll");
  EXPECT_EQ(granted_.size(), 12u);
  EXPECT_TRUE(Ask(gate, CallClass::kSubmission, "submission"));
}

TEST_F(GateTest, SlowUnitsTakeHalfOfThePlacesAtMost) {
  Gate gate({1000, 64}, loop_);
  for (int i = 0; i < 1000; ++i) Ask(gate, CallClass::kSlowPoll, "slow");
  EXPECT_EQ(granted_.size(), 32u);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(Ask(gate, CallClass::kPoll, "quick"));
    Over(gate, CallHealth::kGood);
  }
}

// What holds submissions on the account's behalf, and the condition that it shows.
struct AccountTrouble {
  CallHealth health;
  v1::ErrorReason reason;
  base::ProviderCondition condition;
};
constexpr AccountTrouble kAccountTroubles[] = {
    {CallHealth::kOutOfCredit, v1::PROVIDER_OUT_OF_CREDIT, base::ProviderCondition::kOutOfCredit},
    {CallHealth::kCredentials, v1::PROVIDER_CREDENTIALS_REJECTED,
     base::ProviderCondition::kCredentialsRejected},
};

TEST_F(GateTest, OneSubmissionAtATimeFindsOutWhetherTheAccountIsWellAgain) {
  for (const AccountTrouble& trouble : kAccountTroubles) {
    SCOPED_TRACE(v1::ErrorReason_Name(trouble.reason));
    Gate gate({1000, 64}, loop_);
    int sent = 0;
    constexpr int kRefusals = 7;
    for (int i = 0; i < kRefusals; ++i) ASSERT_TRUE(gate.Acquire(CallClass::kSubmission, [] {}));
    for (int i = 0; i < kRefusals; ++i) {
      Over(gate, trouble.health, std::nullopt, CallClass::kSubmission);
    }
    ASSERT_TRUE(gate.HeldSubmissions().has_value());
    EXPECT_EQ(gate.HeldSubmissions()->failure.reason, trouble.reason);
    EXPECT_FALSE(gate.HeldSubmissions()->under_way);
    EXPECT_EQ(gate.condition(), trouble.condition);
    bool well = false;
    int under_way = 0;
    int most_under_way = 0;
    std::function<void()> go = [&] {
      ++sent;
      most_under_way = std::max(most_under_way, ++under_way);
      loop_.PostAt(loop_.Now() + absl::Milliseconds(200), [&] {
        --under_way;
        Over(gate, well ? CallHealth::kGood : trouble.health, std::nullopt, CallClass::kSubmission);
      });
    };
    for (int i = 0; i < 100; ++i) gate.Acquire(CallClass::kSubmission, [&] { go(); });
    for (int i = 0; i < 10; ++i) {
      EXPECT_TRUE(gate.Acquire(CallClass::kPoll, [] {})) << "polls go on";
      Over(gate, CallHealth::kGood);
    }
    EXPECT_EQ(gate.condition(), trouble.condition)
        << "a poll that goes well says nothing of what may be bought";
    loop_.Advance(absl::Minutes(1));
    EXPECT_GE(sent, 5) << "after 1, 3, 7, 15, 30 and 45 s";
    EXPECT_LE(sent, 7);
    EXPECT_EQ(most_under_way, 1);
    well = true;
    loop_.Advance(absl::Seconds(20));
    EXPECT_EQ(sent, 100) << "all that waited go";
    EXPECT_FALSE(gate.HeldSubmissions().has_value());
    EXPECT_EQ(gate.condition(), base::ProviderCondition::kAvailable);
  }
}

TEST_F(GateTest, AfterTheFirstRefusalAFewSubmissionsGoOneAfterTheOther) {
  for (const AccountTrouble& trouble : kAccountTroubles) {
    SCOPED_TRACE(v1::ErrorReason_Name(trouble.reason));
    Gate gate({1000, 64}, loop_);
    for (int i = 0; i < 6; ++i) {
      EXPECT_FALSE(gate.HeldSubmissions().has_value()) << "refusal " << i;
      ASSERT_TRUE(gate.Acquire(CallClass::kSubmission, [] {}));
      if (i > 0) {
        ASSERT_TRUE(gate.HeldSubmissions().has_value());
        EXPECT_TRUE(gate.HeldSubmissions()->under_way);
      }
      Over(gate, trouble.health, std::nullopt, CallClass::kSubmission);
    }
    ASSERT_TRUE(gate.Acquire(CallClass::kSubmission, [] {}));
    Over(gate, trouble.health, std::nullopt, CallClass::kSubmission);
    ASSERT_TRUE(gate.HeldSubmissions().has_value());
    EXPECT_FALSE(gate.HeldSubmissions()->under_way) << "it waits for its time";
  }
}

TEST_F(GateTest, WhatHoldsAllHasNoWordsThatWereSaidToOne) {
  Gate gate({1000, 64}, loop_);
  provider::Failure refused;
  refused.reason = v1::PROVIDER_OUT_OF_CREDIT;
  refused.http_status = 402;
  refused.message = "no credit for the prompt \"a red fox\"";
  for (const char* code : {"InsufficientBalance", "no credit for a red fox"}) {
    refused.code = code;
    for (int i = 0; i < 7; ++i) {
      if (!gate.Acquire(CallClass::kSubmission, [] {})) loop_.Advance(absl::Minutes(1));
      gate.Release(CallClass::kSubmission, &refused);
    }
    ASSERT_TRUE(gate.HeldSubmissions().has_value());
    const provider::Failure told = gate.HeldSubmissions()->failure;
    EXPECT_EQ(told.reason, v1::PROVIDER_OUT_OF_CREDIT);
    EXPECT_EQ(told.http_status, 402);
    EXPECT_EQ(told.message, "");
    EXPECT_EQ(told.code, refused.code == "InsufficientBalance" ? refused.code : "");
  }
}

TEST_F(GateTest, RefusalOfOneModelHoldsNothing) {
  Gate gate({1000, 64}, loop_);
  provider::Failure forbidden;
  forbidden.reason = v1::PROVIDER_CREDENTIALS_REJECTED;
  forbidden.http_status = 403;
  for (const char* code : {"", "forbidden", "AccessDenied.Model"}) {
    forbidden.code = code;
    for (int i = 0; i < 7; ++i) {
      ASSERT_TRUE(gate.Acquire(CallClass::kSubmission, [] {})) << code;
      gate.Release(CallClass::kSubmission, &forbidden);
    }
    EXPECT_FALSE(gate.HeldSubmissions().has_value()) << code;
    EXPECT_EQ(gate.condition(), base::ProviderCondition::kCredentialsRejected);
  }
}

TEST_F(GateTest, ForbiddenWhoseCodeNamesTheKeyHoldsSubmissions) {
  Gate gate({1000, 64}, loop_);
  provider::Failure forbidden;
  forbidden.reason = v1::PROVIDER_CREDENTIALS_REJECTED;
  forbidden.http_status = 403;
  forbidden.code = "invalid_api_key";
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(gate.Acquire(CallClass::kSubmission, [] {}));
  for (int i = 0; i < 7; ++i) gate.Release(CallClass::kSubmission, &forbidden);
  ASSERT_TRUE(gate.HeldSubmissions().has_value());
  EXPECT_EQ(gate.HeldSubmissions()->failure.reason, v1::PROVIDER_CREDENTIALS_REJECTED);
  EXPECT_FALSE(gate.Acquire(CallClass::kSubmission, [] {}));
}

TEST_F(GateTest, AnswerThatCannotBeReadIsNoNewsOfHealth) {
  Gate gate({1000, 10}, loop_);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
    Over(gate, CallHealth::kNeutral);
  }
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kAvailable);
  Open(gate);
  loop_.Advance(absl::Seconds(3));
  ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
  Over(gate, CallHealth::kNeutral);
  EXPECT_EQ(gate.condition(), base::ProviderCondition::kDown) << "nor does it close the breaker";
}

TEST_F(GateTest, WhatAnEdgeSaysIsNoVerdictOnTheKey) {
  provider::Failure failure;
  failure.from_edge = true;
  for (const v1::ErrorReason reason :
       {v1::PROVIDER_CREDENTIALS_REJECTED, v1::PROVIDER_OUT_OF_CREDIT, v1::PROVIDER_UNAVAILABLE}) {
    failure.reason = reason;
    EXPECT_EQ(HealthOf(&failure), CallHealth::kTrouble);
  }
}

TEST_F(GateTest, RateLimitOfOneUnitIsNotTheAccounts) {
  Gate gate({1000, 10}, loop_);
  const auto call = [&](std::uint64_t unit, CallHealth health,
                        std::optional<absl::Duration> retry_after = std::nullopt) {
    ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
    Over(gate, health, retry_after, CallClass::kPoll, unit);
  };
  call(1, CallHealth::kGood);
  for (int i = 0; i < 5; ++i) {
    call(2, CallHealth::kRateLimited, absl::Hours(1));
    EXPECT_FALSE(gate.Unwell().has_value()) << "others pass";
    call(1, CallHealth::kGood);
  }
  // Two in a row of different units: it is the account's, as long as none passes.
  call(2, CallHealth::kRateLimited, absl::Seconds(30));
  call(3, CallHealth::kRateLimited, absl::Seconds(30));
  ASSERT_TRUE(gate.Unwell().has_value());
  EXPECT_EQ(gate.Unwell()->reason, v1::Waiting::PROVIDER_RATE_LIMITED);
}

TEST_F(GateTest, RateLimitThatNobodyElseCanJudgeHoldsTheAccountForAMinuteAtMost) {
  Gate gate({1000, 10}, loop_);
  ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
  Over(gate, CallHealth::kRateLimited, absl::Hours(1), CallClass::kPoll, 1);
  EXPECT_TRUE(gate.Unwell().has_value());
  loop_.Advance(absl::Seconds(61));
  EXPECT_FALSE(gate.Unwell().has_value());
  // Another unit meets it as well: as the provider says.
  ASSERT_TRUE(gate.Acquire(CallClass::kPoll, [] {}));
  Over(gate, CallHealth::kRateLimited, absl::Minutes(30), CallClass::kPoll, 2);
  loop_.Advance(absl::Minutes(29));
  EXPECT_TRUE(gate.Unwell().has_value());
}

}  // namespace
}  // namespace assetgate::upstream
