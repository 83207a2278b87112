#include "tests/fuzz/claims.h"

#include "assetgate/v1/video_task.pb.h"
#include "gtest/gtest.h"

namespace assetgate::fuzz {
namespace {

TEST(ClaimsTest, FirstBrokenClaimIsReported) {
  Claims claims;
  claims.Hold(true, "one");
  EXPECT_EQ(claims.broken(), std::nullopt);
  claims.Hold(false, "two", "a\n");
  claims.Hold(false, "three");
  EXPECT_EQ(claims.broken(), "two: a\\n");
}

TEST(ClaimsTest, PlainIsUtf8WithoutControlCharacters) {
  for (const char* text : {"", "a cat", "é 🎬", "\xC2\xA0", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsPlain(text)) << text;
  }
  for (const char* text : {"\n", "a\x1b[2J", "\x7f", "\xC2\x9B", "\xC2\x80"}) {
    EXPECT_TRUE(IsUtf8(text));
    EXPECT_FALSE(IsPlain(text));
  }
  for (const char* text : {"\x80", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xFF",
                           "\xF4\x90\x80\x80", "\xE2\x82", "\xF8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
}

TEST(ClaimsTest, StringsOfAMessageAreCheckedAtAnyDepth) {
  v1::VideoTask task;
  task.add_attempts()->mutable_video()->set_uri("https://cdn.example/a");
  Claims fine;
  fine.PlainMessage("task", task, 100);
  EXPECT_EQ(fine.broken(), std::nullopt);
  task.mutable_attempts(0)->mutable_video()->set_uri("https://cdn.example/\n");
  Claims broken;
  broken.PlainMessage("task", task, 100);
  ASSERT_TRUE(broken.broken().has_value());
  EXPECT_EQ(broken.broken()->rfind("task.attempts.video.uri is UTF-8", 0), 0U) << *broken.broken();
}

TEST(ClaimsTest, SecretsOfUrlsAreDetectedAnywhereInAText) {
  for (const char* text : {"no URL? none", "https://host/a", "see https://host/a?… for more",
                           "(https://host?…", "who@example.org: https://host/a@b"}) {
    EXPECT_FALSE(ShowsUrlSecrets(text)) << text;
  }
  for (const char* text : {"https://host/a?k=v", "at https://host/a#k now", "x://me:pw@host",
                           "https://host/a?… and https://host/b?k", "https://host/a?…k"}) {
    EXPECT_TRUE(ShowsUrlSecrets(text)) << text;
  }
}

TEST(ClaimsTest, RequestsThatCouldBeMisreadAreNotSendable) {
  for (const char* path : {"/a/b?c=d/../e", "/a/..b", "/"}) {
    Claims claims;
    claims.Sendable({.path = path});
    EXPECT_EQ(claims.broken(), std::nullopt) << path;
  }
  for (const char* path :
       {"", "a", "/a b", "/a\n", "/a#b", "/\xC3\xA9", "/a/../b", "/a/.", "/.."}) {
    Claims claims;
    claims.Sendable({.path = path});
    EXPECT_TRUE(claims.broken().has_value()) << path;
  }
  Claims claims;
  claims.Sendable({.path = "/", .headers = {{"Authorization", "Bearer x\r\nX: y"}}});
  EXPECT_TRUE(claims.broken().has_value());
}

}  // namespace
}  // namespace assetgate::fuzz
