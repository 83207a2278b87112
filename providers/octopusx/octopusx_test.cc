#include "providers/octopusx/octopusx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "provider/testing/exchange_test.h"
#include "providers/octopusx/handle.h"
#include "providers/octopusx/options.pb.h"

namespace assetgate::providers::octopusx {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Progress = provider::Observation::Progress;

class OctopusxExchangeTest : public ::testing::TestWithParam<provider::testing::Exchange> {};

TEST_P(OctopusxExchangeTest, IsAsDocumented) {
  provider::testing::CheckExchange(Factory(), GetParam());
}

TEST_P(OctopusxExchangeTest, HostileAnswersAreSurvived) {
  provider::testing::CheckHostileAnswers(Factory(), GetParam());
}

TEST_P(OctopusxExchangeTest, AnEchoedKeyIsMasked) {
  provider::testing::CheckEchoedKey(Factory(), GetParam());
}

TEST_P(OctopusxExchangeTest, HostileInputStaysInTheBody) {
  provider::testing::CheckHostileInput(Factory(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Testdata, OctopusxExchangeTest,
    ::testing::ValuesIn(provider::testing::LoadExchanges("providers/octopusx/testdata")),
    provider::testing::ExchangeName);

class OctopusxTest : public ::testing::Test {
 protected:
  OctopusxTest() {
    auto made = Factory().create(Options());
    EXPECT_TRUE(made.ok());
    dialect_ = *std::move(made);
  }

  provider::PollResult Poll(provider::UnitKind kind, const std::string& body) {
    const http::Response response{.status = 200, .headers = {}, .body = body};
    const provider::Handle handles[] = {MakeHandle({.id = "asset-1", .task_id = "task-1"})};
    return dialect_->DecodePoll(kind, response, handles);
  }

  std::unique_ptr<const provider::Dialect> dialect_;
};

google::protobuf::Value Number(double number) {
  google::protobuf::Value value;
  value.set_number_value(number);
  return value;
}

google::protobuf::Value Text(const char* text) {
  google::protobuf::Value value;
  value.set_string_value(text);
  return value;
}

TEST_F(OctopusxTest, TheFactoryMakesTheDialectThatItNames) {
  EXPECT_STREQ(Factory().name, "octopusx");
  EXPECT_EQ(dialect_->traits().name, "octopusx");
  EXPECT_NE(Factory().new_options(), nullptr);
}

TEST_F(OctopusxTest, AssetsBelongToGroupsOfTheProvider) {
  const v1::AssetCapabilities& assets = dialect_->traits().asset_capabilities;
  EXPECT_EQ(assets.groups(), v1::AssetCapabilities::NATIVE);
  EXPECT_TRUE(assets.https_only());
  EXPECT_FALSE(assets.can_delete());
  EXPECT_THAT(assets.media_types(), ElementsAre(v1::IMAGE, v1::VIDEO, v1::AUDIO));
  EXPECT_EQ(dialect_->traits().video_lifetime, absl::Hours(12));
  EXPECT_EQ(dialect_->traits().idempotency_window, absl::ZeroDuration());
  EXPECT_FALSE(dialect_->EncodeDeleteAsset("{}").has_value());
}

TEST_F(OctopusxTest, OnlyTheStandardModelMakes1080p) {
  EXPECT_THAT(dialect_->models(),
              ElementsAre("doubao-seedance-2-0-260128", "doubao-seedance-2-0-fast-260128"));
  EXPECT_THAT(dialect_->FindModel("doubao-seedance-2-0-260128")->resolution().allowed(),
              ElementsAre("480p", "720p", "1080p"));
  EXPECT_THAT(dialect_->FindModel("doubao-seedance-2-0-fast-260128")->resolution().allowed(),
              ElementsAre("480p", "720p"));
  EXPECT_EQ(dialect_->FindModel("doubao-seedance-1-0"), nullptr);
}

TEST_F(OctopusxTest, EveryGenerationFieldGoesOverTheWire) {
  for (const std::string& model : dialect_->models()) {
    const v1::Capabilities& can = *dialect_->FindModel(model);
    EXPECT_THAT(can.modes(),
                ElementsAre(v1::Capabilities::TEXT, v1::Capabilities::FIRST_FRAME,
                            v1::Capabilities::FIRST_AND_LAST_FRAME, v1::Capabilities::REFERENCES));
    EXPECT_TRUE(can.duration().expressible());
    EXPECT_EQ(can.duration().min(), 4);
    EXPECT_EQ(can.duration().max(), 15);
    EXPECT_THAT(can.duration().implied(), ElementsAre(-1));
    EXPECT_TRUE(can.aspect_ratio().expressible());
    EXPECT_TRUE(can.generate_audio().expressible());
    EXPECT_TRUE(can.watermark().expressible());
    EXPECT_TRUE(can.seed().expressible());
    EXPECT_TRUE(can.camera_fixed().expressible());
    EXPECT_TRUE(can.return_last_frame().expressible());
    EXPECT_TRUE(can.https_only());
    EXPECT_FALSE(can.idempotent_submission());
    EXPECT_FALSE(can.can_cancel());
  }
}

TEST_F(OctopusxTest, OptionsMayNotReplaceTheTask) {
  google::protobuf::Struct options;
  auto& fields = *options.mutable_fields();
  for (const char* const key : {"model", "Content", "prompt", "images", "callback_url",
                                "CallbackURL", "duration", "ratio", "seed", "metadata"}) {
    fields[key] = Text("x");
  }
  EXPECT_EQ(dialect_->CheckOptions(provider::UnitKind::kVideo, options).size(), 10u);
}

TEST_F(OctopusxTest, DocumentedOptionsMustHaveTheirTypes) {
  google::protobuf::Struct options;
  auto& fields = *options.mutable_fields();
  fields["frames"] = Number(57);
  fields["service_tier"] = Text("default");
  fields["execution_expires_after"] = Number(3600);
  fields["draft"].set_bool_value(true);
  fields["priority"] = Number(3);
  EXPECT_THAT(dialect_->CheckOptions(provider::UnitKind::kVideo, options), IsEmpty());

  fields["frames"] = Number(57.5);
  fields["service_tier"] = Number(1);
  fields["execution_expires_after"] = Number(3599);
  fields["draft"] = Text("true");
  const auto faults = dialect_->CheckOptions(provider::UnitKind::kVideo, options);
  ASSERT_EQ(faults.size(), 4u);
  EXPECT_EQ(faults[0].field, "draft");
  EXPECT_EQ(faults[1].field, "execution_expires_after");
  EXPECT_THAT(faults[1].description, HasSubstr("3600 to 259200"));
  EXPECT_EQ(faults[2].field, "frames");
  EXPECT_EQ(faults[3].field, "service_tier");
}

TEST_F(OctopusxTest, UnsupportedFieldsAreRejectedAndNotDropped) {
  google::protobuf::Struct options;
  (*options.mutable_fields())["GroupType"] = Text("AIGC");
  (*options.mutable_fields())["ProjectName"] = Text("default");
  (*options.mutable_fields())["Name"] = Text("x");
  (*options.mutable_fields())["Tags"] = Text("x");
  EXPECT_EQ(dialect_->CheckOptions(provider::UnitKind::kAssetGroup, options).size(), 3u);
  EXPECT_EQ(dialect_->CheckOptions(provider::UnitKind::kAsset, options).size(), 2u);
}

TEST_F(OctopusxTest, GroupsAreNeverPolled) {
  const provider::Handle handles[] = {MakeHandle({.id = "group-1", .task_id = ""})};
  EXPECT_THAT(dialect_->EncodePoll(provider::UnitKind::kAssetGroup, handles), IsEmpty());
}

TEST_F(OctopusxTest, AnAssetWithoutAGroupIsADefectAndNotSent) {
  v1::Asset asset;
  asset.set_media_type(v1::IMAGE);
  const google::protobuf::Struct options;
  for (const char* const group : {"", "{}", "[]", "not json", R"({"task_id": "t"})"}) {
    EXPECT_EQ(dialect_
                  ->EncodeSubmitAsset({.asset = asset,
                                       .source_uri = "https://cdn.acme.test/a.png",
                                       .group = group,
                                       .options = options})
                  .status()
                  .code(),
              absl::StatusCode::kInternal)
        << group;
  }
}

TEST_F(OctopusxTest, AnImpossibleReferenceIsADefectAndNotSent) {
  const v1::VideoTask task;
  const google::protobuf::Struct options;
  provider::VideoSubmission submission{.task = task,
                                       .provider_model = "doubao-seedance-2-0-260128",
                                       .references = {},
                                       .idempotency_key = "",
                                       .options = options};
  provider::ResolvedReference& reference = submission.references.emplace_back();
  reference.uri = "https://cdn.acme.test/a.pdf";
  reference.role = v1::Reference::REFERENCE;
  reference.media_type = v1::DOCUMENT;
  EXPECT_EQ(dialect_->EncodeSubmitVideo(submission).status().code(), absl::StatusCode::kInternal);
  reference.role = v1::Reference::LAST_FRAME;
  reference.media_type = v1::AUDIO;
  EXPECT_EQ(dialect_->EncodeSubmitVideo(submission).status().code(), absl::StatusCode::kInternal);
}

struct Word {
  const char* word;
  Progress progress;
};

TEST_F(OctopusxTest, EveryStateWordOfATaskIsRead) {
  for (const Word& word :
       {Word{"SUBMITTED", Progress::kQueued}, Word{"NOT_START", Progress::kQueued},
        Word{"QUEUED", Progress::kQueued}, Word{"pending", Progress::kQueued},
        Word{"IN_PROGRESS", Progress::kRunning}, Word{"processing", Progress::kRunning},
        Word{"running", Progress::kRunning}, Word{"SUCCESS", Progress::kSucceeded},
        Word{"Success", Progress::kSucceeded}, Word{"succeeded", Progress::kSucceeded},
        Word{"completed", Progress::kSucceeded}, Word{"FAILURE", Progress::kFailed},
        Word{"failed", Progress::kFailed}, Word{"expired", Progress::kFailed},
        Word{"cancelled", Progress::kCancelled}, Word{"canceled", Progress::kCancelled},
        Word{"RENDERING", Progress::kRunning}}) {
    const auto result = Poll(provider::UnitKind::kVideo,
                             absl::StrCat(R"j({"code":"success","data":{"status":")j", word.word,
                                          R"j(","url":"https://a.test/v.mp4"}})j"));
    ASSERT_FALSE(result.trouble.has_value()) << word.word;
    ASSERT_EQ(result.news.size(), 1u);
    EXPECT_EQ(result.news[0].observation.progress, word.progress) << word.word;
    EXPECT_EQ(result.news[0].observation.provider_state, word.word);
    EXPECT_EQ(result.news[0].observation.video.has_value(), word.progress == Progress::kSucceeded);
  }
}

TEST_F(OctopusxTest, EveryStateWordOfAnAssetIsRead) {
  for (const Word& word :
       {Word{"Processing", Progress::kRunning}, Word{"Active", Progress::kSucceeded},
        Word{"active", Progress::kSucceeded}, Word{"Failed", Progress::kFailed},
        Word{"FAILED", Progress::kFailed}, Word{"Transcoding", Progress::kRunning}}) {
    const auto result = Poll(
        provider::UnitKind::kAsset,
        absl::StrCat(R"j({"state":1,"data":{"Status":")j", word.word, R"j("},"error":null})j"));
    ASSERT_FALSE(result.trouble.has_value()) << word.word;
    EXPECT_EQ(result.news[0].observation.progress, word.progress) << word.word;
  }
}

TEST_F(OctopusxTest, ProgressIsReadFromTextOrNumberWithinItsRange) {
  const auto percent = [&](const std::string& progress) {
    const auto result =
        Poll(provider::UnitKind::kVideo,
             absl::StrCat(R"j({"code":"success","data":{"status":"IN_PROGRESS","progress":)j",
                          progress, "}}"));
    EXPECT_EQ(result.news.size(), 1u) << progress;
    return result.news[0].observation.progress_percent;
  };
  EXPECT_EQ(percent(R"("10%")"), 10);
  EXPECT_EQ(percent(R"("10")"), 10);
  EXPECT_EQ(percent("10"), 10);
  EXPECT_EQ(percent("99.9"), 99);
  EXPECT_EQ(percent(R"("1e9%")"), 100);
  EXPECT_EQ(percent("-5"), 0);
  EXPECT_EQ(percent(R"("%")"), std::nullopt);
  EXPECT_EQ(percent(R"("nan%")"), std::nullopt);
  EXPECT_EQ(percent(R"("half")"), std::nullopt);
  EXPECT_EQ(percent("null"), std::nullopt);
  EXPECT_EQ(percent("[10]"), std::nullopt);
  EXPECT_EQ(percent("0.45"), 45) << "a fraction of one";
  EXPECT_EQ(percent(R"("0.45%")"), 0) << "less than one part of a hundred";
}

TEST_F(OctopusxTest, ImpossibleFiguresAreLeftOut) {
  const auto result =
      Poll(provider::UnitKind::kVideo,
           R"j({"code":"success","data":{"status":"SUCCESS","data":{"duration":-5,)j"
           R"j("framespersecond":1e300,"seed":0.5,"resolution":["720p"],)j"
           R"j("content":{"video_url":"https://a.test/v.mp4","last_frame_url":"x"},)j"
           R"j("usage":{"total_tokens":-1,"completion_tokens":"many"}}}})j");
  ASSERT_FALSE(result.trouble.has_value());
  const provider::Observation& seen = result.news[0].observation;
  v1::Video expected;
  expected.set_uri("https://a.test/v.mp4");
  EXPECT_EQ(seen.video->SerializeAsString(), expected.SerializeAsString());
  EXPECT_FALSE(seen.usage.has_value());
  EXPECT_FALSE(seen.billing.has_value());
}

TEST(HandleTest, BothIdsAreKept) {
  const provider::Handle handle = MakeHandle({.id = "asset-1", .task_id = "task-1"});
  EXPECT_EQ(handle, R"({"id":"asset-1","task_id":"task-1"})");
  EXPECT_EQ(IdsOf(handle).id, "asset-1");
  EXPECT_EQ(IdsOf(handle).task_id, "task-1");
  EXPECT_EQ(IdsOf("not json").id, "");
}

TEST_F(OctopusxTest, AnAdoptedVideoIsPolledByItsId) {
  for (const char* const id : {"cgt-20260402093000-p3w8d", "task_8fQ2mT0c"}) {
    provider::testing::CheckAdoption(
        Factory(), "doubao-seedance-2-0-260128", id, absl::StrCat("/v1/video/generations/", id),
        {"asset-20260402091500-k7x2m", "asset://asset-20260402091500-k7x2m",
         "group-20260402091400-h4t9z"});
  }
}

}  // namespace
}  // namespace assetgate::providers::octopusx
