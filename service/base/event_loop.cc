#include "base/event_loop.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

namespace assetgate::base {
namespace {

std::int64_t SteadyNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ThreadEventLoop::ThreadEventLoop(const char* name, const Clock* clock)
    : clock_(clock == nullptr ? system_clock_ : *clock), thread_([this] { Run(); }) {
  pthread_setname_np(thread_.native_handle(), name);
}

ThreadEventLoop::~ThreadEventLoop() { Stop(); }

void ThreadEventLoop::Post(Task task) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return;
  ready_.push_back(std::move(task));
  if (ready_.size() == 1) wake_.Signal();
}

void ThreadEventLoop::PostAt(absl::Time when, Task task) {
  // A task that is due in more than a century never runs.
  const absl::Duration wait = std::min(when - clock_.Now(), absl::Hours(24 * 365 * 100));
  const std::int64_t due = SteadyNanos() + absl::ToInt64Nanoseconds(wait);
  absl::MutexLock lock(&mu_);
  if (stopping_) return;
  const auto it = timers_.emplace(due, std::move(task));
  if (it == timers_.begin()) wake_.Signal();
}

void ThreadEventLoop::Stop() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    wake_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

void ThreadEventLoop::Run() {
  std::vector<Task> batch;
  for (;;) {
    {
      absl::MutexLock lock(&mu_);
      for (;;) {
        const std::int64_t now = SteadyNanos();
        while (!timers_.empty() && !stopping_ && timers_.begin()->first <= now) {
          ready_.push_back(std::move(timers_.begin()->second));
          timers_.erase(timers_.begin());
        }
        if (!ready_.empty() || stopping_) break;
        if (timers_.empty()) {
          wake_.Wait(&mu_);
        } else {
          wake_.WaitWithTimeout(&mu_, absl::Nanoseconds(timers_.begin()->first - now));
        }
      }
      if (ready_.empty()) return;
      batch.swap(ready_);
    }
    for (Task& task : batch) std::move(task)();
    batch.clear();
  }
}

}  // namespace assetgate::base
