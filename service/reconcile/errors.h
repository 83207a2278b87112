// What calls are answered that the reconciler cannot carry out.
#ifndef ASSETGATE_RECONCILE_ERRORS_H_
#define ASSETGATE_RECONCILE_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "store/store.h"

namespace assetgate::reconcile {

// After a store that takes no writes, or cannot be read.
inline constexpr absl::Duration kStoreRetry = absl::Seconds(1);

absl::Status CommitUnknown();
absl::Status AlreadyExists(const store::Key& key);
absl::Status RequestIdReused(const store::RequestKey& key);
absl::Status WrittenByLaterRelease(const std::string& name);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_ERRORS_H_
