#include "base/clock.h"

#include <gtest/gtest.h>

namespace assetgate::base {
namespace {

// The steady clock runs on meanwhile; the fake one does not.
constexpr absl::Duration kMeanwhile = absl::Seconds(30);

TEST(ForwardClockTest, GoesWithItsClock) {
  FakeClock clock;
  const ForwardClock forward(clock);
  EXPECT_EQ(forward.Now(), clock.Now());
  clock.Advance(absl::Milliseconds(500));
  EXPECT_EQ(forward.Now(), clock.Now());
}

TEST(ForwardClockTest, GoesForwardWithItsClock) {
  FakeClock clock;
  const ForwardClock forward(clock);
  clock.Advance(absl::Hours(2));
  EXPECT_EQ(forward.Now(), clock.Now());
}

TEST(ForwardClockTest, GoesOnFromWhereItWasWhenItsClockIsSetBack) {
  FakeClock clock;
  const ForwardClock forward(clock);
  const absl::Time before = forward.Now();
  clock.Advance(-absl::Hours(2));
  const absl::Time after = forward.Now();
  EXPECT_GE(after, before);
  EXPECT_LT(after, before + kMeanwhile);
  clock.Advance(absl::Milliseconds(300));
  EXPECT_EQ(forward.Now(), after + absl::Milliseconds(300));
  // And once more.
  clock.Advance(-absl::Hours(1));
  EXPECT_GE(forward.Now(), after + absl::Milliseconds(300));
  EXPECT_LT(forward.Now(), after + kMeanwhile);
}

TEST(ForwardClockTest, IsNoLongerAheadWhenItsClockIsSetRightAgain) {
  FakeClock clock;
  const ForwardClock forward(clock);
  clock.Advance(-absl::Hours(2));
  EXPECT_GT(forward.Now(), clock.Now());
  clock.Advance(absl::Hours(3));
  EXPECT_GE(forward.Now(), clock.Now());
  EXPECT_LT(forward.Now(), clock.Now() + kMeanwhile);
}

}  // namespace
}  // namespace assetgate::base
