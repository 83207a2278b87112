#include "store/lived_time.h"

#include <gtest/gtest.h>

namespace assetgate::store {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

TEST(LivedTimeTest, FollowsAClockThatGoesAsTimePasses) {
  LivedTime lived(kStart);
  lived.Follow(kStart + absl::Minutes(1), absl::Minutes(1));
  EXPECT_EQ(lived.newest(), kStart + absl::Minutes(1));
  EXPECT_EQ(lived.Horizon(kStart + absl::Minutes(1)), kStart + absl::Minutes(1));
}

TEST(LivedTimeTest, BeginsWithTheClockWhereNothingIsStored) {
  LivedTime lived;
  lived.Follow(kStart, absl::ZeroDuration());
  EXPECT_EQ(lived.newest(), kStart);
}

TEST(LivedTimeTest, StepOfDaysWithinSecondsComesNoFurtherThanSomeMinutes) {
  LivedTime lived(kStart);
  const absl::Time ahead = kStart + absl::Hours(8 * 24);
  lived.Follow(ahead, absl::Seconds(5));
  EXPECT_LE(lived.Horizon(ahead), kStart + absl::Minutes(1));
}

TEST(LivedTimeTest, ClockThatIsBehindAfterARestartMovesItNeitherBackNorOn) {
  LivedTime lived(kStart);
  const absl::Time behind = kStart - absl::Hours(50);
  lived.Follow(behind, absl::ZeroDuration());
  EXPECT_EQ(lived.newest(), kStart);
  EXPECT_EQ(lived.Horizon(behind), behind);
}

TEST(LivedTimeTest, CatchesUpAfterTheStoreWasClosed) {
  LivedTime lived(kStart);
  const absl::Time now = kStart + absl::Hours(48);
  lived.Follow(now, absl::ZeroDuration());
  EXPECT_EQ(lived.Horizon(now), kStart);
  lived.Follow(now + absl::Hours(6), absl::Hours(6));
  EXPECT_EQ(lived.Horizon(now + absl::Hours(6)), now + absl::Hours(6));
}

}  // namespace
}  // namespace assetgate::store
