// Limits the requests and streams of each caller.
#ifndef ASSETGATE_AUTH_LIMITER_H_
#define ASSETGATE_AUTH_LIMITER_H_

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "auth/callers.h"
#include "base/clock.h"

namespace assetgate::auth {

// Enforces every caller's limits at this gateway.
//
// Threading: any thread.
class Limiter {
 public:
  // Lifetime: `clock` must outlive it.
  explicit Limiter(const base::Clock& clock) : clock_(clock) {}

  // Takes one request from the caller's budget per second; a second's worth may come at once.
  // Absent: the request may proceed; otherwise the time after which to try again.
  std::optional<absl::Duration> Take(const Caller& caller) ABSL_LOCKS_EXCLUDED(mu_);

  // Holds an open stream for as long as it lives; null where the caller has too many.
  using Slot = std::shared_ptr<void>;
  Slot OpenStream(const Caller& caller) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Use {
    // The requests that may still come now.
    double left = 0;
    absl::Time when = absl::InfinitePast();
    int streams = 0;
  };

  const base::Clock& clock_;
  absl::Mutex mu_;
  // By caller. Bounded by the callers that the config has ever listed.
  std::map<std::string, Use> uses_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_LIMITER_H_
