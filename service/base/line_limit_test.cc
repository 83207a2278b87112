#include "base/line_limit.h"

#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

TEST(LineLimitTest, LinesBeyondTheLimitAreSuppressedAndCounted) {
  FakeClock clock;
  LineLimit limit(clock, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.Take(), 0);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(limit.Take(), std::nullopt);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(limit.Take(), 1000);
  EXPECT_EQ(limit.Take(), 0);
  EXPECT_EQ(limit.Take(), 0);
  EXPECT_EQ(limit.Take(), std::nullopt);
}

TEST(LineLimitTest, ClockThatStepsBackAddsNothing) {
  FakeClock clock;
  LineLimit limit(clock, 1);
  EXPECT_EQ(limit.Take(), 0);
  clock.Advance(absl::Hours(-1));
  EXPECT_EQ(limit.Take(), std::nullopt);
  clock.Advance(absl::Seconds(1));
  EXPECT_EQ(limit.Take(), 1);
}

}  // namespace
}  // namespace assetgate::base
