// What becomes of results that do not come as documented: late, without a link, with an unknown
// word, or after the gateway gave the work up.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

http::Result Status(int status, std::string body = "") {
  return http::Response{status, {}, std::move(body)};
}

// From now on every call is answered so.
void Answer(Harness& harness, http::Result answer) {
  harness.script = [answer = std::move(answer)](const http::Request&, const http::SendOptions&) {
    return answer;
  };
}

// A task that alpha has accepted as "up-1".
void Accept(Harness& harness, absl::string_view id) {
  harness.Create(Harness::Video(id));
  harness.AnswerNext(200, "id=up-1 state=queued");
  ASSERT_EQ(harness.Task(id).state(), v1::VideoTask::QUEUED);
}

TEST(ResultsTest, EndIsReportedOnceWithItsTimeAndCharge) {
  Harness harness;
  Accept(harness, "fox");
  harness.Advance(absl::Seconds(30));
  EXPECT_THAT(harness.telemetry().video_ends, IsEmpty());
  Answer(harness, Ok("id=up-1 state=done credits=2.5"));
  harness.Advance(absl::Minutes(1));
  const v1::VideoTask task = harness.Task("fox");
  ASSERT_EQ(task.state(), v1::VideoTask::SUCCEEDED);
  const absl::Duration took =
      base::FromProto(task.end_time()) - base::FromProto(task.create_time());
  EXPECT_GE(took, absl::Seconds(30));
  EXPECT_THAT(
      harness.telemetry().video_ends,
      ElementsAre(model::VideoEnd{"alpha", "video-1", base::VideoOutcome::kSucceeded, took}));
  EXPECT_THAT(harness.telemetry().video_usages,
              ElementsAre(model::VideoUsage{"alpha", "video-1", 0, 2.5}));
  harness.Restart();
  harness.Advance(absl::Hours(2));
  EXPECT_EQ(harness.telemetry().video_ends.size(), 1u) << "a restart tells no end again";
  EXPECT_EQ(harness.telemetry().video_usages.size(), 1u);
}

TEST(ResultsTest, EveryProviderIsReportedWithTheModelsOfItsRoutes) {
  Harness harness;
  EXPECT_THAT(harness.telemetry().video_models, ElementsAre(Pair("alpha", ElementsAre("video-1")),
                                                            Pair("beta", ElementsAre("video-1"))));
}

TEST(ResultsTest, MissingResultIsRequestedAcrossARestart) {
  Harness harness;
  Accept(harness, "fox");
  Answer(harness, Ok("id=up-1 state=done result=missing"));
  harness.Advance(absl::Minutes(4));
  v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::PROVIDER_WORKING);
  EXPECT_THAT(task.waiting().message(), HasSubstr("no link"));
  const std::int64_t commits = harness.store().commits();
  harness.Advance(absl::Minutes(2));
  EXPECT_EQ(harness.store().commits(), commits) << "the same answer is no news";
  harness.Restart();
  harness.Advance(absl::Minutes(3));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  harness.Advance(absl::Minutes(2));
  task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED) << "the restart began nothing anew";
  EXPECT_EQ(base::ReasonOf(task.error()), v1::RESULT_MISSING);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
  EXPECT_THAT(task.attempts(0).provider_answer(), HasSubstr("state=done"));
  EXPECT_THAT(harness.telemetry().oddities, Contains(RecordedTelemetry::OddAnswer{
                                                "alpha", base::Oddity::kResultMissing, "done"}));
}

TEST(ResultsTest, LinkThatArrivesLaterIsAResult) {
  Harness harness;
  Accept(harness, "fox");
  Answer(harness, Ok("id=up-1 state=done result=missing"));
  harness.Advance(absl::Minutes(5));
  Answer(harness, Ok("id=up-1 state=done"));
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(harness.Task("fox").video().uri(), "https://example.com/up-1.mp4");
}

TEST(ResultsTest, InlineResultFailsAtOnce) {
  Harness harness;
  Accept(harness, "fox");
  Answer(harness, Ok("id=up-1 state=done result=inline"));
  harness.Advance(absl::Seconds(30));
  EXPECT_EQ(base::ReasonOf(harness.Task("fox").error()), v1::RESULT_INLINE);
}

struct GivenUp {
  const char* name;
  http::Result answer;
  absl::Duration after;
  v1::ErrorReason reason;
};
std::vector<GivenUp> WaysToGiveUp() {
  return {{"expired", Ok("id=up-1 state=running"), absl::Hours(24 * 7) + absl::Hours(1),
           v1::TRACKING_EXPIRED},
          {"forgotten", Status(404), absl::Minutes(12), v1::PROVIDER_FORGOT},
          {"without a result", Ok("id=up-1 state=done result=missing"), absl::Minutes(12),
           v1::RESULT_MISSING}};
}

