// The only code that applies a provider's answer to a resource.
//
// Every reply, poll and webhook becomes a SubmitResult or an Observation and passes through one of
// these functions. They are pure, idempotent and monotone: a final state that a provider gave
// stays. Each returns whether it changed anything; only changes are committed.
#ifndef ASSETGATE_MODEL_APPLY_H_
#define ASSETGATE_MODEL_APPLY_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "model/resource.h"
#include "provider/dialect.h"

namespace assetgate::model {

// Whether a new message alone, with the same reason and subject, is worth a commit. It is where
// this gateway writes the message, which then changes only with the situation. All other messages
// quote the provider, whose wording can differ in every answer.
inline bool MessageCounts(v1::Waiting::Reason reason) {
  return reason == v1::Waiting::PROVIDER_QUEUE || reason == v1::Waiting::PROVIDER_WORKING ||
         reason == v1::Waiting::PROVIDER_NOT_FOUND || reason == v1::Waiting::NEEDS_OPERATOR;
}

// Records why work does not move on. Returns whether that is a change: a new reason or subject
// always is; for a new message see MessageCounts. `since` is kept while reason and subject stay the
// same.
template <typename Holder>
bool SetWaiting(Holder& holder, v1::Waiting::Reason reason, absl::string_view subject,
                absl::string_view message, absl::Time now,
                absl::Time next_try = absl::InfiniteFuture()) {
  if (holder.has_waiting() && holder.waiting().reason() == reason &&
      holder.waiting().subject() == subject) {
    if (!MessageCounts(reason) || holder.waiting().message() == message) return false;
    holder.mutable_waiting()->set_message(std::string(message));
    return true;
  }
  v1::Waiting& waiting = *holder.mutable_waiting();
  waiting.Clear();
  waiting.set_reason(reason);
  waiting.set_subject(std::string(subject));
  waiting.set_message(std::string(message));
  *waiting.mutable_since() = base::ToProto(now);
  if (next_try != absl::InfiniteFuture())
    *waiting.mutable_next_try_time() = base::ToProto(next_try);
  return true;
}

// The message while the provider's answers about a unit cannot be read.
inline constexpr absl::string_view kUnreadable =
    "the provider's answer about this cannot be read; it is polled again";

// Why a provider's refusal, or its silence, keeps work waiting.
v1::Waiting::Reason WaitingReasonOf(const provider::Failure& failure);
// Whether work waits until an operator fixes the key, the account or the credit.
bool NeedsOperator(const provider::Failure& failure);

// Whether the gateway, not the provider, ended the attempt: no provider was reached, or none
// answered.
bool IsGivenUp(const google::rpc::Status& error);
// Whether the provider accepted the attempt and the gateway ended it without the provider's
// verdict: a result can still arrive.
bool MayEndLate(const v1::Attempt& attempt);

// Whether an observation holds an id or a link that cannot be kept unchanged and is therefore left
// out: it is too long, is not UTF-8, or holds control characters. No id or link is ever cut.
bool HoldsUnkept(const provider::Observation& observation);
// The answer in the form of Attempt.provider_answer: cleaned, the queries of URLs redacted, at most
// 4 KiB.
std::string CleanAnswer(absl::string_view answer);
// The facts about a unit that its record does not hold.
struct UnitContext {
  std::string provider_id;
  absl::Time now;
  // The dialect's; zero where the provider promises no lifetime.
  absl::Duration video_lifetime;
  // See Settings.
  int max_unknown_submissions = 3;
  absl::Duration missing_result_period = absl::Minutes(10);
  absl::Duration late_result_period = absl::Hours(24);
  // When the gateway tries again by itself, where that is known.
  absl::Time next_try = absl::InfiniteFuture();
};

// What an accepted attempt is waiting for. The message changes only with the situation.
struct Situation {
  v1::Waiting::Reason reason;
  std::string message;
};
Situation SituationOf(const v1::Attempt& attempt, const Unit& unit,
                      const provider::Observation* said, const UnitContext& context);

// A placement of an asset or of a group: its submission's outcome, and later observations.
bool ApplySubmit(v1::Placement& placement, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context);
bool ApplySubmit(v1::GroupPlacement& placement, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context);
bool ApplyObservation(v1::Placement& placement, const provider::Observation& observation,
                      const UnitContext& context);
bool ApplyObservation(v1::GroupPlacement& placement, const provider::Observation& observation,
                      const UnitContext& context);
// The provider no longer knows the placement.
bool ApplyForgotten(v1::Placement& placement, const provider::Failure& failure,
                    const UnitContext& context);
bool ApplyForgotten(v1::GroupPlacement& placement, const provider::Failure& failure,
                    const UnitContext& context);
// The gateway gives the placement up because of `error`.
bool ApplyGivenUp(v1::Placement& placement, const google::rpc::Status& error, absl::Time now);
bool ApplyGivenUp(v1::GroupPlacement& placement, const google::rpc::Status& error, absl::Time now);

// Updates the asset's derived fields (state, error) after its placements changed. Returns whether
// they changed.
bool DeriveAsset(v1::Asset& asset);

// An attempt of a task: as above, and the task follows. Where the provider ends an attempt that the
// gateway had given up, only the attempt records that; the task's final state stays.
bool ApplySubmit(v1::VideoTask& task, int attempt, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context);
bool ApplyObservation(v1::VideoTask& task, int attempt, Unit& unit,
                      const provider::Observation& observation, const UnitContext& context);
// The gateway gives up an accepted attempt: the task fails, and the attempt's billing is UNKNOWN.
// Where a result can still arrive, `unit` records until when the gateway asks for it.
bool ApplyGivenUp(v1::VideoTask& task, int attempt, Unit& unit, const google::rpc::Status& error,
                  const UnitContext& context);
// The answer to a submission cannot be stored, so there is no record of what the submission
// created. Its outcome counts as unknown, never as refused.
void LoseOpenSubmission(Unit& unit);

// What an operator reports about a submission whose outcome is unknown.
struct Resolution {
  // The operator's identity; empty while callers are not authenticated.
  std::string resolver;
  // The provider's id of the task if it accepted the submission; empty if it did not.
  std::string provider_task_id;
  // If the submission was not accepted: submit the task again.
  bool resubmit = false;
  // The index of the attempt. If absent, the attempt in doubt; valid only while the task has had no
  // other.
  std::optional<int> attempt;
};
// Resolves an UNCONFIRMED attempt; leaves any other attempt unchanged. `handle` is that of an
// accepted attempt.
bool ApplyResolution(v1::VideoTask& task, int attempt, Unit& unit, const Resolution& said,
                     const provider::Handle& handle, const UnitContext& context);
// The attempt that an operator resolved last; absent if there is none.
std::optional<int> ResolvedAttempt(const v1::VideoTask& task);
// Ends the task without further attempts.
bool FinishTask(v1::VideoTask& task, v1::VideoTask::State state, const google::rpc::Status& error,
                absl::Time now);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_APPLY_H_
