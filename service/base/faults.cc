#include "base/faults.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"

namespace assetgate::base {

void Faults::Add(std::string field, std::string description) {
  // Enough to fix a request; a hostile request could have millions.
  if (faults_.size() < kMaxFaults) faults_.emplace_back(std::move(field), std::move(description));
}

absl::Status Faults::ToStatus(v1::ErrorReason reason) const {
  if (faults_.empty()) return absl::OkStatus();
  std::string message = absl::StrCat(faults_[0].first, " ", faults_[0].second);
  if (faults_.size() > 1) {
    absl::StrAppend(&message, " (and ", faults_.size() - 1, " more; see the field violations)");
  }
  Error error(absl::StatusCode::kInvalidArgument, reason, message);
  for (const auto& [field, description] : faults_) error.Violation(field, description);
  return error;
}

}  // namespace assetgate::base
