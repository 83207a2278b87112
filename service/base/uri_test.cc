#include "base/uri.h"

#include <string>

#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

TEST(PercentEncodeTest, LeavesUnreservedCharactersAlone) {
  EXPECT_EQ(PercentEncode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(PercentEncode(""), "");
}

TEST(PercentEncodeTest, EncodesEverythingElseByteByByte) {
  EXPECT_EQ(PercentEncode("a b/c?d&e=f#g%"), "a%20b%2Fc%3Fd%26e%3Df%23g%25");
  EXPECT_EQ(PercentEncode("é"), "%C3%A9");
  EXPECT_EQ(PercentEncode(absl::string_view("\0\r\n", 3)), "%00%0D%0A");
}

TEST(RedactUriTest, KeepsPartsThatAreNotSecret) {
  EXPECT_EQ(RedactUri("https://cdn.example.org:8443/a/b.png"),
            "https://cdn.example.org:8443/a/b.png");
  EXPECT_EQ(RedactUri("https://example.org/@somebody/clip.mp4"),
            "https://example.org/@somebody/clip.mp4");
  EXPECT_EQ(RedactUri("/assets/Asset-1"), "/assets/Asset-1");
  EXPECT_EQ(RedactUri(""), "");
}

TEST(RedactUriTest, ReplacesQueryAndFragment) {
  EXPECT_EQ(RedactUri("https://cdn.example.org/a.png?X-Signature=secret#top"),
            "https://cdn.example.org/a.png?…");
  EXPECT_EQ(RedactUri("https://cdn.example.org/a.png#token=secret"),
            "https://cdn.example.org/a.png?…");
  EXPECT_EQ(RedactUri("/video/tasks/1?model=m"), "/video/tasks/1?…");
}

TEST(RedactUriTest, RemovesCredentialsHoweverTheUriIsSpelt) {
  EXPECT_EQ(RedactUri("https://me:secret@example.org/a"), "https://example.org/a");
  EXPECT_EQ(RedactUri("https://me:se@cret@example.org/a?b"), "https://example.org/a?…");
  EXPECT_EQ(RedactUri("https:me:secret@example.org/a"), "https:example.org/a");
  EXPECT_EQ(RedactUri("https:/\\me:secret@example.org/a"), "https:/\\example.org/a");
  EXPECT_EQ(RedactUri("//me:secret@example.org/a"), "//example.org/a");
  EXPECT_EQ(RedactUri("https://token@example.org"), "https://example.org");
}

TEST(RedactUriTest, RemovesCredentialsOfAUriInThePath) {
  EXPECT_EQ(RedactUri("https://proxy.example/https://me:secret@example.org/a?b"),
            "https://proxy.example/https://example.org/a?…");
  EXPECT_EQ(RedactUri("https://a:b@proxy.example//me:secret@x//you:secret@y"),
            "https://proxy.example//x//y");
  EXPECT_EQ(RedactUri("https:/@/me:secret@example.org"), "https://example.org");
  std::string nested = "https:/";
  for (int i = 0; i < 100'000; ++i) nested += "/@";
  EXPECT_EQ(RedactUri(nested + "/me:secret@example.org"), "?…");
  EXPECT_EQ(RedactUri("https://example.org//a/@somebody//"), "https://example.org//a/@somebody//");
}

}  // namespace
}  // namespace assetgate::base
