// What a provider said, put into a resource: the one way in.
//
// Every reply, poll and webhook becomes a SubmitResult or an Observation and passes one of these
// functions. They are pure, idempotent and monotone: a final state that a provider gave stays. Each
// returns whether anything changed; what changed nothing is not committed.
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

// Whether a change of the message alone is worth a commit. It is where the message is the gateway's
// own and changes only with what it says. The others hold the provider's words, which can differ in
// every answer.
inline bool MessageCounts(v1::Waiting::Reason reason) {
  return reason == v1::Waiting::PROVIDER_QUEUE || reason == v1::Waiting::PROVIDER_WORKING ||
         reason == v1::Waiting::PROVIDER_NOT_FOUND || reason == v1::Waiting::NEEDS_OPERATOR;
}

// Says why nothing moves. A change of reason or subject is a change; see MessageCounts for the
// rest. `since` stays while reason and subject do.
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

// What is said while the provider answers about a unit in a form that cannot be read.
inline constexpr absl::string_view kUnreadable =
    "the provider answers, and what it says of this cannot be read; it is asked again";

// Why a provider's no, or silence, holds work up.
v1::Waiting::Reason WaitingReasonOf(const provider::Failure& failure);
// Nothing moves until an operator acts: the key, the account or the credit.
bool NeedsOperator(const provider::Failure& failure);

// Whether the gateway, not the provider, ended it: nobody was reached, or no answer came.
bool IsGivenUp(const google::rpc::Status& error);
// Whether it was accepted, and the gateway ended it without knowing the provider's own verdict: a
// result can still come.
bool MayEndLate(const v1::Attempt& attempt);

// Whether an observation holds an id or a link that cannot be kept as it came, and is left out: too
// long, not UTF-8, or with control characters. Nothing is ever cut.
bool HoldsUnkept(const provider::Observation& observation);
// An answer fit for Attempt.provider_answer: cleaned, the queries of URLs redacted, at most 4 KiB.
std::string CleanAnswer(absl::string_view answer);
// The facts about a unit that its record does not hold.
struct UnitContext {
  std::string provider_id;
  absl::Time now;
  // Of the dialect; zero where nothing is promised.
  absl::Duration video_lifetime;
  // See Settings.
  int most_unknown_submissions = 3;
  absl::Duration missing_result_period = absl::Minutes(10);
  absl::Duration late_result_period = absl::Hours(24);
  // When it is tried again by itself, where that is known.
  absl::Time next_try = absl::InfiniteFuture();
};

// What an accepted attempt waits for, in words that change only with the situation.
struct Situation {
  v1::Waiting::Reason reason;
  std::string message;
};
Situation SituationOf(const v1::Attempt& attempt, const Unit& unit,
                      const provider::Observation* said, const UnitContext& context);

// A placement of an asset or of a group: its outcome when submitted, and what was seen later.
bool ApplySubmit(v1::Placement& placement, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context);
bool ApplySubmit(v1::GroupPlacement& placement, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context);
bool ApplyObservation(v1::Placement& placement, const provider::Observation& observation,
                      const UnitContext& context);
bool ApplyObservation(v1::GroupPlacement& placement, const provider::Observation& observation,
                      const UnitContext& context);
// The provider no longer knows it.
bool ApplyForgotten(v1::Placement& placement, const provider::Failure& failure,
                    const UnitContext& context);
bool ApplyForgotten(v1::GroupPlacement& placement, const provider::Failure& failure,
                    const UnitContext& context);
// The gateway gives it up: `error` says why.
bool ApplyGivenUp(v1::Placement& placement, const google::rpc::Status& error, absl::Time now);
bool ApplyGivenUp(v1::GroupPlacement& placement, const google::rpc::Status& error, absl::Time now);

// The asset's derived fields (state, error) after its placements changed. Returns whether they did.
bool DeriveAsset(v1::Asset& asset);

// An attempt of a task: likewise, with what follows for the task. What the gateway gave up, and its
// provider ends after all, is ended in the attempt; the task's own final state stays.
bool ApplySubmit(v1::VideoTask& task, int attempt, Unit& unit, const provider::SubmitResult& result,
                 const UnitContext& context);
bool ApplyObservation(v1::VideoTask& task, int attempt, Unit& unit,
                      const provider::Observation& observation, const UnitContext& context);
// The gateway gives an accepted attempt up; its billing is UNKNOWN from now on. The task fails.
// Where a result can still come, `unit` says until when it is asked for.
bool ApplyGivenUp(v1::VideoTask& task, int attempt, Unit& unit, const google::rpc::Status& error,
                  const UnitContext& context);
// The answer to a submission cannot be stored: what it made, if anything, is not on record. So it
// counts as one whose outcome is not known, and nobody calls it refused.
void LoseOpenSubmission(Unit& unit);

// What a person says became of a submission whose outcome is not known.
struct Resolution {
  // Who says so; empty until callers have identities.
  std::string resolver;
  // Accepted: the provider's id of the task. Empty: not accepted.
  std::string provider_task_id;
  // Where not accepted: the task is to be submitted anew.
  bool resubmit = false;
  // Of which attempt, by its index; absent: of the one in doubt, while no other ever was.
  std::optional<int> attempt;
};
// Settles an UNCONFIRMED attempt; any other is left alone. `handle`: of an accepted one.
bool ApplyResolution(v1::VideoTask& task, int attempt, Unit& unit, const Resolution& said,
                     const provider::Handle& handle, const UnitContext& context);
// The attempt that a person resolved last; absent where nobody has.
std::optional<int> ResolvedAttempt(const v1::VideoTask& task);
// The task ends without (further) attempts.
bool FinishTask(v1::VideoTask& task, v1::VideoTask::State state, const google::rpc::Status& error,
                absl::Time now);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_APPLY_H_
