#include "reconcile/errors.h"

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/text.h"
#include "model/resource.h"

namespace assetgate::reconcile {

absl::Status CommitUnknown() {
  return base::Error(absl::StatusCode::kUnknown, v1::COMMIT_UNKNOWN,
                     "the store cannot tell whether the change was committed; repeat the call (one "
                     "that creates: with the same request_id, so that nothing is made twice)");
}

absl::Status AlreadyExists(const store::Key& key) {
  const std::string name = model::MakeName(model::CollectionOf(key.kind), key.id);
  return base::Error(absl::StatusCode::kAlreadyExists, v1::RESOURCE_EXISTS,
                     absl::StrCat("\"", name, "\" exists already; choose another id, or none"))
      .Resource(model::TypeOf(key.kind), name);
}

absl::Status RequestIdReused(const store::RequestKey& key) {
  return base::Error(
      absl::StatusCode::kAlreadyExists, v1::REQUEST_ID_REUSED,
      absl::StrCat("request_id ", base::Quoted(key.request_id, 128),
                   " was used before with another body; use a fresh one for another request"));
}

absl::Status WrittenByLaterRelease(const std::string& name) {
  return base::Error(
      absl::StatusCode::kFailedPrecondition, v1::WRITTEN_BY_LATER_RELEASE,
      absl::StrCat("\"", name,
                   "\" holds something that this release of the gateway does not know; a later "
                   "release wrote it, and only a gateway of that release can change it"));
}

}  // namespace assetgate::reconcile