TEST(ResultsTest, LateResultIsRecordedInTheAttempt) {
  for (const GivenUp& way : WaysToGiveUp()) {
    SCOPED_TRACE(way.name);
    Harness harness;
    Accept(harness, "fox");
    Answer(harness, way.answer);
    harness.Advance(way.after);
    ASSERT_EQ(base::ReasonOf(harness.Task("fox").error()), way.reason);
    harness.Restart();
    harness.Advance(absl::Hours(6));
    Answer(harness, Ok("id=up-1 state=done"));
    harness.Advance(absl::Hours(2));
    const v1::VideoTask task = harness.Task("fox");
    EXPECT_EQ(task.state(), v1::VideoTask::FAILED) << "what we said stays";
    EXPECT_EQ(base::ReasonOf(task.error()), way.reason);
    EXPECT_EQ(task.attempts(0).state(), v1::Attempt::SUCCEEDED);
    EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::BILLED);
    EXPECT_EQ(task.attempts(0).video().uri(), "https://example.com/up-1.mp4");
    EXPECT_THAT(
        harness.telemetry().oddities,
        Contains(RecordedTelemetry::OddAnswer{"alpha", base::Oddity::kLateResult, "SUCCEEDED"}));
    const std::size_t sent = harness.http().sent();
    harness.Advance(absl::Hours(24));
    EXPECT_EQ(harness.http().sent(), sent) << "and nothing more is asked";
    EXPECT_FALSE(model::IsUnfinished(*harness.StoredVideo("fox")));
  }
}

TEST(ResultsTest, AbandonedTaskIsPolledSlowlyForADay) {
  for (const GivenUp& way : WaysToGiveUp()) {
    SCOPED_TRACE(way.name);
    Harness harness;
    Accept(harness, "fox");
    Answer(harness, way.answer);
    harness.Advance(way.after);
    ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::FAILED);
    const std::size_t before = harness.http().sent();
    const std::int64_t commits = harness.store().commits();
    harness.Advance(absl::Hours(23));
    const std::size_t polls = harness.http().sent() - before;
    EXPECT_GE(polls, 20u);
    EXPECT_LE(polls, 80u);
    EXPECT_LE(harness.store().commits() - commits, 1) << "polls without news write nothing";
    harness.Advance(absl::Hours(2));
    EXPECT_FALSE(model::IsUnfinished(*harness.StoredVideo("fox")));
    const std::size_t sent = harness.http().sent();
    harness.Advance(absl::Hours(48));
    EXPECT_EQ(harness.http().sent(), sent);
    EXPECT_EQ(harness.loop().timers(), 0u);
  }
}

TEST(ResultsTest, AbandonedTaskIsFinalForCallers) {
  Harness harness;
  Accept(harness, "fox");
  Answer(harness, Status(404));
  harness.Advance(absl::Minutes(12));
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::FAILED);
  EXPECT_TRUE(model::IsUnfinished(*harness.StoredVideo("fox"))) << "a restart takes it up";
  EXPECT_TRUE(model::IsSettled(harness.Task("fox")));
  EXPECT_EQ(model::ToContent(*harness.StoredVideo("fox")).settled, true);
  EXPECT_EQ(harness.Provider("alpha").unfinished_attempts(), 0);
  EXPECT_TRUE(harness.DeleteVideo("fox").get().ok());
  const std::size_t sent = harness.http().sent();
  harness.Advance(absl::Hours(24));
  EXPECT_EQ(harness.http().sent(), sent);
}

TEST(ResultsTest, NotFoundIsReportedWhileItLasts) {
  Harness harness;
  Accept(harness, "fox");
  Answer(harness, Status(404));
  harness.Advance(absl::Minutes(5));
  const v1::Waiting waiting = harness.Task("fox").waiting();
  EXPECT_EQ(waiting.reason(), v1::Waiting::PROVIDER_NOT_FOUND);
  EXPECT_THAT(waiting.message(), HasSubstr("does not know it"));
  EXPECT_THAT(waiting.message(), HasSubstr("PROVIDER_FORGOT"));
  const std::int64_t commits = harness.store().commits();
  harness.Advance(absl::Minutes(3));
  EXPECT_EQ(harness.store().commits(), commits);
  Answer(harness, Ok("id=up-1 state=running"));
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_WORKING);
}

TEST(ResultsTest, NotFoundBetweenFailuresDoesNotWriteEachTime) {
  Harness harness;
  Accept(harness, "fox");
  int calls = 0;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return ++calls % 6 < 3 ? Status(404) : Status(500);
  };
  const std::int64_t commits = harness.store().commits();
  harness.Advance(absl::Minutes(8));
  EXPECT_LE(harness.store().commits() - commits, calls / 2 + 2);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
}

