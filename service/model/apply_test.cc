#include "model/apply.h"

#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "provider/answers/links.h"
#include "rapidjson/document.h"

namespace assetgate::model {
namespace {

using testing::HasSubstr;
using Progress = provider::Observation::Progress;

UnitContext At(int seconds) {
  UnitContext context;
  context.provider_id = "alpha";
  context.now = absl::FromUnixSeconds(1'800'000'000 + seconds);
  return context;
}

provider::Observation Seen(Progress progress, std::string word = "word") {
  provider::Observation observation;
  observation.progress = progress;
  observation.provider_state = std::move(word);
  return observation;
}

v1::VideoTask TaskWithAttempt(v1::Attempt::State state = v1::Attempt::SUBMITTING) {
  v1::VideoTask task;
  task.set_state(v1::VideoTask::PENDING);
  task.add_attempts()->set_provider("providers/alpha");
  task.mutable_attempts(0)->set_state(state);
  return task;
}

google::rpc::Status Expired() {
  return base::Error(absl::StatusCode::kDeadlineExceeded, v1::TRACKING_EXPIRED, "late").ToProto();
}

const std::vector<Progress> kAll = {Progress::kQueued, Progress::kRunning, Progress::kSucceeded,
                                    Progress::kFailed, Progress::kCancelled};

// For a unit without any other record.
bool ApplyObservation(v1::VideoTask& task, int attempt, const provider::Observation& observation,
                      const UnitContext& context) {
  Unit unit;
  return ApplyObservation(task, attempt, unit, observation, context);
}

provider::Observation WithoutResult(provider::Observation::Result result) {
  provider::Observation observation = Seen(Progress::kSucceeded, "done");
  observation.result = result;
  observation.answer =
      R"({"status":"done","url":"https:\/\/cdn.example\/v.mp4?sig=hush\u0026k=hush2"})";
  return observation;
}

// A link of exactly `bytes` bytes.
std::string LinkOf(std::size_t bytes) {
  const std::string begin = "https://cdn.example/v.mp4?sig=";
  return begin + std::string(bytes - begin.size(), 's');
}

TEST(ApplyTest, SameObservationTwiceChangesNothing) {
  for (const Progress progress : kAll) {
    v1::VideoTask task = TaskWithAttempt();
    EXPECT_TRUE(ApplyObservation(task, 0, Seen(progress), At(0)));
    const std::string once = task.SerializeAsString();
    EXPECT_FALSE(ApplyObservation(task, 0, Seen(progress), At(9)));
    EXPECT_EQ(task.SerializeAsString(), once);

    v1::Placement placement;
    placement.set_state(v1::Placement::PROCESSING);
    EXPECT_TRUE(ApplyObservation(placement, Seen(progress), At(0)));
    const std::string placed = placement.SerializeAsString();
    EXPECT_FALSE(ApplyObservation(placement, Seen(progress), At(9)));
    EXPECT_EQ(placement.SerializeAsString(), placed);
  }
}

TEST(ApplyTest, FinalStateThatAProviderGaveStays) {
  for (const Progress final : {Progress::kSucceeded, Progress::kFailed, Progress::kCancelled}) {
    for (const Progress later : kAll) {
      v1::VideoTask task = TaskWithAttempt();
      ApplyObservation(task, 0, Seen(final), At(0));
      const std::string before = task.SerializeAsString();
      EXPECT_FALSE(ApplyObservation(task, 0, Seen(later, "other"), At(9)));
      EXPECT_EQ(task.SerializeAsString(), before);

      v1::Placement placement;
      placement.set_state(v1::Placement::PROCESSING);
      ApplyObservation(placement, Seen(final), At(0));
      const std::string placed = placement.SerializeAsString();
      EXPECT_FALSE(ApplyObservation(placement, Seen(later, "other"), At(9)));
      EXPECT_EQ(placement.SerializeAsString(), placed);
    }
  }
}

TEST(ApplyTest, RunningDoesNotGoBackToQueued) {
  v1::VideoTask task = TaskWithAttempt();
  ApplyObservation(task, 0, Seen(Progress::kRunning), At(0));
  ApplyObservation(task, 0, Seen(Progress::kQueued), At(1));
  EXPECT_EQ(task.state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::RUNNING);
}

TEST(ApplyTest, ProgressNeverGoesBackAndStaysInRange) {
  v1::VideoTask task = TaskWithAttempt();
  const auto after = [&](int percent) {
    provider::Observation observation = Seen(Progress::kRunning);
    observation.progress_percent = percent;
    ApplyObservation(task, 0, observation, At(0));
    return task.progress_percent();
  };
  EXPECT_EQ(after(-5), 0);
  EXPECT_EQ(after(60), 60);
  EXPECT_EQ(after(40), 60);
  EXPECT_EQ(after(250), 100);
}

TEST(ApplyTest, LateResultIsRecordedInTheAttemptButNotInTheTask) {
  for (const Progress late : {Progress::kSucceeded, Progress::kFailed, Progress::kCancelled}) {
    v1::VideoTask task = TaskWithAttempt(v1::Attempt::RUNNING);
    task.set_state(v1::VideoTask::RUNNING);
    Unit unit;
    unit.set_handle("up-1");
    ASSERT_TRUE(ApplyGivenUp(task, 0, unit, Expired(), At(0)));
    EXPECT_EQ(base::FromProto(unit.late_until()), At(0).now + absl::Hours(24));
    EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
    EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
    // An attempt that is still in progress changes nothing.
    const std::string before = task.attempts(0).error().SerializeAsString();
    ApplyObservation(task, 0, Seen(Progress::kRunning), At(1));
    EXPECT_EQ(task.attempts(0).error().SerializeAsString(), before);
    provider::Observation result = Seen(late);
    result.video.emplace();
    result.video->set_uri("https://example.com/v.mp4");
    EXPECT_TRUE(ApplyObservation(task, 0, unit, result, At(2)));
    EXPECT_FALSE(unit.has_late_until()) << "the gateway stops asking";
    EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
    EXPECT_EQ(base::ReasonOf(task.error()), v1::TRACKING_EXPIRED);
    EXPECT_FALSE(task.has_video());
    if (late == Progress::kSucceeded) {
      EXPECT_EQ(task.attempts(0).state(), v1::Attempt::SUCCEEDED);
      EXPECT_EQ(task.attempts(0).video().uri(), "https://example.com/v.mp4");
      EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::BILLED);
    }
    EXPECT_FALSE(ApplyObservation(task, 0, result, At(3)));
  }
}

TEST(ApplyTest, BillingFollowsTheProvidersReport) {
  v1::VideoTask task = TaskWithAttempt();
  provider::Observation failed = Seen(Progress::kFailed);
  failed.billing = v1::Attempt::REFUNDED;
  ApplyObservation(task, 0, failed, At(0));
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::REFUNDED);
  v1::VideoTask silent = TaskWithAttempt();
  ApplyObservation(silent, 0, Seen(Progress::kFailed), At(0));
  EXPECT_EQ(silent.attempts(0).billing(), v1::Attempt::UNKNOWN);
  EXPECT_EQ(base::ReasonOf(silent.error()), v1::PROVIDER_WORK_FAILED);
}

TEST(ApplyTest, LinkExpiresAsDocumentedUnlessTheProviderGivesATime) {
  UnitContext context = At(0);
  context.video_lifetime = absl::Hours(24);
  v1::VideoTask task = TaskWithAttempt();
  provider::Observation done = Seen(Progress::kSucceeded);
  done.video.emplace();
  ApplyObservation(task, 0, done, context);
  EXPECT_EQ(task.video().expire_time_source(), v1::Video::DOCUMENTATION);
  EXPECT_EQ(base::FromProto(task.video().expire_time()), context.now + absl::Hours(24));

  v1::VideoTask reported = TaskWithAttempt();
  *done.video->mutable_expire_time() = base::ToProto(context.now + absl::Hours(1));
  done.video->set_expire_time_source(v1::Video::PROVIDER);
  ApplyObservation(reported, 0, done, context);
  EXPECT_EQ(reported.video().expire_time_source(), v1::Video::PROVIDER);
}

TEST(ApplyTest, OnlyAnUnknownOutcomeKeepsTheSubmittedBytes) {
  for (const auto outcome : {provider::Outcome::kAccepted, provider::Outcome::kRefused,
                             provider::Outcome::kNotAccepted, provider::Outcome::kUnknown}) {
    v1::VideoTask task = TaskWithAttempt();
    Unit unit;
    unit.mutable_submission()->set_open(true);
    unit.mutable_submission()->set_body("prompt");
    provider::SubmitResult result;
    result.outcome = outcome;
    result.handle = "{}";
    ApplySubmit(task, 0, unit, result, At(0));
    EXPECT_FALSE(unit.submission().open());
    EXPECT_EQ(unit.submission().body(), outcome == provider::Outcome::kUnknown ? "prompt" : "");
    EXPECT_EQ(task.attempts(0).billing(),
              outcome == provider::Outcome::kAccepted || outcome == provider::Outcome::kUnknown
                  ? v1::Attempt::UNKNOWN
                  : v1::Attempt::NOT_BILLED);
    EXPECT_EQ(task.state() == v1::VideoTask::UNCONFIRMED, outcome == provider::Outcome::kUnknown);
  }
}

// The answer may come from a replica that was suspended while it waited for it.
TEST(ApplyTest, AnswerAfterAResolutionIsRecordedAndChangesNothingElse) {
  provider::SubmitResult accepted;
  accepted.outcome = provider::Outcome::kAccepted;
  accepted.handle = "late";
  accepted.observation.provider_id = "up-late";
  for (const bool was_accepted : {false, true}) {
    v1::VideoTask task = TaskWithAttempt();
    Unit unit;
    provider::SubmitResult unknown;
    ApplySubmit(task, 0, unit, unknown, At(0));
    Resolution said;
    if (was_accepted) said.provider_task_id = "up-7";
    said.resolver = "ops@example.com";
    ASSERT_TRUE(ApplyResolution(task, 0, unit, said, "handle", At(1)));
    EXPECT_EQ(task.attempts(0).resolver(), "ops@example.com");
    EXPECT_FALSE(ApplyResolution(task, 0, unit, said, "other", At(2))) << "resolved once";
    EXPECT_EQ(ResolvedAttempt(task), 0);
    const v1::VideoTask::State state = task.state();
    EXPECT_EQ(ApplySubmit(task, 0, unit, accepted, At(3)), !was_accepted);
    EXPECT_FALSE(ApplySubmit(task, 0, unit, accepted, At(4))) << "recorded once";
    EXPECT_EQ(task.state(), state);
    EXPECT_EQ(unit.handle(), was_accepted ? "handle" : "");
    EXPECT_EQ(task.attempts(0).provider_task_id(), was_accepted ? "up-7" : "up-late");
    // Billing is unknown again.
    EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
    EXPECT_EQ(base::ReasonOf(task.attempts(0).error()),
              was_accepted ? v1::ERROR_REASON_UNSPECIFIED : v1::SUBMISSION_UNKNOWN);
  }
}

TEST(ApplyTest, AssetFollowsItsPlacements) {
  v1::Asset asset;
  EXPECT_TRUE(DeriveAsset(asset));
  EXPECT_EQ(asset.state(), v1::Asset::REGISTERED);
  auto* one = asset.add_placements();
  one->set_state(v1::Placement::FAILED);
  one->mutable_error()->set_code(3);
  DeriveAsset(asset);
  EXPECT_EQ(asset.state(), v1::Asset::FAILED);
  EXPECT_EQ(asset.error().code(), 3);
  auto* two = asset.add_placements();
  two->set_state(v1::Placement::SUBMITTING);
  DeriveAsset(asset);
  EXPECT_EQ(asset.state(), v1::Asset::PROCESSING);
  EXPECT_FALSE(asset.has_error());
  two->set_state(v1::Placement::ACTIVE);
  EXPECT_TRUE(DeriveAsset(asset));
  EXPECT_EQ(asset.state(), v1::Asset::ACTIVE);
  EXPECT_FALSE(DeriveAsset(asset));
  two->set_state(v1::Placement::LOST);
  DeriveAsset(asset);
  EXPECT_EQ(asset.state(), v1::Asset::FAILED);
}

TEST(ApplyTest, NewProviderMessageAloneIsNotAChange) {
  v1::Placement placement;
  const absl::Time now = At(0).now;
  EXPECT_TRUE(SetWaiting(placement, v1::Waiting::PROVIDER_BUSY, "providers/a", "x", now));
  EXPECT_FALSE(SetWaiting(placement, v1::Waiting::PROVIDER_BUSY, "providers/a", "y", At(5).now));
  EXPECT_EQ(base::FromProto(placement.waiting().since()), now);
  EXPECT_TRUE(SetWaiting(placement, v1::Waiting::PROVIDER_BUSY, "providers/b", "y", At(5).now));
}

TEST(ApplyTest, NewGatewayMessageIsAChangeAndKeepsSince) {
  v1::Placement placement;
  const absl::Time now = At(0).now;
  EXPECT_TRUE(SetWaiting(placement, v1::Waiting::PROVIDER_WORKING, "providers/a", "x", now));
  EXPECT_TRUE(SetWaiting(placement, v1::Waiting::PROVIDER_WORKING, "providers/a", "y", At(5).now));
  EXPECT_EQ(placement.waiting().message(), "y");
  EXPECT_EQ(base::FromProto(placement.waiting().since()), now);
  EXPECT_FALSE(SetWaiting(placement, v1::Waiting::PROVIDER_WORKING, "providers/a", "y", At(6).now));
}

TEST(ApplyTest, SuccessWithoutALinkIsAskedAgainForTenMinutesAndThenFails) {
  v1::VideoTask task = TaskWithAttempt(v1::Attempt::RUNNING);
  task.set_state(v1::VideoTask::RUNNING);
  Unit unit;
  unit.set_handle("up-1");
  const provider::Observation missing = WithoutResult(provider::Observation::Result::kMissing);
  EXPECT_TRUE(ApplyObservation(task, 0, unit, missing, At(0)));
  EXPECT_EQ(task.state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::PROVIDER_WORKING);
  EXPECT_THAT(task.waiting().message(), HasSubstr("no link"));
  const std::string before = task.SerializeAsString();
  EXPECT_FALSE(ApplyObservation(task, 0, unit, missing, At(599))) << "nothing new";
  EXPECT_EQ(task.SerializeAsString(), before);
  EXPECT_TRUE(ApplyObservation(task, 0, unit, missing, At(600)));
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::RESULT_MISSING);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
  EXPECT_EQ(task.attempts(0).provider_answer(),
            R"({"status":"done","url":"https://cdn.example/v.mp4?…"})");
  // A link that arrives later is recorded in the attempt.
  provider::Observation late = Seen(Progress::kSucceeded, "done");
  late.video.emplace();
  late.video->set_uri("https://cdn.example/v.mp4");
  EXPECT_TRUE(ApplyObservation(task, 0, unit, late, At(700)));
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(task.attempts(0).state(), v1::Attempt::SUCCEEDED);
  EXPECT_EQ(task.attempts(0).video().uri(), "https://cdn.example/v.mp4");
}

TEST(ApplyTest, LinkThatArrivesInTimeCompletesTheTask) {
  v1::VideoTask task = TaskWithAttempt(v1::Attempt::RUNNING);
  Unit unit;
  UnitContext context = At(300);
  context.video_lifetime = absl::Hours(24);
  ApplyObservation(task, 0, unit, WithoutResult(provider::Observation::Result::kMissing), At(0));
  provider::Observation done = Seen(Progress::kSucceeded, "done");
  done.video.emplace();
  EXPECT_TRUE(ApplyObservation(task, 0, unit, done, context));
  EXPECT_EQ(task.state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(task.attempts(0).provider_answer(), "");
  EXPECT_FALSE(unit.has_result_missing_since());
  EXPECT_EQ(base::FromProto(task.video().expire_time()), At(0).now + absl::Hours(24))
      << "counted from when the gateway first saw the end";
}

TEST(ApplyTest, RetractedSuccessRestartsThePeriodForALink) {
  v1::VideoTask task = TaskWithAttempt(v1::Attempt::RUNNING);
  Unit unit;
  const provider::Observation missing = WithoutResult(provider::Observation::Result::kMissing);
  ApplyObservation(task, 0, unit, missing, At(0));
  ApplyObservation(task, 0, unit, Seen(Progress::kRunning, "running"), At(300));
  EXPECT_EQ(task.waiting().message(), "the provider is working on it");
  ApplyObservation(task, 0, unit, missing, At(700));
  EXPECT_FALSE(IsFinal(task.state()));
}

TEST(ApplyTest, InlineResultFailsTheTaskAtOnceAndKeepsTheAnswer) {
  v1::VideoTask task = TaskWithAttempt(v1::Attempt::RUNNING);
  Unit unit;
  provider::Observation said = WithoutResult(provider::Observation::Result::kInline);
  said.answer = "\xff{\"video\":\"data:video/mp4;base64," + std::string(9000, 'A') + "\"}";
  EXPECT_TRUE(ApplyObservation(task, 0, unit, said, At(0)));
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::RESULT_INLINE);
  EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::UNKNOWN);
  EXPECT_THAT(task.attempts(0).provider_answer(), HasSubstr("data:video/mp4"));
  EXPECT_LE(task.attempts(0).provider_answer().size(), 4096u);
  EXPECT_TRUE(v1::VideoTask().ParseFromString(task.SerializeAsString()))
      << "the answer is not UTF-8";
}

