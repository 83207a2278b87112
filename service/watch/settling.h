// When a watch that ends by itself has seen enough.
#ifndef ASSETGATE_WATCH_SETTLING_H_
#define ASSETGATE_WATCH_SETTLING_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "store/store.h"
#include "watch/event.h"

namespace assetgate::watch {

// Follows what a stream with `until_settled` has told its reader: it is done once nothing in its
// scope is unsettled. The scope is
//   - of a watch of given ids: those. One that is settled and begins anew counts as unsettled
//   again.
//   - of a watch by filter: what the snapshot showed (the newest one, where the reader has to start
//     over), or when resuming, what matches at that time. Later arrivals do not count, nor does
//     what begins anew, or is deleted and created again.
// A resource that is deleted, or leaves the filter, is out of scope: the reader will not hear of
// it.
//
// Not thread-safe.
class Settling {
 public:
  explicit Settling(bool given_ids) : given_ids_(given_ids) {}

  // What is not settled, and its revision, before any event of a watch that resumes. Counts once it
  // has caught up.
  void OnResumed(absl::flat_hash_map<std::string, store::Revision> unsettled);
  // All that was committed when OnResumed was called is delivered, or about to be.
  void OnCaughtUp() { caught_up_ = true; }
  // The reader got this event.
  void OnDelivered(const Event& event);

  // To be asked only where everything up to some revision was delivered.
  bool done() const { return scope_known_ && caught_up_ && unsettled_.empty(); }

 private:
  const bool given_ids_;
  bool scope_known_ = false;
  bool caught_up_ = false;
  // With the revision at which it was seen so: of what a replay repeats, only newer changes count.
  absl::flat_hash_map<std::string, store::Revision> unsettled_;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_SETTLING_H_
