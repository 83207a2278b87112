#include "reconcile/work/placement_refusal.h"

#include <utility>

#include "model/apply.h"
#include "model/refusal.h"
#include "model/resource.h"
#include "provider/failure.h"

namespace assetgate::reconcile {

template <typename EntityT>
std::optional<absl::Status> RefusalOf(const EntityT& entity, FindRun find_run) {
  if (entity.resource.placements_size() == 0) return std::nullopt;
  v1::ProviderFailures failures;
  for (int i = 0; i < entity.resource.placements_size(); ++i) {
    const auto& placement = entity.resource.placements(i);
    // Accepted once: something exists. On its way: it can be.
    if (!entity.record.units(i).handle().empty()) return std::nullopt;
    if (entity.record.units(i).submission().open()) return std::nullopt;
    // Sent, and never answered: nobody can say that nothing exists.
    if (entity.record.units(i).unknown_outcomes() > 0 ||
        entity.record.units(i).earlier_unknown_outcomes() > 0) {
      return std::nullopt;
    }
    const UnitRun* run = find_run(static_cast<std::size_t>(i));
    auto* failure = failures.add_failures();
    failure->set_provider(placement.provider());
    if (placement.state() == v1::Placement::FAILED) {
      *failure->mutable_status() = placement.error();
    } else if (placement.state() == v1::Placement::SUBMITTING &&
               NeedsOperatorFirst(placement.waiting().reason()) && run != nullptr &&
               run->failure.has_value()) {
      *failure->mutable_status() =
          provider::ToError(*run->failure, entity.record.units(i).provider()).ToProto();
    } else {
      return std::nullopt;
    }
  }
  return model::CombinedRefusal(failures);
}

template std::optional<absl::Status> RefusalOf(const model::GroupEntity&, FindRun);
template std::optional<absl::Status> RefusalOf(const model::AssetEntity&, FindRun);

}  // namespace assetgate::reconcile
