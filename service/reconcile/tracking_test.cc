// What happens after acceptance: polls, verdicts, references, deletion, repetition of requests.
#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;
using testing::ElementsAre;
using testing::HasSubstr;

http::Result Ok(std::string body) { return http::Response{200, {}, std::move(body)}; }

v1::Reference ReferenceTo(absl::string_view asset) {
  v1::Reference reference;
  reference.set_role(v1::Reference::REFERENCE);
  reference.set_asset(model::MakeName(model::kAssets, asset));
  return reference;
}

v1::CreateVideoTaskRequest VideoOf(absl::string_view id, absl::string_view asset) {
  v1::CreateVideoTaskRequest request = Harness::Video(id);
  *request.mutable_video_task()->add_references() = ReferenceTo(asset);
  return request;
}

// A task that alpha has accepted.
void Accept(Harness& harness, absl::string_view id) {
  harness.Create(Harness::Video(id));
  harness.AnswerNext(200, "id=up-1 state=running");
  ASSERT_EQ(harness.Task(id).state(), v1::VideoTask::RUNNING);
}

TEST(ReconcilerTrackingTest, TheEndIsMeasuredFromTheLastPollThatFoundItUnfinished) {
  Harness harness;
  Accept(harness, "fox");
  const absl::Time accepted = harness.Now();
  harness.Advance(absl::Seconds(2));
  auto poll = harness.Take();
  const absl::Time asked = harness.Now();
  EXPECT_GT(asked, accepted);
  std::move(poll).Answer(Ok("id=up-1 state=running"));
  harness.Run();
  EXPECT_TRUE(harness.telemetry().detections.empty());
  harness.Advance(absl::Seconds(10));
  harness.AnswerNext(200, "id=up-1 state=done");
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_THAT(harness.telemetry().detections,
              ElementsAre(std::make_pair(base::DetectionBasis::kLastPoll, harness.Now() - asked)));
}

TEST(ReconcilerTrackingTest, TheEndIsMeasuredFromTheProvidersTimeWhereItSaysIt) {
  Harness harness;
  Accept(harness, "fox");
  harness.Advance(absl::Seconds(10));
  harness.AnswerNext(200, absl::StrCat("id=up-1 state=done ended=",
                                       absl::ToUnixSeconds(harness.Now() - absl::Seconds(4))));
  ASSERT_EQ(harness.telemetry().detections.size(), 1u);
  EXPECT_EQ(harness.telemetry().detections[0].first, base::DetectionBasis::kFinishTime);
  EXPECT_NEAR(absl::ToDoubleSeconds(harness.telemetry().detections[0].second), 4, 1);
}

TEST(ReconcilerTrackingTest, AnEndThatARestartFindsHasNoMeasure) {
  Harness harness;
  Accept(harness, "fox");
  harness.Restart();
  harness.Advance(absl::Minutes(1));
  harness.AnswerNext(200, "id=up-1 state=done");
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_TRUE(harness.telemetry().detections.empty());
}

TEST(ReconcilerTrackingTest, VideoIsFollowedToItsEnd) {
  Harness harness;
  Accept(harness, "fox");
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=running progress=40");
  EXPECT_EQ(harness.Task("fox").progress_percent(), 40);
  harness.Advance(absl::Seconds(10));
  harness.AnswerNext(200, "id=up-1 state=running progress=30");
  EXPECT_EQ(harness.Task("fox").progress_percent(), 40) << "progress never goes back";
  harness.Advance(absl::Seconds(10));
  harness.AnswerNext(200, "id=up-1 state=done");
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(task.video().uri(), "https://example.com/up-1.mp4");
  EXPECT_EQ(task.video().expire_time_source(), v1::Video::DOCUMENTATION);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::BILLED);
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().sent(), 4u);
}

