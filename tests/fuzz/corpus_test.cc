// Runs every known input through every target: the seeds, inputs that fuzzing found worth keeping,
// and inputs that once broke a claim. run.sh runs the fuzzers themselves.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/fuzz/targets.h"

namespace assetgate::fuzz {
namespace {

class CorpusTest : public ::testing::TestWithParam<Target> {};

TEST_P(CorpusTest, ClaimsHoldForEveryKnownInput) {
  const Target& target = GetParam();
  const std::vector<std::string> seeds = target.seeds();
  EXPECT_THAT(seeds, ::testing::Not(::testing::IsEmpty()));
  for (const std::string& seed : seeds) {
    EXPECT_EQ(target.check(seed), std::nullopt) << seed;
    // Truncated at any point, as connections can do.
    for (std::size_t size = 0; size < seed.size(); size += 1 + seed.size() / 50) {
      EXPECT_EQ(target.check(seed.substr(0, size)), std::nullopt) << seed.substr(0, size);
    }
  }
  for (const KeptInput& input : KeptInputs(target.name)) {
    EXPECT_EQ(target.check(input.bytes), std::nullopt) << input.path;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, CorpusTest, ::testing::ValuesIn(Targets()),
                         [](const auto& test) { return test.param.name; });

TEST(FindTargetTest, FindsEveryTargetAndTheCanary) {
  for (const Target& target : Targets()) EXPECT_TRUE(FindTarget(target.name).has_value());
  EXPECT_EQ(FindTarget("nobody"), std::nullopt);
  const auto canary = FindTarget("canary");
  ASSERT_TRUE(canary.has_value());
  EXPECT_EQ(canary->check("unseen"), std::nullopt);
  EXPECT_NE(canary->check("seen"), std::nullopt);
}

}  // namespace
}  // namespace assetgate::fuzz
