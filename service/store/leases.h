// Divides work among the gateways that share a store.
//
// Work is divided by shards: a row names its shard when it is created, and the gateway that holds
// the shard's lease submits and polls the unfinished work in it. Leases fence sending, not
// recording: a submission starts only while its shard is held (its `send_before` is never after the
// end of the lease), but any gateway may record a provider's answer that it receives.
#ifndef ASSETGATE_STORE_LEASES_H_
#define ASSETGATE_STORE_LEASES_H_

#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace assetgate::store {

// 0 to kShards - 1. A store for one process has a single shard, 0.
using Shard = int;
inline constexpr Shard kShards = 256;

// Is notified when leases are acquired and lost.
// Threading: called on a thread of the store; must not block.
class LeaseListener {
 public:
  virtual ~LeaseListener() = default;
  // These shards are held from now on. Their previous holder no longer holds them and starts no
  // submission any more.
  virtual void OnTaken(const std::vector<Shard>& shards) = 0;
  // These shards are no longer held: released, or not renewed in time.
  virtual void OnLost(const std::vector<Shard>& shards) = 0;
};

// Threading: thread-safe.
class Leases {
 public:
  virtual ~Leases() = default;

  // When the lease of the shard ends, by this process's clock; absent if it is not held.
  virtual std::optional<absl::Time> HeldUntil(Shard shard) = 0;
  // A shard for new work; absent if none is held.
  virtual std::optional<Shard> Pick() = 0;
  // Whether only this process can have the store open: any earlier writer is then certainly gone.
  // Otherwise another gateway that has lost its leases may still have calls in flight that it
  // started before.
  virtual bool exclusive() const { return false; }
  // The number of gateways that share the work, including this one: at least 1. Budgets are divided
  // by it.
  virtual int gateways() = 0;
  // The number of shards held; kShards if there is only one gateway.
  virtual int held_count() = 0;
  // Sets the listener; nullptr for none. OnTaken reports the shards that are held already at once.
  virtual void SetListener(LeaseListener* listener) = 0;
  // Releases all shards and takes no more: other gateways take over at once. Called at shutdown,
  // once this process starts no new work.
  virtual void Release() = 0;
};

// For a store that only one process can open: it always holds the single shard.
class SoleLeases final : public Leases {
 public:
  std::optional<absl::Time> HeldUntil(Shard) override { return absl::InfiniteFuture(); }
  std::optional<Shard> Pick() override { return 0; }
  bool exclusive() const override { return true; }
  int gateways() override { return 1; }
  int held_count() override { return kShards; }
  void SetListener(LeaseListener* listener) override {
    if (listener != nullptr) listener->OnTaken({0});
  }
  void Release() override {}
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_LEASES_H_
