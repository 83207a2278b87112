#include "providers/apiframe/apiframe.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "google/protobuf/util/json_util.h"
#include "gtest/gtest.h"
#include "provider/testing/exchange_test.h"
#include "providers/apiframe/options.pb.h"

namespace assetgate::providers::apiframe {
namespace {

using provider::UnitKind;
using provider::testing::Exchange;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

class ApiframeExchangeTest : public ::testing::TestWithParam<Exchange> {};

TEST_P(ApiframeExchangeTest, IsAsDocumented) {
  provider::testing::CheckExchange(Factory(), GetParam());
}

TEST_P(ApiframeExchangeTest, HostileAnswersAreSurvived) {
  provider::testing::CheckHostileAnswers(Factory(), GetParam());
}

TEST_P(ApiframeExchangeTest, AnEchoedKeyIsMasked) {
  provider::testing::CheckEchoedKey(Factory(), GetParam());
}

TEST_P(ApiframeExchangeTest, HostileInputStaysInTheBody) {
  provider::testing::CheckHostileInput(Factory(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Testdata, ApiframeExchangeTest,
    ::testing::ValuesIn(provider::testing::LoadExchanges("providers/apiframe/testdata")),
    provider::testing::ExchangeName);

std::unique_ptr<const provider::Dialect> Make() {
  auto dialect = Factory().create(Options());
  EXPECT_TRUE(dialect.ok()) << dialect.status();
  return *std::move(dialect);
}

std::vector<std::string> Faults(UnitKind kind, const std::string& options) {
  google::protobuf::Struct value;
  EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(options, &value).ok()) << options;
  std::vector<std::string> fields;
  for (const auto& fault : Make()->CheckOptions(kind, value)) fields.push_back(fault.field);
  return fields;
}

struct ModelRow {
  const char* model;
  std::vector<std::string> resolutions;
  // Either a range or a list.
  std::int64_t min_duration;
  std::int64_t max_duration;
  std::vector<std::int64_t> durations;
  bool has_tall_ratio;
  bool has_adaptive;
  bool takes_references;
  bool mixes_frames_and_references;
};

class ApiframeModelTest : public ::testing::TestWithParam<ModelRow> {};

TEST_P(ApiframeModelTest, CapabilitiesFollowTheSchema) {
  const ModelRow& row = GetParam();
  const auto dialect = Make();
  EXPECT_THAT(dialect->models(), Contains(row.model));
  const v1::Capabilities* const can = dialect->FindModel(row.model);
  ASSERT_NE(can, nullptr);
  EXPECT_THAT(can->resolution().allowed(), ::testing::ElementsAreArray(row.resolutions));
  EXPECT_EQ(can->duration().min(), row.min_duration);
  EXPECT_EQ(can->duration().max(), row.max_duration);
  EXPECT_THAT(can->duration().allowed(), ::testing::ElementsAreArray(row.durations));
  const auto has = [&](const char* ratio) {
    const auto& allowed = can->aspect_ratio().allowed();
    return std::find(allowed.begin(), allowed.end(), ratio) != allowed.end();
  };
  EXPECT_TRUE(has("16:9"));
  EXPECT_EQ(has("9:21"), row.has_tall_ratio);
  EXPECT_EQ(has("adaptive"), row.has_adaptive);
  // By the live catalogue, which decides where it and the specification differ.
  const bool many = std::string(row.model) == "seedance-2.5";
  EXPECT_EQ(can->max_reference_images(), row.takes_references ? (many ? 30 : 9) : 0);
  EXPECT_EQ(can->max_reference_videos(), row.takes_references ? (many ? 10 : 3) : 0);
  EXPECT_EQ(can->max_reference_audios(), row.takes_references ? (many ? 10 : 3) : 0);
  EXPECT_EQ(can->return_last_frame().expressible(), row.takes_references);
  const auto mode = row.mixes_frames_and_references
                        ? ::testing::Matcher<google::protobuf::RepeatedField<int>>(
                              Contains(v1::Capabilities::FRAMES_AND_REFERENCES))
                        : Not(Contains(v1::Capabilities::FRAMES_AND_REFERENCES));
  EXPECT_THAT(can->modes(), mode);
  // Of all models:
  EXPECT_EQ(can->max_prompt_length(), 4000);
  EXPECT_TRUE(can->prompt_required());
  EXPECT_THAT(can->seed().implied(), ElementsAre(-1));
  EXPECT_FALSE(can->watermark().expressible());
  EXPECT_THAT(can->watermark().implied(), IsEmpty());
  EXPECT_TRUE(can->idempotent_submission());
  EXPECT_FALSE(can->can_cancel());
}

INSTANTIATE_TEST_SUITE_P(
    Models, ApiframeModelTest,
    ::testing::Values(
        ModelRow{
            "seedance-1-lite", {"480p", "720p", "1080p"}, 0, 0, {5, 10}, true, false, false, false},
        ModelRow{
            "seedance-1-pro", {"480p", "720p", "1080p"}, 0, 0, {5, 10}, true, false, false, false},
        ModelRow{"seedance-1-pro-fast",
                 {"480p", "720p", "1080p"},
                 0,
                 0,
                 {5, 10},
                 true,
                 false,
                 false,
                 false},
        ModelRow{"seedance-1.5-pro",
                 {"480p", "720p", "1080p"},
                 0,
                 0,
                 {4, 8, 12},
                 false,
                 false,
                 false,
                 false},
        ModelRow{"seedance-2", {"480p", "720p", "1080p", "4k"}, 4, 15, {}, false, true, true, true},
        ModelRow{"seedance-2-fast", {"480p", "720p"}, 4, 15, {}, false, true, true, true},
        ModelRow{"seedance-2-mini", {"480p", "720p"}, 4, 15, {}, false, true, true, true},
        ModelRow{
            "seedance-2.5", {"480p", "720p", "1080p", "4k"}, 4, 15, {}, false, true, true, false}),
    [](const auto& row) {
      std::string name = row.param.model;
      for (char& c : name) {
        if (c == '-' || c == '.') c = '_';
      }
      return name;
    });

TEST(ApiframeTest, OtherModelsAreUnknown) {
  EXPECT_EQ(Make()->models().size(), 8u);
  EXPECT_EQ(Make()->FindModel("seedance-2-0"), nullptr);
  EXPECT_EQ(Make()->FindModel(""), nullptr);
}

TEST(ApiframeTest, TheLibraryHasNoGroupsAndNoDeletion) {
  const auto dialect = Make();
  const v1::AssetCapabilities& assets = dialect->traits().asset_capabilities;
  EXPECT_THAT(assets.media_types(), ElementsAre(v1::IMAGE, v1::VIDEO, v1::AUDIO));
  EXPECT_EQ(assets.groups(), v1::AssetCapabilities::KEPT_BY_GATEWAY);
  EXPECT_FALSE(assets.can_delete());
  EXPECT_FALSE(dialect->EncodeDeleteAsset("{}").has_value());
  const v1::AssetGroup group;
  EXPECT_FALSE(dialect->EncodeSubmitGroup({.group = group, .options = {}}).ok());
}

TEST(ApiframeTest, UnknownKeysAreRejectedBeforeTheProviderDoes) {
  EXPECT_THAT(Faults(UnitKind::kAsset, R"({"name":"x","url":"y"})"), ElementsAre("name", "url"));
  EXPECT_THAT(Faults(UnitKind::kAssetGroup, R"({"name":"x"})"), ElementsAre("name"));
  EXPECT_THAT(Faults(UnitKind::kVideo, R"({"user":"u","prompt":"p","webhookUrl":"https://x"})"),
              ElementsAre("prompt", "user", "webhookUrl"));
  EXPECT_THAT(Faults(UnitKind::kVideo,
                     R"({"seedanceParams":{"seed":1,"watermark":false,"web_search":true}})"),
              ElementsAre("seedanceParams.seed", "seedanceParams.watermark"));
}

TEST(ApiframeTest, CallersMaySetWebSearchOnly) {
  EXPECT_THAT(Faults(UnitKind::kVideo, R"({"seedanceParams":{"web_search":true}})"), IsEmpty());
  EXPECT_THAT(Faults(UnitKind::kVideo, R"({"seedanceParams":{"web_search":"yes"}})"),
              ElementsAre("seedanceParams.web_search"));
  EXPECT_THAT(Faults(UnitKind::kVideo, R"({"seedanceParams":true})"),
              ElementsAre("seedanceParams"));
  EXPECT_THAT(Faults(UnitKind::kVideo, "{}"), IsEmpty());
}

TEST(ApiframeTest, ADocumentCanNeitherBeRegisteredNorReferredTo) {
  const auto dialect = Make();
  v1::Asset asset;
  asset.set_media_type(v1::DOCUMENT);
  const google::protobuf::Struct none;
  EXPECT_FALSE(dialect
                   ->EncodeSubmitAsset(
                       {.asset = asset, .source_uri = "https://h/a", .group = "", .options = none})
                   .ok());
  const v1::VideoTask task;
  EXPECT_FALSE(dialect
                   ->EncodeSubmitVideo({.task = task,
                                        .provider_model = "seedance-2",
                                        .references = {{.role = v1::Reference::FIRST_FRAME,
                                                        .media_type = v1::VIDEO,
                                                        .uri = "https://h/v"}},
                                        .idempotency_key = "k",
                                        .options = none})
                   .ok());
}

TEST(ApiframeTest, TheKeyGoesIntoItsOwnHeader) {
  http::Request request;
  Make()->Authorize(request, {}, {}, absl::UnixEpoch());
  EXPECT_THAT(request.headers, IsEmpty());
  provider::Credential credential{.id = "c", .secrets = {}};
  credential.secrets["api_key"] = base::Secret("afk_1");
  Make()->Authorize(request, {}, credential, absl::UnixEpoch());
  ASSERT_EQ(request.headers.size(), 1u);
  EXPECT_EQ(request.headers[0].name, "X-API-Key");
  EXPECT_EQ(request.headers[0].value, "afk_1");
}

TEST(ApiframeTest, TheIdOfAJobHasOneCanonicalSpelling) {
  EXPECT_EQ(Make()->CanonicalVideoId("5F0C1D2E-3a4b-4c5d-8E6F-708192A3B4C5"),
            "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5");
}

TEST(ApiframeTest, AnAdoptedJobIsPolledByItsUuidInAnyCase) {
  for (const char* const id :
       {"5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5", "5F0C1D2E-3A4B-4C5D-8E6F-708192A3B4C5"}) {
    provider::testing::CheckAdoption(
        Factory(), "seedance-2", id, "/jobs/5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5",
        {"5f0c1d2e3a4b4c5d8e6f708192a3b4c5", "k3v9q0z7m2", "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4cg",
         "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c"});
  }
}

}  // namespace
}  // namespace assetgate::providers::apiframe
