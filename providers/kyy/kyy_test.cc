#include "providers/kyy/kyy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "assetgate/v1/video_task.pb.h"
#include "base/json.h"
#include "provider/rest.h"
#include "provider/testing/exchange_test.h"
#include "providers/kyy/options.pb.h"

namespace assetgate::providers::kyy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KyyExchangeTest : public ::testing::TestWithParam<provider::testing::Exchange> {};

TEST_P(KyyExchangeTest, IsAsDocumented) { provider::testing::CheckExchange(Factory(), GetParam()); }

TEST_P(KyyExchangeTest, HostileAnswersAreSurvived) {
  provider::testing::CheckHostileAnswers(Factory(), GetParam());
}

TEST_P(KyyExchangeTest, AnEchoedKeyIsMasked) {
  provider::testing::CheckEchoedKey(Factory(), GetParam());
}

TEST_P(KyyExchangeTest, HostileInputStaysInTheBody) {
  provider::testing::CheckHostileInput(Factory(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Testdata, KyyExchangeTest,
    ::testing::ValuesIn(provider::testing::LoadExchanges("providers/kyy/testdata")),
    provider::testing::ExchangeName);

class KyyTest : public ::testing::Test {
 protected:
  KyyTest() {
    auto made = Factory().create(Options());
    EXPECT_TRUE(made.ok());
    dialect_ = *std::move(made);
  }

  provider::PollResult Poll(provider::UnitKind kind, const std::string& body,
                            const std::string& id = "x-1") {
    const http::Response response{.status = 200, .headers = {}, .body = body};
    const provider::Handle handles[] = {provider::HandleOf(id)};
    return dialect_->DecodePoll(kind, response, handles);
  }

  std::unique_ptr<const provider::Dialect> dialect_;
};

TEST_F(KyyTest, TheFactoryMakesTheDialectThatItNames) {
  EXPECT_STREQ(Factory().name, "kyy");
  EXPECT_EQ(dialect_->traits().name, "kyy");
  EXPECT_NE(Factory().new_options(), nullptr);
}

TEST_F(KyyTest, ModelsWithoutProDemandAReferenceVideo) {
  EXPECT_THAT(dialect_->models(), ElementsAre("seedance_2_0", "seedance_2_0_fast",
                                              "seedance_2_0_fast_pro", "seedance_2_0_pro"));
  for (const char* const model : {"seedance_2_0", "seedance_2_0_fast"}) {
    const v1::Capabilities* can = dialect_->FindModel(model);
    ASSERT_NE(can, nullptr);
    EXPECT_EQ(can->min_reference_videos(), 1) << model;
    EXPECT_THAT(can->modes(), ElementsAre(v1::Capabilities::REFERENCES)) << model;
  }
  for (const char* const model : {"seedance_2_0_pro", "seedance_2_0_fast_pro"}) {
    const v1::Capabilities* can = dialect_->FindModel(model);
    ASSERT_NE(can, nullptr);
    EXPECT_EQ(can->min_reference_videos(), 0) << model;
    EXPECT_THAT(can->modes(),
                ElementsAre(v1::Capabilities::TEXT, v1::Capabilities::FIRST_FRAME,
                            v1::Capabilities::FIRST_AND_LAST_FRAME, v1::Capabilities::REFERENCES))
        << model;
  }
  EXPECT_EQ(dialect_->FindModel("seedance_2_0_PRO"), nullptr);
  EXPECT_EQ(dialect_->FindModel(""), nullptr);
}

TEST_F(KyyTest, FieldsThatTheProviderLacksAreNotExpressible) {
  const v1::Capabilities& can = *dialect_->FindModel("seedance_2_0_pro");
  EXPECT_TRUE(can.prompt_required());
  EXPECT_EQ(can.duration().min(), 4);
  EXPECT_EQ(can.duration().max(), 15);
  EXPECT_FALSE(can.resolution().expressible());
  EXPECT_EQ(can.resolution().implied_size(), 0);
  EXPECT_FALSE(can.seed().expressible());
  EXPECT_THAT(can.seed().implied(), ElementsAre(-1));
  EXPECT_FALSE(can.watermark().expressible());
  EXPECT_THAT(can.watermark().implied(), ElementsAre(false));
  EXPECT_FALSE(can.camera_fixed().expressible());
  EXPECT_THAT(can.camera_fixed().implied(), ElementsAre(false));
  EXPECT_FALSE(can.return_last_frame().expressible());
  EXPECT_THAT(can.return_last_frame().implied(), ElementsAre(false));
  EXPECT_FALSE(can.can_cancel());
  EXPECT_FALSE(can.idempotent_submission());
  EXPECT_TRUE(can.audio_needs_visual_reference());
}

TEST_F(KyyTest, UploadsHaveALongTimeout) {
  const provider::Traits& traits = dialect_->traits();
  EXPECT_EQ(traits.timeouts.submit_asset, absl::Seconds(150));
  EXPECT_EQ(traits.max_asset_submissions, 3);
}

TEST_F(KyyTest, GroupsAreKeptByTheGateway) {
  const provider::Traits& traits = dialect_->traits();
  EXPECT_EQ(traits.asset_capabilities.groups(), v1::AssetCapabilities::KEPT_BY_GATEWAY);
  EXPECT_TRUE(traits.asset_capabilities.can_delete());
  EXPECT_THAT(traits.asset_capabilities.media_types(),
              ElementsAre(v1::IMAGE, v1::VIDEO, v1::AUDIO, v1::DOCUMENT));
  EXPECT_EQ(traits.idempotency_window, absl::ZeroDuration());
  EXPECT_EQ(traits.video_lifetime, absl::Hours(24));
  v1::AssetGroup group;
  google::protobuf::Struct options;
  EXPECT_FALSE(dialect_->EncodeSubmitGroup({.group = group, .options = options}).ok());
}

TEST_F(KyyTest, OptionsMayNotSetWhatTheGatewaySends) {
  google::protobuf::Struct options;
  for (const char* const key :
       {"model", "PROMPT", "referenceVideos", "first_image", "callbackUrl"}) {
    (*options.mutable_fields())[key].set_string_value("x");
  }
  (*options.mutable_fields())["resolution"].set_string_value("720p");
  EXPECT_EQ(dialect_->CheckOptions(provider::UnitKind::kVideo, options).size(), 5u);

  google::protobuf::Struct none;
  EXPECT_TRUE(dialect_->CheckOptions(provider::UnitKind::kVideo, none).empty());
  EXPECT_TRUE(dialect_->CheckOptions(provider::UnitKind::kAssetGroup, none).empty());
}

TEST_F(KyyTest, OptionsOfAGroupAreRejected) {
  google::protobuf::Struct options;
  (*options.mutable_fields())["anything"].set_bool_value(true);
  const auto faults = dialect_->CheckOptions(provider::UnitKind::kAssetGroup, options);
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].field, "anything");
  EXPECT_THAT(faults[0].description, HasSubstr("no groups"));
}

