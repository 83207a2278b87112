#include "core/gate.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace assetgate::core {
namespace {

// So many failures in a row open the breaker.
constexpr int kTroublesToOpen = 5;
constexpr absl::Duration kFirstOpen = absl::Seconds(2);
constexpr absl::Duration kLongestOpen = absl::Minutes(1);
// Where a 429 says no Retry-After.
constexpr absl::Duration kFirstLimited = absl::Seconds(1);
constexpr absl::Duration kLongestLimited = absl::Minutes(1);
// What a provider may ask for at most: a broken Retry-After must not switch it off for a year.
constexpr absl::Duration kLongestRetryAfter = absl::Hours(1);

absl::Duration BackOff(absl::Duration first, absl::Duration longest, int times) {
  return std::min(longest, first * std::exp2(std::min(times, 16)));
}

}  // namespace

CallHealth HealthOf(const provider::Failure* failure) {
  if (failure == nullptr) return CallHealth::kGood;
  switch (failure->reason) {
    case v1::PROVIDER_UNAVAILABLE:
    case v1::PROVIDER_PROTOCOL_ERROR:
      return CallHealth::kTrouble;
    case v1::PROVIDER_RATE_LIMITED:
      return CallHealth::kRateLimited;
    case v1::PROVIDER_CREDENTIALS_REJECTED:
      return CallHealth::kCredentials;
    case v1::PROVIDER_OUT_OF_CREDIT:
      return CallHealth::kOutOfCredit;
    default:
      return CallHealth::kGood;
  }
}

v1::Provider::State StateOf(base::ProviderCondition condition) {
  switch (condition) {
    case base::ProviderCondition::kAvailable:
      return v1::Provider::AVAILABLE;
    case base::ProviderCondition::kDegraded:
      return v1::Provider::DEGRADED;
    case base::ProviderCondition::kDown:
    case base::ProviderCondition::kCredentialsRejected:
    case base::ProviderCondition::kOutOfCredit:
      return v1::Provider::UNAVAILABLE;
  }
  return v1::Provider::UNAVAILABLE;
}

Gate::Gate(Limits limits, base::EventLoop& loop, Waited waited)
    : whole_(limits),
      limits_(limits),
      loop_(loop),
      waited_(std::move(waited)),
      tokens_(std::max(1.0, limits.requests_per_second)),
      refilled_(loop.Now()) {}

void Gate::Share(int gateways) {
  gateways_ = std::max(1, gateways);
  Divide();
}

void Gate::SetLimits(Limits limits) {
  whole_ = limits;
  Divide();
}

void Gate::Forget() {
  troubles_in_a_row_ = 0;
  times_opened_ = 0;
  open_until_ = absl::InfinitePast();
  half_open_ = false;
  probing_ = false;
  rate_limits_in_a_row_ = 0;
  limited_until_ = absl::InfinitePast();
  account_ = CallHealth::kGood;
  SchedulePump();
}

void Gate::Divide() {
  const Limits share = {whole_.requests_per_second / gateways_,
                        std::max(1, whole_.max_in_flight / gateways_)};
  if (share.requests_per_second == limits_.requests_per_second &&
      share.max_in_flight == limits_.max_in_flight) {
    return;
  }
  Refill();
  limits_ = share;
  Refill();
  SchedulePump();
}

absl::Time Gate::Now() {
  const absl::Time now = loop_.Now();
  if (now < refilled_) {
    const absl::Duration step = refilled_ - now;
    open_until_ -= step;
    limited_until_ -= step;
    refilled_ = now;
  }
  return now;
}

void Gate::Refill() {
  const absl::Time now = Now();
  const double seconds = absl::ToDoubleSeconds(now - refilled_);
  refilled_ = now;
  // One second's worth may be used at once.
  tokens_ = std::min(std::max(1.0, limits_.requests_per_second),
                     tokens_ + seconds * limits_.requests_per_second);
}

std::optional<Gate::Blocked> Gate::Unwell() const {
  const absl::Time now = loop_.Now();
  if (now < open_until_) return Blocked{v1::Waiting::PROVIDER_UNAVAILABLE, open_until_};
  if (half_open_ && probing_) {
    return Blocked{v1::Waiting::PROVIDER_UNAVAILABLE, now + kFirstOpen};
  }
  if (now < limited_until_) return Blocked{v1::Waiting::PROVIDER_RATE_LIMITED, limited_until_};
  return std::nullopt;
}

std::optional<Gate::Blocked> Gate::WouldBlock() const {
  if (auto unwell = Unwell()) return unwell;
  const absl::Time now = loop_.Now();
  if (in_flight_ >= limits_.max_in_flight || waiting() > 0) {
    return Blocked{v1::Waiting::PROVIDER_BUSY, now + absl::Seconds(1)};
  }
  const double tokens =
      tokens_ + std::max(0.0, absl::ToDoubleSeconds(now - refilled_)) * limits_.requests_per_second;
  if (tokens < 1) {
    return Blocked{v1::Waiting::PROVIDER_BUSY,
                   now + absl::Seconds((1 - tokens) / limits_.requests_per_second)};
  }
  return std::nullopt;
}

