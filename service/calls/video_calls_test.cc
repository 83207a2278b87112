#include "calls/video_calls.h"

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/faults.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "model/sizes.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ResultOf;

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

TEST(VideoCallsTest, DefaultAspectRatioIsDroppedWhereAFirstFrameDecidesIt) {
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

TEST(VideoCallsTest, FieldThatNoTargetCanExpressIsRefusedWithEveryProvidersReason) {
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

TEST(VideoCallsTest, TargetThatCannotExpressTheCallIsPassedOver) {
  reconcile::Harness::Options options;
  options.alpha.seed = false;
  reconcile::Harness harness(options);
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.mutable_video_task()->set_seed(5);
  harness.Create(request);
  EXPECT_EQ(harness.Take().options.base_url, "https://beta.example");
}

TEST(VideoCallsTest, ValidateOnlyCreatesAndSendsNothing) {
  reconcile::Harness harness;
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.set_validate_only(true);
  const auto checked = harness.Create(request);
  ASSERT_TRUE(checked.has());
  EXPECT_TRUE(checked.get().ok()) << checked.status();
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(ResourceSizeTest, ResourceThatIsTooLargeIsRefusedAtItsLargestField) {
  struct Case {
    std::size_t bytes;
    bool accepted;
  };
  for (const Case& c :
       {Case{model::kMaxResourceBytes - 1000, true}, Case{model::kMaxResourceBytes, false}}) {
    SCOPED_TRACE(c.bytes);
    v1::CreateVideoTaskRequest request = reconcile::Harness::Video();
    // Most fields have a limit of their own; the resource has one over all of them.
    v1::VideoTask& task = *request.mutable_video_task();
    task.mutable_error()->set_message(std::string(c.bytes, 'x'));
    base::Faults faults;
    model::CheckSize("video_task", task, faults);
    EXPECT_EQ(faults.empty(), c.accepted);
    if (c.accepted) continue;
    const absl::Status status = faults.ToStatus();
    EXPECT_EQ(base::ReasonOf(status), v1::INVALID_FIELD);
    EXPECT_NE(status.ToString().find("video_task.error"), std::string::npos) << status;
    EXPECT_NE(status.ToString().find("1048576"), std::string::npos) << status;
    reconcile::Harness harness;
    const auto created = harness.Create(request);
    EXPECT_EQ(base::ReasonOf(created.status()), v1::INVALID_FIELD);
  }
}

}  // namespace
}  // namespace assetgate::calls
