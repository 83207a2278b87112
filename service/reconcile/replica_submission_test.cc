// A submission that is open when its shard changes hands: nothing is bought twice.
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/replicas.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

TEST(ReplicaSubmissionTest, OpenVideoSubmissionOfADeadGatewayIsUnconfirmedAfterItsTimeout) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  ASSERT_EQ(replicas.http(kA).pending(), 1u);
  const absl::Time send_before =
      base::FromProto(replicas.StoredVideo("fox")->record.units(0).submission().send_before());
  EXPECT_LE(send_before, replicas.Now() + store::FakeLeases::kDuration) << "never after the lease";
  replicas.Kill(kA);
  replicas.TakeAll(kB);
  replicas.Advance(send_before + absl::Seconds(64) - replicas.Now());
  EXPECT_EQ(replicas.Task("fox").attempts(0).state(), v1::Attempt::SUBMITTING);
  replicas.Advance(absl::Seconds(2));
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(replicas.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  replicas.Advance(absl::Hours(1));
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaSubmissionTest, OpenSubmissionOfAGatewayWithAFastClockIsNotAwaitedLonger) {
  Replicas replicas(2);
  base::FakeClock& ahead = replicas.loop(kA).fake_clock();
  ahead.Step(absl::Hours(8));
  replicas.leases(kA).Renew(ahead.Now());
  replicas.Create(kA, Harness::Video("fox"));
  ASSERT_EQ(replicas.http(kA).pending(), 1u);
  const model::Submission open = replicas.StoredVideo("fox")->record.units(0).submission();
  ASSERT_GT(base::FromProto(open.send_before()), replicas.Now() + absl::Hours(7));
  replicas.Kill(kA);
  replicas.TakeAll(kB);
  replicas.Advance(kLost - absl::Seconds(1));
  EXPECT_EQ(replicas.Task("fox").attempts(0).state(), v1::Attempt::SUBMITTING);
  replicas.Advance(absl::Seconds(2));
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST(ReplicaSubmissionTest, OpenVideoSubmissionOfADeadGatewayIsRepeatedWithItsKey) {
  Replicas replicas(2, WithKeys());
  replicas.Create(kA, Harness::Video("fox"));
  const http::FakeHttpClient::Call first = replicas.Take(kA);
  replicas.Kill(kA);
  replicas.TakeAll(kB);
  replicas.Advance(kLost);
  const http::FakeHttpClient::Call again = replicas.Take(kB);
  EXPECT_EQ(again.request.body, first.request.body);
  EXPECT_NE(HeaderOf(again.request, "Idempotency-Key"), "");
  EXPECT_EQ(HeaderOf(again.request, "Idempotency-Key"), HeaderOf(first.request, "Idempotency-Key"));
}

TEST(ReplicaSubmissionTest, OpenAssetSubmissionOfADeadGatewayIsSubmittedAgain) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.Kill(kA);
  replicas.TakeAll(kB);
  replicas.Advance(absl::Seconds(60));
  EXPECT_EQ(replicas.http(kB).pending(), 0u);
  replicas.Advance(kLost);
  replicas.AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas.AssetNow("hero").state(), v1::Asset::ACTIVE);
}

TEST(ReplicaSubmissionTest, RepetitionReturnsTheStateReachedByOthers) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("once");
  replicas.Create(kA, request);
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
  replicas.Pause(kA);
  replicas.Skip(absl::Seconds(11));
  replicas.MoveAll(kA, kB);
  replicas.Advance(absl::Seconds(10));
  replicas.AnswerNext(kB, 200, "id=up-1 state=done");
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::SUCCEEDED);

  // It has been told nothing yet of what happened meanwhile.
  const Answer<v1::VideoTask> repeated = replicas.Create(kA, request);
  replicas.Wake(kA);
  replicas.loop(kA).RunDue();
  replicas.Run();
  ASSERT_TRUE(repeated.status().ok());
  EXPECT_EQ(repeated->state(), v1::VideoTask::SUCCEEDED);
}

