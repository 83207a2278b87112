// The time that a store can trust, even if the clocks of its processes step.
#ifndef ASSETGATE_STORE_TRUSTED_TIME_H_
#define ASSETGATE_STORE_TRUSTED_TIME_H_

#include <algorithm>
#include <optional>

#include "absl/time/time.h"

namespace assetgate::store {

// The newest time that a store has seen, kept in the store. It follows a clock, but advances at
// most kCatchUp times as fast as a steady clock: while a clock is days ahead for some minutes, the
// trusted time advances by some tens of minutes. Data is expired by this time, so a step of a clock
// removes nothing. The price: after the store was closed for long, removal is late by a tenth of
// that time.
//
//   trusted.Advance(clock.Now(), steady time since the last call);
//   remove what is older than trusted.Horizon(clock.Now()) - retention;
//
// Threading: used by one thread.
class TrustedTime {
 public:
  // `stored`: the value that an earlier process saved; absent if there is none.
  explicit TrustedTime(std::optional<absl::Time> stored = std::nullopt) : newest_(stored) {}

  // `elapsed`: zero in the first call of a process.
  void Advance(absl::Time now, absl::Duration elapsed) {
    if (!newest_.has_value()) {
      newest_ = now;
    } else if (now > *newest_) {
      newest_ = std::min(now, *newest_ + kCatchUp * std::max(elapsed, absl::ZeroDuration()));
    }
  }
  std::optional<absl::Time> newest() const { return newest_; }
  // The time to measure ages by: the earlier of the two, because either may be ahead.
  absl::Time Horizon(absl::Time now) const { return std::min(now, newest_.value_or(now)); }

 private:
  static constexpr int kCatchUp = 10;

  std::optional<absl::Time> newest_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_TRUSTED_TIME_H_
