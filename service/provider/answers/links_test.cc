#include "provider/answers/links.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "provider/json.h"

namespace assetgate::provider::answers {
namespace {

Link Of(const std::string& body) {
  const auto doc = ParseAnswer(body);
  EXPECT_TRUE(doc.has_value()) << body;
  if (!doc.has_value()) return {};
  const rapidjson::Value* const objects[] = {&*doc, nullptr};
  return FindVideo(objects, {"documented.place"});
}

constexpr char kUrl[] = "https://out.acme.test/v.mp4?sig=a%2Fb&x=1";

TEST(FindVideoTest, ALinkIsFoundWhereverItStands) {
  for (const char* const shape : {R"({"video":{"url":"@"}})",
                                  R"({"video_url":"@"})",
                                  R"({"content":{"video_url":"@"}})",
                                  R"({"result":"@"})",
                                  R"({"result":{"videoUrl":"@"}})",
                                  R"({"result":{"video_url":"@"}})",
                                  R"({"result":{"url":"@"}})",
                                  R"({"result":{"video":"@"}})",
                                  R"({"result":{"video":{"url":"@"}}})",
                                  R"({"result":{"videos":["@"]}})",
                                  R"({"result":{"videos":[{"url":"@"}]}})",
                                  R"({"result":{"output":["@"]}})",
                                  R"({"result":["@"]})",
                                  R"({"result_url":"@"})",
                                  R"({"resultUrl":"@"})",
                                  R"({"output":"@"})",
                                  R"({"outputs":[{"url":"@"}]})",
                                  R"({"videos":["@"]})",
                                  R"({"url":"@"})",
                                  R"({"urls":["@"]})",
                                  R"({"video":"@"})",
                                  R"({"deep":{"er":[{"video_url":{"url":"@"}}]}})"}) {
    std::string body = shape;
    body.replace(body.find('@'), 1, kUrl);
    EXPECT_EQ(Of(body).url, kUrl) << body;
  }
}

TEST(FindVideoTest, TheDocumentedPlaceWins) {
  EXPECT_EQ(Of(R"({"url":"https://a.test/x","documented":{"place":"https://a.test/v"}})").url,
            "https://a.test/v");
}

TEST(FindVideoTest, WhatIsEchoedOfTheRequestIsNoResult) {
  for (const char* const body :
       {R"({"input":{"video_url":"https://in.acme.test/a.mp4"}})",
        R"({"request":{"content":[{"video_url":{"url":"https://in.acme.test/a.mp4"}}]}})",
        R"({"content":[{"type":"video_url","video_url":{"url":"https://in.acme.test/a.mp4"}}]})",
        R"({"cover":{"url":"https://out.acme.test/c.png"}})",
        R"({"webhook":"https://gw.acme.test/hook"})"}) {
    EXPECT_EQ(Of(body).url, "") << body;
  }
}

TEST(FindVideoTest, AnInlineResultIsToldApartFromNone) {
  EXPECT_TRUE(Of(R"({"video_url":"data:video/mp4;base64,AAAA"})").is_inline);
  EXPECT_TRUE(Of(R"({"result":{"b64_json":"AAAA"}})").is_inline);
  EXPECT_TRUE(Of(R"({"b64_json":"AAAA"})").is_inline);
  EXPECT_FALSE(Of(R"({"video":{}})").is_inline);
  EXPECT_FALSE(Of(R"({"video_url":"data:x","url":"https://a.test/v"})").is_inline);
}

TEST(FindVideoTest, ALinkIsWholeOrNone) {
  const std::string longest = absl::StrCat("https://a.test/", std::string(32 * 1024 - 15, 'x'));
  EXPECT_EQ(Of(absl::StrCat(R"({"url":")", longest, R"("})")).url, longest);
  EXPECT_EQ(Of(absl::StrCat(R"({"url":")", longest, R"(x"})")).url, "");
  EXPECT_EQ(Of("{\"url\":\"https://a.test/\xB0\"}").url, "") << "a byte of it was not readable";
  for (const char* const url : {"ftp://a.test/x", "//a.test/x", "https://a.test/a b",
                                "https://a.test/\\u0000", "javascript:alert(1)"}) {
    EXPECT_EQ(Of(absl::StrCat(R"({"url":")", url, R"("})")).url, "") << url;
  }
  EXPECT_EQ(Of(R"({"url":" HTTPS://a.test/x\n"})").url, "HTTPS://a.test/x");
}

}  // namespace
}  // namespace assetgate::provider::answers
