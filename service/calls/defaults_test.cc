#include "calls/defaults.h"

#include "gtest/gtest.h"

namespace assetgate::calls {
namespace {

TEST(FillDefaultsTest, FieldsThatTheCallerSetsStay) {
  v1::VideoTask defaults;
  defaults.set_seed(7);
  defaults.set_watermark(true);
  defaults.set_resolution("720p");
  v1::VideoTask task;
  task.set_seed(0);
  task.set_watermark(false);
  FillDefaults(defaults, task);
  EXPECT_EQ(task.seed(), 0);
  EXPECT_FALSE(task.watermark());
  EXPECT_EQ(task.resolution(), "720p");
  EXPECT_FALSE(task.has_duration());
}

}  // namespace
}  // namespace assetgate::calls
