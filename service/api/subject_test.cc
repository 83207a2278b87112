#include "api/subject.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "assetgate/v1/asset.pb.h"
#include "gtest/gtest.h"

namespace assetgate::api {
namespace {

// Neither a type that only looks like a request nor a message that only has a name compiles in
// place of a request: the log would lack its request_id and name, or have others.
template <typename Request>
struct LooksLikeARequest {
  const Request& operator*() const;
  std::string request_id() const;
  std::string name() const;
};
static_assert(!NamesResources<LooksLikeARequest<v1::CreateAssetRequest>>);
static_assert(!NamesResources<v1::Asset>);
static_assert(!NamesResources<v1::WatchAssetsRequest>);
static_assert(NamesResources<v1::BatchCreateAssetsRequest>);

TEST(NameInTest, RequestForAResourceNamesIt) {
  v1::GetAssetRequest get;
  get.set_name("assets/hero");
  EXPECT_EQ(NameIn(get), "assets/hero");
  v1::CancelVideoTaskRequest cancel;
  cancel.set_name("videoTasks/fox");
  EXPECT_EQ(NameIn(cancel), "videoTasks/fox");
}

TEST(NameInTest, CreationNamesTheResourceWhoseIdTheCallerChose) {
  v1::CreateAssetRequest asset;
  EXPECT_EQ(NameIn(asset), "");
  asset.set_asset_id("hero");
  EXPECT_EQ(NameIn(asset), "assets/hero");
  v1::CreateAssetGroupRequest group;
  group.set_asset_group_id("cast");
  EXPECT_EQ(NameIn(group), "assetGroups/cast");
  v1::CreateVideoTaskRequest video;
  video.set_video_task_id("fox");
  EXPECT_EQ(NameIn(video), "videoTasks/fox");
  v1::ImportVideoTaskRequest import;
  import.set_video_task_id("wolf");
  EXPECT_EQ(NameIn(import), "videoTasks/wolf");
}

TEST(NameInTest, BatchNamesAFewOfTheResourcesWhoseIdsTheCallerChose) {
  v1::BatchCreateAssetsRequest batch;
  batch.add_requests();
  EXPECT_EQ(NameIn(batch), "");
  for (int i = 0; i < 3; ++i) batch.add_requests()->set_asset_id(absl::StrCat("a", i));
  EXPECT_EQ(NameIn(batch), "assets/a0,assets/a1,assets/a2");
  batch.add_requests()->set_asset_id("a3");
  EXPECT_EQ(NameIn(batch), "assets/a0,assets/a1,assets/a2,…");
}

TEST(RequestIdInTest, IsThatOfTheRequestItself) {
  v1::BatchCreateAssetsRequest batch;
  batch.add_requests()->set_request_id("item");
  EXPECT_EQ(RequestIdIn(batch), "");
  batch.set_request_id("batch");
  EXPECT_EQ(RequestIdIn(batch), "batch");
  EXPECT_EQ(RequestIdIn(v1::ListAssetsRequest()), "");
}

TEST(SubjectTest, FailedBatchIsLoggedWithTheNamesInItsRequest) {
  const Subject subject = SubjectOf("assets/a,assets/b", v1::BatchCreateAssetsResponse());
  EXPECT_EQ(subject.names, "assets/a,assets/b");
  EXPECT_EQ(subject.providers, "");
}

TEST(SubjectTest, AnswerNamesTheResourcesAndTheirProviders) {
  v1::BatchCreateAssetsResponse response;
  v1::Asset& asset = *response.add_results()->mutable_asset();
  asset.set_name("assets/a");
  asset.add_placements()->set_provider("providers/kyy");
  response.add_results()->mutable_error();
  v1::Asset& other = *response.add_results()->mutable_asset();
  other.set_name("assets/c");
  other.add_placements()->set_provider("providers/ark");
  const Subject subject = SubjectOf("", response);
  EXPECT_EQ(subject.names, "assets/a,assets/c");
  EXPECT_EQ(subject.providers, "ark,kyy");
}

}  // namespace
}  // namespace assetgate::api
