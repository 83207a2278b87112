#include "server/measures.h"

#include <cstdint>
#include <utility>

#include "assetgate/v1/common.pb.h"

namespace assetgate {
namespace {

constexpr base::MetricKind kKinds[] = {base::MetricKind::kAssetGroup, base::MetricKind::kAsset,
                                       base::MetricKind::kVideoTask};

}  // namespace

Measures::Measures(const Parts& parts) : parts_(parts) {
  AddStore();
  for (const auto& provider : parts_.catalog.Get()->providers()) AddProvider(provider->id);
  // Attempts at providers that are no longer in the config, whose ids are not label values.
  Compute(parts_.metrics.Unconfirmed(""), [this] {
    const model::CatalogPtr configured = parts_.catalog.Get();
    std::int64_t count = 0;
    for (const auto& [id, attempts] : parts_.reconciler.unfinished().unconfirmed) {
      if (configured->FindProvider(id) == nullptr) count += attempts;
    }
    return static_cast<double>(count);
  });
  AddReasons();
}

void Measures::Compute(prometheus::Gauge& gauge, absl::AnyInvocable<double()> read) {
  computations_.push_back(parts_.metrics.Compute(gauge, std::move(read)));
}

void Measures::AddStore() {
  Compute(parts_.metrics.QueueDepth("store_writer"),
          [this] { return static_cast<double>(parts_.store.queue_depth()); });
  Compute(parts_.metrics.QueueDepth("watch_hub"),
          [this] { return static_cast<double>(parts_.hub.queue_depth()); });
  Compute(parts_.metrics.StoreHealthy(), [this] { return parts_.store.Health().ok() ? 1.0 : 0.0; });
  Compute(parts_.metrics.LeasesHeld(),
          [this] { return static_cast<double>(parts_.store.leases().held_count()); });
  Compute(parts_.metrics.Gateways(),
          [this] { return static_cast<double>(parts_.store.leases().gateways()); });
}

void Measures::AddProvider(const std::string& id) {
  Compute(parts_.metrics.Unconfirmed(id), [this, id] {
    return static_cast<double>(parts_.reconciler.unfinished().unconfirmed[id]);
  });
  for (const base::MetricKind kind : kKinds) {
    Compute(parts_.metrics.Unfinished(kind, id), [this, kind, id] {
      return static_cast<double>(parts_.reconciler.unfinished().by_provider[{kind, id}]);
    });
  }
}

void Measures::AddReasons() {
  for (const base::MetricKind kind : kKinds) {
    for (int reason = v1::Waiting::Reason_MIN + 1; reason <= v1::Waiting::Reason_MAX; ++reason) {
      const auto why = static_cast<v1::Waiting::Reason>(reason);
      Compute(parts_.metrics.Waiting(kind, why), [this, kind, why] {
        return static_cast<double>(parts_.reconciler.unfinished().by_reason[{kind, why}]);
      });
    }
  }
}

}  // namespace assetgate
