// How many unfinished videos callers have.
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

// Holds callers to their number of unfinished videos, over all gateways on one store: the store
// says how many there are when one begins to count, and its feed what comes and goes from then on.
// So a creation costs no look into the store. What another gateway has accepted counts as soon as
// the feed tells of it: a limit can be exceeded by what the others accept within that moment, and
// by nothing else. Thread-safe.
class UnfinishedVideos final : public store::ChangeListener {
 public:
  // Whose videos: what stands in `creator`, in a tenant.
  struct Creator {
    std::string tenant;
    std::string id;

    friend bool operator==(const Creator&, const Creator&) = default;
    // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes what is generated for ours
    friend auto operator<=>(const Creator&, const Creator&) = default;
  };

  // `store` must outlive it.
  explicit UnfinishedVideos(store::Store& store) : store_(store) {}

  // Counts for these creators, and for no others, from now on. As Refresh.
  absl::Status Follow(const std::set<Creator>& creators) ABSL_LOCKS_EXCLUDED(mu_);
  // Reads from the store what is not known: of creators that are new, and of all after a gap in the
  // feed. What cannot be read is to be tried again; until then, what was heard counts. Blocks; not
  // from several threads.
  absl::Status Refresh() ABSL_LOCKS_EXCLUDED(mu_);

  // Counts a video that is about to be committed, for as long as this lives or the store has it.
  using Place = std::shared_ptr<void>;
  // RESOURCE_EXHAUSTED CALLER_LIMIT where the creator, one of those followed, has `most` already.
  absl::StatusOr<Place> Take(const Creator& creator, const std::string& video, int most)
      ABSL_LOCKS_EXCLUDED(mu_);

  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override
      ABSL_LOCKS_EXCLUDED(mu_);
  void OnGap(store::Revision upto) override ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Count {
    // Whether the store was read since the last gap.
    bool known = false;
    // By id: those in the store, and those that are about to be.
    absl::flat_hash_set<std::string> stored;
    absl::flat_hash_set<std::string> coming;
    // What was heard while the store is being read: whether each is unfinished. That is newer.
    absl::flat_hash_map<std::string, bool> heard;
    bool reading = false;
  };

  absl::Status Read(const Creator& creator) ABSL_LOCKS_EXCLUDED(mu_);
  void Hear(const store::Change& change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  store::Store& store_;
  absl::Mutex mu_;
  std::map<Creator, Count> counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_UNFINISHED_VIDEOS_H_
