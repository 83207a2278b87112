// Refusals that several rooms return: a resource that does not exist, a caller that lacks a right,
// and providers that have all refused.
#ifndef ASSETGATE_MODEL_REFUSAL_H_
#define ASSETGATE_MODEL_REFUSAL_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/errors.pb.h"
#include "store/store.h"

namespace assetgate::model {

// PERMISSION_DENIED with reason NOT_ALLOWED. It does not reveal which permission is missing.
absl::Status NotAllowed();

// NOT_FOUND RESOURCE_NOT_FOUND for `name`, "assets/hero", with ResourceInfo.
absl::Status NotFound(store::Kind kind, absl::string_view name);
absl::Status NotFound(const store::Key& key);

// A single failure is returned unchanged. Several are combined: code and reason of the first one, a
// message that lists all, and ProviderFailures. `failures` is not empty.
absl::Status CombinedRefusal(const v1::ProviderFailures& failures);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_REFUSAL_H_
