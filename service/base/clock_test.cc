#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/testing/fake_clock.h"

namespace assetgate::base {
namespace {

TEST(ForwardClockTest, FollowsItsClock) {
  FakeClock clock;
  const ForwardClock forward(clock);
  EXPECT_EQ(forward.Now(), clock.Now());
  clock.Advance(absl::Milliseconds(500));
  EXPECT_EQ(forward.Now(), clock.Now());
  clock.Advance(absl::Hours(8 * 24));
  EXPECT_EQ(forward.Now(), clock.Now()) << "elapsed time is not a step";
}

TEST(ForwardClockTest, StepForwardDoesNotMoveIt) {
  FakeClock clock;
  const ForwardClock forward(clock);
  const absl::Time before = forward.Now();
  clock.Step(absl::Hours(8 * 24));
  EXPECT_EQ(forward.Now(), before);
  clock.Advance(absl::Seconds(5));
  EXPECT_LE(forward.Now(), before + absl::Seconds(10));
}

TEST(ForwardClockTest, AgreesAgainWhenAStepForwardIsUndone) {
  FakeClock clock;
  const ForwardClock forward(clock);
  clock.Step(absl::Hours(8 * 24));
  forward.Now();
  clock.Advance(absl::Seconds(5));
  forward.Now();
  clock.Step(-absl::Hours(8 * 24));
  EXPECT_GE(forward.Now(), clock.Now());
  EXPECT_LE(forward.Now(), clock.Now() + absl::Seconds(5));
  clock.Advance(absl::Minutes(2));
  EXPECT_EQ(forward.Now(), clock.Now());
}

TEST(ForwardClockTest, CatchesUpWithAPermanentStepForwardAtDoubleSpeed) {
  FakeClock clock;
  const ForwardClock forward(clock);
  clock.Step(absl::Hours(1));
  forward.Now();
  absl::Time last = forward.Now();
  for (int i = 0; i < 60; ++i) {
    clock.Advance(absl::Minutes(1));
    EXPECT_LE(forward.Now() - last, absl::Minutes(2));
    last = forward.Now();
  }
  EXPECT_EQ(forward.Now(), clock.Now());
}

TEST(ForwardClockTest, ContinuesFromItsOwnTimeWhenItsClockIsSetBack) {
  FakeClock clock;
  const ForwardClock forward(clock);
  const absl::Time before = forward.Now();
  clock.Step(-absl::Hours(2));
  EXPECT_EQ(forward.Now(), before);
  clock.Step(-absl::Hours(1));
  EXPECT_EQ(forward.Now(), before);
}

// It runs slower by so little that a timer of fourteen seconds fires before fifteen have passed:
// between the end of a lease and the moment when another gateway may take it.
TEST(ForwardClockTest, ConvergesToAClockThatWasSetBackWithoutGoingBack) {
  FakeClock clock;
  const ForwardClock forward(clock);
  clock.Step(-absl::Minutes(1));
  absl::Time last = forward.Now();
  clock.Advance(absl::Seconds(15));
  EXPECT_GE(forward.Now(), last + absl::Seconds(14));
  last = forward.Now();
  for (int i = 0; i < 20; ++i) {
    clock.Advance(absl::Minutes(1));
    EXPECT_GE(forward.Now(), last);
    last = forward.Now();
  }
  EXPECT_EQ(forward.Now(), clock.Now());
}

TEST(ForwardClockTest, AgreesAgainWhenAStepBackIsUndone) {
  FakeClock clock;
  const ForwardClock forward(clock);
  clock.Step(-absl::Hours(2));
  forward.Now();
  clock.Step(absl::Hours(2));
  EXPECT_EQ(forward.Now(), clock.Now());
}

}  // namespace
}  // namespace assetgate::base
