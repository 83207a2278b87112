// Refusals that several rooms return: a resource that does not exist, a caller that lacks a right,
// and providers that have all refused.
#ifndef ASSETGATE_MODEL_REFUSAL_H_
#define ASSETGATE_MODEL_REFUSAL_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/errors.pb.h"
#include "store/store.h"

namespace assetgate::model {

// PERMISSION_DENIED NOT_ALLOWED: the same whatever it is that is not allowed.
absl::Status NotAllowed();

// NOT_FOUND RESOURCE_NOT_FOUND for `name`, "assets/hero", with ResourceInfo.
absl::Status NotFound(store::Kind kind, absl::string_view name);
absl::Status NotFound(const store::Key& key);

// The only failure itself; of several, the first one's code and reason, a message with all of them,
// and ProviderFailures. `failures` is not empty.
absl::Status CombinedRefusal(const v1::ProviderFailures& failures);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_REFUSAL_H_
