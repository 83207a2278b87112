// A person's word on submissions whose outcome is not known.
#include <string>
#include <vector>

#include "absl/status/status.h"
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
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::string ViolationsOf(const absl::Status& status) {
  std::string text;
  const google::rpc::Status proto = base::ToRpcStatus(status);
  for (const auto& any : proto.details()) {
    if (google::rpc::BadRequest bad; any.UnpackTo(&bad)) text += bad.ShortDebugString();
  }
  return text;
}

TEST(ResolveTest, AcceptedTaskIsFollowedToItsEnd) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.Advance(absl::Hours(2));
  const auto resolved = harness.Resolve(Harness::Accepted("fox", "up-7"));
  ASSERT_TRUE(resolved.has());
  ASSERT_TRUE(resolved.get().ok()) << resolved.status();
  EXPECT_EQ(resolved->state(), v1::VideoTask::QUEUED);
  EXPECT_FALSE(resolved->has_error());
  EXPECT_NE(resolved->waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  ASSERT_EQ(resolved->attempts_size(), 1);
  EXPECT_EQ(resolved->attempts(0).state(), v1::Attempt::QUEUED);
  EXPECT_EQ(resolved->attempts(0).provider_task_id(), "up-7");
  EXPECT_EQ(resolved->attempts(0).billing(), v1::Attempt::UNKNOWN);
  EXPECT_EQ(base::FromProto(resolved->attempts(0).resolve_time()), harness.Now());
  EXPECT_FALSE(model::IsSettled(*resolved));
  // The copy of what was sent is not needed any more.
  EXPECT_EQ(harness.StoredVideo("fox")->record.units(0).submission().body(), "");
  // Asked for at once, with the credential it was sent with, and never sent again.
  const auto poll = harness.Take();
  EXPECT_EQ(poll.request.method, "GET");
  EXPECT_EQ(poll.request.path, "/videos/up-7");
  harness.Restart();
  harness.Advance(absl::Seconds(30));
  harness.AnswerNext(200, "id=up-7 state=done");
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::BILLED);
  EXPECT_TRUE(task.attempts(0).has_resolve_time());
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().pending(), 0u);
}

TEST(ResolveTest, IdThatTheProviderDoesNotKnowIsReportedAtOnceAndFailsLater) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.Resolve(Harness::Accepted("fox", "up-typo"));
  harness.AnswerNext(404, "who?");
  v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::QUEUED);
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  EXPECT_THAT(task.waiting().message(),
              AllOf(HasSubstr("does not know"), HasSubstr("\"up-typo\"")));
  EXPECT_FALSE(model::IsSettled(task));
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{404, {}, "who?"});
  };
  harness.Advance(absl::Minutes(15));
  task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::PROVIDER_FORGOT);
  EXPECT_THAT(task.error().message(), AllOf(HasSubstr("\"up-typo\""), Not(HasSubstr("no longer"))));
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
}

TEST(ResolveTest, ProviderThatKnowsTheIdLaterClearsTheDoubt) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.Resolve(Harness::Accepted("fox", "up-7"));
  harness.AnswerNext(404, "not yet");
  ASSERT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  harness.Advance(absl::Seconds(30));
  harness.AnswerNext(200, "id=up-7 state=queued");
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_QUEUE);
}

