#include "calls/validate.h"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ResultOf;
using testing::UnorderedElementsAre;

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> fields;
  const google::rpc::Status proto = base::ToRpcStatus(status);
  for (const auto& detail : proto.details()) {
    google::rpc::BadRequest bad;
    if (!detail.UnpackTo(&bad)) continue;
    for (const auto& violation : bad.field_violations()) fields.push_back(violation.field());
  }
  return fields;
}

class ValidateTest : public testing::Test {
 protected:
  template <typename Request>
  std::vector<std::string> Check(const Request& request) {
    base::Faults faults;
    if constexpr (std::is_same_v<Request, v1::CreateAssetRequest>) {
      unknown_ = Validate(request, *harness_.catalog(), "", faults);
    } else {
      if constexpr (std::is_same_v<Request, v1::CreateAssetRequest>) {
        unknown_ = Validate(request, *harness_.catalog(), "", faults);
      } else {
        unknown_ = Validate(request, *harness_.catalog(), faults);
      }
    }
    const absl::Status status = faults.ToStatus();
    if (!status.ok()) {
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(base::ReasonOf(status), v1::INVALID_FIELD);
    }
    return FieldsOf(status);
  }

  reconcile::Harness harness_;
  absl::Status unknown_;
};

TEST_F(ValidateTest, GoodRequestsAreFine) {
  EXPECT_THAT(Check(reconcile::Harness::Asset("hero", {"alpha", "beta"})), IsEmpty());
  EXPECT_THAT(Check(reconcile::Harness::Video("fox")), IsEmpty());
  v1::CreateAssetGroupRequest group;
  group.mutable_asset_group();
  EXPECT_THAT(Check(group), IsEmpty());
}

TEST_F(ValidateTest, AllFaultsOfAnAssetAreToldAtOnce) {
  v1::CreateAssetRequest request;
  request.mutable_asset()->set_source_uri("http://127.0.0.1/a.png");
  request.mutable_asset()->set_display_name(std::string(257, 'x'));
  request.mutable_asset()->set_asset_group("groups/cast");
  (*request.mutable_asset()->mutable_labels())["Bad Key"] = "v";
  request.set_asset_id("Hero!");
  request.set_request_id(std::string(129, 'r'));
  request.mutable_max_wait()->set_seconds(61);
  (*request.mutable_asset()->mutable_provider_options())["gamma"];
  request.add_providers("what is this");
  EXPECT_THAT(Check(request),
              UnorderedElementsAre("asset.source_uri", "asset.media_type", "asset.display_name",
                                   "asset.asset_group", "asset.labels", "asset_id", "request_id",
                                   "max_wait", "asset.provider_options[gamma]", "providers[0]"));
}

