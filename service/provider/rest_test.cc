#include "provider/rest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "provider/json.h"

namespace assetgate::provider {
namespace {

rapidjson::Document Parse(absl::string_view text) {
  std::optional<rapidjson::Document> doc = ParseJson(text);
  EXPECT_TRUE(doc.has_value()) << std::string(text);
  return doc.has_value() ? *std::move(doc) : rapidjson::Document(rapidjson::kObjectType);
}

TEST(RestTest, RequestWithABodySaysThatItIsJson) {
  const http::Request request = JsonRequest("POST", "/things", Parse(R"({"a": 1})"));
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/things");
  EXPECT_EQ(request.body, R"({"a":1})");
  ASSERT_EQ(request.headers.size(), 2u);
  EXPECT_EQ(request.headers[0].name, "Accept");
  EXPECT_EQ(request.headers[1].name, "Content-Type");
  EXPECT_EQ(request.headers[1].value, "application/json");
}

TEST(RestTest, RequestWithoutABodyHasNoContentType) {
  const http::Request request = JsonRequest("GET", "/things/1");
  EXPECT_EQ(request.body, "");
  ASSERT_EQ(request.headers.size(), 1u);
  EXPECT_EQ(request.headers[0].name, "Accept");
}

TEST(RestTest, BearerKeyComesFromTheSecretApiKey) {
  http::Request request;
  Credential credential;
  credential.secrets.emplace("api_key", base::Secret("k-1"));
  AuthorizeBearer(request, credential);
  ASSERT_EQ(request.headers.size(), 1u);
  EXPECT_EQ(request.headers[0].name, "Authorization");
  EXPECT_EQ(request.headers[0].value, "Bearer k-1");
}

TEST(RestTest, ProtocolFailureKeepsTheStatusWhateverItIs) {
  http::Response response;
  response.status = 404;
  const Failure failure = ProtocolFailure(response, "no id");
  EXPECT_EQ(failure.reason, v1::PROVIDER_PROTOCOL_ERROR);
  EXPECT_EQ(failure.http_status, 404);
  EXPECT_EQ(failure.message, "no id");
  EXPECT_FALSE(failure.act.has_value());
}

TEST(RestTest, IdsAreShortAndPrintable) {
  EXPECT_EQ(ReadId(Parse(R"({"id": "asset-1/2?x"})"), "id"), "asset-1/2?x");
  EXPECT_EQ(ReadId(Parse(R"({"id": 17})"), "id"), "17");
  EXPECT_EQ(ReadId(Parse("{\"id\": \"" + std::string(256, 'a') + "\"}"), "id").size(), 256u);
  for (const std::string bad :
       {R"({})", R"({"id": null})", R"({"id": ""})", R"({"id": "a b"})", R"({"id": "a\r\nb"})",
        R"({"id": "a\u0000"})", R"({"id": "é"})", R"({"id": true})", R"({"id": ["a"]})",
        R"({"id": {"id": "a"}})", R"({"id": 1.5})", R"({"id": 1e400})", R"([])"}) {
    const std::optional<rapidjson::Document> doc = ParseJson(bad);
    if (doc.has_value()) {
      EXPECT_EQ(ReadId(*doc, "id"), "") << bad;
    }
  }
  EXPECT_EQ(ReadId(Parse("{\"id\": \"" + std::string(257, 'a') + "\"}"), "id"), "");
}

TEST(RestTest, UrlsAreHttpAndWhole) {
  EXPECT_EQ(ReadUrl(Parse(R"({"u": "https://a.test/v.mp4?s=1"})"), "u"),
            "https://a.test/v.mp4?s=1");
  EXPECT_EQ(ReadUrl(Parse(R"({"u": "HTTP://a.test/"})"), "u"), "HTTP://a.test/");
  for (const std::string bad :
       {R"j({"u": ""})j", R"j({"u": "ftp://a.test/"})j", R"j({"u": "javascript:alert(1)"})j",
        R"j({"u": "/v.mp4"})j", R"j({"u": "https://a.test/ v"})j",
        R"j({"u": "https://a.test/\n"})j", R"j({"u": 5})j", R"j({"u": {"url": "https://a.test"}})j",
        R"j({})j"}) {
    EXPECT_EQ(ReadUrl(Parse(bad), "u"), "") << bad;
  }
  EXPECT_EQ(ReadUrl(Parse("{\"u\": \"https://a.test/" + std::string(8192, 'a') + "\"}"), "u"), "");
}

TEST(RestTest, WordsAreCut) {
  EXPECT_EQ(ReadWord(Parse(R"({"s": "Active"})"), "s"), "Active");
  EXPECT_EQ(ReadWord(Parse(R"({"s": 3})"), "s"), "3");
  EXPECT_EQ(ReadWord(Parse(R"({"s": ["Active"]})"), "s"), "");
  EXPECT_LE(ReadWord(Parse("{\"s\": \"" + std::string(5000, 'a') + "\"}"), "s").size(), 64u);
}

TEST(RestTest, SecondsAreRoundedToMillisecondsAndBounded) {
  const auto seconds = ReadSeconds(Parse(R"({"d": 6.04})"), "d");
  ASSERT_TRUE(seconds.has_value());
  EXPECT_EQ(seconds->seconds(), 6);
  EXPECT_EQ(seconds->nanos(), 40'000'000);
  EXPECT_TRUE(ReadSeconds(Parse(R"({"d": "5"})"), "d").has_value());
  for (const std::string bad : {R"({"d": 0})", R"({"d": -1})", R"({"d": 1e300})", R"({"d": "x"})",
                                R"({"d": 86400})", R"({"d": null})"}) {
    EXPECT_FALSE(ReadSeconds(Parse(bad), "d").has_value()) << bad;
  }
}

TEST(RestTest, TextIsCutBetweenCharacters) {
  EXPECT_EQ(CutCharacters("hero", 64), "hero");
  EXPECT_EQ(CutCharacters("hero", 3), "her");
  EXPECT_EQ(CutCharacters("héros", 2), "hé");
  EXPECT_EQ(CutCharacters("主角🎬x", 3), "主角🎬");
  EXPECT_EQ(CutCharacters("", 3), "");
  EXPECT_EQ(CutCharacters("hero", 0), "");
}

TEST(RestTest, LastSegmentOfAName) {
  EXPECT_EQ(LastSegment("assets/hero"), "hero");
  EXPECT_EQ(LastSegment("hero"), "hero");
}

TEST(RestTest, KeysThatTheGatewayWritesAreRefusedInAnyCase) {
  google::protobuf::Struct options;
  (*options.mutable_fields())["Prompt"].set_string_value("x");
  (*options.mutable_fields())["style"].set_string_value("x");
  (*options.mutable_fields())["callBackUrl"].set_string_value("https://a.test/");
  constexpr OwnedKey kOwned[] = {{"model", "set `model`"}, {"prompt", "set `prompt`"}};
  const std::vector<OptionFault> faults = OwnedKeyFaults(options, kOwned);
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_EQ(faults[0].field, "Prompt");
  EXPECT_EQ(faults[0].description, "the gateway sends \"prompt\" itself: set `prompt`");
  EXPECT_EQ(faults[1].field, "callBackUrl");
}

}  // namespace
}  // namespace assetgate::provider
