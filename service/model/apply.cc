#include "model/apply.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/text.h"
#include "base/utf8.h"

namespace assetgate::model {
namespace {

using Progress = provider::Observation::Progress;

// Copies a value that the answer holds. A field that the answer leaves out keeps its value.
bool CopyIfSet(const std::string& value, std::string* field) {
  if (value.empty() || *field == value) return false;
  *field = value;
  return true;
}

using provider::kMaxLinkBytes;
// Above the length of any provider's ids, and far below the size limit of a resource.
constexpr std::size_t kMaxIdBytes = 1024;
constexpr std::size_t kMaxProviderAnswerBytes = 4096;

std::string Word(const std::string& text) { return base::CleanText(text, 256); }

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    const std::size_t length = base::Utf8CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Whether `text` can be kept unchanged. Text that other programs act on is kept whole or not at
// all, because half of it would mislead them.
bool CanBeStored(const std::string& text, std::size_t max_bytes) {
  return text.size() <= max_bytes && IsUtf8(text) &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return absl::ascii_iscntrl(c); });
}

bool CopyIfStorable(const std::string& value, std::size_t max_bytes, std::string* field) {
  return CanBeStored(value, max_bytes) && CopyIfSet(value, field);
}

void SetIds(v1::Placement& placement, const provider::Observation& observation, bool& changed) {
  changed |=
      CopyIfStorable(observation.provider_id, kMaxIdBytes, placement.mutable_provider_asset_id());
  changed |= CopyIfStorable(observation.provider_tracking_id, kMaxIdBytes,
                            placement.mutable_provider_tracking_id());
  changed |=
      CopyIfStorable(observation.provider_uri, kMaxLinkBytes, placement.mutable_provider_uri());
}
void SetIds(v1::GroupPlacement& placement, const provider::Observation& observation,
            bool& changed) {
  changed |=
      CopyIfStorable(observation.provider_id, kMaxIdBytes, placement.mutable_provider_group_id());
}

void SetSubmitTime(v1::Placement& placement, absl::Time now) {
  if (!placement.has_submit_time()) *placement.mutable_submit_time() = base::ToProto(now);
}
void SetSubmitTime(v1::GroupPlacement&, absl::Time) {}

google::rpc::Status WorkFailed(const std::optional<provider::Failure>& failure,
                               const UnitContext& context, Progress progress,
                               absl::string_view what) {
  provider::Failure known = failure.value_or(provider::Failure{});
  // Reasons that a program can act on are kept. All others are reasons of calls, not of work.
  if (known.reason != v1::CONTENT_REJECTED && known.reason != v1::TASK_CANCELLED) {
    known.reason = progress == Progress::kCancelled ? v1::TASK_CANCELLED : v1::PROVIDER_WORK_FAILED;
  }
  if (known.message.empty()) {
    known.message = absl::StrCat("the provider gave no reason why ", what,
                                 progress == Progress::kCancelled ? " was cancelled" : " failed");
  }
  return provider::ToError(known, context.provider_id).ToProto();
}

std::string UnknownState(const provider::Observation& observation, absl::string_view counts_as) {
  return absl::StrCat("the provider reports the unknown state \"", Word(observation.provider_state),
                      "\", which counts as ", counts_as);
}

template <typename PlacementT>
bool EndPlacement(PlacementT& placement, v1::Placement::State state,
                  const google::rpc::Status* error, absl::Time now) {
  placement.set_state(state);
  if (error != nullptr) *placement.mutable_error() = *error;
  placement.clear_waiting();
  *placement.mutable_end_time() = base::ToProto(now);
  return true;
}

