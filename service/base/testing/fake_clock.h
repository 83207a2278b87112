// A clock that tests control.
#ifndef ASSETGATE_BASE_TESTING_FAKE_CLOCK_H_
#define ASSETGATE_BASE_TESTING_FAKE_CLOCK_H_

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace assetgate::base {

// A clock that moves only when a test moves it.
// Threading: thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'800'000'000)) : now_(now) {}

  absl::Time Now() const override {
    absl::MutexLock lock(&mu_);
    return now_;
  }
  absl::Duration Steady() const override {
    absl::MutexLock lock(&mu_);
    return steady_;
  }
  // Lets time pass.
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mu_);
    now_ += by;
    steady_ += std::max(by, absl::ZeroDuration());
  }
  // Lets time pass until `now`.
  void Set(absl::Time now) { Advance(now - Now()); }
  // Sets the clock forward or back without letting time pass.
  void Step(absl::Duration by) {
    absl::MutexLock lock(&mu_);
    now_ += by;
  }

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
  absl::Duration steady_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_TESTING_FAKE_CLOCK_H_
