#include "config/check_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::HasSubstr;

using CheckRoutesTest = ConfigTest;

TEST_F(CheckRoutesTest, DefaultThatATargetCannotExpressIsRejected) {
  const auto faults = [this](const std::string& defaults) {
    return Faults(absl::StrCat(kSmallest,
                               "routes:\n- model: m\n  targets: [{provider: fake, model: big}]\n",
                               "  defaults: {", defaults, "}\n"));
  };
  EXPECT_EQ(
      faults("resolution: 8k"),
      "f.yaml:5: routes[0].defaults.resolution: \"8k\" cannot be expressed by target "
      "providers/fake/models/big, which would never be used; change the default, or give that "
      "target a route of its own");
  EXPECT_THAT(faults("duration: 3s"), HasSubstr("defaults.duration: \"3s\" cannot"));
  EXPECT_THAT(faults("duration: 1500ms"), HasSubstr("not a whole number of seconds"));
  EXPECT_THAT(faults("seed: 7"), HasSubstr("defaults.seed: \"7\" cannot"));
  EXPECT_THAT(faults("watermark: true"), HasSubstr("defaults.watermark: \"true\" cannot"));
  EXPECT_THAT(faults("aspect_ratio: \"16:9\""),
              HasSubstr("defaults.aspect_ratio: \"16:9\" cannot"));
  EXPECT_THAT(faults("aspect_ratio: \"\""), HasSubstr("is empty or too long"));
}

TEST_F(CheckRoutesTest, DuplicateTargetIsRejected) {
  EXPECT_THAT(Faults(absl::StrCat(
                  kSmallest,
                  "routes: [{model: m, targets: [{provider: fake, model: big}, {provider: fake, "
                  "model: big}]}]")),
              HasSubstr("routes[0].targets[1]: is listed twice; remove one"));
}

}  // namespace
}  // namespace assetgate::config