template <typename PlacementT>
bool ObservePlacement(PlacementT& placement, const provider::Observation& observation,
                      const UnitContext& context) {
  if (IsFinal(placement.state())) return false;
  bool changed = CopyIfSet(Word(observation.provider_state), placement.mutable_provider_state());
  SetIds(placement, observation, changed);
  switch (observation.progress) {
    case Progress::kQueued:
    case Progress::kRunning:
      if (placement.state() != v1::Placement::PROCESSING) {
        placement.set_state(v1::Placement::PROCESSING);
        changed = true;
      }
      return SetWaiting(placement, v1::Waiting::PROVIDER_WORKING, placement.provider(),
                        observation.unknown_state ? UnknownState(observation, "being prepared")
                                                  : std::string("the provider is preparing it"),
                        context.now) ||
             changed;
    case Progress::kSucceeded:
      return EndPlacement(placement, v1::Placement::ACTIVE, nullptr, context.now);
    case Progress::kFailed:
    case Progress::kCancelled: {
      const google::rpc::Status error =
          WorkFailed(observation.failure, context, observation.progress, "it");
      return EndPlacement(placement, v1::Placement::FAILED, &error, context.now);
    }
    case Progress::kGone:
      return ApplyForgotten(placement, observation.failure.value_or(provider::Failure{}), context);
  }
  return changed;
}

void CloseSubmission(Unit& unit) {
  unit.mutable_submission()->set_open(false);
  unit.mutable_submission()->clear_body();
  unit.mutable_submission()->clear_headers();
}

std::string WaitingMessage(const provider::Failure& failure, const UnitContext& context) {
  return provider::ToError(failure, context.provider_id).ToProto().message();
}

template <typename PlacementT>
bool SubmitPlacement(PlacementT& placement, Unit& unit, const provider::SubmitResult& result,
                     const UnitContext& context) {
  CloseSubmission(unit);
  if (IsFinal(placement.state())) return true;
  switch (result.outcome) {
    case provider::Outcome::kAccepted:
      unit.set_handle(result.handle);
      SetSubmitTime(placement, context.now);
      placement.clear_waiting();
      ObservePlacement(placement, result.observation, context);
      return true;
    case provider::Outcome::kRefused:
      if (!NeedsOperator(result.failure)) {
        const google::rpc::Status error =
            provider::ToError(result.failure, context.provider_id).ToProto();
        return EndPlacement(placement, v1::Placement::FAILED, &error, context.now);
      }
      break;
    case provider::Outcome::kNotAccepted:
      break;
    case provider::Outcome::kUnknown:
      unit.set_unknown_outcomes(unit.unknown_outcomes() + 1);
      if (unit.unknown_outcomes() >= context.max_unknown_submissions) {
        const google::rpc::Status error =
            base::Error(absl::StatusCode::kUnknown, v1::SUBMISSION_UNKNOWN,
                        absl::StrCat("submitted ", unit.unknown_outcomes(),
                                     " times without learning the outcome; the last time: ",
                                     WaitingMessage(result.failure, context)))
                .Metadata("provider", context.provider_id)
                .ToProto();
        return EndPlacement(placement, v1::Placement::FAILED, &error, context.now);
      }
      break;
  }
  SetWaiting(placement, WaitingReasonOf(result.failure), placement.provider(),
             WaitingMessage(result.failure, context), context.now, context.next_try);
  return true;
}

template <typename PlacementT>
bool GiveUpPlacement(PlacementT& placement, const google::rpc::Status& error, absl::Time now) {
  if (IsFinal(placement.state())) return false;
  return EndPlacement(placement, v1::Placement::FAILED, &error, now);
}

google::rpc::Status ForgottenError(const provider::Failure& failure, const UnitContext& context) {
  return base::Error(absl::StatusCode::kNotFound, v1::PROVIDER_FORGOT,
                     absl::StrCat("the provider accepted it and no longer knows it",
                                  failure.message.empty()
                                      ? std::string()
                                      : absl::StrCat(": ", base::CleanText(failure.message))))
      .Metadata("provider", context.provider_id)
      .Metadata("provider_message", base::CleanText(failure.message))
      .ToProto();
}

