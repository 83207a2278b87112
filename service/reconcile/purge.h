// Deletes video tasks that ended long ago, where the config asks for it.
#ifndef ASSETGATE_RECONCILE_PURGE_H_
#define ASSETGATE_RECONCILE_PURGE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/event_loop.h"
#include "store/store.h"
#include "store/trusted_time.h"
#include "upstream/telemetry.h"

namespace assetgate::reconcile {

// Deletes the video tasks of all tenants that ended longer ago than `video_tasks_after`, oldest
// first, with the cause PURGED. A task is deleted only if it is final, none of its attempts can
// still bring a result, and it has not changed since it was read (compare-and-set). Assets and
// groups stay: they were registered to be used again.
//
// A sweep runs every `interval`: tenant by tenant, page by page, up to the first page on which no
// task is old enough. It pauses after each page, so other commits wait for one page at most. It
// keeps no state: after a restart the next sweep begins with the oldest task that is left. Where
// several gateways share a store, the holder of the first shard sweeps.
//
// Ages are measured with TrustedTime, so a gateway whose clock is days ahead purges nothing early.
// Rows that a later release wrote, and this one does not understand, stay.
//
// Threading: runs on the loop and reads the store there, so the loop must be one that may wait for
// a disk. The loop and the store must have stopped before this object is destroyed.
class Purge {
 public:
  struct Options {
    // Counted from the end of the task. Infinite: nothing is purged.
    absl::Duration video_tasks_after = absl::InfiniteDuration();
    absl::Duration interval = absl::Minutes(10);
    // After each page of a sweep.
    absl::Duration pause = absl::Milliseconds(200);
    std::size_t page = 100;
  };

  Purge(base::EventLoop& loop, store::Store& store, upstream::Telemetry& telemetry,
        Options options);

  Purge(const Purge&) = delete;
  Purge& operator=(const Purge&) = delete;

  // Begins the first sweep after one interval. At most once.
  void Start();

 private:
  struct Page {
    // Where the next page begins.
    std::optional<store::Revision> end;
    // The deletions.
    std::vector<store::Write> writes;
    // No page follows, or this one has tasks and none of them is old enough.
    bool last = false;
  };

  void BeginSweep();
  void BeginTenant();
  void ReadPage();
  Page LookAt(const store::ListPage& listed) const;
  void OnGone(std::optional<store::Revision> end, int count, bool last);
  void EndSweep();
  void ReadPageAfter(absl::Duration pause);

  base::EventLoop& loop_;
  store::Store& store_;
  upstream::Telemetry& telemetry_;
  const Options options_;
  // Measures ages; advanced at each sweep by the steady time since `last_advance_`.
  store::TrustedTime trusted_;
  absl::Duration last_advance_;
  // Of the sweep under way: whose tasks it looks at, where its next page begins, and how many are
  // gone.
  std::string tenant_;
  std::optional<store::Revision> after_;
  int purged_ = 0;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_PURGE_H_
