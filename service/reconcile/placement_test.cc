// Placements that ended: which are placed again, when, and how often.
#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using testing::HasSubstr;

std::int64_t Sent(const Harness& harness, absl::string_view call) {
  return std::count(harness.answered.begin(), harness.answered.end(), call);
}

TEST(PlacementTest, AbandonedPlacementIsRetriedWhenAVideoNeedsIt) {
  Harness harness(AlphaAlone());
  bool up = false;
  harness.script = [&](const http::Request& request, const http::SendOptions&) {
    if (!up) return http::Result(http::Response{502, {}, ""});
    return Ok(request.path == "/assets" ? "id=a-1 state=done" : "id=up-1 state=queued");
  };
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Advance(absl::Minutes(20));
  ASSERT_EQ(harness.AssetNow("hero").state(), v1::Asset::FAILED);
  ASSERT_EQ(base::ReasonOf(harness.AssetNow("hero").error()), v1::SUBMISSION_UNKNOWN);
  // Nobody needs it: it stays so.
  up = true;
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::FAILED);
  harness.Create(VideoOf("fox", "hero"));
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
  EXPECT_EQ(harness.AssetNow("hero").placements_size(), 1) << "it is used again";
  EXPECT_FALSE(harness.AssetNow("hero").placements(0).has_error());
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
  // What may exist there besides is not forgotten.
  EXPECT_EQ(harness.StoredAsset("hero")->record.units(0).earlier_unknown_outcomes(), 3);
}

TEST(PlacementTest, EachVideoRetriesAPlacementOnceAndHistoryIsBounded) {
  Harness harness(AlphaAlone());
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{502, {}, ""});
  };
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Advance(absl::Minutes(20));
  for (int i = 0; i < 12; ++i) {
    const std::string id = absl::StrCat("fox-", i);
    harness.Create(VideoOf(id, "hero"));
    harness.Advance(absl::Minutes(30));
    EXPECT_EQ(harness.Task(id).state(), v1::VideoTask::FAILED);
    EXPECT_EQ(base::ReasonOf(harness.Task(id).error()), v1::ASSET_FAILED);
  }
  EXPECT_EQ(harness.AssetNow("hero").placements_size(), 1);
  EXPECT_EQ(Sent(harness, "POST alpha /assets"), 3 * 13);
}

TEST(PlacementTest, UnsubmittedPlacementIsRetriedWhenAVideoNeedsIt) {
  Harness harness(AlphaAlone());
  bool up = false;
  harness.script = [&](const http::Request& request, const http::SendOptions&) {
    if (!up) {
      return http::Result(http::TransportError{http::TransportError::Kind::kConnect, false, "no"});
    }
    return Ok(request.path == "/assets" ? "id=a-1 state=done" : "id=up-1 state=queued");
  };
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.mutable_max_wait()->set_seconds(0);
  harness.Create(request);
  harness.Advance(absl::Minutes(20));
  ASSERT_EQ(base::ReasonOf(harness.AssetNow("hero").error()), v1::NOT_SUBMITTED);
  up = true;
  harness.Create(VideoOf("fox", "hero"));
  harness.Advance(absl::Minutes(2));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
}

TEST(PlacementTest, ProvidersRejectionIsNotRetried) {
  Harness harness(AlphaAlone());
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.mutable_max_wait()->set_seconds(0);
  harness.Create(request);
  harness.AnswerNext(400, "ugly");
  ASSERT_EQ(harness.AssetNow("hero").state(), v1::Asset::FAILED);
  harness.Advance(absl::Hours(1));
  harness.Create(VideoOf("fox", "hero"));
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(PlacementTest, AbandonedGroupIsCreatedAgainForTheAssetThatNeedsIt) {
  Harness::Options options = AlphaAlone();
  options.alpha.native_groups = true;
  Harness harness(options);
  bool up = false;
  harness.script = [&](const http::Request& request, const http::SendOptions&) {
    if (!up) return http::Result(http::Response{502, {}, ""});
    return Ok(request.path == "/groups"   ? "id=g-1 state=done"
              : request.path == "/assets" ? "id=a-1 state=done"
                                          : "id=up-1 state=queued");
  };
  v1::CreateAssetGroupRequest group;
  group.set_asset_group_id("cast");
  group.mutable_asset_group()->set_display_name("Cast");
  ASSERT_TRUE(harness.Create(group).get().ok());
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.mutable_asset()->set_asset_group("assetGroups/cast");
  request.mutable_max_wait()->set_seconds(0);
  harness.Create(request);
  harness.Advance(absl::Minutes(20));
  ASSERT_EQ(harness.AssetNow("hero").state(), v1::Asset::FAILED);
  up = true;
  harness.Create(VideoOf("fox", "hero"));
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
  EXPECT_EQ(Stored<model::GroupEntity>(harness.store(), "cast")->resource.placements_size(), 1);
}

TEST(PlacementTest, GroupThatFailsForManyAssetsKeepsABoundedHistory) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{400, {}, "no"});
  };
  for (int i = 0; i < 20; ++i) {
    harness.Create(Harness::Asset(absl::StrCat("hero-", i), {"alpha"}));
    harness.Advance(absl::Minutes(2));
  }
  EXPECT_EQ(Sent(harness, "POST alpha /groups"), 20);
  EXPECT_EQ(
      Stored<model::GroupEntity>(harness.store(), "default-alpha")->resource.placements_size(), 1);
}

