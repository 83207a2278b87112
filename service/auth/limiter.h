// How much each caller asks for.
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

// Holds every caller to its limits, at this gateway. Thread-safe.
class Limiter {
 public:
  // `clock` must outlive it.
  explicit Limiter(const base::Clock& clock) : clock_(clock) {}

  // Takes one request out of what the caller may ask for per second; a second's worth can be asked
  // at once. Absent: it may go on; otherwise after that time.
  std::optional<absl::Duration> Take(const Caller& caller) ABSL_LOCKS_EXCLUDED(mu_);

  // A stream that is open for as long as this lives; null where there are too many.
  using Slot = std::shared_ptr<void>;
  Slot OpenStream(const Caller& caller) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Use {
    // What may still be asked now.
    double left = 0;
    absl::Time when = absl::InfinitePast();
    int streams = 0;
  };

  const base::Clock& clock_;
  absl::Mutex mu_;
  // By caller. As many as have ever been in the table.
  std::map<std::string, Use> uses_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_LIMITER_H_
