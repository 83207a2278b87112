// How far time has surely come, for a store that outlives processes and the faults of their clocks.
#ifndef ASSETGATE_STORE_LIVED_TIME_H_
#define ASSETGATE_STORE_LIVED_TIME_H_

#include <algorithm>
#include <optional>

#include "absl/time/time.h"

namespace assetgate::store {

// The newest time that a store has lived through, kept in the store. It follows a clock, but never
// faster than kCatchUp times the time that has passed on a steady clock: while a clock is days
// ahead for some minutes, it comes no further than some tens of minutes. What a store removes by
// age is removed by this time, so a step of a clock removes nothing. The price: after the store was
// closed for long, removal is late by a tenth of that.
//
//   lived.Follow(clock.Now(), steady time since the last call);
//   remove what is older than lived.Horizon(clock.Now()) - retention;
//
// Used by one thread.
class LivedTime {
 public:
  // `stored`: as an earlier process left it; absent where none has.
  explicit LivedTime(std::optional<absl::Time> stored = std::nullopt) : newest_(stored) {}

  // `passed`: zero for the first call of a process.
  void Follow(absl::Time now, absl::Duration passed) {
    if (!newest_.has_value()) {
      newest_ = now;
    } else if (now > *newest_) {
      newest_ = std::min(now, *newest_ + kCatchUp * std::max(passed, absl::ZeroDuration()));
    }
  }
  std::optional<absl::Time> newest() const { return newest_; }
  // By which ages are told: the earlier of the two, since either may be ahead.
  absl::Time Horizon(absl::Time now) const { return std::min(now, newest_.value_or(now)); }

 private:
  static constexpr int kCatchUp = 10;

  std::optional<absl::Time> newest_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_LIVED_TIME_H_