v1::Attempt::State StateOf(Progress progress) {
  switch (progress) {
    case Progress::kQueued:
      return v1::Attempt::QUEUED;
    case Progress::kRunning:
      return v1::Attempt::RUNNING;
    case Progress::kSucceeded:
      return v1::Attempt::SUCCEEDED;
    case Progress::kFailed:
      return v1::Attempt::FAILED;
    case Progress::kCancelled:
      return v1::Attempt::CANCELLED;
    // No provider reports a video task as gone.
    case Progress::kGone:
      return v1::Attempt::FAILED;
  }
  return v1::Attempt::RUNNING;
}

template <typename Message>
bool CopyMessage(const Message& value, Message* field) {
  if (value.SerializeAsString() == field->SerializeAsString()) return false;
  *field = value;
  return true;
}

// When the work ended: the provider's time, or else the time at which the gateway first saw the
// end. Never in the future, even where the provider's clock is ahead.
absl::Time EndOf(const provider::Observation& observation, const Unit& unit,
                 const UnitContext& context) {
  if (observation.end_time.has_value()) return std::min(*observation.end_time, context.now);
  if (unit.has_result_missing_since()) return base::FromProto(unit.result_missing_since());
  return context.now;
}

v1::Video WithExpiry(v1::Video video, absl::Time end, const UnitContext& context) {
  if (!video.has_expire_time() && context.video_lifetime > absl::ZeroDuration()) {
    *video.mutable_expire_time() = base::ToProto(end + context.video_lifetime);
    video.set_expire_time_source(v1::Video::DOCUMENTATION);
  }
  return video;
}

// Whether all texts of the video can be kept.
bool CanBeStored(const v1::Video& video) {
  return CanBeStored(video.uri(), kMaxLinkBytes) &&
         CanBeStored(video.last_frame_uri(), kMaxLinkBytes) && IsUtf8(video.resolution()) &&
         IsUtf8(video.aspect_ratio());
}

// How the provider delivered the result of a success. A link that cannot be kept counts as missing.
provider::Observation::Result ResultOf(const provider::Observation& observation) {
  using Result = provider::Observation::Result;
  if (observation.result == Result::kLinked && observation.video.has_value() &&
      !CanBeStored(observation.video->uri(), kMaxLinkBytes)) {
    return Result::kMissing;
  }
  return observation.result;
}

// Returns the video without the fields that cannot be kept. The link, which leads to the paid
// result, is always kept.
v1::Video WithoutUnstorableFields(v1::Video video) {
  if (!CanBeStored(video.last_frame_uri(), kMaxLinkBytes)) video.clear_last_frame_uri();
  if (!IsUtf8(video.resolution())) video.clear_resolution();
  if (!IsUtf8(video.aspect_ratio())) video.clear_aspect_ratio();
  return video;
}

google::rpc::Status WithoutResult(const provider::Observation& observation,
                                  const UnitContext& context) {
  const std::string word = Word(observation.provider_state);
  const bool is_inline = ResultOf(observation) == provider::Observation::Result::kInline;
  return base::Error(
             absl::StatusCode::kFailedPrecondition,
             is_inline ? v1::RESULT_INLINE : v1::RESULT_MISSING,
             absl::StrCat(context.provider_id, " reports success",
                          word.empty() ? "" : absl::StrCat(" (\"", word, "\")"),
                          is_inline
                              ? " and delivered the result inside its answer, which this "
                                "gateway cannot keep"
                              : absl::StrCat(", and its answers contained no link to the result "
                                             "for ",
                                             absl::FormatDuration(context.missing_result_period)),
                          "; whether it is billed is unknown. See the attempt's provider_answer"))
      .Metadata("provider", context.provider_id)
      .ToProto();
}

