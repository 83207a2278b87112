// How many unfinished videos each limited caller has.
#ifndef ASSETGATE_CALLS_UNFINISHED_VIDEOS_H_
#define ASSETGATE_CALLS_UNFINISHED_VIDEOS_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "store/store.h"

namespace assetgate::calls {

// Limits callers' unfinished videos, over all gateways on one store. The store gives the number
// when the gateway starts counting for a caller, and its feed gives the changes from then on, so a
// creation reads nothing from the store. Videos that another gateway accepts count once the feed
// reports them: a limit can be exceeded by what other gateways accept within that moment, and by
// nothing else.
//
// Threading: thread-safe.
class UnfinishedVideos final : public store::ChangeListener {
 public:
  // A creator, as stored in `creator`, within a tenant.
  struct Creator {
    std::string tenant;
    std::string id;

    friend bool operator==(const Creator&, const Creator&) = default;
    // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes what is generated for ours
    friend auto operator<=>(const Creator&, const Creator&) = default;
  };

  // `store` must outlive it.
  explicit UnfinishedVideos(store::Store& store) : store_(store) {}

  // Counts for these creators, and for no others, from now on. Errors: as Refresh.
  absl::Status Follow(const std::set<Creator>& creators) ABSL_LOCKS_EXCLUDED(mu_);
  // Reads the counts that are not known: those of new creators, and all of them after a gap in the
  // feed.
  //
  // Threading: blocks; one thread at a time. Errors: of the store; call it again. Until it
  // succeeds, the changes that the feed has reported count.
  absl::Status Refresh() ABSL_LOCKS_EXCLUDED(mu_);

  // Counts a video that is about to be committed, for as long as this lives or the store has it.
  using Place = std::shared_ptr<void>;
  // RESOURCE_EXHAUSTED CALLER_LIMIT where the creator is followed and has `max` already.
  absl::StatusOr<Place> Take(const Creator& creator, const std::string& video, int max)
      ABSL_LOCKS_EXCLUDED(mu_);

  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override
      ABSL_LOCKS_EXCLUDED(mu_);
  void OnGap(store::Revision upto) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Count {
    // The store was read since the last gap.
    bool known = false;
    // By id: the videos in the store, and those about to be committed.
    absl::flat_hash_set<std::string> stored;
    absl::flat_hash_set<std::string> pending;
    // Changes that the feed reports while the store is being read, which are newer: whether each
    // video is unfinished.
    absl::flat_hash_map<std::string, bool> changed;
    bool reading = false;
  };

  absl::Status Read(const Creator& creator) ABSL_LOCKS_EXCLUDED(mu_);
  void OnChange(const store::Change& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  store::Store& store_;
  absl::Mutex mu_;
  std::map<Creator, Count> counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_UNFINISHED_VIDEOS_H_
