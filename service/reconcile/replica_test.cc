// Several gateways over one store: who does the work, who hears of it, and that nothing is bought
// twice when it changes hands.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/random/bit_gen_ref.h"
#include "absl/random/random.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "base/testing/fake_clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/replicas.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;
using testing::HasSubstr;

constexpr int kA = 0;
constexpr int kB = 1;
// A submission is called lost so long after its lease, or its start timeout, at the latest.
constexpr absl::Duration kLost = absl::Seconds(15 + 60 + 5);

Harness::Options WithKeys() {
  Harness::Options options;
  options.alpha.idempotency_window = absl::Hours(24);
  return options;
}

http::Result Ok(std::string body) { return http::Response{200, {}, std::move(body)}; }

v1::CreateVideoTaskRequest VideoOf(absl::string_view id, absl::string_view asset) {
  v1::CreateVideoTaskRequest request = Harness::Video(id);
  v1::Reference& reference = *request.mutable_video_task()->add_references();
  reference.set_role(v1::Reference::REFERENCE);
  reference.set_asset(model::MakeName(model::kAssets, asset));
  return request;
}

std::string KeyOf(const http::Request& request) {
  for (const http::Header& header : request.headers) {
    if (header.name == "Idempotency-Key") return header.value;
  }
  return "";
}

// --- Who does the work

TEST(ReplicaTest, WorkIsFollowedByTheGatewayThatTookTheCallAndByNoOther) {
  Replicas replicas(2);
  std::map<int, int> calls;
  replicas.script = [&](int at, const http::Request&) {
    ++calls[at];
    return Ok("id=up-1 state=running");
  };
  for (int i = 0; i < 5; ++i) replicas.Create(kA, Harness::Video(absl::StrCat("fox-", i)));
  replicas.Advance(absl::Minutes(1));
  EXPECT_GT(calls[kA], 20);
  EXPECT_EQ(calls[kB], 0);
  EXPECT_EQ(replicas.Counted(kA), 5);
  EXPECT_EQ(replicas.Counted(kB), 0) << "sums over gateways count everything once";
}

TEST(ReplicaTest, GatewayWithoutAShareLeavesNewWorkToWhoHoldsIt) {
  Replicas replicas(2);
  replicas.MoveAll(kB, kA);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto created = replicas.Create(kB, request);
  EXPECT_EQ(replicas.http(kB).pending(), 0u);
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  ASSERT_TRUE(created.has() && created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::RUNNING);
  const auto repeated = replicas.Create(kA, request);
  ASSERT_TRUE(repeated.has() && repeated.get().ok()) << repeated.status();
  EXPECT_EQ(repeated->name(), "videoTasks/fox");
  EXPECT_EQ(replicas.Counted(kA), 1);
  EXPECT_EQ(replicas.Counted(kB), 0);
}

