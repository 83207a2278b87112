#include "auth/limiter.h"

#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace assetgate::auth {
namespace {

Caller WithLimits(CallerLimits limits, std::string id = "farm") {
  Caller caller;
  caller.id = std::move(id);
  caller.limits = limits;
  return caller;
}

class LimiterTest : public ::testing::Test {
 protected:
  base::FakeClock clock_;
  Limiter limiter_{clock_};
};

TEST_F(LimiterTest, ASecondsWorthMayComeAtOnceAndThenTheRateApplies) {
  const Caller caller = WithLimits({.requests_per_second = 10});
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(limiter_.Take(caller).has_value()) << i;
  const auto wait = limiter_.Take(caller);
  ASSERT_TRUE(wait.has_value());
  EXPECT_GT(*wait, absl::Milliseconds(99));
  EXPECT_LT(*wait, absl::Milliseconds(101));
  // A rejected request takes nothing from the budget.
  clock_.Advance(absl::Milliseconds(101));
  EXPECT_FALSE(limiter_.Take(caller).has_value());
  EXPECT_TRUE(limiter_.Take(caller).has_value());
  // An idle caller saves up a second's worth, and no more.
  clock_.Advance(absl::Hours(1));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(limiter_.Take(caller).has_value()) << i;
  EXPECT_TRUE(limiter_.Take(caller).has_value());
}

TEST_F(LimiterTest, ARateBelowOnePerSecondLetsOneThrough) {
  const Caller caller = WithLimits({.requests_per_second = 0.5});
  EXPECT_FALSE(limiter_.Take(caller).has_value());
  EXPECT_TRUE(limiter_.Take(caller).has_value());
  clock_.Advance(absl::Milliseconds(2001));
  EXPECT_FALSE(limiter_.Take(caller).has_value());
}

TEST_F(LimiterTest, CallersHaveSeparateBudgets) {
  const Caller one = WithLimits({.requests_per_second = 1, .open_streams = 1}, "one");
  const Caller other = WithLimits({.requests_per_second = 1, .open_streams = 1}, "other");
  EXPECT_FALSE(limiter_.Take(one).has_value());
  EXPECT_TRUE(limiter_.Take(one).has_value());
  EXPECT_FALSE(limiter_.Take(other).has_value());
  const Limiter::Slot slot = limiter_.OpenStream(one);
  EXPECT_EQ(limiter_.OpenStream(one), nullptr);
  EXPECT_NE(limiter_.OpenStream(other), nullptr);
}

TEST_F(LimiterTest, AnEndedStreamFreesItsSlot) {
  const Caller caller = WithLimits({.open_streams = 2});
  Limiter::Slot first = limiter_.OpenStream(caller);
  const Limiter::Slot second = limiter_.OpenStream(caller);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(limiter_.OpenStream(caller), nullptr);
  first.reset();
  EXPECT_NE(limiter_.OpenStream(caller), nullptr);
}

TEST_F(LimiterTest, WithoutLimitsEverythingIsAllowed) {
  const Caller caller = WithLimits({});
  std::vector<Limiter::Slot> slots;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(limiter_.Take(caller).has_value());
    slots.push_back(limiter_.OpenStream(caller));
    EXPECT_NE(slots.back(), nullptr);
  }
}

}  // namespace
}  // namespace assetgate::auth
