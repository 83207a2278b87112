// Which gateway does which work, where several share a store.
//
// All work is dealt out by shards: a row names its shard when it is made, and the gateway that
// holds the lease of that shard submits and polls what is unfinished in it. Leases fence sending,
// never hearing: a submission is begun only while its shard is held (an intent's `send_before` is
// never after the end of the lease), but what a provider said may be recorded by whoever heard it.
#ifndef ASSETGATE_STORE_LEASES_H_
#define ASSETGATE_STORE_LEASES_H_

#include <optional>
#include <vector>

#include "absl/time/time.h"

namespace assetgate::store {

// 0 to kShards - 1. A store for one process has one, 0.
using Shard = int;
inline constexpr Shard kShards = 256;

// Hears of leases that come and go, on a thread of the store. Must not block.
class LeaseListener {
 public:
  virtual ~LeaseListener() = default;
  // These are held from now on. Whoever held them before holds them no more, and begins no
  // submission any more.
  virtual void OnTaken(const std::vector<Shard>& shards) = 0;
  // These are held no more: given away, or not renewed in time.
  virtual void OnLost(const std::vector<Shard>& shards) = 0;
};

// Thread-safe.
class Leases {
 public:
  virtual ~Leases() = default;

  // Until when the shard is surely held, by the clock of this process; absent when it is not.
  virtual std::optional<absl::Time> HeldUntil(Shard shard) = 0;
  // A shard to put new work into; absent when none is held.
  virtual std::optional<Shard> Pick() = 0;
  // Whether nobody but this process can have the store open: then whoever wrote what it finds there
  // is surely gone. Otherwise another gateway that has lost its leases may still have calls under
  // way, which it began before.
  virtual bool exclusive() const { return false; }
  // Gateways that share the work, this one included: at least 1. Budgets are divided by it.
  virtual int gateways() = 0;
  // How many shards are held; all kShards where there is but one gateway.
  virtual int held_count() = 0;
  // Sets who hears; nullptr for nobody. What is held already is told at once, by OnTaken.
  virtual void SetListener(LeaseListener* listener) = 0;
  // Gives everything back and takes nothing any more: others go on at once. For the end of a
  // process, once it begins nothing new.
  virtual void Release() = 0;
};

// Of a store that only one process can open: it holds the one shard for ever.
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