TEST(ReplicaTest, WorkOfAShardThatNobodyHoldsBeginsWithItsLease) {
  Replicas replicas(2);
  replicas.MoveAll(kB, kA);
  replicas.Kill(kA);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.mutable_max_wait()->set_seconds(1);
  const auto created = replicas.Create(kB, request);
  replicas.Advance(absl::Seconds(2));
  ASSERT_TRUE(created.has() && created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::PENDING);
  replicas.TakeAll(kB);
  replicas.Run();
  replicas.AnswerNext(kB, 200, "id=up-1 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaTest, WorkOfADeadGatewayIsGoneOnWithAndItsPollsAreSpread) {
  Replicas replicas(2);
  std::vector<absl::Time> polls;
  int submitted = 0;
  replicas.script = [&](int at, const http::Request& request) {
    if (request.method == "POST") return Ok(absl::StrCat("id=up-", ++submitted, " state=running"));
    if (at == kB) polls.push_back(replicas.Now());
    return Ok(absl::StrCat("id=", request.path.substr(8), " state=running"));
  };
  constexpr int kTasks = 40;
  for (int i = 0; i < kTasks; ++i) replicas.Create(kA, Harness::Video(absl::StrCat("fox-", i)));
  replicas.Kill(kA);
  replicas.Skip(absl::Minutes(1));
  replicas.TakeAll(kB);
  replicas.Run();
  EXPECT_EQ(replicas.Counted(kB), kTasks);
  EXPECT_LT(polls.size(), std::size_t{kTasks} / 4) << "no stampede";
  const absl::Time taken = replicas.Now();
  replicas.Advance(absl::Seconds(5));
  EXPECT_GT(polls.size(), std::size_t{kTasks} / 8);
  replicas.Advance(absl::Seconds(20));
  EXPECT_GE(polls.size(), std::size_t{kTasks});
  EXPECT_EQ(submitted, kTasks) << "nothing is submitted twice";
  std::set<absl::Time> moments(polls.begin(), polls.begin() + kTasks);
  EXPECT_GT(moments.size(), std::size_t{kTasks} / 2);
  EXPECT_LE(*moments.rbegin() - taken, absl::Seconds(25));
}

TEST(ReplicaTest, RowThatWasFinishedAndGetsWorkAgainIsDoneByWhoBroughtIt) {
  Harness::Options options;
  options.asset_providers = {"alpha"};
  Replicas replicas(2, options);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  ASSERT_EQ(replicas.AssetNow("hero").state(), v1::Asset::ACTIVE);
  // A video that goes to beta needs it there as well.
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/beta");
  replicas.Create(kB, request);
  EXPECT_EQ(replicas.http(kA).pending(), 0u);
  replicas.AnswerNext(kB, 200, "id=up-2 state=done");
  replicas.AnswerNext(kB, 200, "id=up-3 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaTest, LeavingGatewayGivesItsWorkBackAndIsToldNothingNew) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  bool quiet = false;
  replicas.reconciler(kA).Drain([&] { quiet = true; });
  replicas.Run();
  ASSERT_TRUE(quiet);
  replicas.leases(kA).Release();
  replicas.TakeAll(kB);
  replicas.Advance(absl::Seconds(10));
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
  replicas.AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

// --- A submission that is open when its shard changes hands

TEST(ReplicaTest, OpenVideoSubmissionOfADeadGatewayIsUnconfirmedOnceItsAnswerCannotComeAnyMore) {
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

TEST(ReplicaTest, OpenSubmissionOfAGatewayWhoseClockWasAheadIsNotWaitedForLonger) {
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

TEST(ReplicaTest, OpenVideoSubmissionOfADeadGatewayIsRepeatedWithItsKey) {
  Replicas replicas(2, WithKeys());
  replicas.Create(kA, Harness::Video("fox"));
  const http::FakeHttpClient::Call first = replicas.Take(kA);
  replicas.Kill(kA);
  replicas.TakeAll(kB);
  replicas.Advance(kLost);
  const http::FakeHttpClient::Call again = replicas.Take(kB);
  EXPECT_EQ(again.request.body, first.request.body);
  EXPECT_NE(KeyOf(again.request), "");
  EXPECT_EQ(KeyOf(again.request), KeyOf(first.request));
}

TEST(ReplicaTest, OpenAssetSubmissionOfADeadGatewayIsSubmittedAgain) {
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

TEST(ReplicaTest, RepetitionIsAnsweredWithWhatOthersHaveMadeOfIt) {
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

TEST_F(PausedGatewayTest, AnswerThatComesBeforeItIsCalledLostIsSimplyTheAnswer) {
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

TEST_F(PausedGatewayTest, LateAnswerThatItWasNotAcceptedLetsTheTaskGoOn) {
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

TEST_F(PausedGatewayTest, LateAnswerThatSaysNothingChangesNothing) {
  Begin({});
  replicas_->Advance(kLost);
  const auto revision = *replicas_->real().Head();
  Hear(http::Response{500, {}, "what"});
  EXPECT_EQ(*replicas_->real().Head(), revision);
  EXPECT_EQ(replicas_->Task("fox").state(), v1::VideoTask::UNCONFIRMED);
}

TEST_F(PausedGatewayTest, LateAcceptanceSettlesWhatIsJustBeingRepeated) {
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

TEST_F(PausedGatewayTest, LateRefusalOfTheFirstTrySaysNothingOfItsRepetition) {
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

TEST_F(PausedGatewayTest, LateAcceptanceAfterAPersonsWordIsOnRecord) {
  Begin({});
  replicas_->Advance(kLost);
  ASSERT_TRUE(replicas_->Resolve(kB, Harness::NotAccepted("fox", false)).status().ok());
  Hear(Ok("id=up-1 state=running"));
  const v1::VideoTask task = replicas_->Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(task.attempts(0).provider_task_id(), "up-1");
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
}

TEST(ReplicaTest, PausedBetweenJournalAndSendingItNeverSends) {
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

TEST(ReplicaTest, TooLateToSendIsNotTheProvidersFault) {
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

TEST(ReplicaTest, LeaseThatIsAboutToEndBeginsNothing) {
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

TEST(ReplicaTest, PlaceAtTheGateIsGivenBackWithTheLease) {
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

// --- Commands where the work is not

TEST(ReplicaTest, TaskIsCancelledWhereItIsNotFollowed) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/alpha");
  replicas.Create(kA, request);
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::PENDING);
  const auto cancelled = replicas.Cancel(kB, "fox");
  ASSERT_TRUE(cancelled.has() && cancelled.get().ok()) << cancelled.status();
  EXPECT_EQ(cancelled->state(), v1::VideoTask::CANCELLED);
  replicas.Advance(absl::Seconds(3));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas.http(kA).pending(), 0u) << "nothing is submitted";
  EXPECT_EQ(replicas.Counted(kA), 0);
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaTest, CancelThatRacesWithTheSubmissionLosesOrWinsAndNeverBoth) {
  Replicas replicas(2);
  replicas.script = [](int, const http::Request& request) {
    return request.method == "POST" ? std::optional<http::Result>(Ok("id=up-1 state=running"))
                                    : std::nullopt;
  };
  Answer<v1::VideoTask> created;
  replicas.gateway(kA).CreateVideoTask(calls::Caller(), Harness::Video("fox"), created.reply());
  replicas.loop(kA).RunDue();
  const auto cancelled = replicas.Cancel(kB, "fox");
  EXPECT_EQ(base::ReasonOf(cancelled.status()), v1::CANCEL_UNSUPPORTED);
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaTest, AssetIsDeletedWhereItIsNotFollowedWithItsCopies) {
  Harness::Options options;
  options.alpha.can_delete = true;
  Replicas replicas(2, options);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  const auto deleted = replicas.DeleteAsset(kB, "hero");
  ASSERT_TRUE(deleted.has() && deleted.get().ok()) << deleted.status();
  EXPECT_FALSE(replicas.StoredAsset("hero").has_value());
  EXPECT_EQ(replicas.Counted(kA), 0);
  const auto call = replicas.Take(kB);
  EXPECT_EQ(call.request.method, "DELETE");
  replicas.Advance(absl::Minutes(1));
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
}

TEST(ReplicaTest, VideoWaitsForAnAssetThatAnotherGatewayFollows) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/alpha");
  const auto created = replicas.Create(kB, request);
  ASSERT_TRUE(created.has() && created.get().ok());
  EXPECT_EQ(created->waiting().reason(), v1::Waiting::ASSET_PROCESSING);
  replicas.Advance(absl::Seconds(3));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  // At once, by the feed.
  replicas.AnswerNext(kB, 200, "id=up-2 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

TEST(ReplicaTest, PlacementThatAVideoNeedsIsMadeByWhoFollowsTheAsset) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/beta");
  replicas.Create(kB, request);
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
  replicas.AnswerNext(kA, 200, "id=up-2 state=done");
  replicas.AnswerNext(kB, 200, "id=up-3 state=running");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
}

v1::ImportVideoTaskRequest Import(absl::string_view id, absl::string_view task_id) {
  v1::ImportVideoTaskRequest request;
  request.set_provider("providers/alpha");
  request.set_provider_task_id(std::string(task_id));
  request.set_model("film");
  request.set_video_task_id(std::string(id));
  return request;
}

calls::Caller Of(absl::string_view tenant) {
  calls::Caller caller;
  caller.tenant = std::string(tenant);
  return caller;
}

// A task whose submission is in doubt.
void Cut(Replicas& replicas, int at, absl::string_view id, absl::string_view tenant) {
  replicas.Create(at, Harness::Video(id), Of(tenant));
  replicas.Take(at).Answer(TransportError{TransportError::Kind::kReset, true, "reset"});
  replicas.Run();
}

TEST(ReplicaTest, ProviderTaskIsTakenOverByOneOfTwoGateways) {
  const struct {
    const char* description;
    bool a_resolves;
    bool b_resolves;
  } kWays[] = {{"two imports", false, false},
               {"an import and a resolution", false, true},
               {"a resolution and an import", true, false},
               {"two resolutions", true, true}};
  for (const auto& way : kWays) {
    for (const char* tenant : {model::kDefaultTenant, "other"}) {
      for (const int first : {kA, kB}) {
        SCOPED_TRACE(absl::StrCat(way.description, ", ", tenant, ", first: ", first));
        Harness::Options options;
        options.alpha.ids_in_any_case = true;
        Replicas replicas(2, options);
        const std::string tenants[] = {model::kDefaultTenant, tenant};
        const bool resolves[] = {way.a_resolves, way.b_resolves};
        const std::string ids[] = {"fox", "wolf"};
        const std::string spellings[] = {"up-7", "UP-7"};
        for (const int at : {kA, kB}) {
          if (resolves[at]) Cut(replicas, at, ids[at], tenants[at]);
        }
        // Both have found it free before either is committed.
        Answer<v1::VideoTask> answers[2];
        for (const int at : {first, 1 - first}) {
          if (resolves[at]) {
            replicas.gateway(at).ResolveVideoTask(
                Of(tenants[at]), Harness::Accepted(ids[at], spellings[at]), answers[at].reply());
          } else {
            replicas.gateway(at).ImportVideoTask(Of(tenants[at]), Import(ids[at], spellings[at]),
                                                 answers[at].reply());
          }
        }
        replicas.loop(first).RunDue();
        replicas.Run();
        ASSERT_TRUE(answers[kA].has() && answers[kB].has());
        ASSERT_NE(answers[kA].get().ok(), answers[kB].get().ok())
            << answers[kA].status() << answers[kB].status();
        const int loser = answers[kA].get().ok() ? kB : kA;
        EXPECT_NE(loser, first);
        EXPECT_EQ(base::ReasonOf(answers[loser].status()), v1::PROVIDER_TASK_TAKEN)
            << answers[loser].status();
        EXPECT_EQ(absl::StrContains(answers[loser].status().message(), ids[1 - loser]),
                  tenants[kA] == tenants[kB])
            << "named to its own tenant alone: " << answers[loser].status();
        auto row = replicas.real().Get({tenants[loser], store::Kind::kVideoTask, ids[loser]});
        ASSERT_TRUE(row.ok());
        ASSERT_EQ(row->has_value(), resolves[loser]);
        if (!resolves[loser]) continue;
        EXPECT_EQ(model::VideoTaskFromRow(**row).state(), v1::VideoTask::UNCONFIRMED);
        // It goes on: it can be resolved with what is its own.
        Answer<v1::VideoTask> again;
        replicas.gateway(loser).ResolveVideoTask(
            Of(tenants[loser]), Harness::Accepted(ids[loser], "up-8"), again.reply());
        replicas.Run();
        EXPECT_TRUE(again.has() && again.get().ok()) << again.status();
      }
    }
  }
}

TEST(ReplicaTest, AnswerToASubmissionIsRecordedWhoeverTookTheTaskOver) {
  for (const bool answered_first : {false, true}) {
    SCOPED_TRACE(answered_first);
    Replicas replicas(2);
    replicas.Create(kA, Harness::Video("fox"));
    auto call = replicas.Take(kA);
    Answer<v1::VideoTask> imported;
    replicas.gateway(kB).ImportVideoTask(Of("other"), Import("wolf", "up-7"), imported.reply());
    if (!answered_first) replicas.Run();
    std::move(call).Answer(Ok("id=up-7 state=running"));
    // Where the answer is committed first, the import finds it so, though it had found nothing.
    if (answered_first) replicas.loop(kA).RunDue();
    replicas.Run();
    EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
    EXPECT_EQ(replicas.Task("fox").attempts(0).provider_task_id(), "up-7");
    ASSERT_TRUE(imported.has());
    EXPECT_EQ(imported.get().ok(), !answered_first) << imported.status();
    if (answered_first) {
      EXPECT_EQ(base::ReasonOf(imported.status()), v1::PROVIDER_TASK_TAKEN);
    }
  }
}

TEST(ReplicaTest, UnconfirmedTaskIsResolvedWhereItIsNotFollowed) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.AnswerNext(kA, 500, "what");
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  ASSERT_TRUE(replicas.Resolve(kB, Harness::Accepted("fox", "up-7")).status().ok());
  // At once, whatever A waited for.
  replicas.AnswerNext(kA, 200, "id=up-7 state=done");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaTest, ResourceThatWasDeletedAndMadeAnewElsewhereIsAnotherOne) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  // A hears of neither until it is all over.
  replicas.Pause(kA);
  ASSERT_TRUE(replicas.DeleteAsset(kB, "hero").status().ok());
  replicas.Create(kB, Harness::Asset("hero", {"beta"}));
  replicas.AnswerNext(kB, 200, "id=up-9 state=running");
  replicas.Wake(kA);
  replicas.Advance(absl::Seconds(1));
  EXPECT_EQ(replicas.Counted(kA), 0);
  EXPECT_EQ(replicas.Counted(kB), 1);
  ASSERT_EQ(replicas.AssetNow("hero").placements_size(), 1);
  EXPECT_EQ(replicas.AssetNow("hero").placements(0).provider(), "providers/beta");
}

TEST(ReplicaTest, AnswerToAResourceThatIsGoneDoesNotReachTheOneThatHasItsName) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  replicas.Advance(absl::Seconds(2.5));
  auto poll = replicas.Take(kA);
  replicas.Pause(kA);
  ASSERT_TRUE(replicas.DeleteAsset(kB, "hero").status().ok());
  replicas.Create(kB, Harness::Asset("hero", {"beta"}));
  replicas.AnswerNext(kB, 200, "id=up-9 state=running");
  std::move(poll).Answer(Ok("id=up-1 state=done"));
  replicas.Wake(kA);
  // A commits what it heard before it hears of the deletion.
  replicas.loop(kA).RunDue();
  replicas.Run();
  ASSERT_EQ(replicas.AssetNow("hero").placements_size(), 1);
  EXPECT_EQ(replicas.AssetNow("hero").placements(0).state(), v1::Placement::PROCESSING);
  EXPECT_EQ(replicas.AssetNow("hero").placements(0).provider_asset_id(), "up-9");
}

TEST(ReplicaTest, ChangeThatIsHeardOfBeforeTheOwnCommitIsAnsweredIsNotForgotten) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  auto call = replicas.Take(kA);
  std::move(call).Answer(Ok("id=up-1 state=running"));
  replicas.loop(kA).RunDue();
  // That is committed, A does not know it yet, and B builds on it.
  replicas.Pause(kA);
  ASSERT_TRUE(replicas.DeleteAsset(kB, "hero").status().ok());
  replicas.Wake(kA);
  replicas.store(kA).Notify(100);
  replicas.Run();
  EXPECT_EQ(replicas.Counted(kA), 0);
  replicas.Advance(absl::Minutes(1));
  EXPECT_EQ(replicas.http(kA).sent(), 1u) << "what is gone is not polled";
}

// --- Repetitions

TEST(ReplicaTest, RepetitionElsewhereWaitsForTheFirstAnswerAndGetsIt) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  const auto second = replicas.Create(kB, request);
  EXPECT_FALSE(first.has());
  EXPECT_FALSE(second.has());
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(second->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaTest, RepetitionsThatMeetInTheStoreMakeOneTask) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video();
  request.set_request_id("r-1");
  Answer<v1::VideoTask> first;
  Answer<v1::VideoTask> second;
  // Both have looked, and found the request id free.
  replicas.gateway(kA).CreateVideoTask(calls::Caller(), request, first.reply());
  replicas.gateway(kB).CreateVideoTask(calls::Caller(), request, second.reply());
  replicas.Run();
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(second->name(), first->name());
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
}

TEST(ReplicaTest, RepetitionOfWhatIsRefusedElsewhereIsCarriedOutAndAnsweredItself) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  const auto second = replicas.Create(kB, request);
  replicas.AnswerNext(kA, 422, "no");
  EXPECT_TRUE(absl::IsInvalidArgument(first.status())) << first.status();
  EXPECT_FALSE(second.has());
  // The id is free, so the repetition is the first now.
  replicas.AnswerNext(kB, 200, "id=up-1 state=running");
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
  const auto third = replicas.Create(kA, request);
  ASSERT_TRUE(third.has() && third.get().ok()) << third.status();
}

TEST(ReplicaTest, RepetitionThatIsRefusedInItsTurnSaysSo) {
  Replicas replicas(2);
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  const auto second = replicas.Create(kB, request);
  replicas.AnswerNext(kA, 422, "no");
  replicas.AnswerNext(kB, 422, "not here either");
  EXPECT_TRUE(absl::IsInvalidArgument(first.status())) << first.status();
  ASSERT_TRUE(second.has());
  EXPECT_TRUE(absl::IsInvalidArgument(second.status())) << second.status();
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("not here either"));
  EXPECT_FALSE(replicas.StoredAsset("hero").has_value());
}

TEST(ReplicaTest, RepetitionOfABatchThatWasRefusedAndDeletedElsewhereSaysSo) {
  Replicas replicas(2);
  v1::BatchCreateAssetsRequest request;
  request.set_request_id("r-1");
  for (const char* id : {"a", "b"}) *request.add_requests() = Harness::Asset(id, {"alpha"});
  Answer<v1::BatchCreateAssetsResponse> first;
  replicas.gateway(kA).BatchCreateAssets(calls::Caller(), request, first.reply());
  replicas.Run();
  Answer<v1::BatchCreateAssetsResponse> second;
  replicas.gateway(kB).BatchCreateAssets(calls::Caller(), request, second.reply());
  replicas.Run();
  replicas.AnswerNext(kA, 422, "no");
  replicas.AnswerNext(kA, 200, "id=up-2 state=done");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(base::ReasonOf(second->results(0).error()), v1::RESOURCE_NOT_FOUND);
  EXPECT_EQ(second->results(1).asset().state(), v1::Asset::ACTIVE);
}

TEST(ReplicaTest, WhatARepetitionElsewhereWasToldOfIsNotTakenBack) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  request.mutable_max_wait()->set_seconds(1);
  const auto second = replicas.Create(kB, request);
  replicas.Advance(absl::Seconds(2));
  EXPECT_FALSE(first.has());
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(second->state(), v1::VideoTask::PENDING);
  // B's caller relies on it: it fails instead of going away.
  replicas.AnswerNext(kA, 422, "no");
  ASSERT_TRUE(first.has() && first.get().ok()) << first.status();
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::FAILED);
}

TEST(ReplicaTest, RepetitionIsNotToldOfWhatIsTakenBackAtThatVeryMoment) {
  Replicas replicas(2);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = replicas.Create(kA, request);
  request.mutable_max_wait()->set_seconds(1);
  const auto second = replicas.Create(kB, request);
  // A commits the refusal; B's time is up before it hears of that.
  replicas.Pause(kB);
  replicas.AnswerNext(kA, 422, "no");
  ASSERT_FALSE(first.get().ok());
  replicas.Skip(absl::Seconds(2));
  replicas.loop(kB).RunDue();
  EXPECT_FALSE(second.has());
  replicas.Wake(kB);
  replicas.Run();
  // It was carried out again, and answered as it then stood.
  ASSERT_TRUE(second.has() && second.get().ok()) << second.status();
  EXPECT_EQ(replicas.http(kB).pending(), 1u);
}

TEST(ReplicaTest, CreatorThatLosesTheLeaseStillAnswers) {
  Replicas replicas(2);
  const auto created = replicas.Create(kA, Harness::Video("fox"));
  replicas.MoveAll(kA, kB);
  replicas.Run();
  replicas.AnswerNext(kA, 422, "no");
  // Another gateway has it: it stays, and shows what became of it.
  ASSERT_TRUE(created.has() && created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::FAILED);
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::FAILED);
}

// --- Trouble

TEST(ReplicaTest, OutcomeThatCannotBeCommittedIsKeptThoughTheLeaseIsLost) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.faults(kA).judge = [](const auto&) { return store::FaultyStore::Outcome::kUnavailable; };
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  replicas.MoveAll(kA, kB);
  replicas.Advance(kLost + absl::Minutes(1));
  ASSERT_EQ(replicas.Task("fox").state(), v1::VideoTask::UNCONFIRMED);
  EXPECT_EQ(replicas.http(kA).sent(), 1u);
  replicas.faults(kA).judge = nullptr;
  replicas.Advance(absl::Seconds(2));
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::RUNNING);
  replicas.Advance(absl::Seconds(20));
  replicas.AnswerNext(kB, 200, "id=up-1 state=done");
  EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReplicaTest, UnknownCommitOfAnOutcomeIsLookedUpWhoeverChangedTheRowSince) {
  for (const bool committed : {false, true}) {
    SCOPED_TRACE(committed);
    Replicas replicas(2);
    replicas.Create(kA, Harness::Video("fox"));
    bool once = true;
    replicas.faults(kA).judge = [&](const auto&) {
      return std::exchange(once, false) ? store::FaultyStore::Outcome::kUnknown
                                        : store::FaultyStore::Outcome::kCommitted;
    };
    replicas.faults(kA).unknown_commits = committed;
    replicas.AnswerNext(kA, 200, "id=up-1 state=queued");
    replicas.Advance(absl::Seconds(3));
    EXPECT_EQ(replicas.Task("fox").state(), v1::VideoTask::QUEUED);
    EXPECT_EQ(replicas.Task("fox").attempts_size(), 1);
    EXPECT_EQ(replicas.http(kA).sent(), 2u) << "one submission, one poll";
  }
}