TEST(ReconcilerTrackingTest, PollsKeepTheirDistanceAndWriteNothingWithoutNews) {
  Harness harness;
  Accept(harness, "fox");
  std::vector<absl::Time> polls;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    polls.push_back(harness.Now());
    return Ok("id=up-1 state=running");
  };
  const auto revision = *harness.store().Head();
  const std::int64_t commits = harness.store().commits();
  harness.Advance(absl::Minutes(10));
  ASSERT_GT(polls.size(), 20u);
  for (std::size_t i = 1; i < polls.size(); ++i) {
    EXPECT_GE(polls[i] - polls[i - 1], absl::Seconds(5));
    EXPECT_LE(polls[i] - polls[i - 1], absl::Seconds(23.1));
  }
  EXPECT_EQ(harness.store().commits(), commits);
  EXPECT_EQ(*harness.store().Head(), revision);
}

TEST(ReconcilerTrackingTest, PollsLeaveNoTimersBehind) {
  Harness harness;
  Accept(harness, "fox");
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return Ok("id=up-1 state=running");
  };
  harness.Advance(absl::Hours(2));
  EXPECT_LE(harness.loop().timers(), 5u);
}

TEST(ReconcilerTrackingTest, FinishedWorkLeavesNoTimersBehind) {
  Harness harness;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return Ok("id=up-1 state=done");
  };
  for (int i = 0; i < 20; ++i) harness.Create(Harness::Video(absl::StrCat("fox-", i)));
  harness.Advance(absl::Minutes(2));
  EXPECT_EQ(harness.loop().timers(), 0u);
}

TEST(ReconcilerTrackingTest, TroubleOnAPollIsNeverAVerdict) {
  for (const int status : {401, 402, 403, 429, 500, 503}) {
    SCOPED_TRACE(status);
    Harness harness;
    Accept(harness, "fox");
    harness.script = [&](const http::Request&, const http::SendOptions&) {
      return http::Result(http::Response{status, {}, ""});
    };
    harness.Advance(absl::Hours(2));
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
    EXPECT_NE(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_WORKING);
    harness.script = [&](const http::Request&, const http::SendOptions&) {
      return Ok("id=up-1 state=done");
    };
    harness.Advance(absl::Minutes(5));
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  }
}

TEST(ReconcilerTrackingTest, UnknownStateWordIsInProgress) {
  Harness harness;
  Accept(harness, "fox");
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=marinating");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(harness.Task("fox").attempts(0).provider_state(), "marinating");
}

TEST(ReconcilerTrackingTest, TaskThatTheProviderForgotFailsAfterTenMinutes) {
  Harness harness;
  Accept(harness, "fox");
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{404, {}, "who?"});
  };
  harness.Advance(absl::Minutes(9));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  harness.Advance(absl::Minutes(3));
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::PROVIDER_FORGOT);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
}

TEST(ReconcilerTrackingTest, NotFoundInBetweenIsForgiven) {
  Harness harness;
  Accept(harness, "fox");
  int polls = 0;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return ++polls % 5 == 0 ? Ok("id=up-1 state=running")
                            : http::Result(http::Response{404, {}, ""});
  };
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReconcilerTrackingTest, AssetThatTheProviderForgotIsPlacedAnewOnce) {
  Harness harness;
  harness.script = [&](const http::Request& request, const http::SendOptions&) {
    return request.method == "POST" ? Ok("id=up-1 state=running")
                                    : http::Result(http::Response{404, {}, ""});
  };
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.Advance(absl::Hours(2));
  const v1::Asset asset = harness.AssetNow("hero");
  EXPECT_EQ(asset.state(), v1::Asset::FAILED);
  ASSERT_EQ(asset.placements_size(), 2);
  EXPECT_EQ(asset.placements(0).state(), v1::Placement::LOST);
  EXPECT_EQ(asset.placements(1).state(), v1::Placement::LOST);
  EXPECT_EQ(base::ReasonOf(asset.error()), v1::PROVIDER_FORGOT);
  EXPECT_EQ(std::count(harness.answered.begin(), harness.answered.end(), "POST alpha /assets"), 2);
}

