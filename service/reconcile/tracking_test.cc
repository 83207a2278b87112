// What happens after acceptance: when a unit is polled, and what its answers mean.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

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

using testing::ElementsAre;

TEST(TrackingTest, DetectionLagStartsAtTheLastUnfinishedPoll) {
  Harness harness;
  Accept(harness, "fox", "up-1");
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

TEST(TrackingTest, DetectionLagStartsAtTheProvidersEndTime) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.Advance(absl::Seconds(10));
  harness.AnswerNext(200, absl::StrCat("id=up-1 state=done ended=",
                                       absl::ToUnixSeconds(harness.Now() - absl::Seconds(4))));
  ASSERT_EQ(harness.telemetry().detections.size(), 1u);
  EXPECT_EQ(harness.telemetry().detections[0].first, base::DetectionBasis::kFinishTime);
  EXPECT_NEAR(absl::ToDoubleSeconds(harness.telemetry().detections[0].second), 4, 1);
}

TEST(TrackingTest, EndFoundByARestartHasNoDetectionLag) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.Restart();
  harness.Advance(absl::Minutes(1));
  harness.AnswerNext(200, "id=up-1 state=done");
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_TRUE(harness.telemetry().detections.empty());
}

TEST(TrackingTest, VideoIsFollowedToItsEnd) {
  Harness harness;
  Accept(harness, "fox", "up-1");
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

TEST(TrackingTest, PollsKeepTheirIntervalAndWriteNothingWithoutNews) {
  Harness harness;
  Accept(harness, "fox", "up-1");
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

TEST(TrackingTest, PollsLeaveNoTimersBehind) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return Ok("id=up-1 state=running");
  };
  harness.Advance(absl::Hours(2));
  EXPECT_LE(harness.loop().timers(), 5u);
}

TEST(TrackingTest, FinishedWorkLeavesNoTimersBehind) {
  Harness harness;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return Ok("id=up-1 state=done");
  };
  for (int i = 0; i < 20; ++i) harness.Create(Harness::Video(absl::StrCat("fox-", i)));
  harness.Advance(absl::Minutes(2));
  EXPECT_EQ(harness.loop().timers(), 0u);
}

TEST(TrackingTest, FailedPollIsNeverAVerdict) {
  for (const int status : {401, 402, 403, 429, 500, 503}) {
    SCOPED_TRACE(status);
    Harness harness;
    Accept(harness, "fox", "up-1");
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

TEST(TrackingTest, UnknownStateMeansInProgress) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=marinating");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(harness.Task("fox").attempts(0).provider_state(), "marinating");
}

TEST(TrackingTest, TaskThatTheProviderForgotFailsAfterTenMinutes) {
  Harness harness;
  Accept(harness, "fox", "up-1");
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

TEST(TrackingTest, TemporaryNotFoundIsTolerated) {
  Harness harness;
  Accept(harness, "fox", "up-1");
  int polls = 0;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return ++polls % 5 == 0 ? Ok("id=up-1 state=running")
                            : http::Result(http::Response{404, {}, ""});
  };
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(TrackingTest, AssetThatTheProviderForgotIsPlacedAgainOnce) {
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

TEST(TrackingTest, OldWorkIsPolledSlowlyAndAbandonedAtTheHorizon) {
  Harness harness;
  Accept(harness, "fox", "up-1");
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

TEST(TrackingTest, RestartWithAClockDaysAheadAbandonsNothing) {
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

TEST(TrackingTest, ResultFoundByARestartBeyondTheHorizonIsKept) {
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

TEST(TrackingTest, RestartSpreadsThePolls) {
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

TEST(TrackingTest, FailingStoreLosesNoNews) {
  Harness harness;
  Accept(harness, "fox", "up-1");
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

TEST(TrackingTest, StuckProviderDelaysNoOther) {
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

}  // namespace
}  // namespace assetgate::reconcile
