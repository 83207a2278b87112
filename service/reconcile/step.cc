#include "reconcile/step.h"

namespace assetgate::reconcile {

std::optional<absl::Time> Step::SendBefore() {
  const std::optional<absl::Time> held = ownership().HeldUntil(shard_);
  if (!held.has_value() || *held < now() + settings().min_send_window) {
    WakeAt(now() + settings().min_send_window);
    return std::nullopt;
  }
  return std::min(now() + settings().submission_start_timeout, *held);
}

}  // namespace assetgate::reconcile
