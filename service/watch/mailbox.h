// The events that a live stream still has to deliver to its reader.
#ifndef ASSETGATE_WATCH_MAILBOX_H_
#define ASSETGATE_WATCH_MAILBOX_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "store/store.h"
#include "watch/event.h"

namespace assetgate::watch {

// Two generations of PUT and DELETE events: the reader takes from one while the other fills. A
// short queue keeps every event; from the 32nd on, an event replaces the last one of the same
// resource in the filling generation. So a reader that keeps up sees every state, and a slower one
// costs bounded memory and still gets the newest state of each resource.
//
// Why generations: within one queue, a coalesced event may come before older events of other
// resources, so no point inside the queue is a revision up to which everything was taken. The end
// of a generation is such a point: `safe()`.
//
// When more than 1,024 events would be pending, or several whose resources have more than 1 MiB
// together, the filling generation is dropped and nothing more fits: `overflowed()`. The reader can
// still take the rest of its generation; after that, everything after `safe()` must come from the
// log, and none of it has been delivered before.
//
// Threading: not thread-safe.
class Mailbox {
 public:
  static constexpr std::size_t kKeepEach = 32;
  static constexpr std::size_t kCapacity = 1024;
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

  // Starts again, empty: everything up to `safe` has reached the reader.
  void Open(store::Revision safe);

  // Adds a PUT or DELETE with a higher revision than all before. Does nothing after an overflow.
  void Put(EventPtr event);
  // Forces the overflowed state.
  void Overflow();
  bool overflowed() const { return overflowed_; }

  // The next event of the generation being taken; null if none is left.
  EventPtr Take();
  bool drained() const { return next_ == taking_.size(); }
  // Whether neither generation holds an event.
  bool empty() const { return drained() && filling_.empty(); }

  // When drained: everything up to here was taken.
  store::Revision safe() const { return safe_; }
  // When drained: starts to take the other generation. `offered_upto` is a revision up to which
  // every event for this mailbox has been put. If nothing is pending, `safe` advances at once.
  void NextGeneration(store::Revision offered_upto);

 private:
  std::vector<EventPtr> taking_;
  std::size_t next_ = 0;
  store::Revision safe_ = 0;
  // The value of `safe_` once `taking_` is drained.
  store::Revision taking_upto_ = 0;

  std::vector<EventPtr> filling_;
  // The index of each resource's last event in `filling_`, by id; only once it is long.
  std::unique_ptr<absl::flat_hash_map<std::string, std::size_t>> places_;
  bool overflowed_ = false;
  // The size of the resources in both generations.
  std::size_t bytes_ = 0;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_MAILBOX_H_
