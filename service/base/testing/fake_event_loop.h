// An event loop and its clock, both controlled by a test.
#ifndef ASSETGATE_BASE_TESTING_FAKE_EVENT_LOOP_H_
#define ASSETGATE_BASE_TESTING_FAKE_EVENT_LOOP_H_

#include <cstddef>
#include <map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "base/testing/fake_clock.h"

namespace assetgate::base {

// An EventLoop that runs tasks on the calling thread, only when a test calls RunDue or Advance.
// Threading: posting is thread-safe; only one thread may run tasks.
class FakeEventLoop final : public EventLoop {
 public:
  void Post(Task task) override;
  void PostAt(absl::Time when, Task task) override;
  const Clock& clock() const override { return clock_; }
  FakeClock& fake_clock() { return clock_; }

  // Runs all due tasks until none is left.
  void RunDue();
  // Advances the clock by `by`, stopping at each timer on the way to run the tasks due then.
  void Advance(absl::Duration by);
  // The number of tasks that are scheduled for later.
  std::size_t timers() const;
  // When the next timer is due; InfiniteFuture if there is none.
  absl::Time NextTimer() const;

 private:
  bool TakeDue(Task& task);

  FakeClock clock_;
  mutable absl::Mutex mu_;
  std::vector<Task> ready_ ABSL_GUARDED_BY(mu_);
  std::multimap<absl::Time, Task> timers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_TESTING_FAKE_EVENT_LOOP_H_
