#include "calls/page_token.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace assetgate::calls {
namespace {

TEST(PageTokenTest, ContinuesTheListItWasMadeFor) {
  EXPECT_EQ(ReadPageToken(MakePageToken(77, 123'456'789'012), 77), 123'456'789'012);
  EXPECT_EQ(ReadPageToken(MakePageToken(77, 9), 78), std::nullopt);
}

TEST(PageTokenTest, StaysReadableInLaterVersions) {
  // What a caller kept from an earlier release: "1 4d 9".
  EXPECT_EQ(ReadPageToken("MSA0ZCA5", 77), 9);
  EXPECT_EQ(MakePageToken(77, 9), "MSA0ZCA5");
}

TEST(PageTokenTest, FingerprintIsOfKindAndFilter) {
  const store::TermFilter filter = {{{"a", "b"}, {"c"}}};
  const auto one = ListFingerprint(store::Kind::kAsset, filter);
  EXPECT_EQ(one, ListFingerprint(store::Kind::kAsset, filter));
  EXPECT_NE(one, ListFingerprint(store::Kind::kVideoTask, filter));
  EXPECT_NE(one, ListFingerprint(store::Kind::kAsset, {{{"a"}, {"b", "c"}}}));
}

TEST(PageTokenTest, OtherSpellingsOfATokenAreRefused) {
  for (const char* text :
       {"1 4d +9", "1 4d 09", "1 4d 9\n", "1 4d \t9", "1 4D 9", "1 04d 9", "01 4d 9", "2 4d 9",
        "1 4d -9", "1 4d", "1 4d 9 ", " 1 4d 9", "1 4d 9 9", "1 4d 99999999999999999999", ""}) {
    EXPECT_EQ(ReadPageToken(absl::WebSafeBase64Escape(text), 77), std::nullopt) << text;
  }
  const std::string token = MakePageToken(77, 10);
  ASSERT_EQ(ReadPageToken(token, 77), 10);
  for (const char* other : {"=", "==", " ", "\n", ".", "A", "\xff"}) {
    EXPECT_EQ(ReadPageToken(absl::StrCat(token, other), 77), std::nullopt) << other;
    EXPECT_EQ(ReadPageToken(absl::StrCat(other, token), 77), std::nullopt) << other;
  }
  EXPECT_EQ(ReadPageToken(std::string(100'000, 'A'), 77), std::nullopt);
}

TEST(PageTokenTest, ADamagedTokenIsRefusedOrThatOfAnotherPlace) {
  const std::string token = MakePageToken(0xcbf29ce484222325ULL, 123'456);
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = token;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      const auto after = ReadPageToken(damaged, 0xcbf29ce484222325ULL);
      if (after.has_value()) {
        EXPECT_GE(*after, 0);
        EXPECT_EQ(MakePageToken(0xcbf29ce484222325ULL, *after), damaged);
      }
    }
  }
}

}  // namespace
}  // namespace assetgate::calls