// Updates the task after its newest attempt has changed. A final state of the task stays.
bool FollowAttempt(v1::VideoTask& task, const v1::Attempt& attempt, absl::Time now) {
  if (IsFinal(task.state())) return false;
  switch (attempt.state()) {
    case v1::Attempt::QUEUED:
      // Never back from RUNNING: clients that watch a task see monotone progress.
      if (task.state() == v1::VideoTask::QUEUED || task.state() == v1::VideoTask::RUNNING)
        return false;
      task.set_state(v1::VideoTask::QUEUED);
      task.clear_error();
      SetWaiting(task, v1::Waiting::PROVIDER_QUEUE, attempt.provider(),
                 "the provider has it in its queue", now);
      return true;
    case v1::Attempt::RUNNING:
      if (task.state() == v1::VideoTask::RUNNING) return false;
      task.set_state(v1::VideoTask::RUNNING);
      task.clear_error();
      if (!task.has_start_time()) *task.mutable_start_time() = base::ToProto(now);
      SetWaiting(task, v1::Waiting::PROVIDER_WORKING, attempt.provider(),
                 "the provider is working on it", now);
      return true;
    case v1::Attempt::SUCCEEDED:
      task.set_progress_percent(100);
      *task.mutable_video() = attempt.video();
      if (attempt.has_usage()) *task.mutable_usage() = attempt.usage();
      if (!task.has_start_time()) *task.mutable_start_time() = base::ToProto(now);
      task.clear_error();
      return FinishTask(task, v1::VideoTask::SUCCEEDED, {}, now);
    case v1::Attempt::FAILED:
      if (attempt.has_usage()) *task.mutable_usage() = attempt.usage();
      return FinishTask(task, v1::VideoTask::FAILED, attempt.error(), now);
    case v1::Attempt::CANCELLED:
      return FinishTask(task, v1::VideoTask::CANCELLED, attempt.error(), now);
    default:
      return false;
  }
}

// The provider answers after an operator has resolved the submission. The resolution remains in
// force; where it was wrong about money, the attempt records that.
bool AnswerAfterResolution(v1::Attempt& attempt, const provider::SubmitResult& result,
                           const UnitContext& context) {
  const std::string id = Word(result.observation.provider_id);
  if (result.outcome != provider::Outcome::kAccepted ||
      attempt.state() != v1::Attempt::NOT_ACCEPTED || attempt.provider_task_id() == id) {
    return false;
  }
  attempt.set_provider_task_id(id);
  attempt.set_billing(v1::Attempt::UNKNOWN);
  *attempt.mutable_error() =
      base::Error(absl::StatusCode::kUnknown, v1::SUBMISSION_UNKNOWN,
                  absl::StrCat("an operator resolved the submission as not accepted, and the "
                               "provider has answered since that it accepted it as \"",
                               id, "\": there may be a video, and a bill"))
          .Metadata("provider", context.provider_id)
          .ToProto();
  return true;
}

}  // namespace

v1::Waiting::Reason WaitingReasonOf(const provider::Failure& failure) {
  switch (failure.reason) {
    case v1::PROVIDER_CREDENTIALS_REJECTED:
      return v1::Waiting::PROVIDER_CREDENTIALS_REJECTED;
    case v1::PROVIDER_OUT_OF_CREDIT:
      return v1::Waiting::PROVIDER_OUT_OF_CREDIT;
    case v1::PROVIDER_RATE_LIMITED:
      return v1::Waiting::PROVIDER_RATE_LIMITED;
    default:
      return v1::Waiting::PROVIDER_UNAVAILABLE;
  }
}

bool IsGivenUp(const google::rpc::Status& error) {
  const v1::ErrorReason reason = base::ReasonOf(error);
  return reason == v1::SUBMISSION_UNKNOWN || reason == v1::NOT_SUBMITTED ||
         reason == v1::TRACKING_EXPIRED || reason == v1::PROVIDER_FORGOT;
}