TEST(ReconcilerTrackingTest, OldWorkIsPolledSlowlyAndGivenUpAtTheHorizon) {
  Harness harness;
  Accept(harness, "fox");
  int polls = 0;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    ++polls;
    return Ok("id=up-1 state=running");
  };
  harness.Advance(absl::Hours(7));
  polls = 0;
  harness.Advance(absl::Hours(1));
  EXPECT_LE(polls, 12);
  EXPECT_GE(polls, 9);
  harness.Advance(absl::Hours(7 * 24));
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::TRACKING_EXPIRED);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
}

TEST(ReconcilerTrackingTest, NothingIsGivenUpByARestartWhoseClockIsDaysAhead) {
  Harness harness;
  constexpr int kTasks = 30;
  int accepted = 0;
  harness.script = [&](const http::Request& request,
                       const http::SendOptions&) -> std::optional<http::Result> {
    if (request.method == "POST") {
      return http::Response{200, {}, absl::StrCat("id=up-", ++accepted, " state=running")};
    }
    return http::Response{200, {}, absl::StrCat("id=", request.path.substr(8), " state=running")};
  };
  for (int i = 0; i < kTasks; ++i) harness.Create(Harness::Video(absl::StrCat("fox-", i)));
  harness.loop().fake_clock().Step(absl::Hours(8 * 24));
  harness.Restart();
  harness.Advance(absl::Minutes(1));
  harness.loop().fake_clock().Step(-absl::Hours(8 * 24));
  harness.Restart();
  harness.Advance(absl::Minutes(1));
  for (int i = 0; i < kTasks; ++i) {
    EXPECT_EQ(harness.Task(absl::StrCat("fox-", i)).state(), v1::VideoTask::RUNNING);
  }
}

TEST(ReconcilerTrackingTest, ResultThatARestartFindsBeyondTheHorizonIsHad) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  harness.AnswerNext(200, "id=up-1 state=running");
  harness.loop().fake_clock().Step(absl::Hours(8 * 24));
  harness.Restart();
  harness.script = [&](const http::Request&,
                       const http::SendOptions&) -> std::optional<http::Result> {
    return http::Response{200, {}, "id=up-1 state=done"};
  };
  harness.Advance(absl::Minutes(12));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReconcilerTrackingTest, RestartSpreadsThePolls) {
  Harness harness;
  int id = 0;
  harness.script = [&](const http::Request& request, const http::SendOptions&) {
    return request.method == "POST" ? Ok(absl::StrCat("id=up-", ++id, " state=running"))
                                    : Ok("state=running");
  };
  for (int i = 0; i < 20; ++i) harness.Create(Harness::Video(absl::StrCat("fox-", i)));
  harness.script = nullptr;
  harness.Restart();
  EXPECT_LT(harness.http().sent(), 5u);
  harness.Advance(absl::Seconds(3));
  EXPECT_GT(harness.http().sent(), 3u);
  EXPECT_LT(harness.http().sent(), 18u);
  harness.Advance(absl::Seconds(4));
  EXPECT_EQ(harness.http().sent(), 20u);
}

TEST(ReconcilerTrackingTest, StoreThatFailsLosesNothingThatWasHeard) {
  Harness harness;
  Accept(harness, "fox");
  harness.Advance(absl::Seconds(2));
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  harness.AnswerNext(200, "id=up-1 state=done");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  harness.Advance(absl::Seconds(5));
  harness.store().judge = nullptr;
  harness.Advance(absl::Seconds(1));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(harness.http().sent(), 2u);
}

TEST(ReconcilerTrackingTest, AStuckProviderDelaysNoOther) {
  Harness::Options options;
  options.limits = {1000, 2};
  Harness harness(options);
  harness.script = [](const http::Request&,
                      const http::SendOptions& to) -> std::optional<http::Result> {
    if (absl::StrContains(to.base_url, "alpha")) return std::nullopt;  // never answers
    return Ok("id=up-1 state=done");
  };
  for (int i = 0; i < 10; ++i) {
    harness.Create(Harness::Asset(absl::StrCat("a-", i), {"alpha"}));
    harness.Create(Harness::Asset(absl::StrCat("b-", i), {"beta"}));
  }
  harness.Advance(absl::Seconds(2));
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(harness.AssetNow(absl::StrCat("b-", i)).state(), v1::Asset::ACTIVE);
  }
  EXPECT_EQ(harness.http().pending(), 2u);
  EXPECT_EQ(harness.AssetNow("a-9").placements(0).waiting().reason(), v1::Waiting::PROVIDER_BUSY);
}