TEST_F(ValidateTest, AllFaultsOfATaskAreToldAtOnce) {
  v1::CreateVideoTaskRequest request;
  v1::VideoTask& task = *request.mutable_video_task();
  task.set_prompt(std::string(10'001, 'x'));
  task.mutable_duration()->set_seconds(0);
  task.set_resolution("");
  auto* no_source = task.add_references();
  no_source->set_role(v1::Reference::REFERENCE);
  auto* no_role = task.add_references();
  no_role->set_uri("assets/hero");
  no_role->set_media_type(v1::IMAGE);
  auto* lonely_end = task.add_references();
  lonely_end->set_role(v1::Reference::LAST_FRAME);
  lonely_end->set_uri("https://example.com/a.mp4");
  lonely_end->set_media_type(v1::VIDEO);
  auto* wrong_name = task.add_references();
  wrong_name->set_role(v1::Reference::REFERENCE);
  wrong_name->set_asset("hero");
  auto& options = (*task.mutable_provider_options())["alpha"];
  (*options.mutable_fields())["model"].set_string_value("mine");
  EXPECT_THAT(
      Check(request),
      UnorderedElementsAre("video_task.model", "video_task.prompt", "video_task.duration",
                           "video_task.resolution", "video_task.references[0]",
                           "video_task.references[1].role", "video_task.references[1].uri",
                           "video_task.references[2].media_type", "video_task.references[3].asset",
                           "video_task.references", "video_task.provider_options[alpha].model"));
}

TEST_F(ValidateTest, EmptyRequestsNameWhatIsMissing) {
  EXPECT_THAT(Check(v1::CreateAssetRequest()), ElementsAre("asset"));
  EXPECT_THAT(Check(v1::CreateVideoTaskRequest()), ElementsAre("video_task"));
  EXPECT_THAT(Check(v1::CreateAssetGroupRequest()), ElementsAre("asset_group"));
  EXPECT_THAT(Check(v1::BatchCreateAssetsRequest()), ElementsAre("requests"));
}

TEST_F(ValidateTest, UnknownProviderIsNotFoundWithTheKnownOnes) {
  EXPECT_THAT(Check(reconcile::Harness::Asset("hero", {"alhpa"})), IsEmpty());
  EXPECT_EQ(unknown_.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown_.message()), HasSubstr("nearest first: providers/alpha"));
}

TEST_F(ValidateTest, ItemsOfABatchAreNamedByTheirPlace) {
  v1::BatchCreateAssetsRequest batch;
  *batch.add_requests() = reconcile::Harness::Asset("a", {});
  *batch.add_requests() = reconcile::Harness::Asset("a", {});
  batch.mutable_requests(1)->mutable_asset()->set_source_uri("/tmp/a.png");
  batch.mutable_requests(1)->set_request_id("r");
  EXPECT_THAT(Check(batch),
              UnorderedElementsAre("requests[1].asset_id", "requests[1].asset.source_uri",
                                   "requests[1].request_id"));
  batch.clear_requests();
  for (int i = 0; i < 101; ++i) *batch.add_requests() = reconcile::Harness::Asset(absl::StrCat("a-", i), {});
  EXPECT_THAT(Check(batch), ElementsAre("requests"));
}

TEST_F(ValidateTest, MediaThatAProviderDoesNotRegisterAreRefusedForIt) {
  v1::CreateAssetRequest request = reconcile::Harness::Asset("song", {"alpha"});
  request.mutable_asset()->set_media_type(v1::AUDIO);
  EXPECT_THAT(Check(request), ElementsAre("asset.media_type"));
  request.clear_providers();
  EXPECT_THAT(Check(request), IsEmpty());
  request.mutable_asset()->set_media_type(static_cast<v1::MediaType>(17));
  EXPECT_THAT(Check(request), ElementsAre("asset.media_type"));
}

TEST_F(ValidateTest, IdsOfTheGatewaysOwnGroupsAreKept) {
  v1::CreateAssetGroupRequest request;
  request.mutable_asset_group();
  request.set_asset_group_id("default-alpha");
  EXPECT_THAT(Check(request), ElementsAre("asset_group_id"));
}

// --- What a target can express

struct Shape {
  const char* what;
  std::vector<std::pair<v1::Reference::Role, v1::MediaType>> references;
  v1::Capabilities::Mode mode;
};

class InexpressibleTest : public testing::Test {
 protected:
  InexpressibleTest() {
    for (const auto mode : {v1::Capabilities::TEXT, v1::Capabilities::FIRST_FRAME,
                            v1::Capabilities::FIRST_AND_LAST_FRAME, v1::Capabilities::REFERENCES,
                            v1::Capabilities::FRAMES_AND_REFERENCES}) {
      can_.add_modes(mode);
    }
    can_.set_max_reference_images(2);
    can_.set_max_reference_videos(1);
    can_.set_max_reference_audios(1);
  }

  void Refer(v1::Reference::Role role, v1::MediaType type,
             const char* uri = "https://example.com/a") {
    auto* reference = task_.add_references();
    reference->set_role(role);
    reference->set_uri(uri);
    reference->set_media_type(type);
  }

  std::vector<std::string> Texts() {
    const model::Target target{harness_.catalog()->FindProvider("alpha"), "video-1", 0, 1, &can_};
    std::vector<v1::MediaType> media;
    for (const auto& reference : task_.references()) media.push_back(reference.media_type());
    std::vector<std::string> texts;
    for (const auto& [field, text] : Inexpressible(task_, media, target)) texts.push_back(text);
    return texts;
  }
  std::vector<std::string> Fields() {
    const model::Target target{harness_.catalog()->FindProvider("alpha"), "video-1", 0, 1, &can_};
    std::vector<v1::MediaType> media;
    for (const auto& reference : task_.references()) media.push_back(reference.media_type());
    std::vector<std::string> fields;
    for (const auto& [field, text] : Inexpressible(task_, media, target)) fields.push_back(field);
    return fields;
  }

  reconcile::Harness harness_;
  v1::VideoTask task_;
  v1::Capabilities can_;
};

TEST_F(InexpressibleTest, EveryModeHasToBeThere) {
  using Reference = v1::Reference;
  for (const Shape& shape : std::vector<Shape>{
           {"prompt alone", {}, v1::Capabilities::TEXT},
           {"first", {{Reference::FIRST_FRAME, v1::IMAGE}}, v1::Capabilities::FIRST_FRAME},
           {"both",
            {{Reference::FIRST_FRAME, v1::IMAGE}, {Reference::LAST_FRAME, v1::IMAGE}},
            v1::Capabilities::FIRST_AND_LAST_FRAME},
           {"references", {{Reference::REFERENCE, v1::IMAGE}}, v1::Capabilities::REFERENCES},
           {"mixed",
            {{Reference::FIRST_FRAME, v1::IMAGE}, {Reference::REFERENCE, v1::IMAGE}},
            v1::Capabilities::FRAMES_AND_REFERENCES},
       }) {
    SCOPED_TRACE(shape.what);
    task_.Clear();
    for (const auto& [role, type] : shape.references) Refer(role, type);
    EXPECT_THAT(Fields(), IsEmpty());
    const v1::Capabilities all = can_;
    can_.clear_modes();
    for (const int mode : all.modes()) {
      if (mode != shape.mode) can_.add_modes(static_cast<v1::Capabilities::Mode>(mode));
    }
    EXPECT_THAT(Fields(), ElementsAre("video_task.references"));
    can_ = all;
  }
}

TEST_F(InexpressibleTest, ReferencesAreCountedByType) {
  for (int i = 0; i < 3; ++i) Refer(v1::Reference::REFERENCE, v1::IMAGE);
  for (int i = 0; i < 2; ++i) Refer(v1::Reference::REFERENCE, v1::VIDEO);
  Refer(v1::Reference::REFERENCE, v1::AUDIO);
  EXPECT_THAT(Fields(), ElementsAre("video_task.references", "video_task.references"));
}

TEST_F(InexpressibleTest, ModelThatNeedsAVideoSaysSo) {
  can_.set_min_reference_videos(1);
  Refer(v1::Reference::REFERENCE, v1::IMAGE);
  EXPECT_THAT(Fields(), ElementsAre("video_task.references"));
  Refer(v1::Reference::REFERENCE, v1::VIDEO);
  EXPECT_THAT(Fields(), IsEmpty());
}

TEST_F(InexpressibleTest, AudioCanNeedCompany) {
  can_.set_audio_needs_visual_reference(true);
  Refer(v1::Reference::REFERENCE, v1::AUDIO);
  EXPECT_THAT(Fields(), ElementsAre("video_task.references"));
  Refer(v1::Reference::REFERENCE, v1::IMAGE);
  EXPECT_THAT(Fields(), IsEmpty());
}

TEST_F(InexpressibleTest, PlainHttpIsRefusedWhereOnlyHttpsIsFetched) {
  can_.set_https_only(true);
  Refer(v1::Reference::REFERENCE, v1::IMAGE, "http://example.com/a.png");
  EXPECT_THAT(Fields(), ElementsAre("video_task.references[0].uri"));
}

TEST_F(InexpressibleTest, UnsetFieldsAreAlwaysExpressible) { EXPECT_THAT(Fields(), IsEmpty()); }

TEST_F(InexpressibleTest, SetFieldsAreNotWhereNothingIsDeclared) {
  task_.mutable_duration()->set_seconds(5);
  task_.set_resolution("720p");
  task_.set_aspect_ratio("16:9");
  task_.set_generate_audio(false);
  task_.set_watermark(false);
  task_.set_seed(0);
  task_.set_camera_fixed(false);
  task_.set_return_last_frame(false);
  EXPECT_THAT(Fields(),
              UnorderedElementsAre("video_task.duration", "video_task.resolution",
                                   "video_task.aspect_ratio", "video_task.generate_audio",
                                   "video_task.watermark", "video_task.seed",
                                   "video_task.camera_fixed", "video_task.return_last_frame"));
}

TEST_F(InexpressibleTest, ImpliedValuesAreExpressible) {
  can_.mutable_watermark()->add_implied(false);
  can_.mutable_seed()->add_implied(-1);
  can_.mutable_resolution()->add_implied("720p");
  task_.set_watermark(false);
  task_.set_seed(-1);
  task_.set_resolution("720p");
  EXPECT_THAT(Fields(), IsEmpty());
  task_.set_watermark(true);
  task_.set_seed(0);
  task_.set_resolution("1080p");
  EXPECT_THAT(Fields(), UnorderedElementsAre("video_task.watermark", "video_task.seed",
                                             "video_task.resolution"));
}

TEST_F(InexpressibleTest, ValuesHaveToBeInTheirRange) {
  can_.mutable_duration()->set_expressible(true);
  can_.mutable_duration()->set_min(4);
  can_.mutable_duration()->set_max(12);
  can_.mutable_duration()->add_implied(-1);
  for (const auto& [seconds, good] : std::vector<std::pair<int, bool>>{
           {3, false}, {4, true}, {12, true}, {13, false}, {-1, true}}) {
    task_.mutable_duration()->set_seconds(seconds);
    EXPECT_EQ(Fields().empty(), good) << seconds;
  }
  can_.mutable_duration()->add_allowed(5);
  can_.mutable_duration()->add_allowed(10);
  task_.mutable_duration()->set_seconds(6);
  EXPECT_THAT(Fields(), ElementsAre("video_task.duration"));
  task_.mutable_duration()->set_seconds(10);
  EXPECT_THAT(Fields(), IsEmpty());
}

TEST_F(InexpressibleTest, PromptIsCountedInCharacters) {
  can_.set_max_prompt_length(3);
  can_.set_prompt_required(true);
  EXPECT_THAT(Fields(), ElementsAre("video_task.prompt"));
  task_.set_prompt("\xC3\xBC\xC3\xBC\xC3\xBC");
  EXPECT_THAT(Fields(), IsEmpty());
  task_.set_prompt("abcd");
  EXPECT_THAT(Fields(), ElementsAre("video_task.prompt"));
}

TEST_F(InexpressibleTest, PromptIsCountedAsTheProviderCounts) {
  can_.set_max_prompt_length(4);
  task_.set_prompt("\U0001F98A\U0001F98A\U0001F98A");
  EXPECT_THAT(Fields(), IsEmpty());
  can_.set_prompt_unit(v1::Capabilities::UTF16_CODE_UNITS);
  EXPECT_THAT(
      Texts(),
      ElementsAre(HasSubstr("takes at most 4 UTF-16 code units (an emoji counts two), not 6")));
  task_.set_prompt("\U0001F98Aab");
  EXPECT_THAT(Fields(), IsEmpty());
}

TEST_F(InexpressibleTest, AFirstFrameCanDecideTheAspectRatio) {
  can_.mutable_aspect_ratio()->set_expressible(true);
  can_.set_first_frame_sets_aspect_ratio(true);
  task_.set_aspect_ratio("16:9");
  EXPECT_THAT(Fields(), IsEmpty());
  Refer(v1::Reference::FIRST_FRAME, v1::IMAGE);
  EXPECT_THAT(Texts(), ElementsAre(HasSubstr("takes no aspect_ratio beside a FIRST_FRAME")));
  task_.set_aspect_ratio("adaptive");
  EXPECT_THAT(Fields(), IsEmpty());
}

TEST_F(InexpressibleTest, MediaOfAnotherFormatAreRefusedWhereTheirNameTellsIt) {
  v1::MediaLimits& image = *can_.add_media();
  image.set_media_type(v1::IMAGE);
  image.add_formats("jpeg");
  image.add_formats("png");
  Refer(v1::Reference::FIRST_FRAME, v1::IMAGE);
  for (const char* uri :
       {"https://a.example/x.jpg", "https://a.example/x.PNG?sig=1.gif", "https://a.example/x",
        "https://a.example/x.php?name=a.gif", "https://a.example/.gif", "https://a.gif/x"}) {
    task_.mutable_references(0)->set_uri(uri);
    EXPECT_THAT(Fields(), IsEmpty()) << uri;
  }
  for (const char* uri : {"https://a.example/x.gif", "https://a.example/x.SVG#top",
                          "https://a.example/a.b/x.mp4?sig=x.png"}) {
    task_.mutable_references(0)->set_uri(uri);
    EXPECT_THAT(Fields(), ElementsAre("video_task.references[0].uri")) << uri;
  }
  EXPECT_THAT(Texts(),
              ElementsAre(HasSubstr("is .mp4 by its name, and of IMAGE only jpeg, png is taken")));
}

TEST_F(ValidateTest, ProviderOptionsAreLookedThroughAtAnyDepth) {
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video();
  google::protobuf::Struct& options =
      (*request.mutable_video_task()->mutable_provider_options())["alpha"];
  google::protobuf::Value& list =
      (*(*options.mutable_fields())["a"].mutable_struct_value()->mutable_fields())["b"];
  list.mutable_list_value()->add_values()->set_number_value(1);
  list.mutable_list_value()->add_values()->set_number_value(
      std::numeric_limits<double>::quiet_NaN());
  (*list.mutable_list_value()->add_values()->mutable_struct_value()->mutable_fields())["poster"]
      .set_string_value("http://169.254.169.254/latest/meta-data");
  (*options.mutable_fields())["scale"].set_number_value(std::numeric_limits<double>::infinity());
  (*options.mutable_fields())["style"].set_string_value("https://cdn.example.org/style.png");
  (*options.mutable_fields())["hero"].set_string_value("asset://asset-1");
  (*options.mutable_fields())["words"].set_string_value("10.0.0.1 is a number");
  (*options.mutable_fields())["blank"].set_string_value(" http://10.0.0.1/x.png");
  (*options.mutable_fields())["bare"].set_string_value("//10.0.0.1/x.png");
  EXPECT_THAT(Check(request), ElementsAre("video_task.provider_options[alpha].a.b[1]",
                                          "video_task.provider_options[alpha].a.b[2].poster",
                                          "video_task.provider_options[alpha].bare",
                                          "video_task.provider_options[alpha].blank",
                                          "video_task.provider_options[alpha].scale"));
}

TEST(RouteTest, ARoutesDefaultRatioIsNotAskedForWhereAFirstFrameDecidesIt) {
  reconcile::Harness::Options options;
  options.film_targets = {"alpha"};
  options.defaults.set_aspect_ratio("16:9");
  options.alpha.first_frame_sets_aspect_ratio = true;
  reconcile::Harness harness(options);
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  v1::Reference& frame = *request.mutable_video_task()->add_references();
  frame.set_role(v1::Reference::FIRST_FRAME);
  frame.set_media_type(v1::IMAGE);
  frame.set_uri("https://cdn.example.org/x.png");
  request.mutable_max_wait()->set_seconds(0);
  EXPECT_TRUE(harness.Create(request).status().ok());
  request.set_video_task_id("other");
  request.mutable_video_task()->set_aspect_ratio("1:1");
  EXPECT_THAT(FieldsOf(harness.Create(request).status()), ElementsAre("video_task.aspect_ratio"));
}

TEST(FillDefaultsTest, WhatTheCallerSaysStays) {
  v1::VideoTask defaults;
  defaults.set_seed(7);
  defaults.set_watermark(true);
  defaults.set_resolution("720p");
  v1::VideoTask task;
  task.set_seed(0);
  task.set_watermark(false);
  FillDefaults(defaults, task);
  EXPECT_EQ(task.seed(), 0);
  EXPECT_FALSE(task.watermark());
  EXPECT_EQ(task.resolution(), "720p");
  EXPECT_FALSE(task.has_duration());
}

TEST(RouteTest, FieldThatNoTargetCanExpressNamesEveryProvider) {
  reconcile::Harness::Options options;
  options.alpha.seed = false;
  options.beta.seed = false;
  reconcile::Harness harness(options);
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.mutable_video_task()->set_seed(5);
  const auto created = harness.Create(request);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::FIELD_NOT_EXPRESSIBLE);
  EXPECT_THAT(FieldsOf(created.status()), ElementsAre("video_task.seed", "video_task.seed"));
  EXPECT_THAT(base::ToRpcStatus(created.status()).details(),
              Contains(ResultOf(
                  [](const google::protobuf::Any& detail) {
                    google::rpc::BadRequest bad;
                    detail.UnpackTo(&bad);
                    return bad.DebugString();
                  },
                  AllOf(HasSubstr("provider alpha (model video-1) cannot express it"),
                        HasSubstr("provider beta (model video-1) cannot express it")))));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(RouteTest, TargetThatCannotExpressTheCallIsPassedOver) {
  reconcile::Harness::Options options;
  options.alpha.seed = false;
  reconcile::Harness harness(options);
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.mutable_video_task()->set_seed(5);
  harness.Create(request);
  EXPECT_EQ(harness.Take().options.base_url, "https://beta.example");
}

TEST(RouteTest, ValidateOnlyMakesNothing) {
  reconcile::Harness harness;
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.set_validate_only(true);
  const auto checked = harness.Create(request);
  ASSERT_TRUE(checked.has());
  EXPECT_TRUE(checked.get().ok()) << checked.status();
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

}  // namespace
}  // namespace assetgate::calls
