// Wall-clock time as a value that tests can turn.
#ifndef ASSETGATE_BASE_CLOCK_H_
#define ASSETGATE_BASE_CLOCK_H_

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace assetgate::base {

// Tells the time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // The date. It can step.
  virtual absl::Time Now() const = 0;
  // Time that has passed, since some moment: it never steps, and goes on while the process or the
  // machine is stopped. For how long something took, and whether a date can be right.
  virtual absl::Duration Steady() const;
};

// The machine's clock. It can step; nothing may rely on it to grow.
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

// A clock for what lives through the steps of another one: where that is set forward or back, it
// goes on as if it had not been, so that what is due in a minute is due in a minute, and nothing is
// too old at once. Where the step is taken back, both agree again. Where it stays, this clock comes
// up to the other one: behind it, it goes twice as fast; ahead of it, slower by a twentieth (which
// the margin of a lease covers), so it never goes back. Steps of less than a second are followed. A
// restart begins with the other clock as it is. Thread-safe.
class ForwardClock final : public Clock {
 public:
  // `clock` outlives it.
  explicit ForwardClock(const Clock& clock);

  absl::Time Now() const override;
  absl::Duration Steady() const override { return clock_.Steady(); }

 private:
  struct Reading {
    absl::Time time;
    // At the same moment.
    absl::Duration steady;
  };
  Reading Read() const;

  const Clock& clock_;
  mutable absl::Mutex mu_;
  mutable Reading last_ ABSL_GUARDED_BY(mu_);
  // Of the other clock; negative while behind it.
  mutable absl::Duration ahead_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_CLOCK_H_