TEST(ResolveTest, MalformedIdIsAFieldViolation) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  for (const char* const id : {"", "seven", "up 7", "up-\n"}) {
    SCOPED_TRACE(id);
    const auto resolved = harness.Resolve(Harness::Accepted("fox", id));
    EXPECT_EQ(resolved.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(base::ReasonOf(resolved.status()), v1::INVALID_FIELD);
    EXPECT_THAT(ViolationsOf(resolved.status()), HasSubstr("provider_task_id"));
  }
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST(ResolveTest, RequestWithNoneOrTwoResolutionsIsRefused) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  v1::ResolveVideoTaskRequest request;
  request.set_name("videoTasks/fox");
  EXPECT_THAT(ViolationsOf(harness.Resolve(request).status()), HasSubstr("or not_accepted"));
  request.set_not_accepted(false);
  EXPECT_THAT(ViolationsOf(harness.Resolve(request).status()), HasSubstr("not_accepted"));
  request = Harness::Accepted("fox", "up-1");
  request.set_resubmit(true);
  EXPECT_THAT(ViolationsOf(harness.Resolve(request).status()), HasSubstr("resubmit"));
  EXPECT_EQ(base::ReasonOf(harness.Resolve(Harness::Accepted("Fox!", "up-1")).status()),
            v1::INVALID_FIELD);
  EXPECT_EQ(base::ReasonOf(harness.Resolve(Harness::Accepted("nobody", "up-1")).status()),
            v1::RESOURCE_NOT_FOUND);
  EXPECT_EQ(base::ReasonOf(harness.Resolve(Harness::NotAccepted("nobody", true)).status()),
            v1::RESOURCE_NOT_FOUND);
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST(ResolveTest, ProviderTaskBelongsToOneVideoTask) {
  Harness harness;
  harness.Create(Harness::Video("cat"));
  harness.AnswerNext(200, "id=up-7 state=queued");
  CreateUnconfirmed(harness, Harness::Video("fox"));
  const auto resolved = harness.Resolve(Harness::Accepted("fox", "up-7"));
  EXPECT_EQ(resolved.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::ReasonOf(resolved.status()), v1::PROVIDER_TASK_TAKEN);
  EXPECT_THAT(std::string(resolved.status().message()), HasSubstr("videoTasks/cat"));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST(ResolveTest, TaskAtARemovedProviderCanOnlyBeAbandoned) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  CreateUnconfirmed(harness, Harness::Video("wolf"));
  Harness::Options without;
  without.has_alpha = false;
  harness.Restart(without);
  EXPECT_THAT(harness.Task("fox").waiting().message(), HasSubstr("ResolveVideoTask"));
  EXPECT_TRUE(model::IsSettled(harness.Task("fox")));
  const auto accepted = harness.Resolve(Harness::Accepted("fox", "up-7"));
  EXPECT_EQ(base::ReasonOf(accepted.status()), v1::PROVIDER_NOT_CONFIGURED);
  EXPECT_THAT(std::string(accepted.status().message()), HasSubstr("DRAIN"));
  const auto given_up = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false));
  EXPECT_EQ(given_up->state(), v1::VideoTask::FAILED);
  // What is left of the route will do.
  harness.Resolve(Harness::NotAccepted("wolf", /*resubmit=*/true));
  EXPECT_TRUE(absl::StrContains(harness.Take().options.base_url, "beta"));
}

TEST(ResolveTest, TaskResolvedAsNotAcceptedFailsUnbilled) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.Advance(absl::Hours(2));
  const auto resolved = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false));
  ASSERT_TRUE(resolved.has());
  ASSERT_TRUE(resolved.get().ok()) << resolved.status();
  EXPECT_EQ(resolved->state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(resolved->error()), v1::NOT_ACCEPTED_BY_RESOLUTION);
  EXPECT_THAT(resolved->error().message(), AllOf(HasSubstr("alpha"), HasSubstr("an operator")));
  EXPECT_FALSE(resolved->has_waiting());
  EXPECT_TRUE(resolved->has_end_time());
  const v1::Attempt& attempt = resolved->attempts(0);
  EXPECT_EQ(attempt.state(), v1::Attempt::NOT_ACCEPTED);
  EXPECT_EQ(attempt.billing(), v1::Attempt::NOT_BILLED);
  EXPECT_EQ(base::FromProto(attempt.resolve_time()), harness.Now());
  harness.Advance(absl::Hours(2));
  EXPECT_EQ(harness.http().sent(), 1u);
  // It is a task like any that has ended.
  EXPECT_TRUE(harness.DeleteVideo("fox").status().ok());
}