TEST(ReplicaTest, GatewayThatHeardTooMuchAtOnceComparesWithTheStore) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Asset("hero", {"alpha"}));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  v1::CreateVideoTaskRequest request = VideoOf("fox", "hero");
  request.add_providers("providers/alpha");
  replicas.Create(kB, request);
  std::vector<store::ChangePtr> others;
  for (int i = 0; i < 17'000; ++i) {
    auto change = std::make_shared<store::Change>();
    change->key = {"default", store::Kind::kAsset, absl::StrCat("other-", i)};
    change->local = false;
    others.push_back(std::move(change));
  }
  // What is told before and after is lost among these.
  replicas.Pause(kB);
  replicas.reconciler(kB).OnChanges(others, 0);
  replicas.Advance(absl::Seconds(3));
  replicas.AnswerNext(kA, 200, "id=up-1 state=done");
  replicas.store(kB).Notify(100);
  replicas.Wake(kB);
  replicas.Run();
  EXPECT_EQ(replicas.http(kB).pending(), 1u) << "the asset is ready";
}

TEST(ReplicaTest, WorkIsTakenUpWhenTheStoreCanBeReadAgain) {
  Replicas replicas(2);
  replicas.Create(kA, Harness::Video("fox"));
  replicas.AnswerNext(kA, 200, "id=up-1 state=running");
  replicas.Kill(kA);
  replicas.faults(kB).unreadable = true;
  replicas.TakeAll(kB);
  replicas.Advance(absl::Minutes(1));
  EXPECT_EQ(replicas.http(kB).sent(), 0u);
  replicas.faults(kB).unreadable = false;
  replicas.Advance(absl::Seconds(30));
  EXPECT_EQ(replicas.http(kB).sent(), 1u);
}

