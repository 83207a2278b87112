#include "base/clock.h"

#include <algorithm>
#include <chrono>

namespace assetgate::base {
namespace {

// Less is no step: clocks are slewed, and two of them are not read at once.
constexpr absl::Duration kStep = absl::Seconds(1);

absl::Duration Steady() {
  return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace

ForwardClock::ForwardClock(const Clock& clock) : clock_(clock), last_(Read()) {}

ForwardClock::Reading ForwardClock::Read() const {
  for (;;) {
    const absl::Duration before = Steady();
    const Reading reading{clock_.Now(), Steady()};
    // A thread that had to stand still in between would take that for a step.
    if (reading.steady - before < kStep / 4) return reading;
  }
}

absl::Time ForwardClock::Now() const {
  absl::MutexLock lock(&mu_);
  const Reading now = Read();
  const absl::Duration step = (now.time - last_.time) - (now.steady - last_.steady);
  if (step <= -kStep || step >= kStep) ahead_ = std::max(absl::ZeroDuration(), ahead_ - step);
  last_ = now;
  return now.time + ahead_;
}

}  // namespace assetgate::base
