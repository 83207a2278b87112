// What one provider may be asked, and when: budget, cap in flight, back-off, circuit breaker.
#ifndef ASSETGATE_UPSTREAM_GATE_H_
#define ASSETGATE_UPSTREAM_GATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/time/time.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "model/provider_limits.h"
#include "provider/failure.h"

namespace assetgate::upstream {

// In the order in which waiting calls are served, as far as nobody starves (see Gate).
enum class CallClass {
  kSubmission = 0,
  kFirstPoll = 1,
  kPoll = 2,
  // Of a unit that took long to answer the last time, or that the gateway has given up and asks
  // only for a late result.
  kSlowPoll = 3,
  kDeletion = 4,
};
inline constexpr std::size_t kCallClasses = 5;

// What a call said of the provider's health.
enum class CallHealth {
  kGood,         // an answer that shows the provider at work, refusals of content included
  kTrouble,      // no answer, a server error, or one that is not the provider's
  kRateLimited,  // 429
  kCredentials,  // the key or the account is refused
  kOutOfCredit,
  // The provider answered about the unit, in a form that cannot be read: no news of its health.
  kNeutral,
};
// By the failure of a call; good without one.
CallHealth HealthOf(const provider::Failure* failure);

// What every tenant may know of a failure: reason, status, and a code that is one. Not the
// provider's words, which can repeat what the one that it refused had sent, a prompt or a URL.
provider::Failure WithoutWords(provider::Failure failure);

// As the API tells it.
v1::Provider::State StateOf(base::ProviderCondition condition);

// Every call to one provider passes its gate: Acquire before, Release after. Calls that may not go
// at once wait in the gate.
//
// Order: by class, then in the order of asking. So that nobody starves, a class that waits and was
// passed over by others is served next: polls after three grants to other classes, deletions after
// fifteen. A wall of submissions leaves first polls and polls a quarter of the budget each.
//
// Places in flight: a quarter of them is never taken by submissions and deletions, and another
// quarter never by polls, so that neither waits for the other's calls to end (a cap below four has
// no quarter). Slow polls have half of the places at most: units that hang cannot hold up those
// that answer.
//
// Account: after a submission was answered "no credit" or "key refused", submissions are held: one
// at a time goes, five at once, the others at intervals that grow to 15 s, and finds out whether
// that is over. Polls go on. A 403 can be about one model, and holds nothing unless its code names
// the key.
//
// 429: holds up the unit that met it, by that unit's own back-off. It holds up the account too when
// no call of another unit passed within the last minute, or when a second unit meets one before any
// passes. While it may be one unit's alone the account is held for a minute at most, so that others
// can show whether they pass; once it is surely the account's, for as long as Retry-After says.
//
// Breaker: five failures in a row open it; then one call at a time probes, a poll rather than a
// submission where both wait, since it buys nothing. Where five polls in a row were not answered in
// time it opens for submissions and deletions only: what hangs may be these units alone, the others
// are asked for all the same, and the first answer closes it.
//
// Threading: belongs to the thread of its loop, which must have stopped running tasks before the
// gate goes away.
class Gate {
 public:
  // These are the account's, and several gateways may share it: so many divide them evenly, but
  // each may always have one call in flight. Until told otherwise, one.
  void Share(int gateways);
  // Others from now on.
  void SetLimits(model::ProviderLimits limits);
  // What calls have shown so far was of another key, or at another address: the next one may go,
  // and shows again how the provider is.
  void Forget();
  // Runs when the call may go; the place is held. Runs on the loop, never inside Acquire.
  using Granted = absl::AnyInvocable<void() &&>;

  // `waited`, if any, is told on the loop how long each call was held up that could not go at once
  // because the budget or the cap was used up; not what an unwell provider held up.
  using Waited = std::function<void(absl::Duration)>;
  Gate(model::ProviderLimits limits, base::EventLoop& loop, Waited waited = nullptr);

