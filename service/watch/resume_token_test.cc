#include "watch/resume_token.h"

#include <random>
#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace assetgate::watch {
namespace {

using Verdict = ResumePoint::Verdict;

TEST(ResumeTokenTest, IsValidForItsOwnStoreAndWatch) {
  const std::string token = MakeResumeToken("store-1", 77, 123'456'789'012);
  const ResumePoint point = ReadResumeToken(token, "store-1", 77);
  EXPECT_EQ(point.verdict, Verdict::kValid);
  EXPECT_EQ(point.revision, 123'456'789'012);
}

TEST(ResumeTokenTest, TokenOfAnEarlierReleaseIsReadable) {
  // A token that a client kept from an earlier release, in hex.
  const std::string token =
      absl::HexStringToBytes("0141ecdb27a6e1cf444d000000000000000900000000000000d2330a88");
  EXPECT_EQ(MakeResumeToken("store-1", 77, 9), token);
}

TEST(ResumeTokenTest, DistinguishesAnotherStoreFromAnotherFilter) {
  const std::string token = MakeResumeToken("store-1", 77, 9);
  EXPECT_EQ(ReadResumeToken(token, "store-2", 77).verdict, Verdict::kOtherStore);
  EXPECT_EQ(ReadResumeToken(token, "store-2", 78).verdict, Verdict::kOtherStore);
  EXPECT_EQ(ReadResumeToken(token, "store-1", 78).verdict, Verdict::kOtherFilter);
}

TEST(ResumeTokenTest, AnyDamageMakesItInvalid) {
  const std::string token = MakeResumeToken("store-1", 77, 9);
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = token;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_EQ(ReadResumeToken(damaged, "store-1", 77).verdict, Verdict::kOtherStore)
          << "byte " << i << " bit " << bit;
    }
    EXPECT_EQ(ReadResumeToken(token.substr(0, i), "store-1", 77).verdict, Verdict::kOtherStore);
  }
  EXPECT_EQ(ReadResumeToken(token + "x", "store-1", 77).verdict, Verdict::kOtherStore);
}

TEST(ResumeTokenTest, GarbageCountsAsOfAnotherStore) {
  std::mt19937 random(1);
  for (int i = 0; i < 10'000; ++i) {
    std::string garbage(random() % 64, '\0');
    for (char& c : garbage) c = static_cast<char>(random());
    EXPECT_EQ(ReadResumeToken(garbage, "store-1", 77).verdict, Verdict::kOtherStore);
  }
}

}  // namespace
}  // namespace assetgate::watch
