#include "store/trusted_time.h"

#include <gtest/gtest.h>

namespace assetgate::store {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

TEST(TrustedTimeTest, FollowsAClockThatDoesNotStep) {
  TrustedTime trusted(kStart);
  trusted.Advance(kStart + absl::Minutes(1), absl::Minutes(1));
  EXPECT_EQ(trusted.newest(), kStart + absl::Minutes(1));
  EXPECT_EQ(trusted.Horizon(kStart + absl::Minutes(1)), kStart + absl::Minutes(1));
}

TEST(TrustedTimeTest, StartsAtTheClockIfNothingIsStored) {
  TrustedTime trusted;
  trusted.Advance(kStart, absl::ZeroDuration());
  EXPECT_EQ(trusted.newest(), kStart);
}

TEST(TrustedTimeTest, StepOfDaysWithinSecondsAdvancesItByMinutesAtMost) {
  TrustedTime trusted(kStart);
  const absl::Time ahead = kStart + absl::Hours(8 * 24);
  trusted.Advance(ahead, absl::Seconds(5));
  EXPECT_LE(trusted.Horizon(ahead), kStart + absl::Minutes(1));
}

TEST(TrustedTimeTest, ClockThatIsBehindAfterARestartDoesNotMoveIt) {
  TrustedTime trusted(kStart);
  const absl::Time behind = kStart - absl::Hours(50);
  trusted.Advance(behind, absl::ZeroDuration());
  EXPECT_EQ(trusted.newest(), kStart);
  EXPECT_EQ(trusted.Horizon(behind), behind);
}

TEST(TrustedTimeTest, CatchesUpAfterTheStoreWasClosed) {
  TrustedTime trusted(kStart);
  const absl::Time now = kStart + absl::Hours(48);
  trusted.Advance(now, absl::ZeroDuration());
  EXPECT_EQ(trusted.Horizon(now), kStart);
  trusted.Advance(now + absl::Hours(6), absl::Hours(6));
  EXPECT_EQ(trusted.Horizon(now + absl::Hours(6)), now + absl::Hours(6));
}

}  // namespace
}  // namespace assetgate::store