TEST(ResultsTest, InnerStateCountsAfterThreePolls) {
  Harness harness;
  Accept(harness, "fox");
  for (int i = 0; i < 2; ++i) {
    harness.Advance(absl::Seconds(25));
    harness.AnswerNext(200, "id=up-1 state=running inner=done");
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  }
  harness.Advance(absl::Seconds(25));
  harness.AnswerNext(200, "id=up-1 state=running inner=done");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ResultsTest, InnerStateCountsAfterFiveMinutesOfRarePolls) {
  Harness::Options options;
  options.alpha_video_polling =
      provider::Polling{absl::Minutes(6), absl::Minutes(6), absl::Minutes(6)};
  Harness harness(options);
  Accept(harness, "fox");
  Answer(harness, Ok("id=up-1 state=running inner=done"));
  harness.Advance(absl::Minutes(7));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  harness.Advance(absl::Minutes(7));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ResultsTest, OuterStateThatAdvancesEndsTheLag) {
  Harness harness;
  Accept(harness, "fox");
  int calls = 0;
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return Ok(++calls % 3 == 0 ? "id=up-1 state=running" : "id=up-1 state=running inner=failed");
  };
  harness.Advance(absl::Minutes(30));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ResultsTest, UnreadableAnswerDelaysNoOtherUnit) {
  Harness harness;
  Accept(harness, "fox");
  Answer(harness, Ok("unreadable"));
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.Provider("alpha").state(), v1::Provider::AVAILABLE);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_WORKING);
  EXPECT_THAT(harness.Task("fox").waiting().message(), HasSubstr("cannot be read"));
  EXPECT_THAT(harness.telemetry().oddities,
              Contains(RecordedTelemetry::OddAnswer{"alpha", base::Oddity::kUnreadable,
                                                    "it has no state"}));
  harness.script = nullptr;
  harness.Create(Harness::Video("innocent"));
  auto call = harness.Take();
  while (call.request.method != "POST") call = harness.Take();
  EXPECT_EQ(call.options.base_url, "https://alpha.example") << "not the dearer target";
}

TEST(ResultsTest, UnknownStateIsCountedAndReported) {
  Harness harness;
  Accept(harness, "fox");
  Answer(harness, Ok("id=up-1 state=marinating"));
  harness.Advance(absl::Seconds(30));
  EXPECT_THAT(harness.Task("fox").waiting().message(), HasSubstr("\"marinating\""));
  EXPECT_THAT(
      harness.telemetry().oddities,
      Contains(RecordedTelemetry::OddAnswer{"alpha", base::Oddity::kUnknownState, "marinating"}));
}

TEST(ResultsTest, RunningTasksAreDetectedWhileSubmissionsLackCredit) {
  Harness::Options options;
  options.limits = {5, 64};
  options.film_targets = {"alpha"};
  Harness harness(options);
  harness.script = [&](const http::Request&, const http::SendOptions&) {
    return Ok("id=up-1 state=running");
  };
  for (int i = 0; i < 20; ++i) harness.Create(Harness::Video(absl::StrCat("runs-", i)));
  harness.Advance(absl::Seconds(60));
  int posts = 0;
  int polls = 0;
  harness.script = [&](const http::Request& request, const http::SendOptions&) {
    if (request.method == "POST") {
      ++posts;
      return Status(402);
    }
    ++polls;
    return Ok("id=up-1 state=running");
  };
  std::vector<reconcile::Answer<v1::VideoTask>> answers;
  for (int i = 0; i < 260; ++i) {
    v1::CreateVideoTaskRequest request = Harness::Video(absl::StrCat("poor-", i));
    request.mutable_max_wait();
    answers.push_back(harness.Create(request));
  }
  harness.Advance(absl::Seconds(41));
  EXPECT_LE(posts, 15) << "one at a time finds out";
  EXPECT_GE(polls, 40);
}

TEST(ResultsTest, CreateFailsWithTheProvidersRecentRefusal) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  Harness harness(options);
  constexpr int kRefusals = 7;
  for (int i = 0; i < kRefusals; ++i) {
    auto refused = harness.Create(Harness::Video(absl::StrCat("refused-", i)));
    harness.AnswerNext(402, "no credit");
    EXPECT_EQ(base::ReasonOf(refused.status()), v1::PROVIDER_OUT_OF_CREDIT);
  }
  auto next = harness.Create(Harness::Video("next"));
  ASSERT_TRUE(next.has());
  EXPECT_EQ(base::ReasonOf(next.status()), v1::PROVIDER_OUT_OF_CREDIT);
  EXPECT_EQ(harness.http().sent(), kRefusals) << "nothing was sent for it";
  // A moment later one finds out again.
  harness.Advance(absl::Seconds(2));
  auto later = harness.Create(Harness::Video("later"));
  harness.AnswerNext(200, "id=up-1 state=queued");
  EXPECT_TRUE(later.get().ok());
}

