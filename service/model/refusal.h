// What a caller is told when every provider has said no.
#ifndef ASSETGATE_MODEL_REFUSAL_H_
#define ASSETGATE_MODEL_REFUSAL_H_

#include "absl/status/status.h"
#include "assetgate/v1/errors.pb.h"

namespace assetgate::model {

// PERMISSION_DENIED NOT_ALLOWED: the same whatever it is that is not allowed.
absl::Status NotAllowed();

// The only failure itself; of several, the first one's code and reason, a message with all of them,
// and ProviderFailures. `failures` is not empty.
absl::Status CombinedRefusal(const v1::ProviderFailures& failures);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_REFUSAL_H_
