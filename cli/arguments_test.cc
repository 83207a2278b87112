#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "cli/json.h"

namespace assetgate::cli {
namespace {

using ::testing::HasSubstr;

TEST(ResourceNameTest, AcceptsIdsAndNames) {
  EXPECT_EQ(*ResourceName("assets", "hero"), "assets/hero");
  EXPECT_EQ(*ResourceName("assets", "assets/hero"), "assets/hero");
}

TEST(ResourceNameTest, RejectsOtherCollectionsAndSaysWhatToWrite) {
  for (const char* word : {"videoTasks/x", "assets/", "", "assets/a/b"}) {
    const auto name = ResourceName("assets", word);
    ASSERT_FALSE(name.ok()) << word;
    EXPECT_THAT(std::string(name.status().message()), HasSubstr("assets/ID")) << word;
  }
}

TEST(ModelNameTest, AcceptsRoutesAndPinnedModels) {
  EXPECT_EQ(*ModelName("seedance-2"), "models/seedance-2");
  EXPECT_EQ(*ModelName("models/seedance-2"), "models/seedance-2");
  EXPECT_EQ(*ModelName("providers/kyy/models/x"), "providers/kyy/models/x");
  EXPECT_FALSE(ModelName("providers/kyy").ok());
}

TEST(GuessMediaTypeTest, UsesTheExtensionOfThePath) {
  EXPECT_EQ(GuessMediaType("https://x/a.PNG"), v1::IMAGE);
  EXPECT_EQ(GuessMediaType("https://x/a.mp4?name=b.png"), v1::VIDEO);
  EXPECT_EQ(GuessMediaType("https://x/a.mp3#t=1"), v1::AUDIO);
  EXPECT_EQ(GuessMediaType("https://x/a.pdf"), v1::DOCUMENT);
  EXPECT_EQ(GuessMediaType("https://x.png/a"), v1::MEDIA_TYPE_UNSPECIFIED);
  EXPECT_EQ(GuessMediaType("https://x/get?id=7"), v1::MEDIA_TYPE_UNSPECIFIED);
}

TEST(ParseDurationTest, AcceptsUnitsAndPlainSeconds) {
  EXPECT_EQ(*ParseDuration("5"), absl::Seconds(5));
  EXPECT_EQ(*ParseDuration("5s"), absl::Seconds(5));
  EXPECT_EQ(*ParseDuration("1m30s"), absl::Seconds(90));
  EXPECT_EQ(*ParseDuration("0"), absl::ZeroDuration());
  for (const char* word : {"", "-1", "-5s", "soon", "nan", "inf", "1e30"}) {
    EXPECT_FALSE(ParseDuration(word).ok()) << word;
  }
}

TEST(AddLabelsTest, AcceptsEachKeyOnce) {
  google::protobuf::Map<std::string, std::string> labels;
  ASSERT_TRUE(AddLabels({"a=b", "c=", "d=e=f"}, &labels).ok());
  EXPECT_EQ(labels.at("a"), "b");
  EXPECT_EQ(labels.at("c"), "");
  EXPECT_EQ(labels.at("d"), "e=f");
  EXPECT_FALSE(AddLabels({"a=again"}, &labels).ok());
  EXPECT_FALSE(AddLabels({"novalue"}, &labels).ok());
}

TEST(AddOptionsTest, MergesTheObjectsOfOneProvider) {
  google::protobuf::Map<std::string, google::protobuf::Struct> options;
  ASSERT_TRUE(AddOptions({R"(kyy={"a": 1})", R"(providers/kyy={"b": "x=y"})"}, &options).ok());
  EXPECT_EQ(options.at("kyy").fields().at("a").number_value(), 1);
  EXPECT_EQ(options.at("kyy").fields().at("b").string_value(), "x=y");
  EXPECT_FALSE(AddOptions({"kyy=[1]"}, &options).ok());
  EXPECT_FALSE(AddOptions({"kyy"}, &options).ok());
}

TEST(ParseReferenceTest, DistinguishesAssetsFromUrlsAndGuessesTheMediaType) {
  struct Case {
    v1::Reference::Role role;
    const char* word;
    const char* json;
  };
  for (const Case& c : std::initializer_list<Case>{
           {v1::Reference::REFERENCE, "assets/hero",
            R"({"role":"REFERENCE","asset":"assets/hero"})"},
           {v1::Reference::REFERENCE, "image:assets/hero",
            R"({"role":"REFERENCE","asset":"assets/hero","media_type":"IMAGE"})"},
           {v1::Reference::REFERENCE, "https://x/a.mp4",
            R"({"role":"REFERENCE","uri":"https://x/a.mp4","media_type":"VIDEO"})"},
           {v1::Reference::REFERENCE, "audio:https://x/a.mp4",
            R"({"role":"REFERENCE","uri":"https://x/a.mp4","media_type":"AUDIO"})"},
           {v1::Reference::FIRST_FRAME, "https://x/frame",
            R"({"role":"FIRST_FRAME","uri":"https://x/frame","media_type":"IMAGE"})"},
           // The gateway validates other schemes itself.
           {v1::Reference::REFERENCE, "asset://x", R"({"role":"REFERENCE","uri":"asset://x"})"},
       }) {
    const auto reference = ParseReference(c.role, c.word);
    ASSERT_TRUE(reference.ok()) << c.word << ": " << reference.status();
    EXPECT_EQ(ToJson(*reference), c.json);
  }
}

TEST(ParseReferenceTest, SaysWhatToWriteInstead) {
  EXPECT_THAT(
      std::string(
          ParseReference(v1::Reference::REFERENCE, "https://x/get?id=1").status().message()),
      HasSubstr("image:, video: or audio:"));
  EXPECT_THAT(std::string(ParseReference(v1::Reference::REFERENCE, "hero").status().message()),
              HasSubstr("assets/ID"));
}

TEST(ParseStateTest, RejectsOtherWordsAndListsTheStates) {
  EXPECT_EQ(*ParseState<v1::Asset>("Active"), v1::Asset::ACTIVE);
  EXPECT_EQ(*ParseState<v1::VideoTask>("running"), v1::VideoTask::RUNNING);
  EXPECT_THAT(std::string(ParseState<v1::Asset>("running").status().message()),
              HasSubstr("registered, processing, active, failed"));
  EXPECT_FALSE(ParseState<v1::Asset>("state_unspecified").ok());
}

TEST(ParseAssetLinesTest, AcceptsRequestsAndBareAssets) {
  v1::CreateAssetRequest defaults;
  defaults.add_providers("providers/kyy");
  defaults.mutable_asset()->set_asset_group("assetGroups/summer");
  std::istringstream lines(
      "{\"asset_id\": \"a\", \"asset\": {\"source_uri\": \"https://x/a.png\"}}\n"
      "\n"
      "{\"source_uri\": \"https://x/b\", \"media_type\": \"VIDEO\", \"asset_group\": "
      "\"assetGroups/other\"}\n"
      "{\"providers\": [\"providers/zz\"], \"asset\": {\"source_uri\": \"https://x/c.mp3\"}}\n");
  const auto items = ParseAssetLines(lines, defaults);
  ASSERT_TRUE(items.ok()) << items.status();
  ASSERT_EQ(items->size(), 3u);
  EXPECT_EQ((*items)[0].asset_id(), "a");
  EXPECT_EQ((*items)[0].asset().media_type(), v1::IMAGE);
  EXPECT_EQ((*items)[0].asset().asset_group(), "assetGroups/summer");
  EXPECT_EQ((*items)[0].providers(0), "providers/kyy");
  EXPECT_EQ((*items)[1].asset().media_type(), v1::VIDEO);
  EXPECT_EQ((*items)[1].asset().asset_group(), "assetGroups/other");
  ASSERT_EQ((*items)[2].providers_size(), 1);
  EXPECT_EQ((*items)[2].providers(0), "providers/zz");
}

TEST(ParseAssetLinesTest, ErrorsNameTheLine) {
  std::istringstream broken("{\"source_uri\": \"https://x/a.png\"}\n{oops\n");
  EXPECT_THAT(std::string(ParseAssetLines(broken, {}).status().message()), HasSubstr("line 2"));
  std::istringstream untyped("{\"source_uri\": \"https://x/a\"}\n");
  EXPECT_THAT(std::string(ParseAssetLines(untyped, {}).status().message()), HasSubstr("line 1"));
}

TEST(MakeRequestIdTest, IsAVersionFourUuid) {
  std::set<std::string> ids;
  for (int i = 0; i < 100; ++i) {
    const std::string id = MakeRequestId();
    ASSERT_EQ(id.size(), 36u) << id;
    EXPECT_EQ(id[14], '4') << id;
    EXPECT_NE(std::string("89ab").find(id[19]), std::string::npos) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 100u);
}

}  // namespace
}  // namespace assetgate::cli