TEST(ApplyTest, LinkLifetimeStartsAtTheProvidersEndTime) {
  UnitContext context = At(1000);
  context.video_lifetime = absl::Hours(24);
  v1::VideoTask task = TaskWithAttempt();
  provider::Observation done = Seen(Progress::kSucceeded);
  done.video.emplace();
  done.end_time = At(400).now;
  ApplyObservation(task, 0, done, context);
  EXPECT_EQ(base::FromProto(task.video().expire_time()), At(400).now + absl::Hours(24));
  EXPECT_EQ(base::FromProto(task.end_time()), context.now) << "when this gateway saw it final";
  // A provider's clock that is ahead does not extend the link's lifetime.
  v1::VideoTask ahead = TaskWithAttempt();
  done.end_time = At(99999).now;
  ApplyObservation(ahead, 0, done, context);
  EXPECT_EQ(base::FromProto(ahead.video().expire_time()), context.now + absl::Hours(24));
}

TEST(ApplyTest, ReasonsThatProgramsActOnAreKept) {
  const auto reason = [](Progress progress, v1::ErrorReason said) {
    v1::VideoTask task = TaskWithAttempt();
    provider::Observation ended = Seen(progress);
    ended.failure.emplace();
    ended.failure->reason = said;
    ApplyObservation(task, 0, ended, At(0));
    return base::ReasonOf(task.error());
  };
  EXPECT_EQ(reason(Progress::kFailed, v1::CONTENT_REJECTED), v1::CONTENT_REJECTED);
  EXPECT_EQ(reason(Progress::kFailed, v1::TASK_CANCELLED), v1::TASK_CANCELLED);
  EXPECT_EQ(reason(Progress::kFailed, v1::PROVIDER_REJECTED), v1::PROVIDER_WORK_FAILED);
  EXPECT_EQ(reason(Progress::kCancelled, v1::PROVIDER_REJECTED), v1::TASK_CANCELLED);
  v1::VideoTask silent = TaskWithAttempt();
  ApplyObservation(silent, 0, Seen(Progress::kCancelled), At(0));
  EXPECT_EQ(base::ReasonOf(silent.error()), v1::TASK_CANCELLED);
  EXPECT_EQ(silent.state(), v1::VideoTask::CANCELLED);
}

