// How many units are unfinished, for metrics.
#ifndef ASSETGATE_RECONCILE_COUNTS_H_
#define ASSETGATE_RECONCILE_COUNTS_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "assetgate/v1/common.pb.h"
#include "base/metrics.h"

namespace assetgate::reconcile {

// One unit that is not final, as metrics count it.
struct UnfinishedUnit {
  base::MetricKind kind;
  // Empty for a task that no provider has been tried for.
  std::string provider;
  v1::Waiting::Reason reason = v1::Waiting::REASON_UNSPECIFIED;
  // Whether its provider accepted it is unknown.
  bool unconfirmed = false;

  friend bool operator==(const UnfinishedUnit&, const UnfinishedUnit&) = default;
};
using UnfinishedUnits = std::vector<UnfinishedUnit>;

// How many units are not final, of those that this gateway owns.
struct Unfinished {
  // By provider; tasks that no provider has been tried for are counted under "".
  std::map<std::pair<base::MetricKind, std::string>, std::int64_t> by_provider;
  // By what they wait for.
  std::map<std::pair<base::MetricKind, v1::Waiting::Reason>, std::int64_t> by_reason;
  // Attempts that are UNCONFIRMED, by provider.
  std::map<std::string, std::int64_t> unconfirmed;
};

// Threading: thread-safe.
class Counts {
 public:
  // Puts `after` in the place of `before`.
  void Replace(const UnfinishedUnits& before, const UnfinishedUnits& after)
      ABSL_LOCKS_EXCLUDED(mu_) {
    if (before == after) return;
    absl::MutexLock lock(&mu_);
    Add(before, -1);
    Add(after, 1);
  }
  Unfinished Get() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return counts_;
  }

 private:
  void Add(const UnfinishedUnits& units, std::int64_t by) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    for (const UnfinishedUnit& unit : units) {
      counts_.by_provider[{unit.kind, unit.provider}] += by;
      counts_.by_reason[{unit.kind, unit.reason}] += by;
      if (unit.unconfirmed) counts_.unconfirmed[unit.provider] += by;
    }
  }

  mutable absl::Mutex mu_;
  Unfinished counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_COUNTS_H_