bool MayEndLate(const v1::Attempt& attempt) {
  if (attempt.state() != v1::Attempt::FAILED) return false;
  const v1::ErrorReason reason = base::ReasonOf(attempt.error());
  return reason == v1::TRACKING_EXPIRED || reason == v1::PROVIDER_FORGOT ||
         reason == v1::RESULT_MISSING || reason == v1::RESULT_INLINE;
}

bool HoldsUnkept(const provider::Observation& observation) {
  return !CanBeStored(observation.provider_id, kMaxIdBytes) ||
         !CanBeStored(observation.provider_tracking_id, kMaxIdBytes) ||
         !CanBeStored(observation.provider_uri, kMaxLinkBytes) ||
         (observation.video.has_value() && !CanBeStored(*observation.video));
}

std::string CleanAnswer(absl::string_view answer) {
  // JSON may escape the characters of a URL. They are unescaped first, so that queries are found
  // and redacted.
  std::string plain;
  answer = answer.substr(0, 8 * kMaxProviderAnswerBytes);
  for (std::size_t i = 0; i < answer.size(); ++i) {
    int code = 0;
    if (answer[i] != '\\' || i + 1 == answer.size()) {
      plain.push_back(answer[i]);
    } else if (answer[i + 1] == '/') {
      plain.push_back('/');
      ++i;
    } else if (answer[i + 1] == 'u' && absl::SimpleHexAtoi(answer.substr(i + 2, 4), &code) &&
               code > 0x20 && code < 0x7F && code != '"' && code != '\\') {
      plain.push_back(static_cast<char>(code));
      i += 5;
    } else {
      plain.append(answer.data() + i, 2);
      ++i;
    }
  }
  return base::CleanText(plain, kMaxProviderAnswerBytes);
}

Situation SituationOf(const v1::Attempt& attempt, const Unit& unit,
                      const provider::Observation* said, const UnitContext& context) {
  if (unit.has_result_missing_since()) {
    const absl::Time until =
        base::FromProto(unit.result_missing_since()) + context.missing_result_period;
    return {v1::Waiting::PROVIDER_WORKING,
            absl::StrCat("the provider reports success (\"", attempt.provider_state(),
                         "\"), but its answer has no link to the result; it is polled until ",
                         absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", until, absl::UTCTimeZone()),
                         ", then the task fails with RESULT_MISSING")};
  }
  if (said != nullptr && said->unknown_state) {
    return {v1::Waiting::PROVIDER_WORKING, UnknownState(*said, "in progress")};
  }
  if (attempt.state() == v1::Attempt::QUEUED) {
    return {v1::Waiting::PROVIDER_QUEUE, "the provider has it in its queue"};
  }
  return {v1::Waiting::PROVIDER_WORKING, "the provider is working on it"};
}

bool NeedsOperator(const provider::Failure& failure) {
  if (failure.from_edge) return false;
  return failure.reason == v1::PROVIDER_CREDENTIALS_REJECTED ||
         failure.reason == v1::PROVIDER_OUT_OF_CREDIT;
}

bool ApplySubmit(v1::Placement& placement, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context) {
  return SubmitPlacement(placement, unit, result, context);
}
bool ApplySubmit(v1::GroupPlacement& placement, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context) {
  return SubmitPlacement(placement, unit, result, context);
}
bool ApplyObservation(v1::Placement& placement, const provider::Observation& observation,
                      const UnitContext& context) {
  return ObservePlacement(placement, observation, context);
}
bool ApplyObservation(v1::GroupPlacement& placement, const provider::Observation& observation,
                      const UnitContext& context) {
  return ObservePlacement(placement, observation, context);
}
bool ApplyForgotten(v1::Placement& placement, const provider::Failure& failure,
                    const UnitContext& context) {
  if (IsFinal(placement.state())) return false;
  const google::rpc::Status error = ForgottenError(failure, context);
  return EndPlacement(placement, v1::Placement::LOST, &error, context.now);
}
bool ApplyForgotten(v1::GroupPlacement& placement, const provider::Failure& failure,
                    const UnitContext& context) {
  return GiveUpPlacement(placement, ForgottenError(failure, context), context.now);
}
bool ApplyGivenUp(v1::Placement& placement, const google::rpc::Status& error, absl::Time now) {
  return GiveUpPlacement(placement, error, now);
}
bool ApplyGivenUp(v1::GroupPlacement& placement, const google::rpc::Status& error, absl::Time now) {
  return GiveUpPlacement(placement, error, now);
}

