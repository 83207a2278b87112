// A group of assets.
#ifndef ASSETGATE_RECONCILE_WORK_GROUP_ITEM_H_
#define ASSETGATE_RECONCILE_WORK_GROUP_ITEM_H_

#include <cstddef>
#include <optional>

#include "absl/status/statusor.h"
#include "http/message.h"
#include "reconcile/work/placement_item.h"

namespace assetgate::reconcile {

class GroupItem final : public PlacementItem<model::GroupEntity> {
 public:
  using PlacementItem::PlacementItem;

 protected:
  absl::StatusOr<std::optional<http::Request>> Prepare(
      Step& step, std::size_t unit, const model::ProviderEntry& provider) override;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_GROUP_ITEM_H_
