// What is never said, and never done, about something that may have been bought: it is not called
// unbilled, not deleted, and not sent to another account.
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

using http::TransportError;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(DoubtTest, RefusedRepetitionDeletesNothingWhileTheCreatorWaits) {
  for (const auto& [status, body] :
       std::vector<std::pair<int, std::string>>{{400, ""},
                                                {401, ""},
                                                {402, ""},
                                                {404, ""},
                                                {413, ""},
                                                {422, ""},
                                                {200, "refused=schema"},
                                                {200, "refused=content"}}) {
    SCOPED_TRACE(absl::StrCat(status, " ", body));
    Harness harness(WithKeys());
    const auto created = harness.Create(VideoWithRequestId("fox"));
    harness.AnswerNext(502);
    harness.Advance(absl::Seconds(2));
    harness.AnswerNext(status, body);
    EXPECT_FALSE(created.has());
    harness.Advance(absl::Seconds(10));
    ASSERT_TRUE(created.has());
    ASSERT_TRUE(created.get().ok()) << created.status();
    EXPECT_EQ(created->state(), v1::VideoTask::UNCONFIRMED);
    EXPECT_EQ(created->attempts(0).state(), v1::Attempt::UNCONFIRMED);
    EXPECT_EQ(created->attempts(0).billing(), v1::Attempt::UNKNOWN);
    EXPECT_TRUE(harness.store()
                    .FindRequest({model::kDefaultTenant, "CreateVideoTask", "r-1"})
                    ->has_value());
    // Not sent anywhere else, and found in the end.
    harness.script = [](const http::Request&,
                        const http::SendOptions& options) -> std::optional<http::Result> {
      EXPECT_TRUE(absl::StrContains(options.base_url, "alpha"));
      return http::Response{200, {}, "id=up-1 state=queued"};
    };
    harness.Advance(absl::Minutes(6));
    EXPECT_EQ(harness.Task("fox").attempts_size(), 1);
    EXPECT_EQ(harness.Task("fox").attempts(0).provider_task_id(), "up-1");
  }
}

TEST(DoubtTest, PermanentlyRefusedRepetitionIsNotSentEveryHalfMinute) {
  Harness harness(WithKeys());
  harness.Create(VideoWithRequestId("fox"));
  harness.AnswerNext(502);
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{400, {}, ""});
  };
  harness.Advance(absl::Hours(1));
  EXPECT_GE(harness.answered.size(), 10u);
  EXPECT_LE(harness.answered.size(), 16u);
}

TEST(DoubtTest, UnknownOutcomeIsFollowedByNoOtherSubmission) {
  for (const int status : {200, 302, 303, 409, 500, 502, 504, 520}) {
    SCOPED_TRACE(status);
    if (provider::MeaningOfStatus(status).outcome != provider::Outcome::kUnknown) continue;
    Harness harness;
    const auto created = harness.Create(VideoWithRequestId("fox"));
    harness.AnswerNext(status, "<html>");
    harness.Advance(absl::Hours(1));
    EXPECT_EQ(harness.http().sent(), 1u);
    ASSERT_TRUE(created.get().ok()) << created.status();
    EXPECT_EQ(created->state(), v1::VideoTask::UNCONFIRMED);
  }
}

// A person said that the first one was not accepted; the second one is refused while the creator of
// the task still waits.
TEST(DoubtTest, RefusalElsewhereAfterAResolutionDeletesNothing) {
  for (const int status : {400, 401}) {
    SCOPED_TRACE(status);
    Harness harness(WithKeys());
    const auto created = harness.Create(VideoWithRequestId("fox"));
    harness.AnswerNext(502);
    ASSERT_FALSE(created.has());
    v1::ResolveVideoTaskRequest word = Harness::NotAccepted("fox", /*resubmit=*/true);
    word.set_attempt(0);
    ASSERT_TRUE(harness.Resolve(word).get().ok());
    // Alpha, and where that one's key is refused, beta.
    harness.AnswerNext(status);
    if (harness.http().pending() > 0) harness.AnswerNext(status);
    harness.Advance(absl::Seconds(12));
    ASSERT_TRUE(created.has());
    EXPECT_TRUE(created.get().ok()) << created.status();
    const auto stored = harness.StoredVideo("fox");
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(stored->record.units(0).unknown_outcomes(), 1);
    EXPECT_TRUE(harness.store()
                    .FindRequest({model::kDefaultTenant, "CreateVideoTask", "r-1"})
                    ->has_value());
  }
}

// As a late answer leaves it behind that says "not accepted" of the very submission in doubt.
void SettleAsNotAccepted(model::VideoEntity& entity) {
  entity.resource.set_state(v1::VideoTask::PENDING);
  entity.resource.clear_error();
  entity.resource.clear_waiting();
  v1::Attempt& attempt = *entity.resource.mutable_attempts(0);
  attempt.set_state(v1::Attempt::NOT_ACCEPTED);
  attempt.set_billing(v1::Attempt::NOT_BILLED);
}

