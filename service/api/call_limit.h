// How many calls are answered at one time.
#ifndef ASSETGATE_API_CALL_LIMIT_H_
#define ASSETGATE_API_CALL_LIMIT_H_

#include <atomic>
#include <memory>

#include "absl/status/statusor.h"

namespace assetgate::api {

// Holds all callers together to a number of calls that wait for their answers at one time, so that
// a crowd of them is refused, and not kept in memory. Watches are not among them. Thread-safe.
class CallLimit {
 public:
  explicit CallLimit(int most) : most_(most) {}

  struct Leave {
    void operator()(CallLimit* limit) const { limit->under_way_.fetch_sub(1); }
  };
  // A call under way, for as long as it lives.
  using Place = std::unique_ptr<CallLimit, Leave>;
  // RESOURCE_EXHAUSTED OVERLOADED, with RetryInfo, where there are too many.
  absl::StatusOr<Place> Take();

 private:
  const int most_;
  std::atomic<int> under_way_ = 0;
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_CALL_LIMIT_H_
