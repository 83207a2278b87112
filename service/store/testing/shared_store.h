// One store that several gateways in one process share, each through its own view.
#ifndef ASSETGATE_STORE_TESTING_SHARED_STORE_H_
#define ASSETGATE_STORE_TESTING_SHARED_STORE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "store/store.h"
#include "store/testing/forwarding_store.h"

namespace assetgate::store {

// Leases controlled by a test. Held leases are renewed only by Renew.
class FakeLeases final : public store::Leases {
 public:
  static constexpr absl::Duration kDuration = absl::Seconds(10);

  // `exclusive`: work that another process left behind is certainly over.
  explicit FakeLeases(int gateways, bool exclusive = false)
      : gateways_(gateways), exclusive_(exclusive) {}

  void Take(const std::vector<store::Shard>& shards, absl::Time now);
  void Lose(const std::vector<store::Shard>& shards);
  void Renew(absl::Time now) { until_ = now + kDuration; }
  std::vector<store::Shard> held() const { return {held_.begin(), held_.end()}; }
  bool released() const { return released_; }

  std::optional<absl::Time> HeldUntil(store::Shard shard) override;
  // In turn.
  std::optional<store::Shard> Pick() override;
  bool exclusive() const override { return exclusive_; }
  int gateways() override { return gateways_; }
  int held_count() override { return static_cast<int>(held_.size()); }
  void SetListener(store::LeaseListener* listener) override;
  void Release() override;

 private:
  const int gateways_;
  const bool exclusive_;
  std::set<store::Shard> held_;
  absl::Time until_ = absl::InfinitePast();
  std::size_t turn_ = 0;
  bool released_ = false;
  store::LeaseListener* listener_ = nullptr;
};

// The state shared by the gateways: the rows, in a real store, with the shards, which that store
// does not keep, and the origin of each change.
// Threading: for one thread, except for calls from the real store.
class SharedStore final : public store::ChangeListener {
 public:
  // Becomes the real store's listener.
  explicit SharedStore(store::Store& real) : real_(real) { real_.SetListener(this); }
  ~SharedStore() override { real_.SetListener(nullptr); }

  struct OriginatedChange {
    store::ChangePtr change;
    // The gateway that made the change.
    int origin = 0;
  };

  store::Store& real() { return real_; }
  // Waits for the result.
  store::CommitResult Commit(int origin, store::Transaction transaction);
  store::Row WithShard(store::Row row);
  // The changes after the first `count`.
  std::vector<OriginatedChange> After(std::size_t count);

  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override;

 private:
  store::Store& real_;
  absl::flat_hash_map<store::Key, store::Shard> shards_;
  absl::Mutex mu_;
  std::vector<store::ChangePtr> fresh_ ABSL_GUARDED_BY(mu_);
  std::vector<OriginatedChange> changes_;
};

// The store as one gateway sees it. Commits take effect at once, but are answered, and reported to
// the listener, only when the test delivers them.
// Threading: for one thread.
class GatewayStore final : public store::ForwardingStore {
 public:
  GatewayStore(SharedStore& shared, int index, int gateways, bool exclusive = false)
      : ForwardingStore(shared.real()),
        shared_(shared),
        index_(index),
        leases_(gateways, exclusive),
        delivered_(shared.After(0).size()) {}

  FakeLeases& fake_leases() { return leases_; }

  // Delivers at most `max` changes, in order. Returns how many there were.
  std::size_t Notify(std::size_t max);
  // Answers the oldest commit, after delivering every change up to it. Returns false if there is
  // none.
  bool AnswerOne();
  // Drops all pending answers: the gateway that waits for them is gone.
  void Forget() { answers_.clear(); }
  // Delivers all changes and answers; returns whether there were any.
  bool Deliver();

  void Commit(store::Transaction transaction, store::CommitDone done) override;
  absl::StatusOr<std::optional<store::Row>> Get(const store::Key& key) override;
  absl::StatusOr<std::vector<store::Row>> ListUnfinished(
      const store::UnfinishedQuery& query) override;
  absl::Status Health() override { return absl::OkStatus(); }
  std::size_t queue_depth() const override { return answers_.size(); }
  store::Leases& leases() override { return leases_; }
  void SetListener(store::ChangeListener* listener) override { listener_ = listener; }
  void Stop() override {}

 private:
  struct Answer {
    store::CommitResult result;
    store::CommitDone done;
    // The number of changes to deliver before it.
    std::size_t after = 0;
  };

  SharedStore& shared_;
  const int index_;
  FakeLeases leases_;
  store::ChangeListener* listener_ = nullptr;
  std::deque<Answer> answers_;
  std::size_t delivered_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_TESTING_SHARED_STORE_H_
