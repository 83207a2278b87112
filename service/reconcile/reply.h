// How calls are answered.
#ifndef ASSETGATE_RECONCILE_REPLY_H_
#define ASSETGATE_RECONCILE_REPLY_H_

#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Consumed once, on the reconciler's thread, never inside the call that took it. Must not block.
template <typename T>
using Reply = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

// Computed before a provider's task is taken over: why it may not be, or what has to hold when that
// is committed. Computed again, on a thread that may read the store, when it did not hold.
using AdoptionConditions = absl::StatusOr<std::vector<store::Conditions::TermAnywhere>>;

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_REPLY_H_
