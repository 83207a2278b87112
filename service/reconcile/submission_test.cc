// What is sent, how often, and what is known of it: the part of the reconciler that costs money.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;
using testing::AllOf;
using testing::HasSubstr;

std::string HeaderOf(const http::Request& request, absl::string_view name) {
  for (const http::Header& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

Harness::Options WithKeys(absl::Duration window) {
  Harness::Options options;
  options.alpha.idempotency_window = window;
  return options;
}

// Whether the host of the call is the provider's.
bool IsTo(const http::FakeHttpClient::Call& call, absl::string_view provider) {
  return absl::StrContains(call.options.base_url, provider);
}

TEST(ReconcilerSubmissionTest, IsInTheJournalBeforeItIsSent) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  const auto call = harness.Take();
  const auto stored = harness.StoredVideo("fox");
  ASSERT_TRUE(stored.has_value());
  ASSERT_EQ(stored->record.units_size(), 1);
  const model::Submission& submission = stored->record.units(0).submission();
  EXPECT_TRUE(submission.open());
  EXPECT_EQ(submission.method(), "POST");
  EXPECT_EQ(submission.path(), "/videos");
  EXPECT_EQ(submission.body(), call.request.body);
  EXPECT_TRUE(submission.has_first_send_time());
  EXPECT_EQ(base::FromProto(submission.send_before()), call.options.send_before);
  EXPECT_EQ(submission.sends(), 1);
  EXPECT_TRUE(call.options.submission);
  EXPECT_EQ(stored->resource.attempts(0).state(), v1::Attempt::SUBMITTING);
  // The key goes into the request, and nowhere else.
  EXPECT_EQ(HeaderOf(call.request, "Authorization"), "Bearer secret-of-alpha");
  EXPECT_THAT(stored->record.SerializeAsString() + stored->resource.SerializeAsString(),
              testing::Not(HasSubstr("secret-of-alpha")));
}

TEST(ReconcilerSubmissionTest, IsNotSentWhenTheIntentCannotBeCommitted) {
  Harness harness;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  const auto created = harness.Create(Harness::Video("fox"));
  EXPECT_EQ(base::ReasonOf(created.status()), v1::STORE_UNAVAILABLE);
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(ReconcilerSubmissionTest, IntentWhoseCommitIsUnknownIsLookedUpBeforeAnythingIsSent) {
  for (const bool committed : {false, true}) {
    SCOPED_TRACE(committed);
    Harness harness;
    harness.store().unknown_commits = committed;
    harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
    const auto created = harness.Create(Harness::Video("fox"));
    harness.store().judge = nullptr;
    ASSERT_EQ(harness.StoredVideo("fox").has_value(), committed);
    if (committed) {
      // It is there as it was planned, and so was not sent yet: it is now, once.
      harness.AnswerNext(200, "id=up-1 state=queued");
      ASSERT_TRUE(created.has());
      EXPECT_TRUE(created.get().ok()) << created.status();
    } else {
      // That it is not there says nothing: it may come later.
      EXPECT_EQ(base::ReasonOf(created.status()), v1::COMMIT_UNKNOWN);
      harness.Advance(absl::Minutes(5));
      EXPECT_FALSE(harness.StoredVideo("fox").has_value());
    }
    EXPECT_EQ(harness.http().sent(), committed ? 1u : 0u);
    EXPECT_EQ(harness.Provider("alpha").unfinished_attempts(), committed ? 1 : 0);
  }
}

TEST(ReconcilerSubmissionTest, IsNotSentBeforeTheStoreSaysThatTheIntentIsCommitted) {
  Harness harness;
  harness.store().unknown_commits = true;
  harness.store().unreadable = true;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto created = harness.Create(request);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::COMMIT_UNKNOWN);
  harness.Advance(absl::Minutes(5));
  harness.store().unreadable = false;
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.http().sent(), 0u) << "it can be read, and still be lost";
  harness.store().judge = nullptr;
  harness.Advance(absl::Minutes(2));
  // This process knows that it sent nothing for it.
  harness.AnswerNext(200, "id=up-1 state=running");
  EXPECT_EQ(harness.http().sent(), 1u);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  const auto repeated = harness.Create(request);
  ASSERT_TRUE(repeated.has() && repeated.get().ok()) << repeated.status();
  EXPECT_EQ(repeated->name(), "videoTasks/fox");
}

