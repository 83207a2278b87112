#include "model/refusal.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "model/resource.h"

namespace assetgate::model {

absl::Status NotAllowed() {
  return base::Error(absl::StatusCode::kPermissionDenied, v1::NOT_ALLOWED,
                     "this caller may not do this; the reason is in the gateway's log, and the "
                     "caller's permissions are in its config (callers)");
}

absl::Status NotFound(store::Kind kind, absl::string_view name) {
  return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                     absl::StrCat("there is no \"", name, "\""))
      .Resource(TypeOf(kind), name);
}

absl::Status NotFound(const store::Key& key) {
  return NotFound(key.kind, MakeName(CollectionOf(key.kind), key.id));
}

absl::Status CombinedRefusal(const v1::ProviderFailures& failures) {
  google::rpc::Status combined = failures.failures(0).status();
  if (failures.failures_size() > 1) {
    std::string message = absl::StrCat("all ", failures.failures_size(), " providers refused");
    for (const auto& failure : failures.failures()) {
      absl::StrAppend(&message, "; ", failure.provider(), ": ", failure.status().message());
    }
    combined.set_message(message);
    combined.add_details()->PackFrom(failures);
  }
  return base::FromRpcStatus(combined);
}

}  // namespace assetgate::model