TEST_F(KyyTest, EachUnitIsPolledInItsOwnCall) {
  const provider::Handle handles[] = {provider::HandleOf("a"), provider::HandleOf("b")};
  const auto calls = dialect_->EncodePoll(provider::UnitKind::kVideo, handles);
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].request.path, "/v1/result/a");
  EXPECT_THAT(calls[0].units, ElementsAre(0u));
  EXPECT_EQ(calls[1].request.path, "/v1/result/b");
  EXPECT_THAT(calls[1].units, ElementsAre(1u));
}

TEST_F(KyyTest, AnImpossibleReferenceIsADefectAndNotSent) {
  const v1::VideoTask task;
  const google::protobuf::Struct options;
  provider::VideoSubmission submission{.task = task,
                                       .provider_model = "seedance_2_0_pro",
                                       .references = {},
                                       .idempotency_key = "",
                                       .options = options};
  provider::ResolvedReference& reference = submission.references.emplace_back();
  reference.role = v1::Reference::REFERENCE;
  reference.media_type = v1::DOCUMENT;
  reference.uri = "https://cdn.acme.test/a.pdf";
  EXPECT_EQ(dialect_->EncodeSubmitVideo(submission).status().code(), absl::StatusCode::kInternal);
  reference.role = v1::Reference::FIRST_FRAME;
  reference.media_type = v1::VIDEO;
  EXPECT_EQ(dialect_->EncodeSubmitVideo(submission).status().code(), absl::StatusCode::kInternal);
}

struct Word {
  const char* word;
  provider::Observation::Progress progress;
};

TEST_F(KyyTest, EveryStateWordOfAnAssetIsRead) {
  using Progress = provider::Observation::Progress;
  for (const Word& word :
       {Word{"Processing", Progress::kRunning}, Word{"Active", Progress::kSucceeded},
        Word{"ACTIVE", Progress::kSucceeded}, Word{"Failed", Progress::kFailed},
        Word{"failed", Progress::kFailed}, Word{"rejected", Progress::kFailed},
        Word{"Error", Progress::kFailed}, Word{"deleted", Progress::kGone},
        Word{"EXPIRED", Progress::kGone}, Word{"submitted", Progress::kQueued},
        Word{"42", Progress::kRunning}}) {
    const auto result = Poll(provider::UnitKind::kAsset,
                             std::string(R"({"code":0,"data":{"status":")") + word.word + "\"}}");
    ASSERT_FALSE(result.trouble.has_value()) << word.word;
    ASSERT_EQ(result.news.size(), 1u);
    EXPECT_EQ(result.news[0].observation.progress, word.progress) << word.word;
    EXPECT_EQ(result.news[0].observation.provider_state, word.word);
  }
}