TEST(ReconcilerSubmissionTest, CreationThatARestartFindsCommittedIsUnconfirmed) {
  Harness harness;
  harness.store().unknown_commits = true;
  harness.store().unreadable = true;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  harness.Create(Harness::Video("fox"));
  harness.store().judge = nullptr;
  harness.store().unreadable = false;
  harness.Restart();
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST(ReconcilerSubmissionTest, CreationThatIsCommittedLaterIsFollowed) {
  Harness harness;
  harness.store().unknown_waits = true;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  const auto created = harness.Create(Harness::Video("fox"));
  EXPECT_EQ(base::ReasonOf(created.status()), v1::COMMIT_UNKNOWN);
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  harness.Advance(absl::Minutes(3));
  EXPECT_EQ(harness.http().sent(), 0u);
  harness.CommitWaiting();
  ASSERT_TRUE(harness.StoredVideo("fox").has_value());
  harness.store().judge = nullptr;
  harness.Advance(absl::Minutes(2));
  harness.AnswerNext(200, "id=up-1 state=running");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(harness.http().sent(), 1u);
  EXPECT_EQ(harness.Provider("alpha").unfinished_attempts(), 1);
}

TEST(ReconcilerSubmissionTest, BatchThatIsCommittedLaterIsFollowed) {
  Harness harness;
  harness.store().unknown_waits = true;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  v1::BatchCreateAssetsRequest request;
  *request.add_requests() = Harness::Asset("hero", {"alpha"});
  *request.add_requests() = Harness::Asset("dog", {"beta"});
  const auto created = harness.Create(request);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::COMMIT_UNKNOWN);
  harness.store().judge = nullptr;
  harness.CommitWaiting();
  harness.Advance(absl::Seconds(5));
  harness.AnswerNext(200, "id=up-1 state=done");
  harness.AnswerNext(200, "id=up-2 state=done");
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
  EXPECT_EQ(harness.AssetNow("dog").state(), v1::Asset::ACTIVE);
}

TEST(ReconcilerSubmissionTest, RowThatASynchronousStandbyHasNotConfirmedIsNoProof) {
  Harness harness;
  harness.store().unknown_commits = true;
  harness.store().provisional = true;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  const auto created = harness.Create(Harness::Video("fox"));
  ASSERT_TRUE(harness.StoredVideo("fox").has_value());
  EXPECT_EQ(base::ReasonOf(created.status()), v1::COMMIT_UNKNOWN);
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.http().sent(), 0u);
  harness.store().judge = nullptr;
  harness.Advance(absl::Minutes(2));
  EXPECT_EQ(harness.http().sent(), 1u);
}

TEST(ReconcilerSubmissionTest, CommandWhoseCommitIsUnknownIsNeverSaidToHaveChangedNothing) {
  Harness::Options options;
  options.alpha_mode = v1::Provider::DRAIN;
  options.film_targets = {"alpha"};
  Harness harness(options);
  harness.Create(Harness::Video("fox"));
  harness.Advance(absl::Seconds(15));
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::PENDING);
  harness.store().unknown_waits = true;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  const auto cancelled = harness.Cancel("fox");
  EXPECT_EQ(base::ReasonOf(cancelled.status()), v1::COMMIT_UNKNOWN);
  harness.store().judge = nullptr;
  harness.CommitWaiting();
  harness.Advance(absl::Seconds(5));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::CANCELLED);

  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  const auto deleted = harness.DeleteVideo("fox");
  EXPECT_EQ(base::ReasonOf(deleted.status()), v1::COMMIT_UNKNOWN);
  harness.store().judge = nullptr;
  harness.CommitWaiting();
  harness.Advance(absl::Seconds(5));
  EXPECT_EQ(absl::StatusCode::kNotFound, harness.DeleteVideo("fox").status().code());
}