// They can repeat a prompt, and the next one may be of another tenant.
TEST(ResultsTest, RefusalTextIsShownOnlyToItsOwnCaller) {
  const std::string words = "no credit for \"A RED FOX\"";
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.settings.initial_back_off = absl::Milliseconds(100);
  Harness harness(options);
  // These are tried again soon.
  v1::CreateVideoTaskRequest video = Harness::Video("waits");
  video.mutable_max_wait();
  harness.Create(video);
  harness.FailNext(http::TransportError::Kind::kConnect, /*maybe_sent=*/false);
  v1::CreateAssetRequest asset = Harness::Asset("waits", {"alpha"});
  asset.mutable_max_wait();
  harness.Create(asset);
  harness.FailNext(http::TransportError::Kind::kConnect, /*maybe_sent=*/false);
  for (int i = 0; i < 7; ++i) {
    auto refused = harness.Create(Harness::Video(absl::StrCat("refused-", i)));
    harness.AnswerNext(402, words);
    EXPECT_THAT(std::string(refused.status().message()), HasSubstr(words)) << "its own";
  }
  const std::size_t sent = harness.http().sent();
  harness.Advance(absl::Milliseconds(500));
  std::vector<std::string> told;
  for (const absl::Status& status : {harness.Create(Harness::Video("next")).status(),
                                     harness.Create(Harness::Asset("next", {"alpha"})).status()}) {
    EXPECT_EQ(base::ReasonOf(status), v1::PROVIDER_OUT_OF_CREDIT);
    EXPECT_THAT(std::string(status.message()), HasSubstr("HTTP 402"));
    told.push_back(base::ToRpcStatus(status).SerializeAsString());
  }
  EXPECT_EQ(harness.http().sent(), sent) << "nothing was sent for them";
  const auto task = harness.StoredVideo("waits");
  const auto placed = harness.StoredAsset("waits");
  ASSERT_TRUE(task.has_value() && placed.has_value());
  for (const v1::Waiting& waiting :
       {task->resource.waiting(), placed->resource.placements(0).waiting()}) {
    EXPECT_EQ(waiting.reason(), v1::Waiting::PROVIDER_OUT_OF_CREDIT);
    EXPECT_THAT(waiting.message(), HasSubstr("HTTP 402"));
  }
  told.push_back(task->resource.SerializeAsString());
  told.push_back(task->record.SerializeAsString());
  told.push_back(placed->resource.SerializeAsString());
  told.push_back(placed->record.SerializeAsString());
  const v1::Provider alpha = harness.Provider("alpha");
  EXPECT_EQ(base::ReasonOf(alpha.last_error()), v1::PROVIDER_OUT_OF_CREDIT);
  told.push_back(alpha.SerializeAsString());
  for (const std::string& text : told) EXPECT_THAT(text, testing::Not(HasSubstr("RED FOX")));
}

TEST(ResultsTest, HangingUnitsDoNotDelayOthers) {
  Harness::Options options;
  options.limits = {1000, 16};
  options.film_targets = {"alpha"};
  Harness harness(options);
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return Ok("id=up-slow state=running");
  };
  for (int i = 0; i < 64; ++i) harness.Create(Harness::Video(absl::StrCat("slow-", i)));
  // From now on they take 5 s to answer.
  harness.script = [](const http::Request& request,
                      const http::SendOptions&) -> std::optional<http::Result> {
    if (request.path == "/videos/up-slow") return std::nullopt;
    return Ok("id=up-quick state=running");
  };
  for (int i = 0; i < 12; ++i) {
    harness.Advance(absl::Seconds(5));
    for (std::size_t n = harness.http().pending(); n > 0; --n) {
      http::FakeHttpClient::Call call = harness.http().Take(absl::ZeroDuration());
      std::move(call).Answer(Ok("id=up-slow state=running"));
    }
    harness.Run();
  }
  harness.Create(Harness::Video("quick"));
  harness.Advance(absl::Seconds(40));
  const std::size_t hanging = harness.http().pending();
  EXPECT_LE(hanging, 8u) << "half of the places";
  EXPECT_GT(hanging, 0u);
  harness.answered.clear();
  harness.Advance(absl::Seconds(60));
  EXPECT_THAT(harness.answered, Contains("GET alpha /videos/up-quick"));
}

}  // namespace
}  // namespace assetgate::reconcile