TEST_F(KyyTest, EveryStateWordOfATaskIsRead) {
  using Progress = provider::Observation::Progress;
  for (const Word& word :
       {Word{"queued", Progress::kQueued}, Word{"processing", Progress::kRunning},
        Word{"completed", Progress::kSucceeded}, Word{"COMPLETED", Progress::kSucceeded},
        Word{"failed", Progress::kFailed}, Word{"cancelled", Progress::kCancelled},
        Word{"canceled", Progress::kCancelled}, Word{"in_review", Progress::kRunning}}) {
    const auto result =
        Poll(provider::UnitKind::kVideo, std::string(R"({"id":"x-1","status":")") + word.word +
                                             R"(","video_url":"https://a.test/v.mp4"})");
    ASSERT_FALSE(result.trouble.has_value()) << word.word;
    ASSERT_EQ(result.news.size(), 1u);
    EXPECT_EQ(result.news[0].observation.progress, word.progress) << word.word;
    EXPECT_EQ(result.news[0].observation.video.has_value(), word.progress == Progress::kSucceeded);
  }
}

TEST_F(KyyTest, ASuccessWithoutALinkHasAMissingResult) {
  for (const char* const url :
       {"\"\"", "\"javascript:alert(1)\"", "\"/v.mp4\"", "17", "[\"v.mp4\"]", "null"}) {
    const auto result =
        Poll(provider::UnitKind::kVideo,
             std::string(R"({"id":"x-1","status":"completed","video_url":)") + url + "}");
    ASSERT_FALSE(result.trouble.has_value()) << url;
    const provider::Observation& seen = result.news[0].observation;
    EXPECT_EQ(seen.progress, provider::Observation::Progress::kSucceeded) << url;
    EXPECT_EQ(seen.result, provider::Observation::Result::kMissing) << url;
    EXPECT_FALSE(seen.video.has_value()) << url;
    EXPECT_THAT(seen.answer, ::testing::HasSubstr("completed"));
  }
}

TEST_F(KyyTest, ImpossibleFiguresAreLeftOut) {
  const auto result = Poll(provider::UnitKind::kVideo,
                           R"({"id":"x-1","status":"completed","video_url":"https://a.test/v.mp4",)"
                           R"("actualDuration":1e300,"totalTokens":-5})");
  ASSERT_FALSE(result.trouble.has_value());
  const provider::Observation& seen = result.news[0].observation;
  EXPECT_FALSE(seen.video->has_duration());
  EXPECT_FALSE(seen.usage.has_value());
  EXPECT_FALSE(seen.billing.has_value());
}

TEST_F(KyyTest, ABrokenHandlePollsNoExistingUnit) {
  const provider::Handle handles[] = {"", "[]", "not json"};
  for (const auto& call : dialect_->EncodePoll(provider::UnitKind::kAsset, handles)) {
    EXPECT_EQ(call.request.path, "/kyyVideo2/asset/");
  }
}

TEST_F(KyyTest, OnlyTheProvidersOwnWordsConfirmADeletion) {
  const auto decode = [&](int status, const char* body) {
    return dialect_->DecodeDeleteAsset({.status = status, .headers = {}, .body = body});
  };
  for (const char* const body : {R"({"code":0,"data":null})", R"({"code":"0"})",
                                 R"({"code":200,"msg":"success"})", R"({"code":-1,"msg":"x"})"}) {
    EXPECT_FALSE(decode(200, body).has_value()) << body;
  }
  EXPECT_FALSE(decode(404, R"({"code":404,"msg":"x"})").has_value());
  EXPECT_TRUE(decode(404, "<html>404</html>").has_value());
  EXPECT_TRUE(decode(200, R"({"code":500,"msg":"Read timed out"})").has_value());
  for (const char* const body :
       {R"({"code":-1,"msg":"删除失败"})", R"({"code":-1,"msg":"token invalid"})",
        R"({"code":-1,"msg":"素材正在使用中"})", R"({"code":-1,"msg":"余额不足"})",
        R"({"code":0,"success":false,"msg":"删除失败"})"}) {
    EXPECT_TRUE(decode(200, body).has_value()) << body;
  }
  EXPECT_TRUE(decode(302, "").has_value());
  EXPECT_TRUE(decode(403, "error code: 1010")->from_edge);
}

TEST_F(KyyTest, AnAdoptedVideoIsPolledByItsId) {
  provider::testing::CheckAdoption(
      Factory(), "seedance_2_0_pro", "video_5b1c9e70-2f44-4f0e-9a3c-0d8f6f1c2a77",
      "/v1/result/video_5b1c9e70-2f44-4f0e-9a3c-0d8f6f1c2a77",
      {"video_", "5b1c9e70-2f44-4f0e-9a3c-0d8f6f1c2a77", "asset-20260402091500-k7x2m", "proj_1"});
}

}  // namespace
}  // namespace assetgate::providers::kyy
