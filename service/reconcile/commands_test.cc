// Cancellation and deletion.
#include <utility>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(CommandsTest, TaskThatWasNotSubmittedIsCancelled) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {}));
  harness.Create(VideoOf("fox", "hero"));
  const auto cancelled = harness.Cancel("fox");
  ASSERT_TRUE(cancelled.has());
  ASSERT_TRUE(cancelled.get().ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::VideoTask::CANCELLED);
  EXPECT_TRUE(harness.Cancel("fox").get().ok()) << "asking twice is harmless";
  harness.AnswerNext(200, "id=a-1 state=done");
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.http().sent(), 1u) << "the asset, and no video";
}

TEST(CommandsTest, SubmittedTaskCannotBeCancelled) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  EXPECT_EQ(base::ReasonOf(harness.Cancel("fox").status()), v1::CANCEL_UNSUPPORTED);
  harness.AnswerNext(200, "id=up-1 state=done");
  EXPECT_EQ(base::ReasonOf(harness.Cancel("fox").status()), v1::ALREADY_FINISHED);
  EXPECT_EQ(base::ReasonOf(harness.Cancel("nobody").status()), v1::RESOURCE_NOT_FOUND);
}

TEST(CommandsTest, AssetInUseIsNotDeleted) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  EXPECT_EQ(base::ReasonOf(harness.DeleteAsset("hero").status()), v1::IN_USE)
      << "it is being submitted";
  harness.AnswerNext(200, "id=a-1 state=done");
  harness.Create(VideoOf("fox", "hero"));
  EXPECT_EQ(base::ReasonOf(harness.DeleteAsset("hero").status()), v1::IN_USE);
  EXPECT_EQ(base::ReasonOf(harness.DeleteVideo("fox").status()), v1::IN_USE);
  harness.AnswerNext(200, "id=up-1 state=done");
  const auto deleted = harness.DeleteAsset("hero");
  ASSERT_TRUE(deleted.get().ok()) << deleted.status();
  EXPECT_THAT(deleted->retained_by_providers(), ElementsAre("providers/alpha"));
  EXPECT_FALSE(harness.StoredAsset("hero").has_value());
  EXPECT_TRUE(harness.DeleteVideo("fox").get().ok());
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(CommandsTest, GroupWithAssetsIsNotDeleted) {
  Harness harness;
  v1::CreateAssetGroupRequest group;
  group.set_asset_group_id("cast");
  group.mutable_asset_group()->set_display_name("Cast");
  ASSERT_TRUE(harness.Create(group).get().ok());
  v1::CreateAssetRequest asset = Harness::Asset("hero", {});
  asset.mutable_asset()->set_asset_group("assetGroups/cast");
  ASSERT_TRUE(harness.Create(asset).get().ok());
  EXPECT_EQ(base::ReasonOf(harness.DeleteGroup("cast").status()), v1::IN_USE);
  ASSERT_TRUE(harness.DeleteAsset("hero").get().ok());
  EXPECT_TRUE(harness.DeleteGroup("cast").get().ok());
}

// Both calls have passed all that can be looked up before either is committed.
TEST(CommandsTest, AssetIsNotDeletedWhileANewReferenceIsCommitted) {
  Harness harness;
  v1::CreateAssetGroupRequest group;
  group.set_asset_group_id("cast");
  group.mutable_asset_group()->set_display_name("Cast");
  ASSERT_TRUE(harness.Create(group).get().ok());
  v1::CreateAssetRequest hero = Harness::Asset("hero", {});
  hero.mutable_asset()->set_asset_group("assetGroups/cast");

  Answer<v1::Asset> created;
  Answer<v1::DeleteAssetGroupResponse> deleted;
  v1::DeleteAssetGroupRequest delete_group;
  delete_group.set_name("assetGroups/cast");
  harness.gateway().CreateAsset(calls::Caller(), hero, created.reply());
  harness.gateway().DeleteAssetGroup(calls::Caller(), delete_group, deleted.reply());
  harness.Run();
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(base::ReasonOf(deleted.status()), v1::IN_USE);
  EXPECT_THAT(deleted.status().message(), HasSubstr("assets/hero"));

  Answer<v1::DeleteAssetResponse> asset_deleted;
  Answer<v1::VideoTask> task;
  v1::DeleteAssetRequest delete_asset;
  delete_asset.set_name("assets/hero");
  harness.gateway().DeleteAsset(calls::Caller(), delete_asset, asset_deleted.reply());
  harness.gateway().CreateVideoTask(calls::Caller(), VideoOf("fox", "hero"), task.reply());
  harness.Run();
  ASSERT_TRUE(asset_deleted.get().ok()) << asset_deleted.status();
  EXPECT_EQ(base::ReasonOf(task.status()), v1::RESOURCE_NOT_FOUND);
  EXPECT_THAT(task.status().message(), HasSubstr("assets/hero"));
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
  EXPECT_EQ(harness.http().pending(), 0u);
}

TEST(CommandsTest, ProvidersCopyIsDeletedEvenAfterARestart) {
  Harness::Options options;
  options.alpha.can_delete = true;
  Harness harness(options);
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.AnswerNext(200, "id=a-1 state=done");
  const auto deleted = harness.DeleteAsset("hero");
  ASSERT_TRUE(deleted.get().ok()) << deleted.status();
  EXPECT_THAT(deleted->retained_by_providers(), ElementsAre());
  harness.AnswerNext(503);
  harness.Advance(absl::Seconds(2));
  ASSERT_EQ(harness.http().pending(), 1u);
  harness.Restart();
  auto call = harness.Take();
  EXPECT_EQ(call.request.method, "DELETE");
  EXPECT_EQ(call.request.path, "/assets/a-1");
  std::move(call).Answer(http::Response{204, {}, ""});
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().sent(), 1u);
  EXPECT_TRUE(harness.store().ListUnfinished({.limit = 10})->empty());
}

TEST(CommandsTest, DeletionThatNeverSucceedsIsAbandonedAfterADay) {
  Harness::Options options;
  options.alpha.can_delete = true;
  Harness harness(options);
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.AnswerNext(200, "id=a-1 state=done");
  harness.DeleteAsset("hero");
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{500, {}, ""});
  };
  harness.Advance(absl::Hours(25));
  EXPECT_TRUE(harness.store().ListUnfinished({.limit = 10})->empty());
  EXPECT_THAT(harness.telemetry().warnings, testing::Contains(HasSubstr("was not deleted")));
}

}  // namespace
}  // namespace assetgate::reconcile