// --- Everything at once

// One provider behind all gateways: does work, or does not, and says so, or does not.
class Upstream {
 public:
  explicit Upstream(absl::BitGenRef random) : random_(random) {}

  // At its worst. `call` may end without an answer although the work was done.
  http::Result Answer(const http::Request& request, bool kind) {
    const auto roll = [this] { return absl::Uniform(random_, 0, 100); };
    if (request.method == "DELETE") return http::Response{kind || roll() < 50 ? 200 : 503, {}, ""};
    if (request.method == "GET") {
      if (!kind && roll() < 20) return http::Response{503, {}, ""};
      const std::string id = request.path.substr(request.path.rfind('/') + 1);
      return http::Response{
          200, {}, absl::StrCat("id=", id, " state=", kind || roll() < 20 ? "done" : "running")};
    }
    const int luck = kind ? 0 : roll();
    if (luck < 60)
      return http::Response{200, {}, absl::StrCat("id=", Do(request), " state=queued")};
    if (luck < 70) return http::Response{429, {}, "busy"};
    if (luck < 73) return http::Response{422, {}, "no"};
    if (luck < 80) return TransportError{TransportError::Kind::kConnect, false, "refused"};
    if (luck < 90) Do(request);
    return TransportError{TransportError::Kind::kReset, true, "cut"};
  }
  // The id of the work, which is done now unless the key says that it was done before.
  std::string Do(const http::Request& request) {
    const std::string key = KeyOf(request);
    if (!key.empty()) {
      if (const auto it = by_key_.find(key); it != by_key_.end()) return it->second;
    }
    std::string id = absl::StrCat("up-", ++last_);
    if (!key.empty()) by_key_[key] = id;
    if (request.path == "/videos") ++made_[request.body.substr(0, request.body.find(" ref"))];
    return id;
  }
  // How many videos were made of each request.
  const std::map<std::string, int>& made() const { return made_; }