bool DeriveAsset(v1::Asset& asset) {
  v1::Asset::State state = v1::Asset::REGISTERED;
  const google::rpc::Status* error = nullptr;
  for (const v1::Placement& placement : asset.placements()) {
    if (placement.state() == v1::Placement::ACTIVE) {
      state = v1::Asset::ACTIVE;
      break;
    }
    if (!IsFinal(placement.state())) {
      state = v1::Asset::PROCESSING;
    } else if (state == v1::Asset::REGISTERED) {
      state = v1::Asset::FAILED;
    }
    if (error == nullptr && placement.has_error()) error = &placement.error();
  }
  bool changed = state != asset.state();
  asset.set_state(state);
  if (state == v1::Asset::FAILED && error != nullptr) {
    changed |= CopyMessage(*error, asset.mutable_error());
  } else if (asset.has_error()) {
    asset.clear_error();
    changed = true;
  }
  return changed;
}

bool FinishTask(v1::VideoTask& task, v1::VideoTask::State state, const google::rpc::Status& error,
                absl::Time now) {
  if (IsFinal(task.state())) return false;
  task.set_state(state);
  task.clear_waiting();
  if (error.code() != 0) *task.mutable_error() = error;
  *task.mutable_end_time() = base::ToProto(now);
  return true;
}

bool ApplyObservation(v1::VideoTask& task, int index, Unit& unit,
                      const provider::Observation& observation, const UnitContext& context) {
  using Result = provider::Observation::Result;
  v1::Attempt& attempt = *task.mutable_attempts(index);
  // A final state that a provider gave stays. A final state that the gateway gave does not bind the
  // provider: its late result is recorded in the attempt.
  const bool given_up = MayEndLate(attempt);
  if (IsFinal(attempt.state()) && !given_up) return false;
  bool changed =
      CopyIfStorable(observation.provider_id, kMaxIdBytes, attempt.mutable_provider_task_id());
  changed |= CopyIfSet(Word(observation.provider_state), attempt.mutable_provider_state());
  changed |= CopyIfSet(Word(observation.upstream_provider), attempt.mutable_upstream_provider());
  if (observation.usage.has_value()) {
    changed |= CopyMessage(*observation.usage, attempt.mutable_usage());
  }
  const bool succeeded = observation.progress == Progress::kSucceeded;
  const Result result = succeeded ? ResultOf(observation) : Result::kLinked;
  bool without_result = false;
  if (result != Result::kLinked) {
    // Only the first and the last such answer are committed.
    const bool first = !unit.has_result_missing_since();
    if (first) *unit.mutable_result_missing_since() = base::ToProto(context.now);
    const absl::Time until =
        base::FromProto(unit.result_missing_since()) + context.missing_result_period;
    without_result = result == Result::kInline || context.now >= until;
    if (first || (without_result && !given_up)) {
      changed |=
          CopyIfSet(CleanAnswer(observation.answer), attempt.mutable_provider_answer()) || first;
    }
  } else if (unit.has_result_missing_since() && !given_up && !succeeded) {
    unit.clear_result_missing_since();
    changed = true;
  }
  const v1::Attempt::State state = result == Result::kLinked ? StateOf(observation.progress)
                                   : without_result          ? v1::Attempt::FAILED
                                                             : v1::Attempt::RUNNING;
  if (given_up && (!IsFinal(state) || result != Result::kLinked)) return changed;
  if (without_result) {
    ApplyGivenUp(task, index, unit, WithoutResult(observation, context), context);
    return true;
  }
  if (state != attempt.state() &&
      !(state == v1::Attempt::QUEUED && attempt.state() == v1::Attempt::RUNNING)) {
    attempt.set_state(state);
    changed = true;
  }
  if (state == v1::Attempt::SUCCEEDED) {
    if (observation.video.has_value()) {
      *attempt.mutable_video() = WithExpiry(WithoutUnstorableFields(*observation.video),
                                            EndOf(observation, unit, context), context);
    }
    attempt.clear_error();
    attempt.clear_provider_answer();
    attempt.set_billing(observation.billing.value_or(v1::Attempt::BILLED));
  } else if (state == v1::Attempt::FAILED || state == v1::Attempt::CANCELLED) {
    *attempt.mutable_error() =
        WorkFailed(observation.failure, context, observation.progress, "the task");
    attempt.set_billing(observation.billing.value_or(v1::Attempt::UNKNOWN));
  } else if (observation.billing.has_value() && *observation.billing != attempt.billing()) {
    attempt.set_billing(*observation.billing);
    changed = true;
  }
  if (IsFinal(state)) {
    *attempt.mutable_end_time() = base::ToProto(context.now);
    unit.clear_result_missing_since();
    unit.clear_late_until();
    changed = true;
  }
  if (observation.progress_percent.has_value() && !IsFinal(task.state())) {
    const int percent = std::clamp(*observation.progress_percent, 0, 100);
    if (!task.has_progress_percent() || percent > task.progress_percent()) {
      task.set_progress_percent(percent);
      changed = true;
    }
  }
  changed |= FollowAttempt(task, attempt, context.now);
  if (!IsFinal(task.state()) && !IsFinal(attempt.state())) {
    const Situation waits = SituationOf(attempt, unit, &observation, context);
    changed |= SetWaiting(task, waits.reason, attempt.provider(), waits.message, context.now);
  }
  return changed;
}