TEST(ReconcilerSubmissionTest, DeletionAtAProviderThatIsCommittedLaterIsDone) {
  Harness::Options options;
  options.alpha.can_delete = true;
  Harness harness(options);
  harness.Create(Harness::Asset("hero", {"alpha"}));
  harness.AnswerNext(200, "id=up-1 state=done");
  ASSERT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
  harness.store().unknown_waits = true;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
  const auto deleted = harness.DeleteAsset("hero");
  EXPECT_EQ(base::ReasonOf(deleted.status()), v1::COMMIT_UNKNOWN);
  harness.store().judge = nullptr;
  harness.CommitWaiting();
  harness.Advance(absl::Seconds(5));
  ASSERT_EQ(harness.http().pending(), 1u);
  EXPECT_EQ(harness.Take().request.method, "DELETE");
}

// --- Time

TEST(ReconcilerSubmissionTest, KeyIsNotUsedAgainByAClockThatIsBehindTheStore) {
  Harness harness(WithKeys(absl::Hours(24)));
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

TEST(ReconcilerSubmissionTest, KeyIsNotUsedAgainByAClockThatIsBeforeItsFirstUse) {
  Harness harness(WithKeys(absl::Hours(24)));
  harness.Create(Harness::Video("fox"));
  harness.Take();
  harness.Advance(absl::Hours(30));
  harness.loop().fake_clock().Step(-absl::Hours(50));
  harness.Restart();
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
}

TEST(ReconcilerSubmissionTest, IsAcknowledgedOnlyOnceTheOutcomeIsCommitted) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  // The provider has accepted, and the store takes no writes.
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  harness.AnswerNext(200, "id=up-1 state=queued");
  EXPECT_FALSE(created.has());
  EXPECT_EQ(harness.Task("fox").attempts(0).state(), v1::Attempt::SUBMITTING);
  // What was heard is kept, and goes in when the store is back. Nothing is sent again.
  harness.Advance(absl::Seconds(3));
  EXPECT_FALSE(created.has());
  harness.store().judge = nullptr;
  harness.Advance(absl::Seconds(1));
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(created->attempts(0).provider_task_id(), "up-1");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
  EXPECT_FALSE(harness.StoredVideo("fox")->record.units(0).submission().open());
  EXPECT_THAT(harness.telemetry().calls,
              testing::Not(testing::Contains(base::UpstreamOperation::kPollAsset)));
  EXPECT_EQ(std::count(harness.telemetry().calls.begin(), harness.telemetry().calls.end(),
                       base::UpstreamOperation::kSubmitVideo),
            1);
}

TEST(ReconcilerSubmissionTest, OutcomeWhoseCommitIsUnknownIsAppliedOnce) {
  for (const bool committed : {false, true}) {
    Harness harness;
    harness.Create(Harness::Video("fox"));
    harness.store().unknown_commits = committed;
    harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnknown; };
    harness.AnswerNext(200, "id=up-1 state=queued");
    harness.store().judge = nullptr;
    harness.Advance(absl::Seconds(2));
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
    EXPECT_EQ(harness.StoredVideo("fox")->record.units(0).handle(), "up-1");
    ASSERT_EQ(harness.Task("fox").attempts_size(), 1);
  }
}

