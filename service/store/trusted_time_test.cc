#include "store/trusted_time.h"

#include <gtest/gtest.h>

namespace assetgate::store {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

TEST(TrustedTimeTest, FollowsAClockThatDoesNotStep) {
  TrustedTime lived(kStart);
  lived.Advance(kStart + absl::Minutes(1), absl::Minutes(1));
  EXPECT_EQ(lived.newest(), kStart + absl::Minutes(1));
  EXPECT_EQ(lived.Horizon(kStart + absl::Minutes(1)), kStart + absl::Minutes(1));
}

TEST(TrustedTimeTest, StartsAtTheClockIfNothingIsStored) {
  TrustedTime lived;
  lived.Advance(kStart, absl::ZeroDuration());
  EXPECT_EQ(lived.newest(), kStart);
}

TEST(TrustedTimeTest, StepOfDaysWithinSecondsAdvancesItByMinutesAtMost) {
  TrustedTime lived(kStart);
  const absl::Time ahead = kStart + absl::Hours(8 * 24);
  lived.Advance(ahead, absl::Seconds(5));
  EXPECT_LE(lived.Horizon(ahead), kStart + absl::Minutes(1));
}

TEST(TrustedTimeTest, ClockThatIsBehindAfterARestartDoesNotMoveIt) {
  TrustedTime lived(kStart);
  const absl::Time behind = kStart - absl::Hours(50);
  lived.Advance(behind, absl::ZeroDuration());
  EXPECT_EQ(lived.newest(), kStart);
  EXPECT_EQ(lived.Horizon(behind), behind);
}

TEST(TrustedTimeTest, CatchesUpAfterTheStoreWasClosed) {
  TrustedTime lived(kStart);
  const absl::Time now = kStart + absl::Hours(48);
  lived.Advance(now, absl::ZeroDuration());
  EXPECT_EQ(lived.Horizon(now), kStart);
  lived.Advance(now + absl::Hours(6), absl::Hours(6));
  EXPECT_EQ(lived.Horizon(now + absl::Hours(6)), now + absl::Hours(6));
}

}  // namespace
}  // namespace assetgate::store
