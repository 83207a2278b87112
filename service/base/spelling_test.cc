#include "base/spelling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace assetgate::base {
namespace {

using ::testing::ElementsAre;

TEST(SpellingTest, DistanceCountsInsertedDeletedAndReplacedCharacters) {
  EXPECT_EQ(EditDistance("", ""), 0u);
  EXPECT_EQ(EditDistance("kyy", ""), 3u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("KYY", "kyy"), 0u);
}

TEST(SpellingTest, DistanceOfHugeWordsIsBounded) {
  EXPECT_EQ(EditDistance(std::string(1'000'000, 'a'), std::string(1'000'000, 'b')), 128u);
}

TEST(SpellingTest, NearestWordsComeFirstAndEqualOnesKeepTheirOrder) {
  EXPECT_THAT(NearestFirst("seedance-3", {"kling", "seedance-2-fast", "seedance-2", "seedance-1"}),
              ElementsAre("seedance-2", "seedance-1", "seedance-2-fast", "kling"));
}

TEST(SpellingTest, MisspelledWordIsRecognised) {
  EXPECT_EQ(DidYouMean("base-url", {"id", "base_url"}), "base_url");
  EXPECT_EQ(DidYouMean("baseurl", {"id", "base_url"}), "base_url");
}

TEST(SpellingTest, DifferentWordIsNotAMisspelling) {
  EXPECT_EQ(DidYouMean("colour", {"id", "base_url"}), "");
  EXPECT_EQ(DidYouMean("anything", {}), "");
}

}  // namespace
}  // namespace assetgate::base
