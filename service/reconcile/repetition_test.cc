// Submissions whose outcome is not known, and their repetition with an idempotency key.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;

TEST(RepetitionTest, KeyIsNotReusedWhenTheClockIsBehindTheStore) {
  Harness harness(WithKeys());
  harness.Create(Harness::Video("fox"));
  harness.Take();  // Its answer never comes.
  // The window is over, and the process that starts now believes that it is not.
  harness.store().other_trusted_time = harness.Now() + absl::Hours(30);
  harness.Advance(absl::Hours(5));
  harness.Restart();
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  // What it sends itself has a window of its own.
  harness.Create(Harness::Video("dog"));
  harness.AnswerNext(502);
  harness.Advance(absl::Minutes(2));
  EXPECT_EQ(harness.http().pending(), 1u);
}

TEST(RepetitionTest, KeyIsNotReusedWhenTheClockIsBeforeItsFirstUse) {
  Harness harness(WithKeys());
  harness.Create(Harness::Video("fox"));
  harness.Take();
  harness.Advance(absl::Hours(30));
  harness.loop().fake_clock().Step(-absl::Hours(50));
  harness.Restart();
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
}

TEST(RepetitionTest, UnknownVideoWithoutAKeyIsNeverSentTwice) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.FailNext(TransportError::Kind::kTimeout, /*maybe_sent=*/true);
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::UNCONFIRMED);
  harness.Advance(absl::Hours(48));
  // Neither there nor anywhere else.
  EXPECT_EQ(harness.http().sent(), 1u);
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::SUBMISSION_UNKNOWN);
  ASSERT_EQ(task.attempts_size(), 1);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::UNCONFIRMED);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
  EXPECT_TRUE(model::IsSettled(task));

  harness.Restart();
  harness.Advance(absl::Hours(48));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST(RepetitionTest, AmbiguousAnswersMakeAVideoUnconfirmed) {
  for (const int status : {200, 500, 502, 503, 504, 408}) {
    SCOPED_TRACE(status);
    Harness harness;
    harness.Create(Harness::Video("fox"));
    harness.AnswerNext(status, "<html>");
    harness.Advance(absl::Hours(1));
    EXPECT_EQ(harness.http().sent(), 1u);
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  }
}

TEST(RepetitionTest, OpenSubmissionFoundByARestartIsNotSentAgain) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  ASSERT_EQ(harness.http().pending(), 1u);
  harness.Restart();
  harness.Advance(absl::Hours(48));
  EXPECT_EQ(harness.http().sent(), 0u);
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
}

TEST(RepetitionTest, UnknownVideoWithAKeyIsRepeatedByteForByte) {
  Harness harness(WithKeys());
  const auto created = harness.Create(Harness::Video("fox"));
  auto first = harness.Take();
  const http::Request sent = first.request;
  ASSERT_NE(HeaderOf(sent, "Idempotency-Key"), "");
  std::move(first).Answer(TransportError{TransportError::Kind::kReset, true, "cut"});
  harness.Run();
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_UNAVAILABLE);
  harness.Advance(absl::Seconds(2));
  const auto second = harness.Take();
  EXPECT_TRUE(IsTo(second, "alpha"));
  EXPECT_EQ(second.request.method, sent.method);
  EXPECT_EQ(second.request.path, sent.path);
  EXPECT_EQ(second.request.body, sent.body);
  EXPECT_EQ(HeaderOf(second.request, "Idempotency-Key"), HeaderOf(sent, "Idempotency-Key"));
  EXPECT_EQ(harness.Task("fox").attempts(0).idempotency_key(), HeaderOf(sent, "Idempotency-Key"));
  EXPECT_EQ(harness.Task("fox").attempts(0).tries(), 2);
}

TEST(RepetitionTest, RepetitionThatIsAcceptedSettlesTheTask) {
  Harness harness(WithKeys());
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(502);
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=running");
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::RUNNING);
  EXPECT_FALSE(created->has_error());
  ASSERT_EQ(created->attempts_size(), 1);
  EXPECT_EQ(created->attempts(0).provider_task_id(), "up-1");
}

TEST(RepetitionTest, RefusedRepetitionProvesNothingAboutTheFirstTry) {
  for (const int status : {400, 401, 402, 403, 404, 409, 413, 422, 429, 451, 500}) {
    SCOPED_TRACE(status);
    Harness harness(WithKeys());
    harness.Create(Harness::Video("fox"));
    harness.AnswerNext(502);
    harness.Advance(absl::Seconds(2));
    ASSERT_EQ(harness.http().pending(), 1u);
    harness.AnswerNext(status);
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
    EXPECT_EQ(harness.Task("fox").attempts_size(), 1);
    EXPECT_EQ(harness.Task("fox").attempts(0).state(), v1::Attempt::UNCONFIRMED);
    EXPECT_EQ(harness.Task("fox").attempts(0).billing(), v1::Attempt::UNKNOWN);
    // And it is asked again.
    harness.Advance(absl::Minutes(3));
    ASSERT_EQ(harness.http().pending(), 1u);
    EXPECT_TRUE(IsTo(harness.Take(), "alpha"));
  }
}

