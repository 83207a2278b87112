// Which work is this gateway's.
#ifndef ASSETGATE_RECONCILE_OWNERSHIP_H_
#define ASSETGATE_RECONCILE_OWNERSHIP_H_

#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/time/time.h"
#include "store/store.h"

namespace assetgate::reconcile {

// The shards whose leases this gateway holds, as far as the reconciler has noticed.
//
// Threading: the reconciler's thread.
class Ownership {
 public:
  explicit Ownership(store::Leases& leases) : leases_(leases) {
    // Nobody else can have the work: there is nothing to wait for.
    if (leases_.exclusive()) held_.fill(true);
  }

  bool Holds(store::Shard shard) const { return held_[shard]; }
  void Take(const std::vector<store::Shard>& shards) {
    for (const store::Shard shard : shards) held_[shard] = true;
  }
  void Lose(const std::vector<store::Shard>& shards) {
    for (const store::Shard shard : shards) held_[shard] = false;
  }
  std::vector<store::Shard> held() const {
    std::vector<store::Shard> shards;
    for (store::Shard shard = 0; shard < store::kShards; ++shard) {
      if (held_[shard]) shards.push_back(shard);
    }
    return shards;
  }

  // The shard for new work: one of this gateway's, so that the gateway that took the call does it.
  // A gateway that holds none yet leaves the work to the holder of the shard.
  store::Shard ForNewWork(const store::Key& key) {
    return leases_.Pick().value_or(
        static_cast<store::Shard>(absl::HashOf(key.tenant, key.id) % std::size_t{store::kShards}));
  }
  // One of this gateway's shards; `otherwise` where it holds none.
  store::Shard PickOr(store::Shard otherwise) { return leases_.Pick().value_or(otherwise); }

  // Until when the lease of the shard is surely held; absent where it is not.
  std::optional<absl::Time> HeldUntil(store::Shard shard) const { return leases_.HeldUntil(shard); }
  // Only one process can have the store open.
  bool exclusive() const { return leases_.exclusive(); }
  int gateways() const { return leases_.gateways(); }

 private:
  store::Leases& leases_;
  std::array<bool, store::kShards> held_ = {};
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_OWNERSHIP_H_
