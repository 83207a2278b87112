// The calls of a session without faults, for every dialect: a group, an asset of each media type,
// and videos from text and from references, which are watched to their end, read again and deleted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "tests/conformance/profile.h"
#include "tests/conformance/world.h"
#include "tests/simulator/request_log.h"

namespace assetgate::conformance {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::IsEmpty;

class HappyPath : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override { world_.Heal(); }

  v1::Provider Provider() {
    v1::GetProviderRequest request;
    request.set_name(account_.name());
    grpc::ClientContext context;
    SetDeadline(context);
    v1::Provider provider;
    const grpc::Status status = world_.providers().GetProvider(&context, request, &provider);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return provider;
  }

  v1::Asset MakeAsset(v1::MediaType type, const std::string& group) {
    v1::CreateAssetRequest request;
    v1::Asset& asset = *request.mutable_asset();
    asset.set_display_name("hero");
    asset.set_source_uri(absl::StrCat("https://cdn.example.org/", v1::MediaType_Name(type)));
    asset.set_media_type(type);
    asset.set_asset_group(group);
    (*asset.mutable_labels())["batch"] = account_.id;
    request.add_providers(account_.name());
    const Answer<v1::Asset> answer = world_.CreateAsset(request);
    EXPECT_TRUE(answer.ok()) << answer.error.ShortDebugString();
    return world_.AwaitAsset(answer.value.name(),
                             [](const v1::Asset& seen) { return IsSettled(seen); });
  }

  v1::VideoTask MakeVideo(const v1::VideoTask& video) {
    v1::CreateVideoTaskRequest request;
    *request.mutable_video_task() = video;
    request.mutable_video_task()->set_model(world_.Model(account_));
    (*request.mutable_video_task()->mutable_labels())["batch"] = account_.id;
    const Answer<v1::VideoTask> answer = world_.CreateVideoTask(request);
    EXPECT_TRUE(answer.ok()) << answer.error.ShortDebugString();
    if (!answer.ok()) return {};
    EXPECT_TRUE(answer.value.has_submit_time());
    // States must only advance.
    int rank = 0;
    return world_.AwaitTask(
        answer.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); },
        [&rank](const v1::VideoTask& seen) {
          const int now = seen.state();
          const bool forward = now >= rank;
          rank = now;
          return forward;
        });
  }

  World& world_ = World::Of(GetParam());
  const Account account_ = world_.NewAccount();
};