TEST(RepetitionTest, UnsentRepetitionProvesNothingAboutTheFirstTry) {
  Harness harness(WithKeys());
  harness.Create(Harness::Video("fox"));
  harness.AnswerNext(502);
  harness.Advance(absl::Seconds(2));
  harness.FailNext(TransportError::Kind::kConnect, /*maybe_sent=*/false);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  harness.Advance(absl::Minutes(1));
  EXPECT_TRUE(IsTo(harness.Take(), "alpha"));
}

TEST(RepetitionTest, IsRepeatedUntilAnHourBeforeTheWindowEnds) {
  Harness harness(WithKeys(absl::Hours(3)));
  harness.Create(Harness::Video("fox"));
  const absl::Time begin = harness.Now();
  absl::Time last = begin;
  std::vector<std::string> bodies;
  std::vector<std::string> keys;
  harness.script = [&](const http::Request& request,
                       const http::SendOptions& options) -> std::optional<http::Result> {
    last = harness.Now();
    bodies.push_back(request.body);
    keys.push_back(HeaderOf(request, "Idempotency-Key"));
    EXPECT_LE(options.send_before, begin + absl::Hours(2));
    return http::Response{503, {}, ""};
  };
  harness.Advance(absl::Hours(24));
  EXPECT_GT(keys.size(), 10u);
  EXPECT_THAT(keys, testing::Each(keys[0]));
  EXPECT_THAT(bodies, testing::Each(bodies[0]));
  EXPECT_LT(last, begin + absl::Hours(2));
  EXPECT_GT(last, begin + absl::Hours(2) - absl::Minutes(3));
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  // The window is of the first send, not of the last start.
  const std::size_t sent = keys.size();
  harness.Restart();
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(keys.size(), sent);
}

TEST(RepetitionTest, OpenSubmissionWithAKeyIsRepeatedAfterARestart) {
  Harness harness(WithKeys());
  harness.Create(Harness::Video("fox"));
  const http::Request sent = harness.Take().request;
  harness.Advance(absl::Minutes(5));
  harness.Restart();
  const auto again = harness.Take();
  EXPECT_EQ(again.request.body, sent.body);
  EXPECT_EQ(HeaderOf(again.request, "Idempotency-Key"), HeaderOf(sent, "Idempotency-Key"));
  const model::Submission submission = harness.StoredVideo("fox")->record.units(0).submission();
  EXPECT_EQ(base::FromProto(submission.first_send_time()), harness.Now() - absl::Minutes(5));
  EXPECT_EQ(submission.sends(), 2);
}

TEST(RepetitionTest, RetriedSubmissionKeepsItsKey) {
  for (const int status : {301, 401, 429, 0}) {
    SCOPED_TRACE(status);
    Harness harness(WithKeys());
    v1::CreateVideoTaskRequest request = Harness::Video("fox");
    request.add_providers("providers/alpha");
    request.mutable_max_wait()->set_seconds(0);
    harness.Create(request);
    const absl::Time first_sent = harness.Now();
    auto first = harness.Take();
    const std::string key = HeaderOf(first.request, "Idempotency-Key");
    ASSERT_NE(key, "");
    std::move(first).Answer(
        status == 0 ? http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"})
                    : http::Result(http::Response{status, {}, ""}));
    harness.Advance(absl::Minutes(2));
    const auto second = harness.Take();
    EXPECT_EQ(HeaderOf(second.request, "Idempotency-Key"), key);
    const auto stored = harness.StoredVideo("fox");
    ASSERT_EQ(stored->resource.attempts_size(), 1);
    EXPECT_EQ(stored->resource.attempts(0).idempotency_key(), key);
    // The provider may have known the key since then.
    EXPECT_EQ(base::FromProto(stored->record.units(0).submission().first_send_time()), first_sent);
    EXPECT_EQ(stored->record.units(0).submission().sends(), 2);
  }
}

TEST(RepetitionTest, KeyIsNotUsedForAnotherAccount) {
  Harness harness(WithKeys());
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.add_providers("providers/alpha");
  request.mutable_max_wait()->set_seconds(0);
  harness.Create(request);
  const std::string key = HeaderOf(harness.Take().request, "Idempotency-Key");
  harness.Restart();
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  harness.AnswerNext(200, "id=up-1 state=queued");

  request.set_video_task_id("wolf");
  harness.Create(request);
  auto first = harness.Take();
  const std::string its_key = HeaderOf(first.request, "Idempotency-Key");
  EXPECT_NE(its_key, key);
  std::move(first).Answer(http::Response{401, {}, ""});
  harness.Run();
  Harness::Options replaced = WithKeys();
  replaced.alpha_account = "new-alpha";
  harness.Reconfigure(replaced);
  for (;;) {
    harness.Advance(absl::Seconds(5));
    const auto again = harness.Take();
    if (again.request.method != "POST") continue;
    EXPECT_NE(HeaderOf(again.request, "Idempotency-Key"), its_key);
    break;
  }
}

}  // namespace
}  // namespace assetgate::reconcile
