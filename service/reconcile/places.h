// What a provider takes only so many of at one time, and who waits for it.
#ifndef ASSETGATE_RECONCILE_PLACES_H_
#define ASSETGATE_RECONCILE_PLACES_H_

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/event_loop.h"
#include "model/catalog.h"
#include "reconcile/model_slots.h"
#include "reconcile/store_reader.h"
#include "store/store.h"
#include "upstream/telemetry.h"

namespace assetgate::reconcile {

// Has an item planned again; returns whether it is in memory.
using WakeItem = std::function<bool(const store::Key&)>;

// The slots of models: how many tasks of a model may be unfinished at a provider.
//
// Threading: the reconciler's thread; OnChanges and OnGap may be called from any.
class SlotPlaces {
 public:
  SlotPlaces(base::EventLoop& loop, StoreReader& reader, upstream::Telemetry& telemetry,
             WakeItem wake)
      : loop_(loop), reader_(reader), telemetry_(telemetry), wake_(std::move(wake)) {}

  // Counts the slots that `catalog` limits.
  void Configure(model::CatalogPtr catalog);

  // From the store's feed.
  void OnChanges(const std::vector<store::ChangePtr>& changes);
  void OnGap();

  struct NoSlot {
    std::string message;
    // When to look again; infinite: when a slot is free.
    absl::Time until;
  };
  // Why a task may not be submitted there as far as slots go; absent where it may.
  std::optional<NoSlot> ObstacleFor(const store::Key& task, const model::ProviderEntry& provider,
                                    const std::string& model) const;
  // Queues the task for a slot, by `since`.
  void Join(const store::Key& task, const ModelSlot& slot, absl::Time since);
  void Take(const store::Key& task, const ModelSlot& slot);
  // The task is not submitted now, and waits for no slot.
  void Release(const store::Key& task);

 private:
  void Count();
  void Read(std::optional<store::Key> after);
  void OnPage(const absl::StatusOr<std::vector<store::Row>>& page);
  // Has as many waiting tasks planned again as there are free slots.
  void Wake();

  base::EventLoop& loop_;
  StoreReader& reader_;
  upstream::Telemetry& telemetry_;
  const WakeItem wake_;
  model::CatalogPtr catalog_;
  ModelSlots slots_;
  std::map<ModelSlot, WaitLine> lines_;
};

// The submissions of assets that a provider takes at one time.
//
// Threading: the reconciler's thread.
class UploadPlaces {
 public:
  // `intended` returns whether the unit's submission is being committed or is in flight: what was
  // decided on, and is neither, came to nothing.
  using Intended = std::function<bool(const store::Key&, std::size_t unit)>;

  UploadPlaces(WakeItem wake, Intended intended)
      : wake_(std::move(wake)), intended_(std::move(intended)) {}

  // Whether the submission may begin; it then counts until its answer has come. Otherwise the asset
  // is planned again when it may. `gateways` share the bound.
  bool Take(const store::Key& asset, std::size_t unit, const model::ProviderEntry& provider,
            absl::Time since, int gateways);
  // A submission to the provider has ended.
  void WakeNext(const std::string& provider_id);

 private:
  struct Uploads {
    std::vector<std::pair<store::Key, std::size_t>> in_flight;
    WaitLine line;
  };

  const WakeItem wake_;
  const Intended intended_;
  // By provider.
  std::map<std::string, Uploads> uploads_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_PLACES_H_
