// An asset: waits for its group where the provider has groups.
#ifndef ASSETGATE_RECONCILE_WORK_ASSET_ITEM_H_
#define ASSETGATE_RECONCILE_WORK_ASSET_ITEM_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "http/message.h"
#include "reconcile/work/placement_item.h"

namespace assetgate::reconcile {

class AssetItem final : public PlacementItem<model::AssetEntity> {
 public:
  using PlacementItem::PlacementItem;

  void Derive(Step& step) override;
  std::string StateName() const override { return v1::Asset::State_Name(resource().state()); }
  std::string ErrorMessage() const override { return resource().error().message(); }

 protected:
  absl::StatusOr<std::optional<http::Request>> Prepare(
      Step& step, std::size_t unit, const model::ProviderEntry& provider) override;

 private:
  // The handle of the asset's group at the provider; absent while it is not there yet.
  absl::StatusOr<std::optional<provider::Handle>> GroupHandle(Step& step, std::size_t unit,
                                                              const model::ProviderEntry& provider);
  // The URL that the provider is to fetch the media from, or why it cannot.
  absl::StatusOr<std::string> SourceFor(const model::ProviderEntry& provider) const;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_ASSET_ITEM_H_