TEST(PlacementTest, AssetThatTheProviderCallsDeletedIsPlacedAgainOnce) {
  Harness harness;
  harness.script = [](const http::Request& request, const http::SendOptions&) {
    return Ok(request.method == "POST" ? "id=up-1 state=running" : "id=up-1 state=gone");
  };
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Advance(absl::Hours(1));
  const v1::Asset asset = harness.AssetNow("hero");
  ASSERT_EQ(asset.placements_size(), 2);
  EXPECT_EQ(asset.placements(0).state(), v1::Placement::LOST);
  EXPECT_EQ(asset.placements(1).state(), v1::Placement::LOST);
  EXPECT_EQ(base::ReasonOf(asset.error()), v1::PROVIDER_FORGOT);
  EXPECT_EQ(Sent(harness, "POST alpha /assets"), 2);
}

TEST(PlacementTest, AssetThatIsGoneRightAfterCreationIsPlacedAgainOnce) {
  Harness harness;
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return Ok("id=up-1 state=gone");
  };
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.AssetNow("hero").placements_size(), 2);
  EXPECT_EQ(Sent(harness, "POST alpha /assets"), 2);
}

TEST(PlacementTest, LostPlacementsAreRetriedForAVideoUpToABound) {
  Harness harness(AlphaAlone());
  bool lasting = false;
  harness.script = [&](const http::Request& request, const http::SendOptions&) {
    if (absl::StartsWith(request.path, "/videos")) return Ok("id=up-1 state=queued");
    return Ok(lasting ? "id=a-1 state=done" : "id=a-1 state=gone");
  };
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Advance(absl::Minutes(1));
  ASSERT_EQ(harness.AssetNow("hero").placements_size(), 2);
  for (int i = 0; i < 10; ++i) {
    const auto created = harness.Create(VideoOf(absl::StrCat("fox-", i), "hero"));
    harness.Advance(absl::Minutes(1));
    // From then on nothing is tried any more, and nothing is made.
    if (i == 9) {
      EXPECT_EQ(base::ReasonOf(created.status()), v1::ASSET_FAILED);
    }
  }
  EXPECT_EQ(harness.AssetNow("hero").placements_size(), 8);

  harness.Create(Harness::Asset("heroine", {"alpha"}));
  harness.Advance(absl::Minutes(1));
  lasting = true;
  harness.Create(VideoOf("wolf", "heroine"));
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.Task("wolf").state(), v1::VideoTask::QUEUED);
}

// --- Content that is refused

TEST(PlacementTest, RejectedContentEndsTheTaskAndReachesNoOtherProvider) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(200, "refused=content_is_unsafe");
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::CONTENT_REJECTED);
  EXPECT_EQ(base::InfoOf(base::ToRpcStatus(created.status())).metadata().at("act"), "CALLER");
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(harness.http().sent(), 1u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(PlacementTest, AssetWithRejectedContentIsNotPlacedElsewhereForAVideo) {
  Harness harness;
  v1::CreateAssetRequest request = Harness::Asset("hero", {});
  harness.Create(request);
  v1::CreateVideoTaskRequest video = VideoOf("fox", "hero");
  harness.Create(video);
  harness.AnswerNext(200, "refused=content_shows_a_face");
  harness.Advance(absl::Minutes(1));
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::CONTENT_REJECTED);
  EXPECT_THAT(task.error().message(), HasSubstr("assets/hero"));
  EXPECT_EQ(harness.http().sent(), 1u) << "beta is not shown it";
}

TEST(PlacementTest, ProviderThatAlreadyHasTheAssetMayUseIt) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"beta"}));
  harness.AnswerNext(200, "id=b-1 state=done");
  harness.Create(VideoOf("fox", "hero"));
  harness.AnswerNext(200, "refused=content_shows_a_face");
  const auto sent = harness.Take();
  EXPECT_EQ(sent.request.path, "/videos");
  EXPECT_TRUE(absl::StrContains(sent.options.base_url, "beta"));
}

}  // namespace
}  // namespace assetgate::reconcile