// A's call is out, or its answer has arrived, when it is stopped for so long that B takes over and
// calls the submission lost.
class PausedGatewayTest : public testing::Test {
 protected:
  void Begin(const Harness::Options& options) {
    replicas_ = std::make_unique<Replicas>(2, options);
    replicas_->Create(kA, Harness::Video("fox"));
    call_.emplace(replicas_->Take(kA));
    replicas_->Pause(kA);
    replicas_->Skip(absl::Seconds(11));
    replicas_->MoveAll(kA, kB);
    replicas_->Run();
  }
  void Hear(http::Result answer) {
    std::move(*call_).Answer(std::move(answer));
    replicas_->Wake(kA);
    replicas_->Run();
  }

  std::unique_ptr<Replicas> replicas_;
  std::optional<http::FakeHttpClient::Call> call_;
};

TEST_F(PausedGatewayTest, AnswerWithinTheTimeoutIsTheAnswer) {
  Begin({});
  replicas_->Advance(absl::Seconds(30));
  Hear(Ok("id=up-1 state=running"));
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::RUNNING);
  replicas_->Advance(absl::Seconds(10));
  EXPECT_EQ(replicas_->http(kA).sent(), 1u) << "it hears, and follows no more";
  replicas_->AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST_F(PausedGatewayTest, LateAcceptanceSettlesWhatWasUnconfirmed) {
  Begin({});
  replicas_->Advance(kLost);
  ASSERT_EQ(replicas_->Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  Hear(Ok("id=up-1 state=queued"));
  const v1::VideoTask task = replicas_->Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::QUEUED);
  EXPECT_EQ(task.attempts(0).provider_task_id(), "up-1");
  EXPECT_FALSE(task.has_error());
  replicas_->Advance(absl::Seconds(10));
  replicas_->AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST_F(PausedGatewayTest, LateRejectionLetsTheTaskContinue) {
  Begin({});
  replicas_->Advance(kLost);
  Hear(http::Response{429, {}, "busy"});
  // By B, which has not been told 429, and at once; the attempt that was in doubt stays on record.
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::PENDING);
  ASSERT_EQ(replicas_->Task("fox").attempts_size(), 2);
  EXPECT_EQ(replicas_->Task("fox").attempts(0).state(), v1::Attempt::NOT_ACCEPTED);
  EXPECT_EQ(replicas_->Task("fox").attempts(1).state(), v1::Attempt::SUBMITTING);
  replicas_->AnswerNext(kB, 200, "id=up-1 state=running");
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(replicas_->http(kA).sent(), 1u);
}

TEST_F(PausedGatewayTest, LateRefusalEndsTheTask) {
  Begin({});
  replicas_->Advance(kLost);
  Hear(http::Response{422, {}, "no"});
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::FAILED);
  EXPECT_EQ(replicas_->Task("fox").attempts(0).billing(), v1::Attempt::NOT_BILLED);
}

TEST_F(PausedGatewayTest, AmbiguousLateAnswerChangesNothing) {
  Begin({});
  replicas_->Advance(kLost);
  const auto revision = *replicas_->real().Head();
  Hear(http::Response{500, {}, "what"});
  EXPECT_EQ(*replicas_->real().Head(), revision);
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST_F(PausedGatewayTest, LateAcceptanceSettlesASubmissionBeingRepeated) {
  Begin(WithKeys());
  replicas_->Advance(kLost);
  ASSERT_EQ(replicas_->http(kB).pending(), 1u) << "the repetition";
  Hear(Ok("id=up-1 state=running"));
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::RUNNING);
  // The repetition's answer adds nothing, whatever it is.
  const auto revision = *replicas_->real().Head();
  replicas_->AnswerNext(kB, 500, "what");
  EXPECT_EQ(*replicas_->real().Head(), revision);
  EXPECT_EQ(replicas_->Task("fox").attempts_size(), 1);
  replicas_->Advance(absl::Seconds(30));
  replicas_->AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST_F(PausedGatewayTest, LateRefusalOfTheFirstTryProvesNothingAboutItsRepetition) {
  for (const int status : {422, 429}) {
    SCOPED_TRACE(status);
    Begin(WithKeys());
    replicas_->Advance(kLost);
    ASSERT_EQ(replicas_->http(kB).pending(), 1u) << "the repetition";
    Hear(http::Response{status, {}, "no"});
    EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::UNCONFIRMED);
    replicas_->AnswerNext(kB, 200, "id=up-1 state=running");
    EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::RUNNING);
  }
}

