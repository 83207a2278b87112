// What a live stream still has to tell its reader.
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
// short queue keeps every event; from the 32nd on, an event takes the place of the last one of the
// same resource in the filling generation. So a reader that is never further behind sees every
// state, and a slower one costs bounded memory and still gets the newest state of each resource.
//
// Why generations: within one queue a coalesced event may stand before others that are older, so no
// point inside it is a revision up to which everything was taken. The end of a generation is one:
// `safe()`.
//
// When more than 1,024 events would wait, or several whose resources have more than 1 MiB together,
// the filling generation is thrown away and nothing more fits: `overflowed()`. What was still to be
// taken remains; once it was taken, all after `safe()` has to come from the log instead, and none
// of it has been taken before.
//
// Not thread-safe.
class Mailbox {
 public:
  static constexpr std::size_t kKeepEach = 32;
  static constexpr std::size_t kCapacity = 1024;
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

  // Begins anew, empty: everything up to `safe` has reached the reader.
  void Open(store::Revision safe);

  // Adds a PUT or DELETE, of a higher revision than all before. Nothing after an overflow.
  void Put(EventPtr event);
  // As if too much had been put.
  void Overflow();
  bool overflowed() const { return overflowed_; }

  // The next event of the generation that is being taken; null when there is none left.
  EventPtr Take();
  bool drained() const { return next_ == taking_.size(); }
  // Nothing waits in either generation.
  bool empty() const { return drained() && filling_.empty(); }

  // When drained: everything up to here was taken.
  store::Revision safe() const { return safe_; }
  // When drained: begins to take what came in meanwhile. `heard` is a revision up to which
  // everything that concerns this mailbox has been put. Where nothing came in, `safe` moves on by
  // itself.
  void NextGeneration(store::Revision heard);

 private:
  std::vector<EventPtr> taking_;
  std::size_t next_ = 0;
  store::Revision safe_ = 0;
  // What `safe_` becomes once `taking_` was taken.
  store::Revision taking_upto_ = 0;

  std::vector<EventPtr> filling_;
  // The place of each resource's last event in `filling_`, by id; only while it is long.
  std::unique_ptr<absl::flat_hash_map<std::string, std::size_t>> places_;
  bool overflowed_ = false;
  // Of the resources that wait in both.
  std::size_t bytes_ = 0;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_MAILBOX_H_
