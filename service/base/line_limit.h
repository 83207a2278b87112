// Rate limit for log lines that callers or providers can cause at will.
#ifndef ASSETGATE_BASE_LINE_LIMIT_H_
#define ASSETGATE_BASE_LINE_LIMIT_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace assetgate::base {

// Allows `per_second` lines per second, and bursts of as many.
// Threading: thread-safe.
class LineLimit {
 public:
  // Lifetime: `clock` outlives this object.
  LineLimit(const Clock& clock, double per_second)
      : clock_(clock), per_second_(per_second), left_(per_second) {}

  // Takes a permit for one line and returns how many lines were suppressed since the last one.
  // Absent if this line is suppressed.
  std::optional<std::int64_t> Take() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    const absl::Time now = clock_.Now();
    // A clock that steps back adds nothing.
    if (now > when_) {
      left_ = std::min(per_second_, left_ + absl::ToDoubleSeconds(now - when_) * per_second_);
    }
    when_ = now;
    if (left_ < 1) {
      ++held_back_;
      return std::nullopt;
    }
    --left_;
    return std::exchange(held_back_, 0);
  }

 private:
  const Clock& clock_;
  const double per_second_;
  absl::Mutex mu_;
  double left_ ABSL_GUARDED_BY(mu_);
  absl::Time when_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  std::int64_t held_back_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_LINE_LIMIT_H_