 private:
  absl::BitGenRef random_;
  int last_ = 0;
  std::map<std::string, std::string> by_key_;
  std::map<std::string, int> made_;
};

// Gateways that are paused, killed, started and given each other's shards, in the midst of
// creations, cancellations and a provider that fails, in every order that a seed makes of it.
class ReplicaScheduleTest : public testing::TestWithParam<int> {
 protected:
  int Any(int count) { return absl::Uniform(random_, 0, count); }
  std::optional<int> Running() {
    for (int tries = 0; tries < 10; ++tries) {
      if (const int at = Any(replicas_.count()); replicas_.running(at)) return at;
    }
    return std::nullopt;
  }

  void Step() {
    const int at = Any(replicas_.count());
    const int dice = Any(100);
    if (dice < 14) {
      Create();
    } else if (dice < 17) {
      if (const auto where = Running(); where.has_value() && tasks_ > 0) {
        v1::CancelVideoTaskRequest request;
        request.set_name(absl::StrCat("videoTasks/fox-", Any(tasks_)));
        Answer<v1::VideoTask> answer;
        replicas_.gateway(*where).CancelVideoTask(calls::Caller(), request, answer.reply());
      }
    } else if (dice < 30) {
      if (replicas_.alive(at) && replicas_.http(at).pending() > 0) {
        auto call = replicas_.http(at).Take();
        http::Result answer = upstream_.Answer(call.request, /*kind=*/false);
        std::move(call).Answer(std::move(answer));
      }
    } else if (dice < 75) {
      // One gateway gets on by a little.
      if (!replicas_.running(at)) return;
      switch (Any(3)) {
        case 0:
          replicas_.loop(at).RunDue();
          break;
        case 1:
          replicas_.store(at).Notify(Any(4));
          break;
        default:
          replicas_.store(at).AnswerOne();
      }
    } else if (dice < 88) {
      replicas_.Skip(absl::Milliseconds(Any(4000)));
    } else if (dice < 91) {
      if (replicas_.alive(at)) {
        if (replicas_.running(at)) {
          replicas_.Pause(at);
        } else {
          replicas_.Wake(at);
        }
      }
    } else if (dice < 92) {
      if (replicas_.alive(at)) {
        // What it has sent may be done all the same.
        while (replicas_.http(at).pending() > 0) {
          auto call = replicas_.http(at).Take();
          if (call.request.method == "POST" && Any(2) == 0) upstream_.Do(call.request);
          std::move(call).Answer(TransportError{TransportError::Kind::kStopped, true, "killed"});
        }
        replicas_.Kill(at);
      } else {
        replicas_.Start(at);
      }
    } else {
      const int to = Any(replicas_.count());
      if (!replicas_.running(to)) return;
      replicas_.TakeAll(to);
      std::vector<store::Shard> some = replicas_.leases(at).held();
      std::erase_if(some, [this](store::Shard) { return Any(3) > 0; });
      if (at != to) replicas_.Move(some, at, to);
    }
  }

