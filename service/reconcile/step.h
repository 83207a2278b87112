// All that an item may use.
#ifndef ASSETGATE_RECONCILE_STEP_H_
#define ASSETGATE_RECONCILE_STEP_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "model/catalog.h"
#include "model/settings.h"
#include "reconcile/observed.h"
#include "reconcile/ownership.h"
#include "reconcile/places.h"
#include "reconcile/quiescence.h"
#include "store/store.h"
#include "upstream/gates.h"
#include "upstream/telemetry.h"
#include "upstream/upstream.h"

namespace assetgate::reconcile {

class Dependencies;

// What all items share: the same for all of them, and for as long as the reconciler lives.
//
// Threading: the reconciler's thread.
class Environment {
 public:
  struct Parts {
    base::EventLoop& loop;
    Ownership& ownership;
    upstream::Gates& gates;
    upstream::Upstream& upstream;
    upstream::Telemetry& telemetry;
    SlotPlaces& slots;
    UploadPlaces& uploads;
    Quiescence& quiescence;
    // Has the item planned again if it still is the one with this serial number.
    std::function<void(const store::Key&, std::uint64_t serial)> plan_again;
    // See Reconciler::Observe; on the reconciler's thread.
    std::function<void(Observed)> observe;
    absl::Duration behind;
    Dependencies* dependencies = nullptr;
    // In force: every round of an item uses one catalog from its beginning to its end.
    model::CatalogPtr catalog;
    bool draining = false;
    absl::BitGen random = {};
  };
  explicit Environment(Parts& parts) : parts_(&parts) {}

  absl::Time now() const { return parts_->loop.Now(); }
  const model::Catalog& catalog() const { return *parts_->catalog; }
  // For work that outlives the round: it keeps the providers that it refers to.
  const model::CatalogPtr& catalog_ptr() const { return parts_->catalog; }
  const model::Settings& settings() const { return parts_->catalog->settings(); }
  // The gateway begins nothing new.
  bool draining() const { return parts_->draining; }
  // By how much the clock was behind the store when this process began. Journal dates are written,
  // and their age is computed, as if it were not: an idempotency key may be used only while its
  // window is surely open.
  absl::Duration behind() const { return parts_->behind; }
  absl::BitGen& random() const { return parts_->random; }

  Ownership& ownership() const { return parts_->ownership; }
  upstream::Gate& gate(const model::ProviderEntry& provider) const {
    return parts_->gates.Of(provider.id);
  }
  upstream::Gates& gates() const { return parts_->gates; }
  upstream::Upstream& upstream() const { return parts_->upstream; }
  upstream::Telemetry& telemetry() const { return parts_->telemetry; }
  SlotPlaces& slots() const { return parts_->slots; }
  UploadPlaces& uploads() const { return parts_->uploads; }
  Quiescence& quiescence() const { return parts_->quiescence; }
  Dependencies& dependencies() const { return *parts_->dependencies; }

  void PlanAgain(const store::Key& key, std::uint64_t serial) const {
    parts_->plan_again(key, serial);
  }
  void Observe(Observed observed) const { parts_->observe(std::move(observed)); }

 private:
  Parts* parts_;
};

// One round of one item: what it may use, and what it decides.
class Step : public Environment {
 public:
  Step(const Environment& environment, store::Shard shard, bool owned)
      : Environment(environment), shard_(shard), owned_(owned) {}
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;

  // Whether this gateway plans the item.
  bool owned() const { return owned_; }
  store::Shard shard() const { return shard_; }
  // Until when a submission that is journalled now may begin: not after the shard's lease. Absent
  // when the lease is not surely held for long enough; the item is then planned again in a moment.
  std::optional<absl::Time> SendBefore();

  // The draft differs from what is committed.
  void MarkChanged(bool changed = true) { changed_ |= changed; }
  // Plan again at `when`.
  void WakeAt(absl::Time when) { wake_at_ = std::min(wake_at_, when); }
  // Runs once the draft is committed, or at once when nothing changed.
  void AfterCommit(absl::AnyInvocable<void() &&> action) { actions_.push_back(std::move(action)); }
  // A row that is committed with the draft or not at all.
  void Also(store::Write write) { also_.push_back(std::move(write)); }
  // The draft is committed only while these hold.
  store::Conditions& conditions() { return conditions_; }
  // The row is deleted.
  void Remove() { remove_ = true; }
  // Somebody knows of the resource and relies on it: it stays, even if its creator still waits.
  void Acknowledge() { acknowledged_ = true; }

  bool changed() const { return changed_; }
  bool removes() const { return remove_; }
  bool acknowledged() const { return acknowledged_; }
  absl::Time wake_at() const { return wake_at_; }
  std::vector<absl::AnyInvocable<void() &&>> TakeActions() { return std::exchange(actions_, {}); }
  std::vector<store::Write> TakeAlso() { return std::exchange(also_, {}); }

 private:
  const store::Shard shard_;
  const bool owned_;
  bool changed_ = false;
  bool remove_ = false;
  bool acknowledged_ = false;
  absl::Time wake_at_ = absl::InfiniteFuture();
  std::vector<absl::AnyInvocable<void() &&>> actions_;
  std::vector<store::Write> also_;
  store::Conditions conditions_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_STEP_H_