bool ApplySubmit(v1::VideoTask& task, int index, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context) {
  v1::Attempt& attempt = *task.mutable_attempts(index);
  if (attempt.has_resolve_time()) return AnswerAfterResolution(attempt, result, context);
  switch (result.outcome) {
    case provider::Outcome::kAccepted:
      CloseSubmission(unit);
      unit.set_handle(result.handle);
      *attempt.mutable_submit_time() = base::ToProto(context.now);
      if (!task.has_submit_time()) *task.mutable_submit_time() = base::ToProto(context.now);
      attempt.clear_error();
      attempt.set_state(v1::Attempt::QUEUED);
      attempt.set_billing(v1::Attempt::UNKNOWN);
      ApplyObservation(task, index, unit, result.observation, context);
      FollowAttempt(task, attempt, context.now);
      return true;
    case provider::Outcome::kRefused:
    case provider::Outcome::kNotAccepted:
      CloseSubmission(unit);
      attempt.set_state(v1::Attempt::NOT_ACCEPTED);
      attempt.set_billing(v1::Attempt::NOT_BILLED);
      *attempt.mutable_error() = provider::ToError(result.failure, context.provider_id).ToProto();
      *attempt.mutable_end_time() = base::ToProto(context.now);
      if (task.state() == v1::VideoTask::UNCONFIRMED) {
        task.set_state(v1::VideoTask::PENDING);
        task.clear_error();
      }
      return true;
    case provider::Outcome::kUnknown:
      // The body is kept: a dialect with an idempotency key sends it again.
      unit.mutable_submission()->set_open(false);
      unit.set_unknown_outcomes(unit.unknown_outcomes() + 1);
      attempt.set_state(v1::Attempt::UNCONFIRMED);
      attempt.set_billing(v1::Attempt::UNKNOWN);
      *attempt.mutable_error() =
          base::Error(absl::StatusCode::kUnknown, v1::SUBMISSION_UNKNOWN,
                      absl::StrCat("the submission was sent and its outcome is unknown: ",
                                   WaitingMessage(result.failure, context)))
              .Metadata("provider", context.provider_id)
              .Metadata("provider_message", base::CleanText(result.failure.message))
              .ToProto();
      if (!IsFinal(task.state())) {
        task.set_state(v1::VideoTask::UNCONFIRMED);
        *task.mutable_error() = attempt.error();
      }
      return true;
  }
  return false;
}