TEST_P(HappyPath, EveryMediaTypeBecomesActiveAndMakesAVideo) {
  const v1::Provider provider = Provider();
  EXPECT_EQ(provider.dialect(), GetParam());
  EXPECT_EQ(provider.state(), v1::Provider::AVAILABLE);
  const Answer<v1::AssetGroup> group = world_.CreateAssetGroup(account_, "cast");
  ASSERT_TRUE(group.ok()) << group.error.ShortDebugString();
  ASSERT_EQ(group.value.placements_size(), 1);
  EXPECT_EQ(group.value.placements(0).state(), v1::Placement::ACTIVE);

  std::vector<std::string> names;
  v1::VideoTask video;
  video.set_prompt("image 1 dances like video 1");
  ASSERT_GT(provider.asset_capabilities().media_types_size(), 0);
  for (const int number : provider.asset_capabilities().media_types()) {
    const auto type = static_cast<v1::MediaType>(number);
    const v1::Asset asset = MakeAsset(type, group.value.name());
    EXPECT_EQ(asset.state(), v1::Asset::ACTIVE) << asset.ShortDebugString();
    EXPECT_EQ(asset.placements(0).provider(), account_.name());
    EXPECT_NE(asset.placements(0).provider_asset_id(), "");
    EXPECT_TRUE(asset.placements(0).has_end_time());
    names.push_back(asset.name());
    // Videos take no documents.
    if (type == v1::DOCUMENT) continue;
    v1::Reference& reference = *video.add_references();
    reference.set_role(v1::Reference::REFERENCE);
    reference.set_asset(asset.name());
  }

  const auto made_before = world_.Made().videos_made;
  const v1::VideoTask done = MakeVideo(video);
  EXPECT_EQ(done.state(), v1::VideoTask::SUCCEEDED) << done.ShortDebugString();
  EXPECT_EQ(done.progress_percent(), 100);
  EXPECT_TRUE(absl::StartsWith(done.video().uri(), world_.simulator().url()));
  EXPECT_EQ(world_.Made().videos_made, made_before + 1);
  // The submission holds the provider's own asset ids, and no URL.
  const auto requests = world_.simulator().log().Requests(GetParam(), "video.create", 1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0].body, ::testing::Not(::testing::HasSubstr("cdn.example.org")));
  EXPECT_THAT(requests[0].ignored, IsEmpty());

  // Get and List return them.
  v1::ListAssetsRequest list;
  (*list.mutable_filter()->mutable_labels())["batch"] = account_.id;
  grpc::ClientContext list_context;
  SetDeadline(list_context);
  v1::ListAssetsResponse listed;
  ASSERT_TRUE(world_.assets().ListAssets(&list_context, list, &listed).ok());
  std::vector<std::string> listed_names;
  for (const v1::Asset& asset : listed.assets()) listed_names.push_back(asset.name());
  EXPECT_THAT(listed_names, ::testing::UnorderedElementsAreArray(names));
  v1::GetVideoTaskRequest get;
  get.set_name(done.name());
  grpc::ClientContext get_context;
  SetDeadline(get_context);
  v1::VideoTask got;
  ASSERT_TRUE(world_.videos().GetVideoTask(&get_context, get, &got).ok());
  EXPECT_EQ(got.SerializeAsString(), done.SerializeAsString());

  // Delete the video first, then its assets, then the group.
  v1::DeleteVideoTaskRequest delete_video;
  delete_video.set_name(done.name());
  grpc::ClientContext video_context;
  SetDeadline(video_context);
  v1::DeleteVideoTaskResponse video_deleted;
  EXPECT_TRUE(world_.videos().DeleteVideoTask(&video_context, delete_video, &video_deleted).ok());
  for (const std::string& name : names) {
    v1::DeleteAssetRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    SetDeadline(context);
    v1::DeleteAssetResponse response;
    const grpc::Status status = world_.assets().DeleteAsset(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (provider.asset_capabilities().can_delete()) {
      EXPECT_THAT(response.retained_by_providers(), IsEmpty());
    } else {
      EXPECT_THAT(response.retained_by_providers(), Contains(account_.name()));
    }
  }
  if (provider.asset_capabilities().can_delete()) {
    EXPECT_TRUE(world_.simulator().log().AwaitCalls(
        GetParam(), "asset.delete", static_cast<int64_t>(names.size()), World::kDeadline));
  }
  v1::DeleteAssetGroupRequest delete_group;
  delete_group.set_name(group.value.name());
  grpc::ClientContext group_context;
  SetDeadline(group_context);
  v1::DeleteAssetGroupResponse group_deleted;
  const grpc::Status status =
      world_.assets().DeleteAssetGroup(&group_context, delete_group, &group_deleted);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_P(HappyPath, TextAloneMakesAVideoWithEveryExpressibleField) {
  v1::VideoTask video;
  video.set_prompt("a storm at sea");
  video.mutable_duration()->set_seconds(6);
  video.set_aspect_ratio("16:9");
  video.set_generate_audio(true);
  const v1::VideoTask done = MakeVideo(video);
  EXPECT_EQ(done.state(), v1::VideoTask::SUCCEEDED) << done.ShortDebugString();
  // The requested duration reached the provider: 6 s, or 6.04 s where it measures the video.
  if (done.video().has_duration()) {
    EXPECT_EQ(done.video().duration().seconds(), 6);
  }
  const auto requests = world_.simulator().log().Requests(GetParam(), "video.create", 1);
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_THAT(requests[0].ignored, IsEmpty());
  EXPECT_THAT(done.video().expire_time_source(),
              AnyOf(v1::Video::PROVIDER, v1::Video::DOCUMENTATION,
                    v1::Video::EXPIRE_TIME_SOURCE_UNSPECIFIED));
}

TEST_P(HappyPath, FramesByUriOpenAndCloseAVideo) {
  v1::VideoTask video;
  video.set_prompt("from dawn to dusk");
  for (const auto role : {v1::Reference::FIRST_FRAME, v1::Reference::LAST_FRAME}) {
    v1::Reference& frame = *video.add_references();
    frame.set_role(role);
    frame.set_uri(absl::StrCat("https://cdn.example.org/", v1::Reference::Role_Name(role), ".png"));
    frame.set_media_type(v1::IMAGE);
  }
  EXPECT_EQ(MakeVideo(video).state(), v1::VideoTask::SUCCEEDED);
}

TEST_P(HappyPath, AnAssetWithoutAPlacementIsPlacedAtItsFirstUse) {
  v1::CreateAssetRequest request;
  request.mutable_asset()->set_source_uri("https://cdn.example.org/late.png");
  request.mutable_asset()->set_media_type(v1::IMAGE);
  const Answer<v1::Asset> registered = world_.CreateAsset(request);
  ASSERT_TRUE(registered.ok()) << registered.error.ShortDebugString();
  EXPECT_EQ(registered.value.state(), v1::Asset::REGISTERED);

  v1::CreateVideoTaskRequest create;
  create.mutable_video_task()->set_model(world_.Model(account_));
  create.mutable_video_task()->set_prompt("image 1 waves");
  v1::Reference& reference = *create.mutable_video_task()->add_references();
  reference.set_role(v1::Reference::REFERENCE);
  reference.set_asset(registered.value.name());
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(create);
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  // The RPC does not wait for a reference that is still being prepared.
  EXPECT_EQ(task.value.state(), v1::VideoTask::PENDING);
  EXPECT_EQ(task.value.waiting().reason(), v1::Waiting::ASSET_PROCESSING);
  const v1::VideoTask done = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(done.state(), v1::VideoTask::SUCCEEDED) << done.ShortDebugString();
}

TEST_P(HappyPath, FailedWorkHasTheProvidersWords) {
  v1::CreateVideoTaskRequest create;
  create.mutable_video_task()->set_model(world_.Model(account_));
  create.mutable_video_task()->set_prompt("a [moderated] cat");
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(create);
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask failed = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(failed.state(), v1::VideoTask::FAILED);
  const google::rpc::ErrorInfo info = base::InfoOf(failed.error());
  EXPECT_EQ(info.reason(), "CONTENT_REJECTED");
  EXPECT_NE(info.metadata().at("provider_message"), "");
  EXPECT_THAT(failed.attempts(0).billing(),
              AnyOf(v1::Attempt::REFUNDED, v1::Attempt::UNKNOWN, v1::Attempt::NOT_BILLED));

  const Answer<v1::Asset> asset = world_.CreateAsset(account_, "moderated");
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  const v1::Asset settled =
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::Asset::FAILED);
  const bool says_why = ProfileOf(GetParam()).asset_failures_have_reasons;
  EXPECT_EQ(base::ReasonOf(settled.error()),
            says_why ? v1::CONTENT_REJECTED : v1::PROVIDER_WORK_FAILED);

  // No provider can make a video that needs that asset.
  v1::CreateVideoTaskRequest hopeless;
  hopeless.mutable_video_task()->set_model(world_.Model(account_));
  hopeless.mutable_video_task()->set_prompt("image 1 waves");
  v1::Reference& reference = *hopeless.mutable_video_task()->add_references();
  reference.set_role(v1::Reference::REFERENCE);
  reference.set_asset(settled.name());
  const Answer<v1::VideoTask> refused = world_.CreateVideoTask(hopeless);
  const google::rpc::Status error =
      refused.ok() ? world_
                         .AwaitTask(refused.value.name(),
                                    [](const v1::VideoTask& seen) { return IsSettled(seen); })
                         .error()
                   : refused.error;
  EXPECT_EQ(base::ReasonOf(error), says_why ? v1::CONTENT_REJECTED : v1::ASSET_FAILED)
      << error.ShortDebugString();
}

