// What the call that created a video task is answered, and when nothing of the task needs to exist.
#ifndef ASSETGATE_RECONCILE_WORK_VIDEO_REFUSAL_H_
#define ASSETGATE_RECONCILE_WORK_VIDEO_REFUSAL_H_

#include <optional>

#include "absl/status/status.h"
#include "model/resource.h"
#include "reconcile/work/target_choice.h"

namespace assetgate::reconcile {

// Whether the task's state answers the call that created it.
bool AnswersCreation(const v1::VideoTask& task);
// Whether RefusalOf may still return an error.
bool MayBeRefused(const model::VideoEntity& video);
// Every target has refused for good, and no submission was ever in doubt: the error for the caller.
std::optional<absl::Status> RefusalOf(const model::VideoEntity& video, const TargetChoice& choice);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_VIDEO_REFUSAL_H_
