// Wall-clock time as a value that tests can turn.
#ifndef ASSETGATE_BASE_CLOCK_H_
#define ASSETGATE_BASE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace assetgate::base {

// Tells the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The machine's clock. It can step; nothing may rely on it to grow.
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

// A clock for what lives through the steps of another one: it goes with it, also when that is set
// forward, and where that is set back it goes on from where it was. What was due in a minute is
// then due in a minute, and not after all that was set back has passed once more. The price: from
// then on it is ahead, until the other one is set forward again, or the process ends. Steps of less
// than a second are followed. Thread-safe.
class ForwardClock final : public Clock {
 public:
  // `clock` outlives it.
  explicit ForwardClock(const Clock& clock);

  absl::Time Now() const override;

 private:
  struct Reading {
    absl::Time time;
    // Of the steady clock, at the same moment.
    absl::Duration steady;
  };
  Reading Read() const;

  const Clock& clock_;
  mutable absl::Mutex mu_;
  mutable Reading last_ ABSL_GUARDED_BY(mu_);
  mutable absl::Duration ahead_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
};

// A clock that stands still until it is told otherwise. Thread-safe.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'800'000'000)) : now_(now) {}

  absl::Time Now() const override {
    absl::MutexLock lock(&mu_);
    return now_;
  }
  void Advance(absl::Duration by) {
    absl::MutexLock lock(&mu_);
    now_ += by;
  }
  void Set(absl::Time now) {
    absl::MutexLock lock(&mu_);
    now_ = now;
  }

 private:
  mutable absl::Mutex mu_;
  absl::Time now_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_CLOCK_H_