TEST(DoubtTest, AttemptThatWasInDoubtIsNotReused) {
  Harness harness;
  CreateUnconfirmed(harness, VideoWithRequestId("fox"));
  Rewrite<model::VideoEntity>(harness, "fox", SettleAsNotAccepted);
  ASSERT_EQ(harness.http().pending(), 1u);
  EXPECT_EQ(harness.Task("fox").attempts_size(), 2);
  EXPECT_EQ(harness.Task("fox").attempts(1).state(), v1::Attempt::SUBMITTING);
}

// The person saw the first submission in doubt; the provider has settled that since, and the second
// one is in doubt now.
TEST(DoubtTest, ResolutionWithoutAnAttemptNeverSettlesASecondDoubt) {
  Harness harness;
  CreateUnconfirmed(harness, VideoWithRequestId("fox"));
  Rewrite<model::VideoEntity>(harness, "fox", SettleAsNotAccepted);
  const std::vector<v1::ResolveVideoTaskRequest> words = {
      Harness::NotAccepted("fox", /*resubmit=*/true),
      Harness::NotAccepted("fox", /*resubmit=*/false), Harness::Accepted("fox", "up-1")};
  const auto refuse_all = [&] {
    for (const v1::ResolveVideoTaskRequest& word : words) {
      const absl::Status status = harness.Resolve(word).status();
      EXPECT_EQ(base::ReasonOf(status), v1::INVALID_FIELD) << status;
      EXPECT_THAT(base::ToRpcStatus(status).ShortDebugString(), HasSubstr("attempt"));
    }
  };
  ASSERT_EQ(harness.Task("fox").attempts(1).state(), v1::Attempt::SUBMITTING);
  refuse_all();
  harness.FailNext(TransportError::Kind::kReset, /*maybe_sent=*/true);
  ASSERT_EQ(harness.Task("fox").attempts(1).state(), v1::Attempt::UNCONFIRMED);
  const std::size_t sent = harness.http().sent();
  refuse_all();
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(harness.http().sent(), sent) << "nothing is bought a third time";
  v1::ResolveVideoTaskRequest word = words.front();
  word.set_attempt(1);
  EXPECT_TRUE(harness.Resolve(word).get().ok());
  EXPECT_EQ(harness.http().sent(), sent + 1);
}

TEST(DoubtTest, PossiblyBilledSubmissionIsNotCalledUnbilled) {
  for (const bool cancelled : {false, true}) {
    SCOPED_TRACE(cancelled);
    Harness harness;
    CreateUnconfirmed(harness, VideoWithRequestId("fox"));
    // A person said "not accepted", and the provider has said since that it accepted it.
    Rewrite<model::VideoEntity>(harness, "fox", [&](model::VideoEntity& entity) {
      entity.resource.set_state(v1::VideoTask::PENDING);
      entity.resource.clear_error();
      v1::Attempt& attempt = *entity.resource.mutable_attempts(0);
      attempt.set_state(v1::Attempt::NOT_ACCEPTED);
      attempt.set_billing(v1::Attempt::UNKNOWN);
      attempt.set_provider_task_id("up-late");
      *attempt.mutable_resolve_time() = base::ToProto(harness.Now());
    });
    harness.script = [](const http::Request&, const http::SendOptions&) {
      return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
    };
    harness.Advance(absl::Minutes(1));
    if (cancelled) {
      ASSERT_TRUE(harness.Cancel("fox").get().ok());
    } else {
      harness.Advance(absl::Minutes(20));
    }
    const v1::VideoTask task = harness.Task("fox");
    EXPECT_EQ(base::ReasonOf(task.error()),
              cancelled ? v1::TASK_CANCELLED : v1::SUBMISSION_UNKNOWN);
    EXPECT_THAT(task.error().message(),
                AllOf(Not(HasSubstr("nothing was billed")), HasSubstr("may have been accepted")));
  }
}

TEST(DoubtTest, UnbilledByResolutionIsReportedAsSuch) {
  Harness harness;
  CreateUnconfirmed(harness, VideoWithRequestId("fox"));
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
  };
  ASSERT_TRUE(harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true)).get().ok());
  ASSERT_TRUE(harness.Cancel("fox").get().ok());
  EXPECT_THAT(harness.Task("fox").error().message(), HasSubstr("by the word of the person"));
}

TEST(DoubtTest, SubmissionInFlightIsNotCalledUnbilled) {
  Harness harness;
  harness.Create(VideoWithRequestId("fox"));
  EXPECT_EQ(harness.Task("fox").attempts(0).billing(), v1::Attempt::UNKNOWN);
  harness.AnswerNext(429);
  EXPECT_EQ(harness.Task("fox").attempts(0).billing(), v1::Attempt::NOT_BILLED);
}