TEST(ResolveTest, ResubmittedTaskHasTheWholeSubmitTimeoutAndAnAttemptOfItsOwn) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.Advance(absl::Hours(2));
  // Everybody is away for a while.
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
  };
  const auto resolved = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true));
  ASSERT_TRUE(resolved.get().ok()) << resolved.status();
  EXPECT_EQ(resolved->state(), v1::VideoTask::PENDING);
  EXPECT_FALSE(resolved->has_error());
  harness.Advance(absl::Minutes(13));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::PENDING);
  harness.script = nullptr;
  // Longer than the back-off and the open breaker last together, and still within the timeout.
  for (int second = 0; second < 115 && harness.http().pending() == 0; ++second) {
    harness.Advance(absl::Seconds(1));
  }
  harness.AnswerNext(200, "id=up-9 state=queued");
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::QUEUED);
  ASSERT_GE(task.attempts_size(), 2);
  // The one in doubt stays as it was resolved.
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::NOT_ACCEPTED);
  EXPECT_EQ(base::ReasonOf(task.attempts(0).error()), v1::NOT_ACCEPTED_BY_RESOLUTION);
  EXPECT_EQ(task.attempts(0).tries(), 1);
  // Bounded, however often the others were tried.
  EXPECT_LE(task.attempts_size(), 3);
}

TEST(ResolveTest, ResubmittedTaskWithoutATargetEndsAfterTheSubmitTimeout) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
  };
  harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true));
  harness.Advance(absl::Minutes(16));
  EXPECT_EQ(base::ReasonOf(harness.Task("fox").error()), v1::NOT_SUBMITTED);
  // That was not the word of a person who wanted it ended.
  EXPECT_TRUE(harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true)).status().ok());
  EXPECT_EQ(
      base::ReasonOf(harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false)).status()),
      v1::ALREADY_FINISHED);
}

TEST(ResolveTest, SecondDoubtIsSettledByItself) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true));
  harness.FailNext(TransportError::Kind::kTimeout, /*maybe_sent=*/true);
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  v1::ResolveVideoTaskRequest second = Harness::Accepted("fox", "up-2");
  second.set_attempt(1);
  harness.Resolve(second);
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::QUEUED);
  ASSERT_EQ(task.attempts_size(), 2);
  EXPECT_EQ(task.attempts(0).provider_task_id(), "");
  EXPECT_EQ(task.attempts(1).provider_task_id(), "up-2");
  // "up-2" is what was said last.
  EXPECT_TRUE(harness.Resolve(Harness::Accepted("fox", "up-2")).status().ok());
  EXPECT_EQ(base::ReasonOf(harness.Resolve(Harness::NotAccepted("fox", true)).status()),
            v1::NOT_UNCONFIRMED);
}

// The first word was answered, the answer was lost, and the caller says it again.
TEST(ResolveTest, RepeatedResolutionNeverSettlesASecondDoubt) {
  for (const bool named : {false, true}) {
    SCOPED_TRACE(named);
    Harness harness;
    CreateUnconfirmed(harness, Harness::Video("fox"));
    v1::ResolveVideoTaskRequest word = Harness::NotAccepted("fox", /*resubmit=*/true);
    if (named) word.set_attempt(0);
    ASSERT_TRUE(harness.Resolve(word).get().ok());
    // Before the second submission is in doubt, it is the same word still.
    EXPECT_TRUE(harness.Resolve(word).get().ok());
    harness.FailNext(TransportError::Kind::kTimeout, /*maybe_sent=*/true);
    ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
    const auto revision = harness.Task("fox").revision();
    const std::size_t sent = harness.http().sent();
    const auto again = harness.Resolve(word);
    ASSERT_TRUE(again.has());
    if (named) {
      EXPECT_TRUE(again.get().ok()) << again.status();
    } else {
      EXPECT_EQ(base::ReasonOf(again.status()), v1::INVALID_FIELD);
      EXPECT_THAT(ViolationsOf(again.status()),
                  AllOf(HasSubstr("\"attempt\""), HasSubstr("attempt 0 was resolved"),
                        HasSubstr("attempt 1 is UNCONFIRMED")));
    }
    harness.Advance(absl::Minutes(20));
    EXPECT_EQ(harness.http().sent(), sent) << "nothing is bought a third time";
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
    EXPECT_EQ(harness.Task("fox").revision(), revision);
    // About the second one it says so.
    word.set_attempt(1);
    word.set_resubmit(false);
    EXPECT_TRUE(harness.Resolve(word).get().ok());
    EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::FAILED);
    // And then the first word is still what was said of the first one.
    word.set_attempt(0);
    word.set_resubmit(true);
    EXPECT_TRUE(harness.Resolve(word).get().ok());
    word.set_resubmit(false);
    EXPECT_FALSE(harness.Resolve(word).get().ok());
  }
}

