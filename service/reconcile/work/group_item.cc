#include "reconcile/work/group_item.h"

#include <utility>

namespace assetgate::reconcile {

absl::StatusOr<std::optional<http::Request>> GroupItem::Prepare(
    Step& /*step*/, std::size_t /*unit*/, const model::ProviderEntry& provider) {
  provider::GroupSubmission submission{draft_.resource, OptionsFor(provider.id)};
  auto request = provider.dialect->EncodeSubmitGroup(submission);
  if (!request.ok()) return request.status();
  return std::optional<http::Request>(*std::move(request));
}

}  // namespace assetgate::reconcile
