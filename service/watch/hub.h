// Brings every committed change to the streams and RPCs that wait for it.
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

// A live stream, as the hub sees it. All calls come on the hub's thread and must not block.
class Subscriber {
 public:
  virtual ~Subscriber() = default;

  // Never changes.
  virtual const Interest& interest() const = 0;

  // The answer to Hub::Join: `missed` is what happened after `upto`, the revision that Join named;
  // what follows is offered. False where the subscriber has closed meanwhile, or has no room for so
  // much: then it has not joined. Wake follows.
  virtual bool OnJoined(store::Revision upto, std::vector<EventPtr> missed) = 0;
  // The other answer: the hub no longer has all changes after the revision that Join named. Wake
  // follows.
  virtual void OnTooFarBehind() = 0;

  // One event, in the order of revisions. What it says: go on; go on, and call Wake; no room, which
  // ends its membership: call Wake.
  enum class Offered { kTaken, kWake, kOverflow };
  virtual Offered Offer(const EventPtr& event) = 0;
  // The hub has been overrun and threw changes away. Ends its membership; Wake follows.
  virtual void OnLost() = 0;
  // Tells its reader. Called after a whole group of changes was offered, a few subscribers at a
  // time, so that a burst is told at once and no fan-out holds up those who wait for one resource.
  virtual void Wake() = 0;
};

// Takes changes from the store's thread without holding it up, and gives them out on the thread of
// its loop: first to observations, then to subscribers.
//
// What has not been given out yet is bounded: at 16,384 changes the hub is overrun. It then throws
// them away but for the newest change of each observed key, and sends every subscriber back to the
// log. The last changes (at most 1,024, of at most 4 MiB) stay at hand, so that who joins a little
// late need not ask the store.
class Hub final : public store::ChangeListener {
 public:
  static constexpr std::size_t kMaxInbox = 16384;
  static constexpr std::size_t kMaxRecent = 1024;
  static constexpr std::size_t kMaxRecentBytes = 4 << 20;
  // Subscribers woken before others get their turn on the loop.
  static constexpr std::size_t kWakeSlice = 64;

  // `loop` must outlive the hub, and run nothing any more when the hub is destroyed. `lag`, if any,
  // gets how long it took to tell all of a round of changes (see Metrics::WatchLagSeconds).
  explicit Hub(base::EventLoop& loop, prometheus::Histogram* lag = nullptr)
      : loop_(loop), lag_(lag) {}
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  base::EventLoop& loop() const { return loop_; }

  // ChangeListener. A store that has changes from before it began to tell says so first, by a call
  // without changes.
  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override
      ABSL_LOCKS_EXCLUDED(mu_);
  // As being overrun: subscribers go to the log, which tells them to start over. Observations hear
  // nothing of what was missed.
  void OnGap(store::Revision upto) override ABSL_LOCKS_EXCLUDED(mu_);

  // Makes a subscriber that has everything up to `after` a member, or tells it that it is too far
  // behind; either on the hub's thread. It must not be a member. Thread-safe.
  void Join(std::shared_ptr<Subscriber> subscriber, store::Revision after);
  // Ends its membership, if it is a member, soon. A subscriber that has closed before it calls this
  // is no member afterwards, whatever Join is under way. Thread-safe.
  void Leave(std::shared_ptr<Subscriber> subscriber);

  // A revision up to which all changes have been offered. Thread-safe.
  store::Revision heard() const { return heard_.load(std::memory_order_acquire); }
  // Changes not given out yet. Thread-safe.
  std::size_t queue_depth() const ABSL_LOCKS_EXCLUDED(mu_);
  // How often it was overrun. Thread-safe.
  std::int64_t overruns() const { return overruns_.load(std::memory_order_relaxed); }

 private:
  // What was told and not given out.
  struct Inbox {
    std::vector<store::ChangePtr> changes;
    // When the first of them was heard of.
    absl::Time since = absl::InfiniteFuture();
    bool overrun = false;
    store::Revision head = 0;
  };

  struct Member {
    std::shared_ptr<Subscriber> subscriber;
    // It has everything up to here from the log.
    store::Revision after = 0;
    // The last change looked at for it: one change can be found under several terms.
    store::Revision looked_at = 0;
  };
  // Members of one tenant and kind, by what must be in a change to concern them.
  using MembersBy = absl::flat_hash_map<std::string, absl::flat_hash_set<Member*>>;
  struct Topic {
    MembersBy id;
    // Those that any change can concern stand under the empty term, which is no row's.
    MembersBy term;
  };
  using TopicKey = std::pair<std::string, store::Kind>;

  // A change with the events it makes: one of each sort, for all who tell it.
  class Published {
   public:
    explicit Published(store::ChangePtr change) : change_(std::move(change)) {}
    const store::Change& change() const { return *change_; }
    const EventPtr& EventFor(Effect effect);

   private:
    store::ChangePtr change_;
    std::array<EventPtr, 3> events_;
  };

  void ThrowAway() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // All on the hub's thread.
  void Dispatch() ABSL_LOCKS_EXCLUDED(mu_);
  void Publish(const store::ChangePtr& change);
  void OfferTo(const MembersBy& members, const std::string& key, Published& published);
  // False where the member has no room left.
  bool OfferTo(Member& member, Published& published);
  void DropEverybody();
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

  std::atomic<store::Revision> heard_{0};
  std::atomic<std::int64_t> overruns_{0};

  // Only touched on the hub's thread.
  absl::flat_hash_map<Subscriber*, std::unique_ptr<Member>> members_;
  absl::flat_hash_map<TopicKey, Topic> topics_;
  std::vector<Member*> overflowed_;
  // All changes after `recent_after_`, the newest last; before the first call, all there will be.
  bool begun_ = false;
  std::deque<Published> recent_;
  std::size_t recent_bytes_ = 0;
  store::Revision recent_after_ = 0;
  std::deque<std::shared_ptr<Subscriber>> to_wake_;
  bool wake_posted_ = false;
  // How many were ever woken, and at which number the rounds end that are being told.
  std::uint64_t woken_ = 0;
  struct Round {
    std::uint64_t end;
    absl::Time since;
  };
  std::deque<Round> rounds_;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_HUB_H_