bool Gate::MayGo() {
  Refill();
  return in_flight_ < limits_.max_in_flight && tokens_ >= 1 && !Unwell().has_value();
}

bool Gate::Acquire(CallClass call_class, Granted granted) {
  if (waiting() == 0 && MayGo()) {
    ++in_flight_;
    tokens_ -= 1;
    if (half_open_) probing_ = true;
    return true;
  }
  queues_[static_cast<std::size_t>(call_class)].push_back(
      {std::move(granted), loop_.Now(), !Unwell().has_value()});
  SchedulePump();
  return false;
}

void Gate::Pump() {
  for (auto& queue : queues_) {
    while (!queue.empty() && MayGo()) {
      ++in_flight_;
      tokens_ -= 1;
      if (half_open_) probing_ = true;
      Waiting next = std::move(queue.front());
      queue.pop_front();
      if (next.for_budget && waited_) {
        waited_(std::max(absl::ZeroDuration(), loop_.Now() - next.since));
      }
      std::move(next.granted)();
    }
  }
  SchedulePump();
}

void Gate::SchedulePump() {
  if (waiting() == 0) return;
  Refill();
  const absl::Time now = loop_.Now();
  absl::Time at = now;
  if (const auto unwell = Unwell()) {
    at = unwell->until;
  } else if (in_flight_ >= limits_.max_in_flight) {
    return;  // Release pumps.
  } else if (tokens_ < 1) {
    at = now + absl::Seconds((1 - tokens_) / limits_.requests_per_second) + absl::Microseconds(50);
  }
  if (at >= pump_at_ && pump_at_ > now) return;
  pump_at_ = at;
  auto pump = [this, at] {
    if (pump_at_ == at) pump_at_ = absl::InfiniteFuture();
    Pump();
  };
  if (at <= now) {
    loop_.Post(std::move(pump));
  } else {
    loop_.PostAt(at, std::move(pump));
  }
}

void Gate::Release(CallHealth health, std::optional<absl::Duration> retry_after) {
  --in_flight_;
  Refill();
  const absl::Time now = refilled_;
  const bool was_probe = probing_;
  probing_ = false;
  if (health == CallHealth::kTrouble) {
    ++troubles_in_a_row_;
    if ((half_open_ && was_probe) || (!half_open_ && troubles_in_a_row_ >= kTroublesToOpen)) {
      half_open_ = true;
      const absl::Duration back_off = std::max(retry_after.value_or(absl::ZeroDuration()),
                                               BackOff(kFirstOpen, kLongestOpen, times_opened_++));
      open_until_ = now + std::min(back_off, kLongestRetryAfter);
    } else if (retry_after.has_value()) {
      limited_until_ = std::max(limited_until_, now + std::min(*retry_after, kLongestRetryAfter));
    }
  } else {
    // Late answers to calls made before the breaker opened count as well: the provider is back.
    troubles_in_a_row_ = 0;
    times_opened_ = 0;
    half_open_ = false;
    open_until_ = absl::InfinitePast();
  }
  if (health == CallHealth::kRateLimited) {
    const absl::Duration back_off =
        retry_after.value_or(BackOff(kFirstLimited, kLongestLimited, rate_limits_in_a_row_) *
                             absl::Uniform(random_, 0.8, 1.2));
    ++rate_limits_in_a_row_;
    limited_until_ = std::max(limited_until_, now + std::min(back_off, kLongestRetryAfter));
  } else if (health == CallHealth::kGood) {
    rate_limits_in_a_row_ = 0;
  }
  if (health != CallHealth::kTrouble && health != CallHealth::kRateLimited) account_ = health;
  SchedulePump();
}

void Gate::Abandon() {
  --in_flight_;
  tokens_ += 1;
  probing_ = false;
  SchedulePump();
}

std::size_t Gate::waiting() const {
  std::size_t count = 0;
  for (const auto& queue : queues_) count += queue.size();
  return count;
}

base::ProviderCondition Gate::condition() const {
  if (half_open_) return base::ProviderCondition::kDown;
  if (account_ == CallHealth::kCredentials) return base::ProviderCondition::kCredentialsRejected;
  if (account_ == CallHealth::kOutOfCredit) return base::ProviderCondition::kOutOfCredit;
  if (troubles_in_a_row_ > 0 || loop_.Now() < limited_until_) {
    return base::ProviderCondition::kDegraded;
  }
  return base::ProviderCondition::kAvailable;
}

v1::Provider::State Gate::state() const { return StateOf(condition()); }

std::string Gate::state_reason() const {
  if (half_open_) return "calls fail; the gateway tries again from time to time";
  if (account_ == CallHealth::kCredentials) return "the provider refuses the gateway's credentials";
  if (account_ == CallHealth::kOutOfCredit) return "the gateway's account has no credit";
  if (loop_.Now() < limited_until_) return "the provider limits the rate";
  if (troubles_in_a_row_ > 0) return "the last call failed";
  return "";
}

}  // namespace assetgate::core
