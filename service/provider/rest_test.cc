#include "provider/rest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "google/protobuf/util/json_util.h"

namespace assetgate::provider {
namespace {

rapidjson::Document Parse(absl::string_view text) {
  std::optional<rapidjson::Document> doc = base::ParseJson(text);
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

TEST(RestTest, AnIriIsWrittenAsItsUri) {
  EXPECT_EQ(UriOf("https://cdn.acme.test/a%20b.png?x=1&y=[2]#z"),
            "https://cdn.acme.test/a%20b.png?x=1&y=[2]#z");
  EXPECT_EQ(UriOf("https://cdn.acme.test/主角.png"),
            "https://cdn.acme.test/%E4%B8%BB%E8%A7%92.png");
}

TEST(RestTest, TextIsCutBetweenCharacters) {
  EXPECT_EQ(CutCharacters("hero", 64), "hero");
  EXPECT_EQ(CutCharacters("hero", 3), "her");
  EXPECT_EQ(CutCharacters("héros", 2), "hé");
  EXPECT_EQ(CutCharacters("主角🎬x", 3), "主角🎬");
  EXPECT_EQ(CutCharacters("", 3), "");
  EXPECT_EQ(CutCharacters("hero", 0), "");
}

TEST(RestTest, TheLastSegmentOfANameIsFound) {
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

TEST(RestTest, OwnedKeysAreFoundAtAnyDepthWithTheirPath) {
  google::protobuf::Struct options;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  R"({"a": {"b": [1, [{"x": 1}], {"callback_url": "https://me.example",
                                               "style": {"numVideos": 4, "Model": "x"}}]},
                      "deep": {"first_frame": {"prompt_text": "fine", "PROMPT": "y"}},
                      "n": 2, "noise": 1, "counter": 3, "list": [{"count": 1}]})",
                  &options)
                  .ok());
  constexpr OwnedKey kOwned[] = {{"first_image", "set references"}};
  std::vector<std::string> fields;
  for (const OptionFault& fault : OwnedKeyFaults(options, kOwned)) fields.push_back(fault.field);
  EXPECT_THAT(fields, ::testing::ElementsAre("a.b[2].callback_url", "a.b[2].style.Model",
                                             "a.b[2].style.numVideos", "deep.first_frame.PROMPT",
                                             "list[0].count", "n"));
}

TEST(RestTest, DotsAreNotIds) {
  EXPECT_FALSE(IsId("."));
  EXPECT_FALSE(IsId(".."));
  EXPECT_TRUE(IsId("..."));
  EXPECT_TRUE(IsId("a/../b")) << "percent-encoded in paths";
}

}  // namespace
}  // namespace assetgate::provider
