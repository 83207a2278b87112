// Runs tasks on one thread, at once or at a given time.
#ifndef ASSETGATE_BASE_EVENT_LOOP_H_
#define ASSETGATE_BASE_EVENT_LOOP_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace assetgate::base {

using Task = absl::AnyInvocable<void() &&>;

// Owns state by thread: code that touches the state is posted here and runs on one thread. A task
// must not block.
// Threading: Post and PostAt may be called from any thread, also from tasks.
// Ordering: tasks run one at a time, in the order in which they were posted or became due, and
// never inside the call that posts them.
class EventLoop {
 public:
  virtual ~EventLoop() = default;

  // Runs `task` as soon as possible.
  virtual void Post(Task task) = 0;
  // Runs `task` once the clock has reached `when`. A task cannot be cancelled: one that is no
  // longer needed must check the state and do nothing.
  virtual void PostAt(absl::Time when, Task task) = 0;
  // The clock that `when` refers to.
  virtual const Clock& clock() const = 0;

  absl::Time Now() const { return clock().Now(); }
};

// An EventLoop with its own thread. It sleeps by the steady clock, so a step of the wall clock
// neither fires all timers at once nor stops them.
class ThreadEventLoop final : public EventLoop {
 public:
  // `name` is the thread's name in debuggers, at most 15 characters. `clock` outlives the loop;
  // nullptr means the machine's clock.
  explicit ThreadEventLoop(const char* name, const Clock* clock = nullptr);
  // Calls Stop.
  ~ThreadEventLoop() override;

  ThreadEventLoop(const ThreadEventLoop&) = delete;
  ThreadEventLoop& operator=(const ThreadEventLoop&) = delete;

  void Post(Task task) override;
  void PostAt(absl::Time when, Task task) override;
  const Clock& clock() const override { return clock_; }

  // Runs the tasks that were posted (not those scheduled for later) and ends the thread. Later
  // tasks are destroyed without being run. Idempotent; must not be called from a task.
  void Stop();

 private:
  void Run();

  const SystemClock system_clock_;
  const Clock& clock_;
  absl::Mutex mu_;
  absl::CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Task> ready_ ABSL_GUARDED_BY(mu_);
  // Keyed by steady time; equal times keep the order of posting.
  std::multimap<std::int64_t, Task> timers_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_EVENT_LOOP_H_