// --- References

TEST(ReconcilerReferenceTest, AssetIsPlacedAtTheChosenProviderFirst) {
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

TEST(ReconcilerReferenceTest, AssetThatFailsThereSendsTheTaskElsewhere) {
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

TEST(ReconcilerReferenceTest, TaskFailsWhenTheAssetFailsEverywhere) {
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

TEST(ReconcilerReferenceTest, MediaThatAProviderDoesNotRegisterAreGivenAsTheirUri) {
  Harness harness;
  v1::CreateAssetRequest song = Harness::Asset("song", {});
  song.mutable_asset()->set_media_type(v1::AUDIO);
  harness.Create(song);
  harness.Create(VideoOf("fox", "song"));
  const auto video = harness.Take();
  EXPECT_EQ(video.request.path, "/videos");
  EXPECT_THAT(video.request.body, HasSubstr("references=https://example.com/song.png"));
}

TEST(ReconcilerReferenceTest, NativeGroupIsMadeFirstAndOnce) {
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

TEST(ReconcilerReferenceTest, OwnGroupThatAProviderDidNotMakeIsTriedAgainLater) {
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

TEST(ReconcilerReferenceTest, OwnGroupThatKeepsFailingDoesNotGrow) {
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
  EXPECT_EQ(group->resource.placements_size(), 1) << "begun anew in its place";
  EXPECT_EQ(group->record.units_size(), 1);
  const auto last = harness.Create(Harness::Asset("last", {"alpha"}));
  harness.AnswerNext(200, "id=g-1 state=done");
  harness.AnswerNext(200, "id=a-1 state=done");
  ASSERT_TRUE(last.has());
  EXPECT_TRUE(last.get().ok()) << last.status();
}

TEST(ReconcilerReferenceTest, AssetThatIsActiveWithoutAnIdIsNotPassedAsAUri) {
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

TEST(ReconcilerReferenceTest, GroupThatCannotBeCommittedIsNotTriedInALoop) {
  Harness::Options options;
  options.alpha.native_groups = true;
  Harness harness(options);
  harness.store().judge = [](const store::Transaction& transaction) {
    for (const auto& write : transaction.writes) {
      if (write.key.kind == store::Kind::kAssetGroup) return store::FaultyStore::Outcome::kUnavailable;
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

// --- Commands

TEST(ReconcilerCommandTest, TaskThatWasNotSubmittedIsCancelled) {
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

TEST(ReconcilerCommandTest, SubmittedTaskCannotBeCancelled) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  EXPECT_EQ(base::ReasonOf(harness.Cancel("fox").status()), v1::CANCEL_UNSUPPORTED);
  harness.AnswerNext(200, "id=up-1 state=done");
  EXPECT_EQ(base::ReasonOf(harness.Cancel("fox").status()), v1::ALREADY_FINISHED);
  EXPECT_EQ(base::ReasonOf(harness.Cancel("nobody").status()), v1::RESOURCE_NOT_FOUND);
}

TEST(ReconcilerCommandTest, AssetInUseIsNotDeleted) {
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

TEST(ReconcilerCommandTest, GroupWithAssetsIsNotDeleted) {
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
TEST(ReconcilerCommandTest, WhatIsReferredToIsNotDeletedUnderANewReference) {
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

TEST(ReconcilerCommandTest, CopyAtTheProviderIsDeletedEvenAfterARestart) {
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

TEST(ReconcilerCommandTest, DeletionThatNeverSucceedsIsGivenUpAfterADay) {
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

// --- Requests that come twice

TEST(ReconcilerRequestIdTest, DuplicateInFlightGetsTheSameAnswer) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  const auto second = harness.Create(request);
  EXPECT_FALSE(second.has());
  harness.AnswerNext(200, "id=up-1 state=queued");
  ASSERT_TRUE(first.has() && second.has());
  EXPECT_EQ(first->name(), second->name());
  EXPECT_EQ(second->state(), v1::VideoTask::QUEUED);
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(ReconcilerRequestIdTest, DuplicatesThatComeTogetherMakeOneTask) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  Answer<v1::VideoTask> first;
  Answer<v1::VideoTask> second;
  harness.gateway().CreateVideoTask(calls::Caller(), request, first.reply());
  harness.gateway().CreateVideoTask(calls::Caller(), request, second.reply());
  harness.Run();
  EXPECT_EQ(harness.http().sent(), 1u);
  harness.AnswerNext(400, "no");
  EXPECT_EQ(base::ReasonOf(first.status()), v1::PROVIDER_INVALID_ARGUMENT);
  EXPECT_EQ(base::ReasonOf(second.status()), v1::PROVIDER_INVALID_ARGUMENT);
}

// Whatever the first one is told, its duplicates are told: those that come while its intent is
// being committed, and those that come while its provider is being asked.
template <typename Request>
void ExpectDuplicatesToldTheSame(Request request, int status, const std::string& body,
                                 std::size_t calls, Harness::Options options = {}) {
  SCOPED_TRACE(absl::StrCat(request.GetTypeName(), " HTTP ", status));
  Harness harness(std::move(options));
  request.set_request_id("r-1");
  using Reply = decltype(harness.Create(request));
  Reply first;
  Reply together;
  const auto create = [&](const Reply& answer) {
    if constexpr (std::is_same_v<Request, v1::CreateAssetGroupRequest>) {
      harness.gateway().CreateAssetGroup(calls::Caller(), request, Reply(answer).reply());
    } else if constexpr (std::is_same_v<Request, v1::CreateAssetRequest>) {
      harness.gateway().CreateAsset(calls::Caller(), request, Reply(answer).reply());
    } else if constexpr (std::is_same_v<Request, v1::BatchCreateAssetsRequest>) {
      harness.gateway().BatchCreateAssets(calls::Caller(), request, Reply(answer).reply());
    } else {
      harness.gateway().CreateVideoTask(calls::Caller(), request, Reply(answer).reply());
    }
  };
  create(first);
  create(together);
  harness.Run();
  const Reply in_flight = harness.Create(request);
  EXPECT_FALSE(first.has() || together.has() || in_flight.has());
  EXPECT_EQ(harness.http().pending(), calls) << "sent once each";
  for (std::size_t i = 0; i < calls; ++i) harness.AnswerNext(status, body);
  ASSERT_TRUE(first.has() && together.has() && in_flight.has());
  for (const Reply& duplicate : {together, in_flight}) {
    EXPECT_EQ(duplicate.status().ToString(), first.status().ToString());
    EXPECT_EQ(base::ToRpcStatus(duplicate.status()).SerializeAsString(),
              base::ToRpcStatus(first.status()).SerializeAsString());
    if (first.get().ok()) {
      EXPECT_EQ(duplicate->SerializeAsString(), first->SerializeAsString());
    }
  }
  EXPECT_EQ(harness.http().sent(), calls);
}

TEST(ReconcilerRequestIdTest, DuplicatesOfEveryKindAreToldWhatTheFirstIsTold) {
  for (const auto& [status, body] :
       {std::pair<int, std::string>{200, "id=up-1 state=done"}, {400, "no"}}) {
    ExpectDuplicatesToldTheSame(Harness::Asset("hero", {"alpha"}), status, body, 1);
    v1::CreateVideoTaskRequest video = Harness::Video("fox");
    ExpectDuplicatesToldTheSame(video, status, body, 1);
    v1::CreateAssetGroupRequest group;
    group.set_asset_group_id("cast");
    group.mutable_asset_group()->set_display_name("cast");
    group.add_providers("providers/alpha");
    Harness::Options native;
    native.alpha.native_groups = true;
    ExpectDuplicatesToldTheSame(group, status, body, 1, native);
    v1::BatchCreateAssetsRequest batch;
    for (const char* id : {"one", "two"}) *batch.add_requests() = Harness::Asset(id, {"alpha"});
    ExpectDuplicatesToldTheSame(batch, status, body, 2);
  }
}

TEST(ReconcilerRequestIdTest, DuplicateAfterARestartFindsTheTask) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  harness.AnswerNext(200, "id=up-1 state=done");
  harness.Restart();
  request.mutable_max_wait()->set_seconds(3);  // how long to wait is not what to do
  const auto second = harness.Create(request);
  ASSERT_TRUE(second.has());
  ASSERT_TRUE(second.get().ok()) << second.status();
  EXPECT_EQ(second->name(), first->name());
  EXPECT_EQ(harness.http().sent(), 0u);
}

// The commit finds a request id that is taken: with a database a millisecond away, a look before it
// would cost more than all the rest.
TEST(ReconcilerRequestIdTest, NewRequestIsNotLookedUp) {
  Harness harness;
  v1::CreateVideoTaskRequest video = Harness::Video();
  v1::CreateAssetRequest asset = Harness::Asset("hero", {"alpha"});
  v1::CreateAssetGroupRequest group;
  group.mutable_asset_group()->set_display_name("cast");
  v1::BatchCreateAssetsRequest batch;
  *batch.add_requests() = Harness::Asset("one", {"alpha"});
  const auto create_all = [&] {
    harness.Create(video);
    harness.Create(asset);
    harness.Create(group);
    harness.Create(batch);
  };
  for (auto* id : {video.mutable_request_id(), asset.mutable_request_id(),
                   group.mutable_request_id(), batch.mutable_request_id()}) {
    *id = "r-1";
  }
  create_all();
  EXPECT_EQ(harness.http().sent(), 3u);
  EXPECT_EQ(harness.store().found_requests, 0);
  // Nor is a repetition, while nothing stands in its way.
  video.mutable_max_wait()->set_seconds(5);
  harness.Create(video);
  EXPECT_EQ(harness.store().found_requests, 0);
  EXPECT_EQ(harness.http().sent(), 3u);
}

TEST(ReconcilerRequestIdTest, DuplicateIsAnsweredThoughTheRequestWouldBeRefusedNow) {
  Harness::Options options;
  Harness harness(options);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.add_providers("providers/alpha");
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  harness.AnswerNext(200, "id=up-1 state=done");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  const auto expect_first = [&] {
    const auto again = harness.Create(request);
    ASSERT_TRUE(again.has() && again.get().ok()) << again.status();
    EXPECT_EQ(again->name(), first->name());
    v1::CreateVideoTaskRequest other = request;
    other.mutable_video_task()->set_prompt("a wolf");
    EXPECT_EQ(base::ReasonOf(harness.Create(other).status()), v1::REQUEST_ID_REUSED);
  };
  expect_first();  // Its name is taken, and in memory.
  harness.Advance(absl::Minutes(1));
  expect_first();  // In the store.
  options.has_alpha = false;
  options.settings.max_unfinished = 0;
  harness.Reconfigure(options);
  expect_first();  // It cannot be routed.
  options.has_alpha = true;
  harness.Reconfigure(options);
  expect_first();  // There is no room for it.
}

TEST(ReconcilerRequestIdTest, AnotherBodyIsRefused) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  harness.Create(request);
  request.mutable_video_task()->set_prompt("a wolf");
  const auto reused = harness.Create(request);
  EXPECT_EQ(reused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(base::ReasonOf(reused.status()), v1::REQUEST_ID_REUSED);
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(ReconcilerRequestIdTest, IdThatExistsIsRefused) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  EXPECT_EQ(base::ReasonOf(harness.Create(Harness::Video("fox")).status()), v1::RESOURCE_EXISTS);
  harness.AnswerNext(200, "id=up-1 state=done");
  harness.Advance(absl::Minutes(1));
  // Out of memory by now, and in the store.
  EXPECT_EQ(base::ReasonOf(harness.Create(Harness::Video("fox")).status()), v1::RESOURCE_EXISTS);
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(ReconcilerRequestIdTest, BatchGoesOnWithoutTheIdThatIsTaken) {
  Harness harness;
  harness.Create(Harness::Asset("two", {}));
  v1::BatchCreateAssetsRequest batch;
  for (const char* id : {"one", "two", "three"}) *batch.add_requests() = Harness::Asset(id, {});
  batch.set_request_id("r-1");
  const auto check = [](const Answer<v1::BatchCreateAssetsResponse>& answer) {
    ASSERT_TRUE(answer.has());
    ASSERT_TRUE(answer.get().ok()) << answer.status();
    ASSERT_EQ(answer->results_size(), 3);
    EXPECT_EQ(answer->results(0).asset().name(), "assets/one");
    EXPECT_EQ(base::ReasonOf(answer->results(1).error()), v1::RESOURCE_EXISTS);
    EXPECT_EQ(answer->results(2).asset().name(), "assets/three");
  };
  check(harness.Create(batch));
  // The same request gets the same answer, later as well.
  check(harness.Create(batch));
  harness.Restart();
  check(harness.Create(batch));
}

TEST(ReconcilerRequestIdTest, CommandForATaskWhoseCreationFailsIsAnswered) {
  Harness harness;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  Answer<v1::VideoTask> created;
  Answer<v1::VideoTask> cancelled;
  harness.gateway().CreateVideoTask(calls::Caller(), Harness::Video("fox"), created.reply());
  v1::CancelVideoTaskRequest cancel;
  cancel.set_name("videoTasks/fox");
  harness.gateway().CancelVideoTask(calls::Caller(), cancel, cancelled.reply());
  harness.Run();
  EXPECT_EQ(base::ReasonOf(created.status()), v1::STORE_UNAVAILABLE);
  EXPECT_EQ(base::ReasonOf(cancelled.status()), v1::RESOURCE_NOT_FOUND);
}

// --- Places at the gates

// Whatever becomes of calls, their places are free afterwards: as many as allowed go out at once.
TEST(ReconcilerPlaceTest, NoSituationKeepsAPlace) {
  Harness::Options options;
  options.limits = {1000, 3};
  options.alpha.can_delete = true;
  Harness harness(options);
  int turn = 0;
  harness.script = [&](const http::Request& request,
                       const http::SendOptions&) -> std::optional<http::Result> {
    switch (++turn % 7) {
      case 0:
        return http::Response{400, {}, ""};
      case 1:
        return TransportError{TransportError::Kind::kConnect, false, ""};
      case 2:
        return TransportError{TransportError::Kind::kTimeout, true, ""};
      case 3:
        return http::Response{401, {}, ""};
      default:
        return Ok(
            absl::StrCat("id=up-", turn, " state=", request.method == "GET" ? "done" : "running"));
    }
  };
  for (int i = 0; i < 12; ++i) {
    harness.Create(Harness::Asset(absl::StrCat("a-", i), {"alpha", "beta"}));
    harness.Create(VideoOf(absl::StrCat("v-", i), absl::StrCat("a-", i)));
    harness.Cancel(absl::StrCat("v-", i));
    harness.DeleteAsset(absl::StrCat("a-", i));
  }
  harness.Advance(absl::Hours(30));
  // Only what nobody can settle is left.
  const auto unfinished = *harness.store().ListUnfinished({.limit = 1000});
  for (const store::Row& row : unfinished) {
    EXPECT_EQ(model::VideoTaskFromRow(row).state(), v1::VideoTask::UNCONFIRMED) << row.key.id;
  }
  harness.script = nullptr;
  ASSERT_EQ(harness.http().pending(), 0u);
  for (int i = 0; i < 4; ++i) {
    harness.Create(Harness::Asset(absl::StrCat("z-", i), {"alpha", "beta"}));
  }
  EXPECT_EQ(harness.http().pending(), 6u);
}

}  // namespace
}  // namespace assetgate::reconcile
