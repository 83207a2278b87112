// When every provider that was to hold an asset or a group has refused for good.
#ifndef ASSETGATE_RECONCILE_WORK_PLACEMENT_REFUSAL_H_
#define ASSETGATE_RECONCILE_WORK_PLACEMENT_REFUSAL_H_

#include <algorithm>
#include <cstddef>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "assetgate/v1/common.pb.h"
#include "model/record.pb.h"
#include "reconcile/unit_run.h"

namespace assetgate::reconcile {

// Nothing moves until an operator mends the key, the account or the credit.
inline bool NeedsOperatorFirst(v1::Waiting::Reason reason) {
  return reason == v1::Waiting::PROVIDER_CREDENTIALS_REJECTED ||
         reason == v1::Waiting::PROVIDER_OUT_OF_CREDIT;
}

// Whether the state answers the call that created the resource.
template <typename EntityT>
bool AnswersCreation(const EntityT& entity) {
  const auto& placements = entity.resource.placements();
  return std::all_of(placements.begin(), placements.end(), [](const auto& placement) {
    return placement.state() != v1::Placement::SUBMITTING ||
           NeedsOperatorFirst(placement.waiting().reason());
  });
}

// Whether RefusalOf may still return an error.
template <typename EntityT>
bool MayBeRefused(const EntityT& entity) {
  const auto& units = entity.record.units();
  return !units.empty() && std::none_of(units.begin(), units.end(), [](const model::Unit& unit) {
    return !unit.handle().empty() || unit.unknown_outcomes() > 0 ||
           unit.earlier_unknown_outcomes() > 0;
  });
}

using FindRun = absl::FunctionRef<const UnitRun*(std::size_t unit)>;
// The error for the caller; absent while something exists, may exist, or may still come.
template <typename EntityT>
std::optional<absl::Status> RefusalOf(const EntityT& entity, FindRun find_run);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_PLACEMENT_REFUSAL_H_