  void Create() {
    const auto where = Running();
    if (!where.has_value()) return;
    if (Any(3) == 0) {
      v1::CreateAssetRequest request = Harness::Asset(absl::StrCat("hero-", assets_++), {"alpha"});
      request.set_request_id(absl::StrCat("asset-", assets_));
      Answer<v1::Asset> answer;
      replicas_.gateway(*where).CreateAsset(calls::Caller(), request, answer.reply());
      return;
    }
    const std::string id = absl::StrCat("fox-", tasks_++);
    v1::CreateVideoTaskRequest request = assets_ > 0 && Any(2) == 0
                                             ? VideoOf(id, absl::StrCat("hero-", Any(assets_)))
                                             : Harness::Video(id);
    request.mutable_video_task()->set_prompt(id);
    request.set_request_id(id);
    for (int copies = 1 + Any(2); copies > 0; --copies) {
      const auto at = Running();
      if (!at.has_value()) return;
      Answer<v1::VideoTask> answer;
      replicas_.gateway(*at).CreateVideoTask(calls::Caller(), request, answer.reply());
      answers_.push_back(answer);
    }
  }

  // All is well again.
  void End() {
    for (int at = 0; at < replicas_.count(); ++at) {
      if (!replicas_.alive(at)) replicas_.Start(at);
      replicas_.Wake(at);
    }
    replicas_.TakeAll(kA);
    replicas_.script = [this](int, const http::Request& request) {
      return std::optional(upstream_.Answer(request, /*kind=*/true));
    };
    for (int minutes = 0; minutes < 25; ++minutes) replicas_.Advance(absl::Minutes(1));
  }