TEST_P(HappyPath, ARepeatedRequestIdMakesOneVideo) {
  v1::CreateVideoTaskRequest create;
  create.mutable_video_task()->set_model(world_.Model(account_));
  create.mutable_video_task()->set_prompt("a cat");
  create.set_request_id("twice");
  const auto made_before = world_.Made().videos_made;
  const Answer<v1::VideoTask> first = world_.CreateVideoTask(create);
  const Answer<v1::VideoTask> second = world_.CreateVideoTask(create);
  ASSERT_TRUE(first.ok()) << first.error.ShortDebugString();
  ASSERT_TRUE(second.ok()) << second.error.ShortDebugString();
  EXPECT_EQ(second.value.name(), first.value.name());
  create.mutable_video_task()->set_prompt("a dog");
  const Answer<v1::VideoTask> other = world_.CreateVideoTask(create);
  EXPECT_EQ(other.error.code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(base::ReasonOf(other.error), v1::REQUEST_ID_REUSED);
  EXPECT_EQ(world_.Made().videos_made, made_before + 1);
}

// The values of the header in a request that the simulator received.
std::vector<std::string> HeaderOf(const simulator::LoggedRequest& request, absl::string_view name) {
  std::vector<std::string> values;
  for (const auto& [header, value] : request.headers) {
    if (absl::EqualsIgnoreCase(header, name)) values.push_back(value);
  }
  return values;
}

TEST_P(HappyPath, TheCallersTraceReachesTheProviderWhileTheCallerWaits) {
  v1::CreateVideoTaskRequest create;
  create.mutable_video_task()->set_model(world_.Model(account_));
  create.mutable_video_task()->set_prompt("a cat");
  grpc::ClientContext context;
  SetDeadline(context);
  const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  context.AddMetadata("traceparent", parent);
  context.AddMetadata("tracestate", "vendor=1");
  v1::VideoTask task;
  const grpc::Status status = world_.videos().CreateVideoTask(&context, create, &task);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const auto sent = world_.simulator().log().Requests(GetParam(), "video.create", 1);
  ASSERT_EQ(sent.size(), 1u);
  const std::vector<std::string> got = HeaderOf(sent[0], "traceparent");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].size(), parent.size());
  EXPECT_EQ(got[0].substr(0, 36), parent.substr(0, 36));
  EXPECT_EQ(got[0].substr(52), "-01");
  EXPECT_NE(got[0], parent) << "the span is the gateway's";
  EXPECT_THAT(HeaderOf(sent[0], "tracestate"), ::testing::ElementsAre("vendor=1"));

  // Later polls are not part of the caller's trace.
  world_.AwaitTask(task.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  int polls = 0;
  for (const auto& request : world_.simulator().log().Requests(GetParam(), "")) {
    if (request.number <= sent[0].number) continue;
    ++polls;
    EXPECT_THAT(HeaderOf(request, "traceparent"), IsEmpty()) << request.path;
  }
  EXPECT_GT(polls, 0);
}

// The Python suites read the profile only.
TEST_P(HappyPath, TheProfileAgreesWithTheDialect) {
  const Profile& profile = ProfileOf(GetParam());
  EXPECT_EQ(world_.simulator().url() + profile.mount, world_.simulator().BaseUrl(GetParam()));
  EXPECT_EQ(profile.idempotency_key, world_.HasIdempotencyKey());
  EXPECT_EQ(profile.secrets, world_.traits().secrets);
  EXPECT_EQ(profile.planes.size(), world_.traits().planes.size());
}

INSTANTIATE_TEST_SUITE_P(Every, HappyPath, ::testing::ValuesIn(World::Dialects()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace assetgate::conformance
