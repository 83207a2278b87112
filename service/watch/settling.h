// Decides when a watch with `until_settled` is done.
#ifndef ASSETGATE_WATCH_SETTLING_H_
#define ASSETGATE_WATCH_SETTLING_H_

#include <string>

#include "absl/container/flat_hash_map.h"
#include "store/store.h"
#include "watch/event.h"

namespace assetgate::watch {

// Tracks the resources that a stream with `until_settled` has delivered: it is done once nothing in
// its scope is unsettled. The scope is
// - of a watch by ids: those ids. A settled resource that becomes unsettled counts again.
// - of a watch by filter: the resources that the (newest) snapshot showed, or, when resuming, those
//   that match at that time. Resources that match later do not count, nor do resources that become
//   unsettled again, or are deleted and created again.
//
// A resource that is deleted, or leaves the filter, leaves the scope: the stream delivers nothing
// more about it.
//
// Threading: not thread-safe.
class Settling {
 public:
  explicit Settling(bool given_ids) : given_ids_(given_ids) {}

  // Sets the unsettled resources, with their revisions, before any event of a watch that resumes.
  // They count once OnCaughtUp was called.
  void OnResumed(absl::flat_hash_map<std::string, store::Revision> unsettled);
  // Everything that was committed when OnResumed was called is delivered, or about to be.
  void OnCaughtUp() { caught_up_ = true; }
  // The event was delivered to the reader.
  void OnDelivered(const Event& event);

  // Meaningful only at a point where everything up to some revision was delivered.
  bool done() const { return scope_known_ && caught_up_ && unsettled_.empty(); }

 private:
  const bool given_ids_;
  bool scope_known_ = false;
  bool caught_up_ = false;
  // With the revision at which each was seen unsettled: a replay repeats older changes, which must
  // not count.
  absl::flat_hash_map<std::string, store::Revision> unsettled_;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_SETTLING_H_
