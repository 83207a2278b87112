#include "providers/zerozero/zerozero.h"

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "provider/testing/exchange_test.h"
#include "providers/zerozero/options.pb.h"

namespace assetgate::providers::zerozero {
namespace {

using provider::UnitKind;
using provider::testing::Exchange;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class ZerozeroExchangeTest : public ::testing::TestWithParam<Exchange> {};

TEST_P(ZerozeroExchangeTest, IsAsDocumented) {
  provider::testing::CheckExchange(Factory(), GetParam());
}

TEST_P(ZerozeroExchangeTest, HostileAnswersAreSurvived) {
  provider::testing::CheckHostileAnswers(Factory(), GetParam());
}

TEST_P(ZerozeroExchangeTest, AnEchoedKeyIsMasked) {
  provider::testing::CheckEchoedKey(Factory(), GetParam());
}

TEST_P(ZerozeroExchangeTest, HostileInputStaysInTheBody) {
  provider::testing::CheckHostileInput(Factory(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Testdata, ZerozeroExchangeTest,
    ::testing::ValuesIn(provider::testing::LoadExchanges("providers/zerozero/testdata")),
    provider::testing::ExchangeName);

std::unique_ptr<const provider::Dialect> Make(const Options& options = {}) {
  auto dialect = Factory().create(options);
  EXPECT_TRUE(dialect.ok()) << dialect.status();
  return *std::move(dialect);
}

google::protobuf::Struct StructOf(const std::string& json) {
  google::protobuf::Struct value;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(json, &value).ok()) << json;
  return value;
}

std::vector<std::string> Faults(const provider::Dialect& dialect, UnitKind kind,
                                const std::string& options) {
  std::vector<std::string> fields;
  for (const auto& fault : dialect.CheckOptions(kind, StructOf(options))) {
    fields.push_back(fault.field);
  }
  return fields;
}

TEST(ZerozeroTest, AnEmptyPlatformIsAConfigFault) {
  Options options;
  options.set_platform("");
  EXPECT_THAT(Factory().create(options).status().message(), HasSubstr("platform"));
  options.set_platform("JIMENG\r\nX-Evil: 1");
  EXPECT_THAT(Factory().create(options).status().message(), HasSubstr("platform"));
}

TEST(ZerozeroTest, OnlyTheListedModelsHaveCapabilities) {
  const auto dialect = Make();
  EXPECT_THAT(dialect->models(), ElementsAre("seedance-2-0", "seedance-2-0-fast"));
  for (const std::string& model : dialect->models()) {
    const v1::Capabilities* const can = dialect->FindModel(model);
    ASSERT_NE(can, nullptr) << model;
    EXPECT_THAT(can->modes(),
                ElementsAre(v1::Capabilities::TEXT, v1::Capabilities::FIRST_FRAME,
                            v1::Capabilities::FIRST_AND_LAST_FRAME, v1::Capabilities::REFERENCES));
    EXPECT_TRUE(can->watermark().expressible());
    EXPECT_THAT(can->seed().implied(), ElementsAre(-1));
    EXPECT_FALSE(can->camera_fixed().expressible());
    EXPECT_THAT(can->camera_fixed().implied(), ElementsAre(false));
    EXPECT_FALSE(can->idempotent_submission());
    EXPECT_FALSE(can->can_cancel());
  }
  EXPECT_EQ(dialect->FindModel("seedance-2"), nullptr);
}

TEST(ZerozeroTest, TheLibraryHoldsImagesAndVideosInGroups) {
  const auto dialect = Make();
  const v1::AssetCapabilities& assets = dialect->traits().asset_capabilities;
  EXPECT_THAT(assets.media_types(), ElementsAre(v1::IMAGE, v1::VIDEO));
  EXPECT_EQ(assets.groups(), v1::AssetCapabilities::NATIVE);
  EXPECT_FALSE(dialect->EncodeDeleteAsset("{}").has_value());
}

TEST(ZerozeroTest, OptionsMayNotSetWhatTheGatewaySends) {
  const auto dialect = Make();
  EXPECT_THAT(Faults(*dialect, UnitKind::kAssetGroup, R"({"platform":"X","labels":{}})"),
              ElementsAre("platform"));
  EXPECT_THAT(Faults(*dialect, UnitKind::kAsset, R"({"url":"x","group_id":"y","extra":1})"),
              ElementsAre("group_id", "url"));
  EXPECT_THAT(Faults(*dialect, UnitKind::kVideo,
                     R"({"model":"m","Quality":"720","callback_url":"https://x","user":"u"})"),
              ElementsAre("Quality", "callback_url", "model"));
}

TEST(ZerozeroTest, UpstreamOptionsMayNotSetWhatTheGatewaySends) {
  const auto dialect = Make();
  EXPECT_THAT(Faults(*dialect, UnitKind::kVideo,
                     R"({"provider_options":{"seed":1,"lingjing":{"prompt":"x","ok":1}}})"),
              UnorderedElementsAre("provider_options.seed", "provider_options.lingjing.prompt"));
  EXPECT_THAT(Faults(*dialect, UnitKind::kVideo, R"({"provider_options":"x"})"),
              ElementsAre("provider_options"));
  EXPECT_THAT(Faults(*dialect, UnitKind::kVideo, R"({"provider_options":{"camera":"fixed"}})"),
              IsEmpty());
}

TEST(ZerozeroTest, CallersMaySetTheRouteOnlyWhereTheConfigDoesNot) {
  EXPECT_THAT(Faults(*Make(), UnitKind::kVideo, R"({"provider":"lingjing"})"), IsEmpty());
  Options options;
  options.set_route("lingjing");
  EXPECT_THAT(Faults(*Make(options), UnitKind::kVideo, R"({"provider":"other"})"),
              ElementsAre("provider"));
}

TEST(ZerozeroTest, LongNamesAreCutBetweenCharacters) {
  v1::AssetGroup group;
  group.set_name("assetGroups/g");
  std::string name;
  for (int i = 0; i < 100; ++i) name += "界";
  group.set_display_name(name);
  const auto request = Make()->EncodeSubmitGroup({.group = group, .options = {}});
  ASSERT_TRUE(request.ok());
  const auto body = base::ParseJson(request->body);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(base::JsonText(*body, "name").size(), 64u * 3);
}

TEST(ZerozeroTest, AnUnsupportedMediaTypeIsADefect) {
  const auto dialect = Make();
  v1::Asset asset;
  asset.set_media_type(v1::AUDIO);
  const google::protobuf::Struct none;
  EXPECT_FALSE(
      dialect
          ->EncodeSubmitAsset(
              {.asset = asset, .source_uri = "https://h/a", .group = "{}", .options = none})
          .ok());
  asset.set_media_type(v1::IMAGE);
  EXPECT_FALSE(dialect
                   ->EncodeSubmitAsset(
                       {.asset = asset, .source_uri = "https://h/a", .group = "", .options = none})
                   .ok())
      << "no group";
}

TEST(ZerozeroTest, EachUnitIsPolledInItsOwnCall) {
  const std::vector<provider::Handle> handles = {R"({"id":"a","platform":"JIMENG"})",
                                                 R"({"id":"b","platform":"BYTEPLUS"})"};
  const auto calls = Make()->EncodePoll(UnitKind::kAsset, handles);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].request.path, "/assets/a?platform=JIMENG");
  EXPECT_THAT(calls[0].units, ElementsAre(0));
  EXPECT_EQ(calls[1].request.path, "/assets/b?platform=BYTEPLUS");
  EXPECT_THAT(calls[1].units, ElementsAre(1));
}

TEST(ZerozeroTest, ACredentialWithoutAKeyAddsNoHeader) {
  http::Request request;
  Make()->Authorize(request, {}, {}, absl::UnixEpoch());
  EXPECT_THAT(request.headers, IsEmpty());
}

TEST(ZerozeroTest, AnAdoptedVideoIsPolledWithItsModel) {
  provider::testing::CheckAdoption(
      Factory(), "seedance-2-0", "vt-71c0", "/video/tasks/vt-71c0?model=seedance-2-0",
      {"vt-", "VT-71c0", "71c0", "Asset-9f8e7d6c5b4a3021", "group-0a1b2c3d4e5f6071"});
}

}  // namespace
}  // namespace assetgate::providers::zerozero