  // True: the call may go now, its place is held, and `granted` was dropped. False: `granted` runs
  // later. A place that was granted and is not wanted any more is given back with Abandon.
  bool Acquire(CallClass call_class, Granted granted);
  // The call, of the class that it was granted for, is over. `failure`: null where it went well.
  // `unit` tells units apart; 0 where that is not known.
  void Release(CallClass call_class, const provider::Failure* failure, std::uint64_t unit = 0);
  // The place was not used.
  void Abandon(CallClass call_class);

  // Why a submission would not go now; absent when it would. `until`: when that is expected to
  // change.
  struct Blocked {
    v1::Waiting::Reason reason = v1::Waiting::PROVIDER_BUSY;
    absl::Time until;
  };
  std::optional<Blocked> WouldBlock() const;
  // Likewise for a call of that class, counting only what the provider itself causes (breaker, rate
  // limit): new work should then go elsewhere.
  std::optional<Blocked> Unwell(CallClass call_class = CallClass::kSubmission) const;
  // Why submissions are held on the account's behalf: what the provider said last. Absent while
  // they are not, and where one may go now to find out.
  struct Held {
    // Without the provider's words: they were said to one, and this holds up all.
    provider::Failure failure;
    // One is under way whose answer tells more.
    bool under_way = false;
    // When the next one may go; while one is under way, when to look again.
    absl::Time until;
  };
  std::optional<Held> HeldSubmissions() const;

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
  bool BudgetLeft();
  // Whether an open breaker holds up calls of the class.
  bool BreakerHolds(CallClass call_class) const;
  // The provider is well as far as the breaker goes.
  void Close();
  // Whether the class has a place, and neither the breaker nor the account holds it up.
  bool HasRoom(CallClass call_class) const;
  int InFlight(std::initializer_list<CallClass> classes) const;
  // The class that is served next; absent when none that waits may go.
  std::optional<CallClass> NextClass() const;
  void Take(CallClass call_class);
  void Give(CallClass call_class);
  void Pump();
  void SchedulePump();
  void Divide();
  // What an answer of a submission says of the account.
  void NoteAccount(CallHealth health, const provider::Failure* failure, absl::Time now);
  void NoteRateLimit(const provider::Failure& failure, std::uint64_t unit, absl::Time now);

  model::ProviderLimits whole_;
  int gateways_ = 1;
  // This gateway's share.
  model::ProviderLimits limits_;
  base::EventLoop& loop_;
  const Waited waited_;
  absl::BitGen random_;

  int in_flight_ = 0;
  std::array<int, kCallClasses> held_ = {};
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
  // How many grants went to other classes while this one could have gone.
  std::array<int, kCallClasses> passed_over_ = {};
  absl::Time pump_at_ = absl::InfiniteFuture();

  // Breaker: open while now < open_until_; then half-open (one probe) until a call succeeds.
  int troubles_in_a_row_ = 0;
  int times_opened_ = 0;
  absl::Time open_until_ = absl::InfinitePast();
  bool half_open_ = false;
  bool probing_ = false;
  bool last_probe_was_poll_ = false;
  // Polls in a row that were not answered in time, and whether it is open because of them: then it
  // holds up no polls.
  int hangs_in_a_row_ = 0;
  bool hung_ = false;

  int rate_limits_in_a_row_ = 0;
  absl::Time limited_until_ = absl::InfinitePast();
  // The unit that met the last 429; absent once a call has passed.
  std::optional<std::uint64_t> limited_unit_;
  // The last calls that went well, of two different units.
  struct Passed {
    std::uint64_t unit = 0;
    absl::Time when = absl::InfinitePast();
  };
  std::array<Passed, 2> passed_;

  // The last verdict on the key by calls other than submissions.
  CallHealth account_ = CallHealth::kGood;
  // Of the last submissions.
  struct Hold {
    CallHealth health;
    provider::Failure failure;
    int times = 0;
    absl::Time next;
  };
  std::optional<Hold> hold_;
};

}  // namespace assetgate::upstream

#endif  // ASSETGATE_UPSTREAM_GATE_H_