TEST(ReconcilerSubmissionTest, UnknownVideoWithoutKeyIsNeverSentTwice) {
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

TEST(ReconcilerSubmissionTest, AnswersThatLeaveItOpenMakeAVideoUnconfirmed) {
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

TEST(ReconcilerSubmissionTest, OpenSubmissionThatARestartFindsIsNotSentAgain) {
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

TEST(ReconcilerSubmissionTest, UnknownVideoWithKeyIsRepeatedByteForByte) {
  Harness harness(WithKeys(absl::Hours(24)));
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

TEST(ReconcilerSubmissionTest, RepetitionThatIsAcceptedSettlesTheTask) {
  Harness harness(WithKeys(absl::Hours(24)));
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

TEST(ReconcilerSubmissionTest, WhatRefusesARepetitionSaysNothingOfTheFirstTry) {
  for (const int status : {400, 401, 402, 403, 404, 409, 413, 422, 429, 451, 500}) {
    SCOPED_TRACE(status);
    Harness harness(WithKeys(absl::Hours(24)));
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

TEST(ReconcilerSubmissionTest, RepetitionThatWasNotSentSaysNothingOfTheFirstTry) {
  Harness harness(WithKeys(absl::Hours(24)));
  harness.Create(Harness::Video("fox"));
  harness.AnswerNext(502);
  harness.Advance(absl::Seconds(2));
  harness.FailNext(TransportError::Kind::kConnect, /*maybe_sent=*/false);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  harness.Advance(absl::Minutes(1));
  EXPECT_TRUE(IsTo(harness.Take(), "alpha"));
}

TEST(ReconcilerSubmissionTest, IsRepeatedUntilAnHourBeforeTheWindowEnds) {
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

TEST(ReconcilerSubmissionTest, OpenSubmissionWithKeyIsRepeatedAfterARestart) {
  Harness harness(WithKeys(absl::Hours(24)));
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

TEST(ReconcilerSubmissionTest, UnknownIsNotHandedToTheNextProvider) {
  Harness harness(WithKeys(absl::Hours(6)));
  harness.script = [&](const http::Request& request,
                       const http::SendOptions& options) -> std::optional<http::Result> {
    EXPECT_TRUE(absl::StrContains(options.base_url, "alpha")) << request.path;
    return http::Response{500, {}, ""};
  };
  harness.Create(Harness::Video("fox"));
  harness.Advance(absl::Hours(8));
  EXPECT_EQ(harness.Task("fox").attempts_size(), 1);
}

TEST(ReconcilerSubmissionTest, NextProviderIsTriedWhenItWasSurelyNotAccepted) {
  for (const int status : {401, 402, 403, 404, 429}) {
    SCOPED_TRACE(status);
    Harness harness;
    const auto created = harness.Create(Harness::Video("fox"));
    harness.AnswerNext(status);
    const auto next = harness.Take();
    EXPECT_TRUE(IsTo(next, "beta"));
    const v1::VideoTask task = harness.Task("fox");
    ASSERT_EQ(task.attempts_size(), 2);
    EXPECT_EQ(task.attempts(0).state(), v1::Attempt::NOT_ACCEPTED);
    EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::NOT_BILLED);
    EXPECT_EQ(task.attempts(1).state(), v1::Attempt::SUBMITTING);
    EXPECT_EQ(task.attempts(1).credential_id(), "beta-key");
    EXPECT_FALSE(created.has());
  }
}

TEST(ReconcilerSubmissionTest, NextProviderIsTriedWhenNothingWasSent) {
  for (const auto kind : {TransportError::Kind::kResolve, TransportError::Kind::kConnect,
                          TransportError::Kind::kTls, TransportError::Kind::kExpired}) {
    Harness harness;
    const auto created = harness.Create(Harness::Video("fox"));
    harness.FailNext(kind, /*maybe_sent=*/false);
    harness.AnswerNext(200, "id=up-2 state=queued");
    ASSERT_TRUE(created.has());
    EXPECT_EQ(created->attempts(1).provider(), "providers/beta");
    EXPECT_EQ(created->state(), v1::VideoTask::QUEUED);
  }
}

TEST(ReconcilerSubmissionTest, RefusalOfTheCallersToMendEndsTheTask) {
  for (const int status : {400, 413, 422}) {
    Harness harness;
    v1::CreateVideoTaskRequest request = Harness::Video("fox");
    request.set_request_id("r-1");
    const auto created = harness.Create(request);
    harness.AnswerNext(status, "prompt_is_forbidden");
    ASSERT_TRUE(created.has());
    EXPECT_EQ(created.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(base::ReasonOf(created.status()), v1::PROVIDER_INVALID_ARGUMENT);
    EXPECT_THAT(std::string(created.status().message()), HasSubstr("prompt_is_forbidden"));
    EXPECT_EQ(harness.http().sent(), 1u);
    // Nothing exists, and the request id is free.
    EXPECT_FALSE(harness.StoredVideo("fox").has_value());
    const auto again = harness.Create(request);
    EXPECT_EQ(harness.http().sent(), 2u);
    harness.AnswerNext(200, "id=up-1 state=queued");
    ASSERT_TRUE(again.has());
    EXPECT_TRUE(again.get().ok()) << again.status();
  }
}

TEST(ReconcilerSubmissionTest, FailureEnvelopeInA200IsARefusal) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(200, "refused=too_dark");
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::PROVIDER_REJECTED);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(ReconcilerSubmissionTest, CreatorIsToldWhenEveryKeyIsRefused) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto created = harness.Create(request);
  harness.AnswerNext(401);
  harness.AnswerNext(403);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::PROVIDER_CREDENTIALS_REJECTED);
  EXPECT_THAT(std::string(created.status().message()),
              AllOf(HasSubstr("alpha"), HasSubstr("beta")));
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(harness.http().sent(), 2u);
}

// Both providers take their time to refuse, so that the first could be tried again meanwhile.
TEST(ReconcilerSubmissionTest, CreatorIsToldThoughTheRefusalsTakeTheirTime) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(401);
  harness.Advance(absl::Seconds(4));
  harness.AnswerNext(402);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(harness.http().sent(), 2u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(ReconcilerSubmissionTest, ProviderThatIsDownLeavesTheTaskPendingWithTheReason) {
  Harness harness;
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
  };
  const auto created = harness.Create(Harness::Video("fox"));
  harness.Advance(absl::Seconds(9));
  EXPECT_FALSE(created.has());
  harness.Advance(absl::Seconds(2));
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::PENDING);
  EXPECT_EQ(created->waiting().reason(), v1::Waiting::PROVIDER_UNAVAILABLE);
  EXPECT_TRUE(created->waiting().has_next_try_time());
  // At most one attempt per target, however often it is tried.
  harness.Advance(absl::Minutes(10));
  EXPECT_EQ(harness.Task("fox").attempts_size(), 2);
  harness.Advance(absl::Minutes(6));
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::NOT_SUBMITTED);
  for (const auto& attempt : task.attempts()) {
    EXPECT_EQ(attempt.billing(), v1::Attempt::NOT_BILLED);
    EXPECT_EQ(attempt.state(), v1::Attempt::NOT_ACCEPTED);
  }
  // It is over.
  const std::size_t sent = harness.answered.size();
  harness.Advance(absl::Hours(2));
  EXPECT_EQ(harness.answered.size(), sent);
}

TEST(ReconcilerSubmissionTest, TaskComesThroughWhenTheProviderIsBack) {
  Harness harness;
  bool up = false;
  harness.script = [&](const http::Request& request,
                       const http::SendOptions&) -> std::optional<http::Result> {
    if (!up) return TransportError{TransportError::Kind::kConnect, false, "refused"};
    return http::Response{
        200, {}, request.method == "POST" ? "id=up-1 state=queued" : "id=up-1 state=done"};
  };
  harness.Create(Harness::Video("fox"));
  harness.Advance(absl::Minutes(5));
  up = true;
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReconcilerSubmissionTest, RetryAfterIsObeyed) {
  Harness::Options options;
  Harness harness(options);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.add_providers("providers/alpha");
  const auto created = harness.Create(request);
  harness.AnswerNext(429, "", {{"Retry-After", "90"}});
  harness.Advance(absl::Seconds(89));
  EXPECT_EQ(harness.http().sent(), 1u);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created->state(), v1::VideoTask::PENDING);
  EXPECT_EQ(created->waiting().reason(), v1::Waiting::PROVIDER_RATE_LIMITED);
  harness.Advance(absl::Seconds(2));
  EXPECT_EQ(harness.http().sent(), 2u);
  // Nobody else is sent there either.
  harness.AnswerNext(200, "id=up-1 state=queued");
  EXPECT_EQ(harness.Task("fox").attempts_size(), 1);
  EXPECT_EQ(harness.Task("fox").attempts(0).tries(), 2);
}

// "Not accepted" is what somebody in front of the provider may have said after it had accepted.
TEST(ReconcilerSubmissionTest, SubmissionThatIsTriedAnewKeepsItsKey) {
  for (const int status : {301, 401, 429, 0}) {
    SCOPED_TRACE(status);
    Harness harness(WithKeys(absl::Hours(24)));
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

TEST(ReconcilerSubmissionTest, KeyIsNotUsedForAnotherAccount) {
  Harness harness(WithKeys(absl::Hours(24)));
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
  Harness::Options replaced = WithKeys(absl::Hours(24));
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

TEST(ReconcilerSubmissionTest, WhatOnlyAnOperatorCanMendIsTriedAFewTimes) {
  for (const int status : {301, 308, 404}) {
    SCOPED_TRACE(status);
    Harness harness;
    harness.script = [&](const http::Request&, const http::SendOptions&) {
      return http::Result(http::Response{status, {}, ""});
    };
    v1::CreateVideoTaskRequest request = Harness::Video("fox");
    request.add_providers("providers/alpha");
    request.mutable_max_wait()->set_seconds(0);
    harness.Create(request);
    harness.Advance(absl::Minutes(16));
    EXPECT_EQ(base::ReasonOf(harness.Task("fox").error()), v1::NOT_SUBMITTED);
    EXPECT_GE(harness.answered.size(), 3u);
    EXPECT_LE(harness.answered.size(), 6u);
  }
}

TEST(ReconcilerSubmissionTest, AssetThatIsSentElsewhereByARedirectIsTriedAFewTimes) {
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

TEST(ReconcilerSubmissionTest, UnknownAssetIsSubmittedThreeTimesSpreadOverTheSubmitTimeout) {
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

TEST(ReconcilerSubmissionTest, AssetIsSubmittedAgainSoonAfterAGatewayEndedTwice) {
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

TEST(ReconcilerSubmissionTest, PauseBetweenTriesIsNoLongerForAClockThatIsBehindAfterwards) {
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

TEST(ReconcilerSubmissionTest, PauseBetweenTriesIsNoLongerForAClockThatWasAhead) {
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

TEST(ReconcilerSubmissionTest, AssetOutlivesAnOutageOfMinutes) {
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

TEST(ReconcilerSubmissionTest, OpenAssetSubmissionThatARestartFindsIsSentAgain) {
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

TEST(ReconcilerSubmissionTest, AssetThatOneProviderRefusesStandsAtTheOther) {
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
TEST(ReconcilerSubmissionTest, AssetIsNotDroppedWhileItIsBeingSubmitted) {
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

TEST(ReconcilerSubmissionTest, RefusedAssetLeavesNothingBehind) {
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

TEST(ReconcilerSubmissionTest, KeyThatIsRefusedLaterLeavesTheWorkWaiting) {
  Harness harness;
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.mutable_max_wait()->set_seconds(0);
  const auto created = harness.Create(request);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created->placements(0).state(), v1::Placement::SUBMITTING);
  harness.AnswerNext(401);
  const v1::Asset asset = harness.AssetNow("hero");
  EXPECT_EQ(asset.placements(0).state(), v1::Placement::SUBMITTING);
  EXPECT_EQ(asset.placements(0).waiting().reason(), v1::Waiting::PROVIDER_CREDENTIALS_REJECTED);
  harness.Advance(absl::Seconds(5));
  harness.AnswerNext(200, "id=up-1 state=done");
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
}

TEST(ReconcilerSubmissionTest, SecretThatAProviderEchoesIsMasked) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(400, "bad_key_secret-of-alpha");
  ASSERT_TRUE(created.has());
  EXPECT_THAT(created.status().ToString(), testing::Not(HasSubstr("secret-of-alpha")));
}

TEST(ReconcilerSubmissionTest, SecretThatAProviderEchoesInAnotherSpellingIsMasked) {
  for (const char* spelling :
       {"signing/key+of-alpha", "signing\\/key+of-alpha", "signing%2Fkey%2Bof-alpha"}) {
    Harness harness;
    const auto created = harness.Create(Harness::Video("fox"));
    harness.AnswerNext(400, absl::StrCat("bad_", spelling));
    ASSERT_TRUE(created.has());
    EXPECT_THAT(created.status().ToString(), HasSubstr("bad_[secret]")) << spelling;
    EXPECT_THAT(created.status().ToString(), testing::Not(HasSubstr("of-alpha"))) << spelling;
  }
}

TEST(ReconcilerSubmissionTest, SubmissionIsNotBegunWhileGoingAway) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  bool quiet = false;
  harness.reconciler().Drain([&] { quiet = true; });
  harness.Run();
  // Its outcome is still waited for; the caller is answered with what is there.
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created->attempts(0).state(), v1::Attempt::SUBMITTING);
  EXPECT_FALSE(quiet);
  const auto late = harness.Create(Harness::Video("late"));
  EXPECT_EQ(base::ReasonOf(late.status()), v1::DRAINING);
  harness.AnswerNext(200, "id=up-1 state=queued");
  EXPECT_TRUE(quiet);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.http().sent(), 1u);
}

}  // namespace
}  // namespace assetgate::reconcile
