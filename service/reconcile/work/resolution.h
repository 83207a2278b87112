// A person's word on a video task: cancelling it, and settling a submission whose outcome is
// unknown.
#ifndef ASSETGATE_RECONCILE_WORK_RESOLUTION_H_
#define ASSETGATE_RECONCILE_WORK_RESOLUTION_H_

#include "absl/status/status.h"
#include "model/apply.h"
#include "model/resource.h"
#include "reconcile/item.h"
#include "reconcile/step.h"

namespace assetgate::reconcile {

// Each is applied to the draft of a round. An error leaves the draft as it was.
absl::Status Cancel(Step& step, const Item& item, model::VideoEntity& draft);
absl::Status Resolve(Step& step, Item& item, const model::Resolution& said,
                     model::VideoEntity& draft);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_RESOLUTION_H_