void LoseOpenSubmission(Unit& unit) {
  if (!unit.submission().open()) return;
  CloseSubmission(unit);
  unit.set_unknown_outcomes(unit.unknown_outcomes() + 1);
}

bool ApplyResolution(v1::VideoTask& task, int index, Unit& unit, const Resolution& said,
                     const provider::Handle& handle, const UnitContext& context) {
  v1::Attempt& attempt = *task.mutable_attempts(index);
  if (attempt.state() != v1::Attempt::UNCONFIRMED || IsFinal(task.state())) return false;
  CloseSubmission(unit);
  attempt.set_resolver(said.resolver);
  *attempt.mutable_resolve_time() = base::ToProto(context.now);
  task.clear_error();
  // The next step sets `waiting`.
  task.clear_waiting();
  if (!said.provider_task_id.empty()) {
    unit.set_handle(handle);
    attempt.set_provider_task_id(said.provider_task_id);
    *attempt.mutable_submit_time() = attempt.resolve_time();
    if (!task.has_submit_time()) *task.mutable_submit_time() = attempt.resolve_time();
    attempt.clear_error();
    // Only the provider knows whether the attempt is billed.
    attempt.set_state(v1::Attempt::QUEUED);
    task.set_state(v1::VideoTask::QUEUED);
    return true;
  }
  attempt.set_state(v1::Attempt::NOT_ACCEPTED);
  attempt.set_billing(v1::Attempt::NOT_BILLED);
  *attempt.mutable_end_time() = attempt.resolve_time();
  *attempt.mutable_error() =
      base::Error(absl::StatusCode::kUnavailable, v1::NOT_ACCEPTED_BY_RESOLUTION,
                  absl::StrCat("the outcome of the submission to ", context.provider_id,
                               " was unknown, and an operator resolved it as not accepted: "
                               "there is no video, and no bill"))
          .Metadata("provider", context.provider_id)
          .ToProto();
  if (!said.resubmit) return FinishTask(task, v1::VideoTask::FAILED, attempt.error(), context.now);
  task.set_state(v1::VideoTask::PENDING);
  return true;
}

std::optional<int> ResolvedAttempt(const v1::VideoTask& task) {
  std::optional<int> newest;
  for (int i = 0; i < task.attempts_size(); ++i) {
    if (!task.attempts(i).has_resolve_time()) continue;
    if (!newest.has_value() || base::FromProto(task.attempts(i).resolve_time()) >=
                                   base::FromProto(task.attempts(*newest).resolve_time())) {
      newest = i;
    }
  }
  return newest;
}

bool ApplyGivenUp(v1::VideoTask& task, int index, Unit& unit, const google::rpc::Status& error,
                  const UnitContext& context) {
  v1::Attempt& attempt = *task.mutable_attempts(index);
  if (IsFinal(attempt.state())) return false;
  attempt.set_state(v1::Attempt::FAILED);
  attempt.set_billing(v1::Attempt::UNKNOWN);
  *attempt.mutable_error() = error;
  *attempt.mutable_end_time() = base::ToProto(context.now);
  if (MayEndLate(attempt) && !unit.handle().empty()) {
    *unit.mutable_late_until() = base::ToProto(context.now + context.late_result_period);
  }
  FinishTask(task, v1::VideoTask::FAILED, error, context.now);
  return true;
}

}  // namespace assetgate::model