TEST(ResolveTest, ResolutionOfAnAttemptThatIsNotInDoubtIsRefused) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  harness.AnswerNext(429);
  harness.FailNext(TransportError::Kind::kTimeout, /*maybe_sent=*/true);
  v1::VideoTask task = harness.Task("fox");
  ASSERT_EQ(task.attempts_size(), 2);
  ASSERT_EQ(task.attempts(1).state(), v1::Attempt::UNCONFIRMED);
  v1::ResolveVideoTaskRequest word = Harness::NotAccepted("fox", /*resubmit=*/true);
  for (const int attempt : {-1, 0, 2}) {
    word.set_attempt(attempt);
    const auto answer = harness.Resolve(word);
    EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(base::ReasonOf(answer.status()), v1::INVALID_FIELD);
    EXPECT_THAT(ViolationsOf(answer.status()), HasSubstr("\"attempt\"")) << attempt;
  }
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  word.set_attempt(1);
  EXPECT_TRUE(harness.Resolve(word).get().ok());
}

TEST(ResolveTest, SameResolutionIsIdempotentAndADifferentOneIsRefused) {
  const std::vector<v1::ResolveVideoTaskRequest> words = {
      Harness::Accepted("fox", "up-7"), Harness::Accepted("fox", "up-8"),
      Harness::NotAccepted("fox", /*resubmit=*/false),
      Harness::NotAccepted("fox", /*resubmit=*/true)};
  for (const v1::ResolveVideoTaskRequest& first : words) {
    Harness harness;
    CreateUnconfirmed(harness, Harness::Video("fox"));
    ASSERT_TRUE(harness.Resolve(first).status().ok());
    const auto revision = harness.Task("fox").revision();
    for (const v1::ResolveVideoTaskRequest& again : words) {
      SCOPED_TRACE(first.ShortDebugString() + " then " + again.ShortDebugString());
      const auto answer = harness.Resolve(again);
      ASSERT_TRUE(answer.has());
      if (again.SerializeAsString() == first.SerializeAsString()) {
        EXPECT_TRUE(answer.get().ok()) << answer.status();
        continue;
      }
      if (first.has_not_accepted() && first.resubmit()) {
        // A submission is on its way, and it is not said whether this is about that one.
        EXPECT_EQ(base::ReasonOf(answer.status()), v1::INVALID_FIELD);
        EXPECT_THAT(ViolationsOf(answer.status()), HasSubstr("attempt"));
        continue;
      }
      EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_EQ(base::ReasonOf(answer.status()),
                first.has_not_accepted() ? v1::ALREADY_FINISHED : v1::NOT_UNCONFIRMED);
      EXPECT_THAT(std::string(answer.status().message()), HasSubstr("a person resolved it"));
    }
    EXPECT_EQ(harness.Task("fox").revision(), revision) << "nothing was written";
  }
}

