// Whether the newest config is in force.
#ifndef ASSETGATE_API_CONFIG_STATE_H_
#define ASSETGATE_API_CONFIG_STATE_H_

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace assetgate::api {

// Threading: thread-safe.
class ConfigState {
 public:
  void Taken() ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    rejected_.reset();
  }
  void Rejected(absl::Time when) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    rejected_ = when;
  }
  // When the newest config was rejected; absent while it is in force.
  std::optional<absl::Time> rejected() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return rejected_;
  }

 private:
  mutable absl::Mutex mu_;
  std::optional<absl::Time> rejected_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_CONFIG_STATE_H_
