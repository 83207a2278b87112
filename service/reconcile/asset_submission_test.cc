// Submissions of assets, which cost nothing and are sent again.
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

TEST(AssetSubmissionTest, RedirectedAssetSubmissionIsRetriedAFewTimes) {
  Harness harness;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{301, {}, ""});
  };
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.mutable_max_wait()->set_seconds(0);
  harness.Create(request);
  harness.Advance(absl::Minutes(16));
  EXPECT_EQ(base::ReasonOf(harness.AssetNow("hero").error()), v1::NOT_SUBMITTED);
  EXPECT_GE(harness.answered.size(), 3u);
  EXPECT_LE(harness.answered.size(), 6u);
}

TEST(AssetSubmissionTest, AssetWithAnUnknownOutcomeIsSubmittedThreeTimesWithinTheSubmitTimeout) {
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    Harness harness;
    std::vector<absl::Time> times;
    harness.script = [&](const http::Request&, const http::SendOptions&) {
      times.push_back(harness.Now());
      return http::Result(http::Response{500, {}, ""});
    };
    const absl::Time begin = harness.Now();
    const auto created = harness.Create(Harness::Asset("hero", {"alpha"}));
    for (int minute = 0; minute < 60; ++minute) {
      harness.Advance(absl::Minutes(1));
      if (restarts) harness.Restart();
    }
    ASSERT_EQ(times.size(), 3u);
    // A few seconds of 502 are not enough to make an end of it.
    EXPECT_GE(times[1] - begin, absl::Seconds(20));
    EXPECT_GE(times[2] - begin, absl::Minutes(5));
    EXPECT_LE(times[2] - begin, absl::Minutes(15));
    // Three may exist at the provider: no error can say that nothing does.
    if (!restarts) {
      ASSERT_TRUE(created.has());
      EXPECT_TRUE(created.status().ok()) << created.status();
    }
    const auto asset = harness.StoredAsset("hero");
    ASSERT_TRUE(asset.has_value());
    EXPECT_EQ(asset->resource.state(), v1::Asset::FAILED);
    EXPECT_EQ(base::ReasonOf(asset->resource.error()), v1::SUBMISSION_UNKNOWN);
    // Nor does a deletion say so.
    const auto deleted = harness.DeleteAsset("hero");
    ASSERT_TRUE(deleted.get().ok()) << deleted.status();
    EXPECT_THAT(deleted->retained_by_providers(), testing::ElementsAre("providers/alpha"));
  }
}

TEST(AssetSubmissionTest, AssetIsSubmittedAgainSoonAfterTwoRestarts) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  for (int ended = 0; ended < 2; ++ended) {
    ASSERT_EQ(harness.http().pending(), 1u) << "a submission is under way";
    harness.Restart();
    harness.Advance(absl::Seconds(35));
  }
  ASSERT_EQ(harness.http().pending(), 1u) << "the provider was never out of order";
  harness.AnswerNext(200, "id=up-1 state=done");
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
}

TEST(AssetSubmissionTest, PauseBetweenTriesIsNotExtendedWhenTheClockIsSetBack) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Restart();
  harness.Advance(absl::Seconds(1));
  ASSERT_EQ(harness.http().pending(), 0u) << "it is tried again half a minute after the first";
  harness.store().other_trusted_time = harness.Now();
  harness.loop().fake_clock().Step(-absl::Minutes(20));
  harness.Restart();
  harness.Advance(absl::Seconds(35));
  EXPECT_EQ(harness.http().pending(), 1u);
}

TEST(AssetSubmissionTest, PauseBetweenTriesIsNotExtendedByAnEarlierFastClock) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.loop().fake_clock().Step(absl::Minutes(5));
  harness.Restart();
  harness.Advance(absl::Seconds(40));
  harness.AnswerNext(500);
  harness.Advance(absl::Seconds(1));
  harness.loop().fake_clock().Step(-absl::Minutes(5));
  harness.Restart();
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.http().pending(), 0u) << "an outage of minutes is to be outlived";
  harness.Advance(absl::Minutes(3));
  EXPECT_EQ(harness.http().pending(), 1u);
}

