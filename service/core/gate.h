// What one provider may be asked, and when: budget, cap in flight, back-off, circuit breaker.
#ifndef ASSETGATE_CORE_GATE_H_
#define ASSETGATE_CORE_GATE_H_

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/time/time.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "provider/failure.h"

namespace assetgate::core {

// In the order in which waiting calls are served.
enum class CallClass { kSubmission = 0, kFirstPoll = 1, kPoll = 2, kDeletion = 3 };
inline constexpr std::size_t kCallClasses = 4;

// What a call said of the provider's health.
enum class CallHealth {
  kGood,         // an answer that shows the provider at work, refusals of content included
  kTrouble,      // no answer, a server error, or one that cannot be understood
  kRateLimited,  // 429
  kCredentials,  // the key or the account is refused
  kOutOfCredit,
};
// By the failure of a call; good without one.
CallHealth HealthOf(const provider::Failure* failure);

// As the API tells it.
v1::Provider::State StateOf(base::ProviderCondition condition);

// Every call to one provider passes its gate: Acquire before, Release after. Calls that may not go
// at once wait in the gate and are let through in order of their class, then of asking.
//
// Belongs to the thread of its loop, which must have stopped running tasks before the gate goes
// away.
class Gate {
 public:
  struct Limits {
    double requests_per_second = 10;
    int max_in_flight = 32;
  };
  // These are the account's, and several gateways may share it: so many divide them evenly, but
  // each may always have one call in flight. Until told otherwise, one.
  void Share(int gateways);
  // Others from now on.
  void SetLimits(Limits limits);
  // What calls have shown so far was of another key, or at another address: the next one may go,
  // and shows anew how the provider is.
  void Forget();
  // Runs when the call may go; the place is held. Runs on the loop, never inside Acquire.
  using Granted = absl::AnyInvocable<void() &&>;

  // `waited`, if any, is told on the loop how long each call was held up that could not go at once
  // because the budget or the cap was used up; not what an unwell provider held up.
  using Waited = std::function<void(absl::Duration)>;
  Gate(Limits limits, base::EventLoop& loop, Waited waited = nullptr);

  // True: the call may go now, its place is held, and `granted` was dropped. False: `granted` runs
  // later. Whoever no longer wants a place that was granted gives it back with Abandon.
  bool Acquire(CallClass call_class, Granted granted);
  // The call is over.
  void Release(CallHealth health, std::optional<absl::Duration> retry_after);
  // The place was not used.
  void Abandon();

  // Why a call would not go now; absent when it would. `until`: when that is expected to change.
  struct Blocked {
    v1::Waiting::Reason reason = v1::Waiting::PROVIDER_BUSY;
    absl::Time until;
  };
  std::optional<Blocked> WouldBlock() const;
  // Likewise, counting only what the provider itself causes (breaker, rate limit): new work should
  // then go elsewhere.
  std::optional<Blocked> Unwell() const;

  base::ProviderCondition condition() const;
  v1::Provider::State state() const;
  // One sentence on it.
  std::string state_reason() const;

  int in_flight() const { return in_flight_; }
  std::size_t waiting() const;

 private:
  // The time, and when it has stepped back, what waits for a time moved back with it.
  absl::Time Now();
  void Refill();
  bool MayGo();
  void Pump();
  void SchedulePump();
  void Divide();

  Limits whole_;
  int gateways_ = 1;
  // This gateway's share.
  Limits limits_;
  base::EventLoop& loop_;
  const Waited waited_;
  absl::BitGen random_;

  int in_flight_ = 0;
  double tokens_;
  // The last time it was looked at the clock, which is when `tokens_` was right.
  absl::Time refilled_;
  struct Waiting {
    Granted granted;
    absl::Time since;
    // For the account's budget, when it came.
    bool for_budget;
  };
  std::array<std::deque<Waiting>, kCallClasses> queues_;
  absl::Time pump_at_ = absl::InfiniteFuture();

  // Breaker: open while now < open_until_; then half-open (one probe) until a call succeeds.
  int troubles_in_a_row_ = 0;
  int times_opened_ = 0;
  absl::Time open_until_ = absl::InfinitePast();
  bool half_open_ = false;
  bool probing_ = false;

  int rate_limits_in_a_row_ = 0;
  absl::Time limited_until_ = absl::InfinitePast();
  // The last verdict on key and account.
  CallHealth account_ = CallHealth::kGood;
};

}  // namespace assetgate::core

#endif  // ASSETGATE_CORE_GATE_H_
