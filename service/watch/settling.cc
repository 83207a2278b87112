#include "watch/settling.h"

#include <utility>

namespace assetgate::watch {

void Settling::OnResumed(absl::flat_hash_map<std::string, store::Revision> unsettled) {
  unsettled_ = std::move(unsettled);
  scope_known_ = true;
}

void Settling::OnDelivered(const Event& event) {
  switch (event.type()) {
    case v1::RESET:
      unsettled_.clear();
      scope_known_ = false;
      return;
    case v1::BOOKMARK:
      if (event.snapshot_complete()) scope_known_ = caught_up_ = true;
      return;
    default:
      break;
  }
  const store::Change& change = *event.change();
  if (event.type() == v1::PUT && !change.settled) {
    if (given_ids_ || !scope_known_) {
      store::Revision& seen = unsettled_[change.key.id];
      if (seen < change.revision) seen = change.revision;
    }
    return;
  }
  const auto it = unsettled_.find(change.key.id);
  if (it != unsettled_.end() && it->second <= change.revision) unsettled_.erase(it);
}

}  // namespace assetgate::watch
