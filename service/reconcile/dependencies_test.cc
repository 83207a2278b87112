// Videos that wait for assets, and assets that wait for groups.
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using testing::HasSubstr;

TEST(DependenciesTest, AssetIsPlacedAtTheChosenProviderFirst) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"beta"}));
  harness.AnswerNext(200, "id=b-1 state=done");
  const auto created = harness.Create(VideoOf("fox", "hero"));
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created->state(), v1::VideoTask::PENDING);
  EXPECT_EQ(created->waiting().reason(), v1::Waiting::ASSET_PROCESSING);
  EXPECT_EQ(created->waiting().subject(), "assets/hero");
  auto submission = harness.Take();
  EXPECT_EQ(submission.request.path, "/assets");
  EXPECT_TRUE(absl::StrContains(submission.options.base_url, "alpha"));
  std::move(submission).Answer(Ok("id=a-1 state=running"));
  harness.Advance(absl::Seconds(3));
  harness.AnswerNext(200, "id=a-1 state=done");
  auto video = harness.Take();
  EXPECT_EQ(video.request.path, "/videos");
  EXPECT_THAT(video.request.body, HasSubstr("references=a-1"));
  std::move(video).Answer(Ok("id=up-1 state=queued"));
  harness.Run();
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
}

TEST(DependenciesTest, AssetThatFailsAtOneProviderSendsTheTaskToTheNext) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"beta"}));
  harness.AnswerNext(200, "id=b-1 state=done");
  harness.Create(VideoOf("fox", "hero"));
  harness.AnswerNext(400, "ugly");
  const auto video = harness.Take();
  EXPECT_EQ(video.request.path, "/videos");
  EXPECT_TRUE(absl::StrContains(video.options.base_url, "beta"));
  EXPECT_THAT(video.request.body, HasSubstr("references=b-1"));
}

TEST(DependenciesTest, TaskFailsWhenTheAssetFailsEverywhere) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {}));
  const auto created = harness.Create(VideoOf("fox", "hero"));
  harness.AnswerNext(400, "ugly");
  harness.AnswerNext(400, "ugly");
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::ASSET_FAILED);
  EXPECT_EQ(task.attempts_size(), 0);
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.http().sent(), 2u);
}

TEST(DependenciesTest, MediaThatAProviderDoesNotRegisterIsPassedByUri) {
  Harness harness;
  v1::CreateAssetRequest song = Harness::Asset("song", {});
  song.mutable_asset()->set_media_type(v1::AUDIO);
  harness.Create(song);
  harness.Create(VideoOf("fox", "song"));
  const auto video = harness.Take();
  EXPECT_EQ(video.request.path, "/videos");
  EXPECT_THAT(video.request.body, HasSubstr("references=https://example.com/song.png"));
}

TEST(DependenciesTest, NativeGroupIsCreatedFirstAndOnce) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  harness.Create(Harness::Asset("one", {"alpha"}));
  harness.Create(Harness::Asset("two", {"alpha"}));
  EXPECT_EQ(harness.http().pending(), 1u);
  EXPECT_EQ(harness.AssetNow("one").placements(0).waiting().reason(),
            v1::Waiting::ASSET_PROCESSING);
  auto group = harness.Take();
  EXPECT_EQ(group.request.path, "/groups");
  EXPECT_THAT(group.request.body, HasSubstr("assetGroups/default-alpha"));
  std::move(group).Answer(Ok("id=g-1 state=done"));
  harness.Run();
  EXPECT_THAT(harness.Take().request.body, HasSubstr("group=g-1"));
  EXPECT_THAT(harness.Take().request.body, HasSubstr("group=g-1"));
  EXPECT_EQ(harness.http().pending(), 0u);
}

