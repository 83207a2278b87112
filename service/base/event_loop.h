// One thread that runs what it is given, now or at a time.
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

// Where state lives that is touched by one thread only: everything that concerns the state is
// posted here. `Post` and `PostAt` may be called from any thread, tasks included; tasks run one at
// a time, those posted first and those due first before the others, never inside the call that
// posted them. A task must not block.
class EventLoop {
 public:
  virtual ~EventLoop() = default;

  // Runs `task` as soon as possible.
  virtual void Post(Task task) = 0;
  // Runs `task` once the clock has reached `when`. There is no cancelling: a task that is late to
  // its own party looks at the state and does nothing.
  virtual void PostAt(absl::Time when, Task task) = 0;
  // The clock the times are of.
  virtual const Clock& clock() const = 0;

  absl::Time Now() const { return clock().Now(); }
};

// An EventLoop with a thread of its own. Waits on the steady clock, so that a step of the wall
// clock neither fires everything at once nor stops the timers.
class ThreadEventLoop final : public EventLoop {
 public:
  // `name` is what debuggers show for the thread, at most 15 characters. `clock` outlives the loop;
  // the machine's own where there is none.
  explicit ThreadEventLoop(const char* name, const Clock* clock = nullptr);
  // Stops.
  ~ThreadEventLoop() override;

  ThreadEventLoop(const ThreadEventLoop&) = delete;
  ThreadEventLoop& operator=(const ThreadEventLoop&) = delete;

  void Post(Task task) override;
  void PostAt(absl::Time when, Task task) override;
  const Clock& clock() const override { return clock_; }

  // Runs what was posted (not what is scheduled for later) and ends the thread. What is posted
  // afterwards is destroyed unrun. Idempotent; not to be called from a task.
  void Stop();

 private:
  void Run();

  const SystemClock system_clock_;
  const Clock& clock_;
  absl::Mutex mu_;
  absl::CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Task> ready_ ABSL_GUARDED_BY(mu_);
  // By steady time; equal times in the order of posting.
  std::multimap<std::int64_t, Task> timers_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_EVENT_LOOP_H_
