// Which work this gateway follows: its leases, what it finds when it takes them, and what other
// gateways commit.
#ifndef ASSETGATE_RECONCILE_FOLLOWING_H_
#define ASSETGATE_RECONCILE_FOLLOWING_H_

#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "reconcile/engine.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Threading: the reconciler's thread, but for what the store and its leases call, which may come on
// any.
class Following final : public store::ChangeListener, public store::LeaseListener {
 public:
  explicit Following(Engine& engine, store::Leases& leases) : engine_(engine), leases_(leases) {}

  // Begins to follow the shards of this gateway, those that it takes later included: unfinished
  // rows are read a page at a time. `done` runs when all that is held at first is in memory.
  void Recover(absl::AnyInvocable<void() &&> done);

  // Other gateways' changes go into a bounded inbox: when it overflows, what is in memory is
  // compared with the store instead. Never blocks.
  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override
      ABSL_LOCKS_EXCLUDED(mu_);
  // What is in memory is compared with the store.
  void OnGap(store::Revision upto) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnTaken(const std::vector<store::Shard>& shards) override;
  void OnLost(const std::vector<store::Shard>& shards) override;

 private:
  // A listing of the unfinished rows of shards.
  struct Listing {
    std::vector<store::Shard> shards;
    std::optional<store::Key> after;
  };
  void Take(const std::vector<store::Shard>& shards);
  void Lose(const std::vector<store::Shard>& shards);
  void BeginListing(std::vector<store::Shard> shards);
  void ReadPage(Listing listing);
  void OnPage(Listing listing, absl::StatusOr<std::vector<store::Row>> page);
  void EndListing();
  void CompareAll(absl::Duration delay) ABSL_LOCKS_EXCLUDED(mu_);
  void ReadInbox() ABSL_LOCKS_EXCLUDED(mu_);
  void OnRemoteChange(const store::Change& change);

  Engine& engine_;
  store::Leases& leases_;
  int listings_ = 0;
  std::vector<absl::AnyInvocable<void() &&>> recovered_;

  struct Inbox {
    // Of each key that another gateway changed, the newest change.
    absl::flat_hash_map<store::Key, store::ChangePtr> newest;
    bool overrun = false;
    bool posted = false;
  };
  absl::Mutex mu_;
  Inbox inbox_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_FOLLOWING_H_
