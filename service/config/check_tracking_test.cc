#include "config/check_tracking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::HasSubstr;

using CheckTrackingTest = ConfigTest;

TEST_F(CheckTrackingTest, DialectsMinimumWinsOverALowerMaximum) {
  const Config config = Good(absl::StrCat(kSmallest, "tracking: {max_poll: 1s}\n"));
  EXPECT_EQ(config.providers[0]->asset_polling.floor, absl::Seconds(5));
  EXPECT_EQ(config.providers[0]->asset_polling.ceiling, absl::Seconds(5));
}

TEST_F(CheckTrackingTest, ContradictoryIntervalsAreRejected) {
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tracking: {min_poll: 5s, max_poll: 1s}")),
              HasSubstr("tracking.max_poll: 1s is less than min_poll (5s)"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tracking: {video_period: 10h, horizon: 2h}")),
              HasSubstr("tracking.horizon: 2h is less than asset_period or video_period (10h)"));
  EXPECT_THAT(Faults(absl::StrCat(kSmallest, "tracking: {first_poll: -1s}")),
              HasSubstr("tracking.first_poll: -1s is not between"));
}

}  // namespace
}  // namespace assetgate::config
