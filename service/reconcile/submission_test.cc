// Submissions: each is sent only after the commit of its intent, and no more often than that
// allows. The part of the reconciler that costs money.
#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
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

using testing::HasSubstr;

TEST(SubmissionTest, IsInTheJournalBeforeItIsSent) {
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

TEST(SubmissionTest, IsNotSentWhenTheIntentCannotBeCommitted) {
  Harness harness;
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  const auto created = harness.Create(Harness::Video("fox"));
  EXPECT_EQ(base::ReasonOf(created.status()), v1::STORE_UNAVAILABLE);
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(SubmissionTest, UnknownCommitOfTheIntentIsLookedUpBeforeSending) {
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

TEST(SubmissionTest, IsNotSentBeforeTheIntentIsKnownToBeCommitted) {
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

TEST(SubmissionTest, IntentFoundByARestartIsUnconfirmed) {
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

TEST(SubmissionTest, CreationThatIsCommittedLaterIsFollowed) {
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

TEST(SubmissionTest, BatchThatIsCommittedLaterIsFollowed) {
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

TEST(SubmissionTest, RowWithoutTheStandbysConfirmationIsNotProof) {
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

TEST(SubmissionTest, CommandWithAnUnknownCommitIsNotReportedAsWithoutEffect) {
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

TEST(SubmissionTest, DeletionCommittedLateIsCarriedOutAtTheProvider) {
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

TEST(SubmissionTest, IsAcknowledgedOnlyOnceTheOutcomeIsCommitted) {
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

TEST(SubmissionTest, OutcomeWhoseCommitIsUnknownIsAppliedOnce) {
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

TEST(SubmissionTest, SecretThatAProviderEchoesIsMasked) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(400, "bad_key_secret-of-alpha");
  ASSERT_TRUE(created.has());
  EXPECT_THAT(created.status().ToString(), testing::Not(HasSubstr("secret-of-alpha")));
}

TEST(SubmissionTest, SecretThatAProviderEchoesInAnotherSpellingIsMasked) {
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

TEST(SubmissionTest, IsNotStartedDuringDrain) {
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