TEST(ApplyTest, IdsAndLinksAreKeptWholeOrNotAtAll) {
  const auto placed = [](const std::string& uri, const std::string& id) {
    v1::Placement placement;
    placement.set_state(v1::Placement::PROCESSING);
    provider::Observation active = Seen(Progress::kSucceeded);
    active.provider_uri = uri;
    active.provider_id = id;
    ApplyObservation(placement, active, At(0));
    EXPECT_EQ(placement.state(), v1::Placement::ACTIVE);
    EXPECT_TRUE(v1::Placement().ParseFromString(placement.SerializeAsString()));
    EXPECT_EQ(HoldsUnkept(active), placement.provider_uri().empty());
    return placement;
  };
  const std::string longer = "https://cdn.example/a?sig=" + std::string(5000, 's');
  EXPECT_EQ(placed(longer, "a").provider_uri(), longer);
  EXPECT_EQ(placed(LinkOf(provider::kMaxLinkBytes + 1), "a").provider_uri(), "");
  EXPECT_EQ(placed("https://cdn.example/\xe4\xb8", "a").provider_uri(), "");
  const std::string id(300, 'i');
  EXPECT_EQ(placed("https://cdn.example/a", id).provider_asset_id(), id);
  // Cut inside a character, the link would not be UTF-8.
  std::string wide = "https://cdn.example/";
  while (wide.size() < 4095) wide += "\xe4\xb8\xad";
  EXPECT_EQ(placed(wide + "\xe4\xb8\xad", "a").provider_uri(), wide + "\xe4\xb8\xad");
}