TEST(DoubtTest, PossiblyExistingAssetIsNotCalledUnsubmitted) {
  Harness harness;
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.set_request_id("r-1");
  const auto created = harness.Create(request);
  harness.AnswerNext(502);
  // What comes after it is no refusal of the first try.
  harness.Advance(absl::Minutes(1));
  harness.AnswerNext(400, "too_small");
  ASSERT_TRUE(created.has());
  EXPECT_TRUE(created.get().ok()) << created.status();
  EXPECT_TRUE(harness.StoredAsset("hero").has_value());
  EXPECT_TRUE(
      harness.store().FindRequest({model::kDefaultTenant, "CreateAsset", "r-1"})->has_value());

  v1::CreateAssetRequest second = Harness::Asset("heroine", {"alpha"});
  harness.Create(second);
  harness.AnswerNext(502);
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
  };
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(base::ReasonOf(harness.AssetNow("heroine").error()), v1::SUBMISSION_UNKNOWN);
}

TEST(DoubtTest, SubmissionIsNotRepeatedWithAReplacedKey) {
  Harness harness(WithKeys());
  CreateUnconfirmed(harness, VideoWithRequestId("fox"));
  for (const bool address : {false, true}) {
    SCOPED_TRACE(address);
    Harness::Options replaced = WithKeys();
    if (address) {
      replaced.alpha_url = "https://alpha.elsewhere.example";
    } else {
      replaced.alpha_account = "new-alpha";
    }
    harness.Reconfigure(replaced);
    const std::size_t sent = harness.http().sent();
    harness.Advance(absl::Hours(2));
    EXPECT_EQ(harness.http().sent(), sent);
    const v1::VideoTask task = harness.Task("fox");
    EXPECT_EQ(task.state(), v1::VideoTask::UNCONFIRMED);
    EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
    EXPECT_THAT(task.waiting().message(),
                AllOf(HasSubstr("\"alpha-key\""), HasSubstr("ResolveVideoTask")));
    // With its own key back, it is found out.
    harness.Reconfigure(WithKeys());
    EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_UNAVAILABLE);
    harness.AnswerNext(502);
  }
  harness.Advance(absl::Minutes(1));
  harness.AnswerNext(200, "id=up-1 state=queued");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
}

TEST(DoubtTest, SameKeyUnderAnotherNameIsTheSameKey) {
  Harness harness(WithKeys());
  CreateUnconfirmed(harness, VideoWithRequestId("fox"));
  Harness::Options renamed = WithKeys();
  renamed.alpha_credential = "alpha-key-2";
  harness.Restart(renamed);
  EXPECT_EQ(AuthorizationOf(harness.Take().request), "Bearer secret-of-alpha");
}

TEST(DoubtTest, SubmissionOfAnOlderReleaseIsNotRepeatedUnderAnUncertainKey) {
  Harness harness(WithKeys());
  CreateUnconfirmed(harness, VideoWithRequestId("fox"));
  Rewrite<model::VideoEntity>(harness, "fox", [](model::VideoEntity& entity) {
    entity.record.mutable_units(0)->clear_account();
  });
  harness.Advance(absl::Hours(2));
  EXPECT_EQ(harness.http().sent(), 0u);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  EXPECT_THAT(harness.Task("fox").waiting().message(), HasSubstr("older release"));
}

TEST(DoubtTest, TaskIsPolledWithItsOwnKeyAfterThatWasRenamed) {
  Harness harness;
  harness.Create(VideoWithRequestId("fox"));
  harness.AnswerNext(200, "id=up-1 state=running");
  // Its key has moved to previous_credential, and another account's has taken its id.
  Harness::Options replaced;
  replaced.alpha_account = "new-alpha";
  replaced.alpha_previous_credential = "alpha-old";
  replaced.alpha_previous_account = "alpha";
  harness.Reconfigure(replaced);
  harness.Advance(absl::Seconds(30));
  EXPECT_EQ(AuthorizationOf(harness.Take().request), "Bearer secret-of-alpha");
}

TEST(DoubtTest, NotFoundFromAnotherAccountIsNotAVerdict) {
  Harness harness;
  harness.Create(VideoWithRequestId("fox"));
  harness.AnswerNext(200, "id=up-1 state=running");
  Harness::Options replaced;
  replaced.alpha_account = "new-alpha";
  harness.Reconfigure(replaced);
  harness.script = [](const http::Request& request, const http::SendOptions&) {
    return http::Result(AuthorizationOf(request) == "Bearer secret-of-alpha"
                            ? http::Response{200, {}, "id=up-1 state=done"}
                            : http::Response{404, {}, "who?"});
  };
  harness.Advance(absl::Hours(3));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  EXPECT_THAT(harness.Task("fox").waiting().message(), HasSubstr("previous_credential"));
  harness.Reconfigure(Harness::Options());
  harness.Advance(absl::Minutes(1));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

}  // namespace
}  // namespace assetgate::reconcile