  std::vector<store::Row> Left() {
    auto rows = replicas_.real().ListUnfinished({});
    EXPECT_TRUE(rows.ok());
    return rows.ok() ? *rows : std::vector<store::Row>();
  }

  std::mt19937_64 engine_{static_cast<std::uint64_t>(GetParam())};
  absl::BitGenRef random_{engine_};
  Upstream upstream_{random_};
  Replicas replicas_{3, GetParam() % 2 == 0 ? WithKeys() : Harness::Options()};
  int tasks_ = 0;
  int assets_ = 0;
  std::vector<Answer<v1::VideoTask>> answers_;
};

TEST_P(ReplicaScheduleTest, NothingIsBoughtTwiceAndAllWorkEnds) {
  for (int step = 0; step < 600; ++step) Step();
  End();
  EXPECT_GT(tasks_, 10);
  EXPECT_FALSE(upstream_.made().empty());
  for (const auto& [what, times] : upstream_.made()) EXPECT_LE(times, 1) << what;
  for (const store::Row& row : Left()) {
    // Only what a person has to look at.
    ASSERT_EQ(row.key.kind, store::Kind::kVideoTask) << row.key.id;
    const v1::VideoTask task = model::VideoTaskFromRow(row);
    EXPECT_EQ(task.state(), v1::VideoTask::UNCONFIRMED) << task.ShortDebugString();
    EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR) << task.ShortDebugString();
    const auto resolved =
        replicas_.Resolve(Any(replicas_.count()), Harness::NotAccepted(row.key.id, false));
    EXPECT_TRUE(resolved.status().ok()) << resolved.status();
  }
  replicas_.Run();
  EXPECT_TRUE(Left().empty());
  for (int at = 0; at < replicas_.count(); ++at) EXPECT_EQ(replicas_.Counted(at), 0) << at;
  // What was made was not forgotten: each task knows the video that it has.
  for (const auto& answer : answers_) {
    if (!answer.has() || !answer.get().ok()) continue;
    const auto stored = replicas_.StoredVideo(answer->name().substr(answer->name().find('/') + 1));
    ASSERT_TRUE(stored.has_value()) << answer->name() << " was acknowledged";
    EXPECT_TRUE(model::IsFinal(stored->resource.state())) << stored->resource.ShortDebugString();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplicaScheduleTest, testing::Range(1, 21));

}  // namespace
}  // namespace assetgate::reconcile
