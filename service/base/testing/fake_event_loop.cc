#include "base/testing/fake_event_loop.h"

#include <utility>

namespace assetgate::base {

void FakeEventLoop::Post(Task task) {
  absl::MutexLock lock(&mu_);
  ready_.push_back(std::move(task));
}

void FakeEventLoop::PostAt(absl::Time when, Task task) {
  absl::MutexLock lock(&mu_);
  timers_.emplace(when, std::move(task));
}

bool FakeEventLoop::TakeDue(Task& task) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mu_);
  while (!timers_.empty() && timers_.begin()->first <= now) {
    ready_.push_back(std::move(timers_.begin()->second));
    timers_.erase(timers_.begin());
  }
  if (ready_.empty()) return false;
  task = std::move(ready_.front());
  ready_.erase(ready_.begin());
  return true;
}

void FakeEventLoop::RunDue() {
  Task task;
  while (TakeDue(task)) std::move(task)();
}

void FakeEventLoop::Advance(absl::Duration by) {
  const absl::Time end = clock_.Now() + by;
  RunDue();
  for (absl::Time next = NextTimer(); next <= end; next = NextTimer()) {
    if (next > clock_.Now()) clock_.Set(next);
    RunDue();
  }
  clock_.Set(end);
  RunDue();
}

std::size_t FakeEventLoop::timers() const {
  absl::MutexLock lock(&mu_);
  return timers_.size();
}

absl::Time FakeEventLoop::NextTimer() const {
  absl::MutexLock lock(&mu_);
  return timers_.empty() ? absl::InfiniteFuture() : timers_.begin()->first;
}

}  // namespace assetgate::base
