#include "auth/limiter.h"

#include <algorithm>

namespace assetgate::auth {

std::optional<absl::Duration> Limiter::Take(const Caller& caller) {
  const double rate = caller.limits.requests_per_second;
  if (rate <= 0) return std::nullopt;
  const absl::Time now = clock_.Now();
  const double burst = std::max(1.0, rate);
  absl::MutexLock lock(&mu_);
  Use& use = uses_[caller.id];
  const double grown =
      use.when == absl::InfinitePast()
          ? burst
          : absl::ToDoubleSeconds(std::max(now - use.when, absl::ZeroDuration())) * rate;
  use.left = std::min(burst, use.left + grown);
  use.when = now;
  if (use.left < 1) return absl::Seconds((1 - use.left) / rate);
  use.left -= 1;
  return std::nullopt;
}

Limiter::Slot Limiter::OpenStream(const Caller& caller) {
  {
    absl::MutexLock lock(&mu_);
    Use& use = uses_[caller.id];
    if (caller.limits.open_streams > 0 && use.streams >= caller.limits.open_streams) return nullptr;
    ++use.streams;
  }
  return Slot(this, [id = caller.id](void* self) {
    auto& limiter = *static_cast<Limiter*>(self);
    absl::MutexLock lock(&limiter.mu_);
    --limiter.uses_[id].streams;
  });
}

}  // namespace assetgate::auth