TEST(DependenciesTest, GroupThatTheProviderFailedToCreateIsRetriedLater) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  const auto first = harness.Create(Harness::Asset("one", {"alpha"}));
  harness.AnswerNext(400, "no");
  ASSERT_TRUE(first.has());
  EXPECT_THAT(std::string(first.status().message()), HasSubstr("default-alpha"));
  // Not for every asset that comes along.
  EXPECT_FALSE(harness.Create(Harness::Asset("two", {"alpha"})).get().ok());
  EXPECT_EQ(harness.http().sent(), 1u);
  harness.Advance(absl::Minutes(2));
  const auto third = harness.Create(Harness::Asset("three", {"alpha"}));
  harness.AnswerNext(200, "id=g-1 state=done");
  harness.AnswerNext(200, "id=a-1 state=done");
  ASSERT_TRUE(third.has());
  EXPECT_TRUE(third.get().ok()) << third.status();
}

TEST(DependenciesTest, GroupThatKeepsFailingKeepsABoundedHistory) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  int sends = 0;
  for (int i = 0; i < 20; ++i) {
    harness.Create(Harness::Asset(absl::StrCat("a-", i), {"alpha"}));
    harness.AnswerNext(400, "no");
    sends = static_cast<int>(harness.http().sent());
    harness.Advance(absl::Minutes(2));
  }
  EXPECT_EQ(sends, 20) << "it is tried all the while";
  auto group = Stored<model::GroupEntity>(harness.store(), "default-alpha");
  ASSERT_TRUE(group.has_value());
  EXPECT_EQ(group->resource.placements_size(), 1) << "the new placement replaces the failed one";
  EXPECT_EQ(group->record.units_size(), 1);
  const auto last = harness.Create(Harness::Asset("last", {"alpha"}));
  harness.AnswerNext(200, "id=g-1 state=done");
  harness.AnswerNext(200, "id=a-1 state=done");
  ASSERT_TRUE(last.has());
  EXPECT_TRUE(last.get().ok()) << last.status();
}

TEST(DependenciesTest, ActiveAssetWithoutAnIdIsNotPassedByUri) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.AnswerNext(200, "id=a-1 state=running");
  ASSERT_EQ(harness.AssetNow("hero").state(), v1::Asset::PROCESSING);
  // As a dialect that found no id in any answer would have it.
  auto hero = harness.StoredAsset("hero");
  ASSERT_TRUE(hero.has_value());
  hero->resource.mutable_placements(0)->set_state(v1::Placement::ACTIVE);
  hero->resource.mutable_placements(0)->clear_provider_asset_id();
  hero->resource.set_state(v1::Asset::ACTIVE);
  store::Transaction transaction;
  transaction.writes.push_back({hero->key, hero->revision, model::ToContent(*hero), {}});
  bool committed = false;
  harness.store().Commit(std::move(transaction), [&](store::CommitResult result) {
    committed = result.outcome == store::CommitResult::Outcome::kCommitted;
  });
  harness.Run();
  ASSERT_TRUE(committed);
  harness.Restart();
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.add_providers("providers/alpha");
  auto& reference = *request.mutable_video_task()->add_references();
  reference.set_role(v1::Reference::REFERENCE);
  reference.set_asset("assets/hero");
  const auto answer = harness.Create(request);
  EXPECT_EQ(harness.http().pending(), 0u) << "nothing is sent with the URI in its place";
  ASSERT_TRUE(answer.has());
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("has not said by which id"));
}

TEST(DependenciesTest, GroupThatCannotBeCommittedIsNotRetriedInALoop) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  harness.store().judge = [](const store::Transaction& transaction) {
    for (const auto& write : transaction.writes) {
      if (write.key.kind == store::Kind::kAssetGroup)
        return store::FaultyStore::Outcome::kUnavailable;
    }
    return store::FaultyStore::Outcome::kCommitted;
  };
  harness.Create(Harness::Asset("one", {"alpha"}));
  harness.Advance(absl::Seconds(10));
  EXPECT_LE(harness.store().commits(), 20);
  harness.store().judge = nullptr;
  harness.Advance(absl::Seconds(2));
  EXPECT_EQ(harness.Take().request.path, "/groups");
}

}  // namespace
}  // namespace assetgate::reconcile