TEST(ResolveTest, ResolutionOfATaskConfirmedMeanwhileFails) {
  Harness harness(WithKeys());
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=running");
  const auto running = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true));
  EXPECT_EQ(base::ReasonOf(running.status()), v1::NOT_UNCONFIRMED);
  EXPECT_THAT(std::string(running.status().message()),
              AllOf(HasSubstr("RUNNING"), HasSubstr("confirmed"), HasSubstr("\"up-1\"")));
  harness.Advance(absl::Seconds(2));
  harness.AnswerNext(200, "id=up-1 state=done");
  const auto done = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/true));
  EXPECT_EQ(base::ReasonOf(done.status()), v1::ALREADY_FINISHED);
  EXPECT_THAT(std::string(done.status().message()),
              AllOf(HasSubstr("SUCCEEDED"), HasSubstr("confirmed")));
  EXPECT_EQ(harness.Task("fox").attempts_size(), 1);
}

TEST(ResolveTest, NothingIsResolvedWhileASubmissionIsInFlight) {
  Harness harness(WithKeys());
  harness.Create(Harness::Video("fox"));
  // The first one, and then a repetition.
  for (const bool repetition : {false, true}) {
    SCOPED_TRACE(repetition);
    for (const auto& word :
         {Harness::Accepted("fox", "up-1"), Harness::NotAccepted("fox", /*resubmit=*/true)}) {
      const auto answer = harness.Resolve(word);
      EXPECT_EQ(answer.status().code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_EQ(base::ReasonOf(answer.status()), v1::SUBMISSION_UNDER_WAY);
      EXPECT_TRUE(base::RetryDelayOf(base::ToRpcStatus(answer.status())).has_value());
    }
    harness.AnswerNext(502);
    if (!repetition) harness.Advance(absl::Seconds(2));
  }
  EXPECT_EQ(harness.http().sent(), 2u);
  // Between two repetitions a person's word counts, and there is none after it.
  ASSERT_TRUE(harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false)).status().ok());
  harness.Advance(absl::Hours(30));
  EXPECT_EQ(harness.http().sent(), 2u);
}

TEST(ResolveTest, OpenSubmissionOfAnEndedProcessIsPlannedFirst) {
  Harness harness;
  harness.Create(Harness::Video("fox"));
  harness.Restart(/*recover=*/false);
  const auto first = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false));
  EXPECT_EQ(base::ReasonOf(first.status()), v1::SUBMISSION_UNDER_WAY);
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_TRUE(harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false)).status().ok());
}

TEST(ResolveTest, TaskThatWasNeverInDoubtHasNothingToResolve) {
  Harness harness;
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
  };
  harness.Create(Harness::Video("fox"));
  const auto answer = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false));
  EXPECT_EQ(base::ReasonOf(answer.status()), v1::NOT_UNCONFIRMED);
  EXPECT_THAT(std::string(answer.status().message()),
              AllOf(HasSubstr("PENDING"), HasSubstr("cancel it")));
}

TEST(ResolveTest, ResolutionThatCannotBeCommittedFails) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  harness.store().judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  const auto resolved = harness.Resolve(Harness::Accepted("fox", "up-7"));
  EXPECT_EQ(base::ReasonOf(resolved.status()), v1::STORE_UNAVAILABLE);
  harness.store().judge = nullptr;
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(harness.http().sent(), 1u);
}

// Its creator still waits for the repetitions when a person looks already.
TEST(ResolveTest, CreatorThatStillWaitsGetsTheTask) {
  Harness harness(WithKeys());
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(502);
  ASSERT_FALSE(created.has());
  const auto resolved = harness.Resolve(Harness::NotAccepted("fox", /*resubmit=*/false));
  ASSERT_TRUE(resolved.get().ok()) << resolved.status();
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::FAILED);
  EXPECT_TRUE(harness.StoredVideo("fox").has_value());
}

}  // namespace
}  // namespace assetgate::reconcile