TEST(ApplyTest, EveryLinkThatDialectsAcceptIsKept) {
  const std::string longest = LinkOf(provider::kMaxLinkBytes);
  rapidjson::Value value(rapidjson::StringRef(longest));
  ASSERT_EQ(provider::answers::UrlIn(&value), longest);
  v1::VideoTask task = TaskWithAttempt(v1::Attempt::RUNNING);
  provider::Observation done = Seen(Progress::kSucceeded, "done");
  done.video.emplace().set_uri(longest);
  done.video->set_last_frame_uri(longest);
  EXPECT_FALSE(HoldsUnkept(done));
  ApplyObservation(task, 0, done, At(0));
  EXPECT_EQ(task.state(), v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(task.video().uri(), longest);
  EXPECT_EQ(task.video().last_frame_uri(), longest);
  v1::Placement placement;
  placement.set_state(v1::Placement::PROCESSING);
  provider::Observation active = Seen(Progress::kSucceeded);
  active.provider_uri = longest;
  ApplyObservation(placement, active, At(0));
  EXPECT_EQ(placement.provider_uri(), longest);
}

TEST(ApplyTest, VideoIsKeptWithoutFieldsThatCannotBeKept) {
  for (const std::string& odd :
       {LinkOf(provider::kMaxLinkBytes + 1), std::string("https://cdn.example/\xe4\xb8"),
        std::string("https://cdn.example/\n")}) {
    v1::VideoTask task = TaskWithAttempt(v1::Attempt::RUNNING);
    provider::Observation done = Seen(Progress::kSucceeded, "done");
    done.video.emplace().set_uri("https://cdn.example/v.mp4");
    done.video->set_last_frame_uri(odd);
    done.video->set_resolution("720p\xff");
    done.video->set_aspect_ratio("16:9\xff");
    EXPECT_TRUE(HoldsUnkept(done));
    ApplyObservation(task, 0, done, At(0));
    EXPECT_EQ(task.state(), v1::VideoTask::SUCCEEDED);
    EXPECT_EQ(task.video().uri(), "https://cdn.example/v.mp4");
    EXPECT_EQ(task.video().last_frame_uri(), "");
    EXPECT_EQ(task.video().resolution(), "");
    EXPECT_EQ(task.video().aspect_ratio(), "");
    EXPECT_TRUE(v1::VideoTask().ParseFromString(task.SerializeAsString()));
  }
}

TEST(ApplyTest, UnknownProviderStateIsQuotedInTheWaitingMessage) {
  v1::VideoTask task = TaskWithAttempt(v1::Attempt::QUEUED);
  provider::Observation odd = Seen(Progress::kRunning, "marinating");
  odd.unknown_state = true;
  ApplyObservation(task, 0, odd, At(0));
  EXPECT_EQ(task.state(), v1::VideoTask::RUNNING);
  EXPECT_THAT(task.waiting().message(), HasSubstr("\"marinating\""));
  EXPECT_FALSE(ApplyObservation(task, 0, odd, At(1)));
}

}  // namespace
}  // namespace assetgate::model
