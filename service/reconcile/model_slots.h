// How many unfinished video tasks each model has at each provider, over all tenants and gateways.
#ifndef ASSETGATE_RECONCILE_MODEL_SLOTS_H_
#define ASSETGATE_RECONCILE_MODEL_SLOTS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "assetgate/v1/video_task.pb.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Items that wait for the same thing, in the order of the times that they came with.
class WaitLine {
 public:
  // Moves one that waits already.
  void Join(const store::Key& key, absl::Time since);
  void Leave(const store::Key& key);
  // The first one, which leaves; absent when nobody waits.
  std::optional<store::Key> Next();
  bool empty() const { return line_.empty(); }

 private:
  std::set<std::pair<absl::Time, store::Key>> line_;
  absl::flat_hash_map<store::Key, absl::Time> since_;
};

// A provider's model.
struct ModelSlot {
  std::string provider;
  std::string model;

  friend bool operator==(const ModelSlot&, const ModelSlot&) = default;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes what is generated for ours
  friend auto operator<=>(const ModelSlot&, const ModelSlot&) = default;
};

// Where the task has an attempt that is not final: that attempt holds a slot there, UNCONFIRMED
// ones included.
std::optional<ModelSlot> SlotOf(const v1::VideoTask& task);

// Counts as UnfinishedVideos does: the store says what there is when the counting begins, and its
// feed what changes from then on. A submission that is about to be committed counts from Take on,
// so that one gateway never exceeds a limit; several can, by what they begin within the moment that
// the feed takes.
//
// Threading: thread-safe. The store is read by the owner, a page at a time.
class ModelSlots {
 public:
  // Counts at these providers from now on. Nothing is known until the store has been read, where
  // there is a new one among them.
  void Follow(std::set<std::string> providers) ABSL_LOCKS_EXCLUDED(mu_);

  // Whether the unfinished rows of the store have to be read: after Follow, and after a gap.
  bool NeedsReading() const ABSL_LOCKS_EXCLUDED(mu_);
  // BeginReading, then Read for each page of unfinished rows of all shards, then EndReading.
  // `complete`: all pages could be read.
  void BeginReading() ABSL_LOCKS_EXCLUDED(mu_);
  void Read(const std::vector<store::Row>& page) ABSL_LOCKS_EXCLUDED(mu_);
  void EndReading(bool complete) ABSL_LOCKS_EXCLUDED(mu_);

  // From the store's feed. Whether a slot was given back.
  bool OnChanges(const std::vector<store::ChangePtr>& changes) ABSL_LOCKS_EXCLUDED(mu_);
  void OnGap() ABSL_LOCKS_EXCLUDED(mu_);

  // The slots that others than `task` hold; absent where that is not known yet.
  std::optional<int> TakenByOthers(const ModelSlot& slot, const store::Key& task) const
      ABSL_LOCKS_EXCLUDED(mu_);
  // `task` is about to be submitted there. Counts until the feed tells of the task, or Release.
  void Take(const store::Key& task, const ModelSlot& slot) ABSL_LOCKS_EXCLUDED(mu_);
  // Nothing came of it. Whether it counted.
  bool Release(const store::Key& task) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Put(const store::Key& task, std::optional<ModelSlot> slot)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<ModelSlot> Followed(const std::string& resource) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  std::set<std::string> providers_ ABSL_GUARDED_BY(mu_);
  bool known_ ABSL_GUARDED_BY(mu_) = false;
  bool reading_ ABSL_GUARDED_BY(mu_) = false;
  // What each task holds by the store, and how many hold each slot.
  absl::flat_hash_map<store::Key, ModelSlot> stored_ ABSL_GUARDED_BY(mu_);
  std::map<ModelSlot, int> counts_ ABSL_GUARDED_BY(mu_);
  // What a task is about to hold. Few: what one gateway is just committing.
  absl::flat_hash_map<store::Key, ModelSlot> coming_ ABSL_GUARDED_BY(mu_);
  // While the store is read: what it said, and what was told meanwhile, which is newer.
  absl::flat_hash_map<store::Key, ModelSlot> read_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<store::Key, std::optional<ModelSlot>> told_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_MODEL_SLOTS_H_