TEST_F(PausedGatewayTest, LateAcceptanceAfterAResolutionIsRecorded) {
  Begin({});
  replicas_->Advance(kLost);
  ASSERT_TRUE(replicas_->Resolve(kB, Harness::NotAccepted("fox", false)).status().ok());
  Hear(Ok("id=up-1 state=running"));
  const v1::VideoTask task = replicas_->Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(task.attempts(0).provider_task_id(), "up-1");
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
}

TEST(ReplicaSubmissionTest, PausedBetweenJournalAndSendingItNeverSends) {
  Replicas replicas(2);
  Answer<v1::VideoTask> answer;
  replicas.gateway(kA).CreateVideoTask(calls::Caller(), Harness::Video("fox"), answer.reply());
  // The intent is committed, and A is stopped before it hears of that.
  replicas.loop(kA).RunDue();
  replicas.Pause(kA);
  replicas.Skip(absl::Seconds(20));
  replicas.MoveAll(kA, kB);
  replicas.Wake(kA);
  replicas.Run();
  EXPECT_EQ(replicas.http(kA).sent(), 0u);
  // That it did not is as good as an answer: the task goes on at once.
  EXPECT_EQ(replicas.http(kB).pending(), 1u);
  replicas.AnswerNext(kB, 200, "id=up-1 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
  ASSERT_TRUE(answer.has() && answer.get().ok()) << answer.status();
  EXPECT_EQ(replicas.http(kA).sent(), 0u);
}

TEST(ReplicaSubmissionTest, SubmissionTooLateToSendIsNotTheProvidersFailure) {
  Replicas replicas(2);
  for (int i = 0; i < 6; ++i) {
    Answer<v1::VideoTask> answer;
    replicas.gateway(kA).CreateVideoTask(calls::Caller(), Harness::Video(absl::StrCat("fox-", i)),
                                         answer.reply());
  }
  replicas.loop(kA).RunDue();
  replicas.Pause(kA);
  replicas.Skip(absl::Seconds(20));
  replicas.Wake(kA);
  replicas.Run();
  Answer<v1::Provider> provider;
  v1::GetProviderRequest request;
  request.set_name("providers/alpha");
  replicas.gateway(kA).GetProvider(calls::Caller(), request, provider.reply());
  replicas.Run();
  EXPECT_EQ(provider->state(), v1::Provider::AVAILABLE);
  EXPECT_FALSE(provider->has_last_error());
}

TEST(ReplicaSubmissionTest, ExpiringLeaseStartsNothing) {
  Replicas replicas(2);
  replicas.Pause(kA);
  replicas.Skip(absl::Seconds(9.5));
  // It runs again, and has not renewed anything yet.
  replicas.Wake(kA);
  Answer<v1::VideoTask> answer;
  replicas.gateway(kA).CreateVideoTask(calls::Caller(), Harness::Video("fox"), answer.reply());
  replicas.Run();
  ASSERT_TRUE(replicas.StoredVideo("fox").has_value());
  EXPECT_EQ(replicas.StoredVideo("fox")->record.units_size(), 0) << "no intent";
  EXPECT_EQ(replicas.http(kA).sent(), 0u);
  replicas.Advance(absl::Seconds(2));
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
}

TEST(ReplicaSubmissionTest, LostLeaseFreesThePlaceAtTheGate) {
  Harness::Options options;
  options.limits = {1000, 2};  // one each
  Replicas replicas(2, options);
  v1::CreateVideoTaskRequest request = Harness::Video("first");
  request.add_providers("providers/alpha");
  replicas.Create(kA, request);
  request.set_video_task_id("second");
  replicas.Create(kA, request);
  ASSERT_EQ(replicas.http(kA).pending(), 1u) << "the second one waits for the first";
  replicas.MoveAll(kA, kB);
  replicas.AnswerNext(kB, 200, "id=up-2 state=running");
  EXPECT_EQ(replicas.Task("second").state(), v1::VideoTask::RUNNING);
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  EXPECT_EQ(replicas.Task("first").state(), v1::VideoTask::RUNNING);
  replicas.Advance(absl::Seconds(1));
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
  // It is not lost either.
  replicas.MoveAll(kB, kA);
  replicas.Advance(absl::Minutes(1));
  EXPECT_GT(replicas.http(kA).sent(), 1u);
}

}  // namespace
}  // namespace assetgate::reconcile
