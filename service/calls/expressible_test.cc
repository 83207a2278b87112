#include "calls/expressible.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

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

TEST_F(InexpressibleTest, TaskNeedsItsModeAmongTheModels) {
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

TEST_F(InexpressibleTest, AudioCanNeedAVisualReference) {
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

TEST_F(InexpressibleTest, SetFieldsAreInexpressibleWhereNothingIsDeclared) {
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

TEST_F(InexpressibleTest, FirstFrameCanDecideTheAspectRatio) {
  can_.mutable_aspect_ratio()->set_expressible(true);
  can_.set_first_frame_sets_aspect_ratio(true);
  task_.set_aspect_ratio("16:9");
  EXPECT_THAT(Fields(), IsEmpty());
  Refer(v1::Reference::FIRST_FRAME, v1::IMAGE);
  EXPECT_THAT(Texts(), ElementsAre(HasSubstr("takes no aspect_ratio beside a FIRST_FRAME")));
  task_.set_aspect_ratio("adaptive");
  EXPECT_THAT(Fields(), IsEmpty());
}

TEST_F(InexpressibleTest, MediumWhoseNameShowsAnotherFormatIsRefused) {
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

}  // namespace
}  // namespace assetgate::calls
