#include "base/clock.h"

#include <time.h>

namespace assetgate::base {
namespace {

// Smaller differences are not steps: clocks are slewed, and two clocks cannot be read at the same
// instant.
constexpr absl::Duration kStep = absl::Seconds(1);
// A clock that is ahead runs slower by one part in this many.
constexpr int kSlowDown = 20;

}  // namespace

absl::Duration Clock::Steady() const {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

ForwardClock::ForwardClock(const Clock& clock) : clock_(clock), last_(Read()) {}

ForwardClock::Reading ForwardClock::Read() const {
  for (;;) {
    const absl::Duration before = clock_.Steady();
    const Reading reading{clock_.Now(), clock_.Steady()};
    // A pause of this thread between the readings would look like a step.
    if (reading.steady - before < kStep / 4) return reading;
  }
}

absl::Time ForwardClock::Now() const {
  absl::MutexLock lock(&mu_);
  const Reading now = Read();
  const absl::Duration passed = now.steady - last_.steady;
  const absl::Duration step = (now.time - last_.time) - passed;
  if (step <= -kStep || step >= kStep) ahead_ -= step;
  if (ahead_ > absl::ZeroDuration()) {
    ahead_ = std::max(absl::ZeroDuration(), ahead_ - passed / kSlowDown);
  } else {
    ahead_ = std::min(absl::ZeroDuration(), ahead_ + passed);
  }
  last_ = now;
  return now.time + ahead_;
}

}  // namespace assetgate::base
