// The errors that a caller gets when providers, or the gateway, refuse a request.
#ifndef ASSETGATE_MODEL_REFUSAL_H_
#define ASSETGATE_MODEL_REFUSAL_H_

#include "absl/status/status.h"
#include "assetgate/v1/errors.pb.h"

namespace assetgate::model {

// PERMISSION_DENIED with reason NOT_ALLOWED. It does not reveal which permission is missing.
absl::Status NotAllowed();

// A single failure is returned unchanged. Several are combined: code and reason of the first one, a
// message that lists all, and ProviderFailures. `failures` is not empty.
absl::Status CombinedRefusal(const v1::ProviderFailures& failures);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_REFUSAL_H_
