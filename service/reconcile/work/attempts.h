// What the attempts of a video task say about money and about what may still come of them.
#ifndef ASSETGATE_RECONCILE_WORK_ATTEMPTS_H_
#define ASSETGATE_RECONCILE_WORK_ATTEMPTS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/video_task.pb.h"
#include "model/apply.h"
#include "model/catalog.h"
#include "model/record.pb.h"
#include "model/resource.h"
#include "provider/failure.h"
#include "reconcile/step.h"
#include "reconcile/tracking.h"

namespace assetgate::reconcile {

// The attempt that is in flight, or -1.
int OpenAttempt(const v1::VideoTask& task);

// Whether the outcome of a submission, to whichever provider, was ever unknown: from then on nobody
// can say that nothing exists.
bool WasEverInDoubt(const model::VideoTaskRecord& record);

// What the task's end leaves open about money.
enum class Bill { kNone, kNoneByAPersonsWord, kInDoubt };
Bill BillOf(const v1::VideoTask& task);
// "nothing was billed", or what is to be said in its place.
absl::string_view WordsOf(Bill bill);

// Since when the submit timeout counts: a person who has the task submitted again gives it a new
// one.
absl::Time PendingSince(const v1::VideoTask& task);

// A person gave the attempt's id, and the provider has not confirmed it yet.
bool IsUnverified(const v1::Attempt& attempt);
// "which was imported": where such an id comes from.
absl::string_view GivenAs(const v1::Attempt& attempt);

// "to kyy, first sent at 2026-11-21T04:18:42Z"
std::string WhichSubmission(const model::Unit& record);
// What is known of a submission that only a person's word can settle. `why`: it is not sent again.
std::string InDoubt(absl::string_view task, int index, const v1::Attempt& attempt,
                    const model::Unit& record, absl::string_view why);

// A refusal that the caller has to mend ends the task: another provider would be asked for the
// same.
bool CallerMustMend(const provider::Failure& failure);
// The provider accepted the attempt, or is said to have, and does not know it.
google::rpc::Status ForgottenError(const std::string& provider_id, const v1::Attempt& attempt,
                                   const provider::Failure& failure);

// What the intervals between the polls of an attempt depend on.
Pace PaceOf(const model::VideoEntity& entity, int attempt);

// What model's functions need to know of an attempt at that provider.
model::UnitContext ContextOf(const Environment& environment, const std::string& provider_id);

// Until when a submission whose outcome is unknown may be sent again with its idempotency key.
absl::Time RepeatableUntil(const Environment& environment, const model::Unit& record,
                           const model::ProviderEntry& provider);
// Why it is not sent again; empty while it may be.
std::string WhyNotRepeated(const Environment& environment, const model::Unit& record,
                           const model::ProviderEntry& provider);
// Whether the configured account is another one than the attempt's, so that it cannot know of it.
bool BelongsToAnotherAccount(const Environment& environment, const model::Unit& record);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_ATTEMPTS_H_
