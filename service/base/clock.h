// Wall-clock time, replaceable in tests.
#ifndef ASSETGATE_BASE_CLOCK_H_
#define ASSETGATE_BASE_CLOCK_H_

#include <algorithm>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace assetgate::base {

// Threading: all clocks are thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // The wall-clock time. It can step.
  virtual absl::Time Now() const = 0;
  // Elapsed time since some fixed moment. It never steps, and goes on while the process or the
  // machine is suspended. Used to measure durations and to detect a wall clock that stepped.
  virtual absl::Duration Steady() const;
};

// The machine's clock. It can step, backwards too.
class SystemClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

// A wall clock that absorbs the steps of another clock. When that clock is set forward or back,
// this one goes on as before, so a timer of one minute takes one minute, and nothing expires at
// once. If the step is undone, both agree again. If it stays, this clock converges: while behind,
// it runs twice as fast; while ahead, it runs slower by a twentieth (which the margin of a lease
// covers), so it never goes back. Steps of less than a second are followed. After a restart it
// starts at the other clock's time.
class ForwardClock final : public Clock {
 public:
  // Lifetime: `clock` outlives this object.
  explicit ForwardClock(const Clock& clock);

  absl::Time Now() const override;
  absl::Duration Steady() const override { return clock_.Steady(); }

 private:
  struct Reading {
    absl::Time time;
    // Read at the same moment.
    absl::Duration steady;
  };
  Reading Read() const;

  const Clock& clock_;
  mutable absl::Mutex mu_;
  mutable Reading last_ ABSL_GUARDED_BY(mu_);
  // Relative to the other clock; negative while behind it.
  mutable absl::Duration ahead_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_CLOCK_H_
