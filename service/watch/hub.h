// Delivers every committed change to the watch streams that it concerns.
#ifndef ASSETGATE_WATCH_HUB_H_
#define ASSETGATE_WATCH_HUB_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "prometheus/histogram.h"
#include "store/store.h"
#include "watch/event.h"
#include "watch/interest.h"

namespace assetgate::watch {

// A live stream, as the hub sees it.
// Threading: all calls come on the hub's thread and must not block.
class Subscriber {
 public:
  virtual ~Subscriber() = default;

  // Never changes.
  virtual const Interest& interest() const = 0;

  // A reply to Hub::Join. `missed` holds the events after `upto`, the revision given to Join; later
  // ones are offered. Returns false if the subscriber has closed meanwhile or has no room for
  // `missed`; it has then not joined. Wake follows.
  virtual bool OnJoined(store::Revision upto, std::vector<EventPtr> missed) = 0;
  // The other reply to Hub::Join: the hub no longer has all changes after that revision. Wake
  // follows.
  virtual void OnTooFarBehind() = 0;

  // Offers one event, in the order of revisions. The answer: taken; taken, call Wake; or no room,
  // which ends the membership, call Wake.
  enum class Offered { kTaken, kWake, kOverflow };
  virtual Offered Offer(const EventPtr& event) = 0;
  // The hub was overrun and dropped changes. Ends the membership; Wake follows.
  virtual void OnLost() = 0;
  // Notifies the stream's reader. Called after a whole group of changes was offered, a few
  // subscribers at a time: a reader gets a burst at once, and a large fan-out does not block other
  // work on the loop.
  virtual void Wake() = 0;
};

// Takes changes from the store's thread without blocking it, and offers them to subscribers on the
// thread of its loop.
//
// The queue of changes that were not offered yet is bounded: at 16,384 changes the hub is overrun.
// It then drops them and sends every subscriber back to the log. The newest changes (at most 1,024,
// of at most 4 MiB) are kept, so that a subscriber that joins slightly late does not read the store
// again.
class Hub final : public store::ChangeListener {
 public:
  static constexpr std::size_t kMaxInbox = 16384;
  static constexpr std::size_t kMaxRecent = 1024;
  static constexpr std::size_t kMaxRecentBytes = 4 << 20;
  // Subscribers woken before other work on the loop gets its turn.
  static constexpr std::size_t kWakeSlice = 64;

  // `lag`, if set, records how long it took to notify all subscribers of a round of changes (see
  // Metrics::WatchLagSeconds).
  // Lifetime: `loop` must outlive the hub, and must run nothing any more when the hub is destroyed.
  explicit Hub(base::EventLoop& loop, prometheus::Histogram* lag = nullptr)
      : loop_(loop), lag_(lag) {}
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  base::EventLoop& loop() const { return loop_; }

  // ChangeListener. A store that already has changes when the listener is set first makes a call
  // without changes.
  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override
      ABSL_LOCKS_EXCLUDED(mu_);
  // Like an overrun: subscribers go to the log, which makes them start over.
  void OnGap(store::Revision upto) override ABSL_LOCKS_EXCLUDED(mu_);

  // Makes a subscriber that has everything up to `after` a member, or calls its OnTooFarBehind;
  // either on the hub's thread. It must not be a member already.
  // Threading: thread-safe.
  void Join(std::shared_ptr<Subscriber> subscriber, store::Revision after);
  // Ends the membership soon, if there is one. A subscriber that closes before it calls this is not
  // a member afterwards, even if a Join is in progress.
  // Threading: thread-safe.
  void Leave(std::shared_ptr<Subscriber> subscriber);

  // All changes up to this revision have been offered.
  // Threading: thread-safe.
  store::Revision offered_upto() const { return offered_upto_.load(std::memory_order_acquire); }
  // Changes that were not offered yet.
  // Threading: thread-safe.
  std::size_t queue_depth() const ABSL_LOCKS_EXCLUDED(mu_);
  // How often the hub was overrun.
  // Threading: thread-safe.
  std::int64_t overruns() const { return overruns_.load(std::memory_order_relaxed); }

 private:
  // Changes that arrived and were not offered yet.
  struct Inbox {
    std::vector<store::ChangePtr> changes;
    // When the first of them arrived.
    absl::Time since = absl::InfiniteFuture();
    bool overrun = false;
    store::Revision head = 0;
  };

  struct Member {
    std::shared_ptr<Subscriber> subscriber;
    // It has everything up to here from the log.
    store::Revision after = 0;
    // The last change that was considered for it: one change can be found under several terms.
    store::Revision last_considered = 0;
  };
  // Members of one tenant and kind, by an id or term that a change must have to concern them.
  using MembersBy = absl::flat_hash_map<std::string, absl::flat_hash_set<Member*>>;
  struct Topic {
    MembersBy id;
    // Members that any change can concern are under the empty term, which no row has.
    MembersBy term;
  };
  using TopicKey = std::pair<std::string, store::Kind>;

  // A change with its events, one per effect, shared by all streams that deliver them.
  class Published {
   public:
    explicit Published(store::ChangePtr change) : change_(std::move(change)) {}
    const store::Change& change() const { return *change_; }
    const EventPtr& EventFor(Effect effect);

   private:
    store::ChangePtr change_;
    std::array<EventPtr, 3> events_;
  };

  void DropQueue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Threading: all on the hub's thread.
  void Dispatch() ABSL_LOCKS_EXCLUDED(mu_);
  void Publish(const store::ChangePtr& change);
  void OfferTo(const MembersBy& members, const std::string& key, Published& published);
  // Returns false if the member has no room left.
  bool OfferTo(Member& member, Published& published);
  void DropAllMembers();
  void Remember(Published published);
  void DoJoin(std::shared_ptr<Subscriber> subscriber, store::Revision after);
  void Remove(Subscriber* subscriber);
  void WakeSome();
  // Calls `apply` with each place in the topic where a member with this interest belongs.
  static void ForEachPlace(
      Topic& topic, const Interest& interest,
      absl::FunctionRef<void(MembersBy& members, const std::string& key)> apply);

  base::EventLoop& loop_;
  prometheus::Histogram* const lag_;

  mutable absl::Mutex mu_;
  Inbox inbox_ ABSL_GUARDED_BY(mu_);
  bool dispatch_posted_ ABSL_GUARDED_BY(mu_) = false;

  std::atomic<store::Revision> offered_upto_{0};
  std::atomic<std::int64_t> overruns_{0};

  // Threading: used only on the hub's thread.
  absl::flat_hash_map<Subscriber*, std::unique_ptr<Member>> members_;
  absl::flat_hash_map<TopicKey, Topic> topics_;
  std::vector<Member*> overflowed_;
  // All changes after `recent_after_`, the newest last; before the first call, all that will
  // arrive.
  bool begun_ = false;
  std::deque<Published> recent_;
  std::size_t recent_bytes_ = 0;
  store::Revision recent_after_ = 0;
  std::deque<std::shared_ptr<Subscriber>> to_wake_;
  bool wake_posted_ = false;
  // The total number of wake-ups, and for each round in progress the number at which it ends.
  std::uint64_t woken_ = 0;
  struct Round {
    std::uint64_t end;
    absl::Time since;
  };
  std::deque<Round> rounds_;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_HUB_H_
