// Takes what has long been finished out of the store, where the config asks for it.
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

// Deletes video tasks of all tenants that ended longer ago than `video_tasks_after`, oldest first,
// with the cause PURGED. A task goes only as it was read: final, with no attempt from which a
// result can still come, and unchanged since (compare-and-set). Assets and groups stay: they were
// registered to be used again, and nobody knows that they will not be.
//
// It sweeps every `interval`, tenant by tenant, over the tasks that are old enough, and no further,
// a page at a time with a pause behind each, so that it never holds up anybody else's commit for
// longer than one page's takes. A sweep that is cut off by a restart has nothing to remember: what
// it purged is gone, and the next one begins with the oldest that is left. Of several gateways on
// one store, the one that holds the first shard does it.
//
// A task's age is told by how far time has surely come (see TrustedTime), from where the store had
// it when it was opened: a gateway whose clock is days ahead purges nothing early. What a later
// release of the gateway wrote, and this one does not understand, stays.
//
// Runs on the loop, which reads the store there: give it one that may wait for a disk. The loop and
// the store must have stopped when it goes.
class Purge {
 public:
  struct Options {
    // From a task's end; infinite to purge nothing.
    absl::Duration video_tasks_after = absl::InfiniteDuration();
    absl::Duration interval = absl::Minutes(10);
    // Between two pages of one sweep.
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
  // What was found on one page.
  struct Page {
    // Where the next one begins.
    std::optional<store::Revision> end;
    // What of it goes.
    std::vector<store::Write> writes;
    // There is no next one, or there are tasks on it and none is old enough.
    bool last = false;
  };

  void BeginSweep();
  void BeginTenant();
  void Step();
  Page LookAt(const store::ListPage& listed) const;
  void OnGone(std::optional<store::Revision> end, int count, bool last);
  void EndSweep();
  void StepAfter(absl::Duration pause);

  base::EventLoop& loop_;
  store::Store& store_;
  upstream::Telemetry& telemetry_;
  const Options options_;
  // By which ages are told, and when, on the steady clock, it was last brought on.
  store::TrustedTime lived_;
  absl::Duration followed_;
  // Of the sweep under way: whose tasks it looks at, where its next page begins, and how many are
  // gone.
  std::string tenant_;
  std::optional<store::Revision> after_;
  int purged_ = 0;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_PURGE_H_