TEST(AssetSubmissionTest, AssetSurvivesAnOutageOfMinutes) {
  Harness harness;
  const absl::Time back = harness.Now() + absl::Minutes(5);
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return harness.Now() < back ? http::Result(http::Response{502, {}, ""})
                                : http::Result(http::Response{200, {}, "id=up-1 state=done"});
  };
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Advance(absl::Minutes(15));
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
}

TEST(AssetSubmissionTest, OpenAssetSubmissionFoundByARestartIsSentAgain) {
  Harness harness;
  harness.Create(Harness::Asset("hero", {"alpha"}));
  ASSERT_EQ(harness.http().pending(), 1u);
  harness.Restart();
  harness.Advance(absl::Minutes(1));
  harness.AnswerNext(200, "id=up-1 state=running");
  const auto stored = harness.StoredAsset("hero");
  EXPECT_EQ(stored->resource.state(), v1::Asset::PROCESSING);
  EXPECT_EQ(stored->record.units(0).unknown_outcomes(), 1);
  EXPECT_EQ(stored->record.units(0).handle(), "up-1");
}

TEST(AssetSubmissionTest, AssetRefusedByOneProviderIsActiveAtTheOther) {
  Harness harness;
  const auto created = harness.Create(Harness::Asset("hero", {"alpha", "beta"}));
  harness.AnswerNext(400, "too_small");
  EXPECT_FALSE(created.has());
  harness.AnswerNext(200, "id=up-2 state=done");
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::Asset::ACTIVE);
  EXPECT_EQ(created->placements(0).state(), v1::Placement::FAILED);
  EXPECT_EQ(created->placements(1).state(), v1::Placement::ACTIVE);
}

// While one provider is asked again after refusing the key, the other's refusal is not the last
// word: what is on its way could be accepted.
TEST(AssetSubmissionTest, AssetIsNotDeletedDuringItsSubmission) {
  Harness harness;
  const auto created = harness.Create(Harness::Asset("hero", {"alpha", "beta"}));
  auto alpha = harness.Take();
  auto beta = harness.Take();
  ASSERT_TRUE(IsTo(alpha, "alpha"));
  std::move(alpha).Answer(http::Response{401, {}, ""});
  harness.Advance(absl::Seconds(3));
  auto alpha_again = harness.Take();
  ASSERT_TRUE(IsTo(alpha_again, "alpha"));
  std::move(beta).Answer(http::Response{400, {}, "too_small"});
  harness.Run();
  EXPECT_TRUE(harness.StoredAsset("hero").has_value());
  std::move(alpha_again).Answer(http::Response{200, {}, "id=up-1 state=done"});
  harness.Run();
  ASSERT_TRUE(created.has());
  EXPECT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
}

TEST(AssetSubmissionTest, RefusedAssetLeavesNothingBehind) {
  Harness harness;
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.set_request_id("r-1");
  const auto created = harness.Create(request);
  harness.AnswerNext(401);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(base::ReasonOf(created.status()), v1::PROVIDER_CREDENTIALS_REJECTED);
  EXPECT_FALSE(harness.StoredAsset("hero").has_value());
  EXPECT_FALSE(*harness.store().FindRequest({model::kDefaultTenant, "CreateAsset", "r-1"}));
  EXPECT_EQ(harness.Provider("alpha").unfinished_placements(), 0);
}

TEST(AssetSubmissionTest, InFlightSubmissionsStayWithinTheDialectsLimit) {
  Harness::Options options;
  options.alpha.max_asset_submissions = 2;
  Harness harness(options);
  for (int i = 0; i < 5; ++i) harness.Create(Harness::Asset(absl::StrCat("a-", i), {"alpha"}));
  EXPECT_EQ(harness.http().pending(), 2u);
  // Videos are not held up by them.
  harness.Create(NotWaitedFor("film"));
  ASSERT_EQ(harness.http().pending(), 3u);
  harness.AnswerNext(200, "id=up-0 state=running");
  EXPECT_EQ(harness.http().pending(), 3u) << "the next one went at once";
  harness.AnswerNext(400, "no");
  EXPECT_EQ(harness.http().pending(), 3u);
}

}  // namespace
}  // namespace assetgate::reconcile
