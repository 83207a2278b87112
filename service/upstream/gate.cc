#include "upstream/gate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"
#include "provider/answers/failure_words.h"

namespace assetgate::upstream {
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
// For so long a call that passed shows that a 429 is not the account's.
constexpr absl::Duration kPassedLately = absl::Minutes(1);
// Between the submissions that find out whether the account is well again.
constexpr absl::Duration kFirstHold = absl::Seconds(1);
constexpr absl::Duration kLongestHold = absl::Seconds(15);
// Before these intervals so many submissions go one after the other, at once.
constexpr int kQuickLooks = 5;
// While one of them is under way.
constexpr absl::Duration kHoldLook = absl::Seconds(1);
// After so many grants to others it is the class's turn; none: its turn comes first anyway.
constexpr std::array<int, kCallClasses> kPatience = {0, 3, 3, 7, 15};

std::size_t IndexOf(CallClass call_class) { return static_cast<std::size_t>(call_class); }

bool IsPoll(CallClass call_class) {
  return call_class == CallClass::kFirstPoll || call_class == CallClass::kPoll ||
         call_class == CallClass::kSlowPoll;
}

absl::Duration BackOff(absl::Duration first, absl::Duration longest, int times) {
  return std::min(longest, first * std::exp2(std::min(times, 16)));
}

// Whether a provider's code is one, and not a sentence.
bool IsCodeWord(absl::string_view code) {
  constexpr std::size_t kLongest = 64;
  return code.size() <= kLongest && std::all_of(code.begin(), code.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' ||
                  c == '-';
         });
}

}  // namespace

provider::Failure WithoutWords(provider::Failure failure) {
  failure.message.clear();
  if (!IsCodeWord(failure.code)) failure.code.clear();
  return failure;
}

CallHealth HealthOf(const provider::Failure* failure) {
  if (failure == nullptr) return CallHealth::kGood;
  if (failure->unreadable) return CallHealth::kNeutral;
  switch (failure->reason) {
    case v1::PROVIDER_UNAVAILABLE:
    case v1::PROVIDER_PROTOCOL_ERROR:
      return CallHealth::kTrouble;
    case v1::PROVIDER_RATE_LIMITED:
      return CallHealth::kRateLimited;
    // What stands in front of the provider does not know its keys and accounts.
    case v1::PROVIDER_CREDENTIALS_REJECTED:
      return failure->from_edge ? CallHealth::kTrouble : CallHealth::kCredentials;
    case v1::PROVIDER_OUT_OF_CREDIT:
      return failure->from_edge ? CallHealth::kTrouble : CallHealth::kOutOfCredit;
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

Gate::Gate(model::ProviderLimits limits, base::EventLoop& loop, Waited waited)
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

void Gate::SetLimits(model::ProviderLimits limits) {
  whole_ = limits;
  Divide();
}

void Gate::Close() {
  troubles_in_a_row_ = 0;
  hangs_in_a_row_ = 0;
  times_opened_ = 0;
  open_until_ = absl::InfinitePast();
  half_open_ = false;
  hung_ = false;
}

void Gate::Forget() {
  Close();
  probing_ = false;
  rate_limits_in_a_row_ = 0;
  limited_until_ = absl::InfinitePast();
  limited_unit_.reset();
  account_ = CallHealth::kGood;
  hold_.reset();
  SchedulePump();
}

void Gate::Divide() {
  const model::ProviderLimits share = {whole_.requests_per_second / gateways_,
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
    if (hold_.has_value()) hold_->next -= step;
    for (Passed& passed : passed_) passed.when -= step;
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

bool Gate::BreakerHolds(CallClass call_class) const { return !hung_ || !IsPoll(call_class); }

std::optional<Gate::Blocked> Gate::Unwell(CallClass call_class) const {
  const absl::Time now = loop_.Now();
  if (BreakerHolds(call_class)) {
    if (now < open_until_) return Blocked{v1::Waiting::PROVIDER_UNAVAILABLE, open_until_};
    if (half_open_ && probing_) {
      return Blocked{v1::Waiting::PROVIDER_UNAVAILABLE, now + kFirstOpen};
    }
  }
  if (now < limited_until_) return Blocked{v1::Waiting::PROVIDER_RATE_LIMITED, limited_until_};
  return std::nullopt;
}

std::optional<Gate::Held> Gate::HeldSubmissions() const {
  if (!hold_.has_value()) return std::nullopt;
  const absl::Time now = loop_.Now();
  // Its answer, or that of one sent before, is on its way.
  if (held_[IndexOf(CallClass::kSubmission)] > 0)
    return Held{hold_->failure, true, now + kHoldLook};
  if (now < hold_->next) return Held{hold_->failure, false, hold_->next};
  return std::nullopt;
}

std::optional<Gate::Blocked> Gate::WouldBlock() const {
  if (auto unwell = Unwell()) return unwell;
  const absl::Time now = loop_.Now();
  if (!HasRoom(CallClass::kSubmission) || NextClass().has_value()) {
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

bool Gate::BudgetLeft() {
  Refill();
  return tokens_ >= 1;
}

int Gate::InFlight(std::initializer_list<CallClass> classes) const {
  int held = 0;
  for (const CallClass call_class : classes) held += held_[IndexOf(call_class)];
  return held;
}

bool Gate::HasRoom(CallClass call_class) const {
  const int cap = limits_.max_in_flight;
  if (in_flight_ >= cap || Unwell(call_class).has_value()) return false;
  if (call_class == CallClass::kSubmission && HeldSubmissions().has_value()) return false;
  if (call_class == CallClass::kSlowPoll && held_[IndexOf(call_class)] >= std::max(1, cap / 2)) {
    return false;
  }
  const int side = IsPoll(call_class)
                       ? InFlight({CallClass::kFirstPoll, CallClass::kPoll, CallClass::kSlowPoll})
                       : InFlight({CallClass::kSubmission, CallClass::kDeletion});
  return side < cap - cap / 4;
}

std::optional<CallClass> Gate::NextClass() const {
  if (half_open_ && !hung_ && !last_probe_was_poll_) {
    for (const CallClass poll : {CallClass::kFirstPoll, CallClass::kPoll, CallClass::kSlowPoll}) {
      if (!queues_[IndexOf(poll)].empty() && HasRoom(poll)) return poll;
    }
  }
  std::optional<CallClass> first;
  std::optional<CallClass> starved;
  for (std::size_t i = 0; i < kCallClasses; ++i) {
    const auto call_class = static_cast<CallClass>(i);
    if (queues_[i].empty() || !HasRoom(call_class)) continue;
    if (!first.has_value()) first = call_class;
    if (kPatience[i] > 0 && passed_over_[i] >= kPatience[i] &&
        (!starved.has_value() || passed_over_[i] > passed_over_[IndexOf(*starved)])) {
      starved = call_class;
    }
  }
  return starved.has_value() ? starved : first;
}

void Gate::Take(CallClass call_class) {
  ++in_flight_;
  ++held_[IndexOf(call_class)];
  tokens_ -= 1;
  if (half_open_ && BreakerHolds(call_class)) {
    probing_ = true;
    last_probe_was_poll_ = IsPoll(call_class);
  }
}

void Gate::Give(CallClass call_class) {
  --in_flight_;
  --held_[IndexOf(call_class)];
  if (BreakerHolds(call_class)) probing_ = false;
}

bool Gate::Acquire(CallClass call_class, Granted granted) {
  if (queues_[IndexOf(call_class)].empty() && !NextClass().has_value() && HasRoom(call_class) &&
      BudgetLeft()) {
    Take(call_class);
    return true;
  }
  queues_[IndexOf(call_class)].push_back(
      {std::move(granted), loop_.Now(), !Unwell(call_class).has_value()});
  SchedulePump();
  return false;
}

void Gate::Pump() {
  while (BudgetLeft()) {
    const std::optional<CallClass> chosen = NextClass();
    if (!chosen.has_value()) break;
    for (std::size_t i = 0; i < kCallClasses; ++i) {
      const auto other = static_cast<CallClass>(i);
      if (queues_[i].empty() || other == *chosen) {
        passed_over_[i] = 0;
      } else if (HasRoom(other)) {
        ++passed_over_[i];
      }
    }
    Take(*chosen);
    std::deque<Waiting>& queue = queues_[IndexOf(*chosen)];
    Waiting next = std::move(queue.front());
    queue.pop_front();
    if (next.for_budget && waited_) {
      waited_(std::max(absl::ZeroDuration(), loop_.Now() - next.since));
    }
    std::move(next.granted)();
  }
  SchedulePump();
}

void Gate::SchedulePump() {
  if (waiting() == 0) return;
  Refill();
  const absl::Time now = loop_.Now();
  absl::Time at = now;
  if (!NextClass().has_value()) {
    // Release pumps; but nothing may be under way where the breaker, a limit or the account holds
    // up what waits.
    at = absl::InfiniteFuture();
    for (std::size_t i = 0; i < kCallClasses; ++i) {
      if (queues_[i].empty()) continue;
      if (const auto unwell = Unwell(static_cast<CallClass>(i))) at = std::min(at, unwell->until);
    }
    const auto held = HeldSubmissions();
    if (!queues_[IndexOf(CallClass::kSubmission)].empty() && held.has_value()) {
      at = std::min(at, held->until);
    }
    if (at == absl::InfiniteFuture()) return;
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

void Gate::NoteAccount(CallHealth health, const provider::Failure* failure, absl::Time now) {
  if (health == CallHealth::kGood) return hold_.reset();
  const bool refused =
      health == CallHealth::kOutOfCredit ||
      (health == CallHealth::kCredentials &&
       (failure->http_status != 403 || provider::answers::NamesTheKey(failure->code)));
  if (!refused) {
    // The one that was to find out did not: another one does.
    if (hold_.has_value() && now >= hold_->next && hold_->times >= kQuickLooks) {
      hold_->next = now + kFirstHold;
    }
    return;
  }
  if (!hold_.has_value()) {
    // A few can be of one price, or of the key of a moment ago: the next ones may look at once.
    hold_ = Hold{health, {}, 0, now};
  } else if (now >= hold_->next) {
    const int times = hold_->times++;
    if (times >= kQuickLooks) {
      hold_->next = now + BackOff(kFirstHold, kLongestHold, times - kQuickLooks);
    }
  }
  hold_->health = health;
  hold_->failure = WithoutWords(*failure);
}

void Gate::NoteRateLimit(const provider::Failure& failure, std::uint64_t unit, absl::Time now) {
  const bool others_passed = std::any_of(passed_.begin(), passed_.end(), [&](const Passed& passed) {
    return passed.unit != unit && now - passed.when < kPassedLately;
  });
  const bool second_unit = limited_unit_.has_value() && *limited_unit_ != unit;
  limited_unit_ = unit;
  if (others_passed && !second_unit) return;
  const absl::Duration back_off =
      failure.retry_after.value_or(BackOff(kFirstLimited, kLongestLimited, rate_limits_in_a_row_) *
                                   absl::Uniform(random_, 0.8, 1.2));
  ++rate_limits_in_a_row_;
  // Of a unit that cannot be told from others it is the account's.
  const bool in_doubt = unit != 0 && (others_passed || !second_unit);
  limited_until_ = std::max(
      limited_until_, now + std::min(back_off, in_doubt ? kLongestLimited : kLongestRetryAfter));
}

void Gate::Release(CallClass call_class, const provider::Failure* failure, std::uint64_t unit) {
  const bool was_probe = probing_ && BreakerHolds(call_class);
  Give(call_class);
  Refill();
  const absl::Time now = refilled_;
  const CallHealth health = HealthOf(failure);
  if (health == CallHealth::kTrouble) {
    const std::optional<absl::Duration> retry_after = failure->retry_after;
    const bool hang = IsPoll(call_class) && failure->timed_out;
    ++troubles_in_a_row_;
    hangs_in_a_row_ = hang ? hangs_in_a_row_ + 1 : 0;
    // More than hanging: polls show it too.
    const bool worse = hung_ && !failure->timed_out;
    if (half_open_ ? was_probe || worse : troubles_in_a_row_ >= kTroublesToOpen) {
      half_open_ = true;
      hung_ = failure->timed_out && (hung_ || hangs_in_a_row_ >= kTroublesToOpen);
      const absl::Duration back_off = std::max(retry_after.value_or(absl::ZeroDuration()),
                                               BackOff(kFirstOpen, kLongestOpen, times_opened_++));
      open_until_ = now + std::min(back_off, kLongestRetryAfter);
    } else if (retry_after.has_value()) {
      limited_until_ = std::max(limited_until_, now + std::min(*retry_after, kLongestRetryAfter));
    }
  } else if (health != CallHealth::kNeutral) {
    // Late answers to calls made before the breaker opened count as well: the provider is back.
    Close();
  }
  if (health == CallHealth::kRateLimited) {
    NoteRateLimit(*failure, unit, now);
  } else if (health == CallHealth::kGood) {
    rate_limits_in_a_row_ = 0;
    limited_unit_.reset();
    if (passed_[0].unit != unit) passed_[1] = passed_[0];
    passed_[0] = {unit, now};
  }
  if (call_class == CallClass::kSubmission) {
    NoteAccount(health, failure, now);
    if (health == CallHealth::kCredentials && !hold_.has_value()) account_ = health;
  }
  if (health == CallHealth::kGood) {
    account_ = health;
  } else if (call_class != CallClass::kSubmission &&
             (health == CallHealth::kCredentials || health == CallHealth::kOutOfCredit)) {
    account_ = health;
  }
  SchedulePump();
}

void Gate::Abandon(CallClass call_class) {
  Give(call_class);
  tokens_ += 1;
  SchedulePump();
}

std::size_t Gate::waiting() const {
  std::size_t count = 0;
  for (const auto& queue : queues_) count += queue.size();
  return count;
}

base::ProviderCondition Gate::condition() const {
  if (half_open_) return base::ProviderCondition::kDown;
  const CallHealth account = hold_.has_value() ? hold_->health : account_;
  if (account == CallHealth::kCredentials) return base::ProviderCondition::kCredentialsRejected;
  if (account == CallHealth::kOutOfCredit) return base::ProviderCondition::kOutOfCredit;
  if (troubles_in_a_row_ > 0 || loop_.Now() < limited_until_) {
    return base::ProviderCondition::kDegraded;
  }
  return base::ProviderCondition::kAvailable;
}

v1::Provider::State Gate::state() const { return StateOf(condition()); }

std::string Gate::state_reason() const {
  if (half_open_) return "calls fail; the gateway tries again from time to time";
  const CallHealth account = hold_.has_value() ? hold_->health : account_;
  if (account == CallHealth::kCredentials) return "the provider refuses the gateway's credentials";
  if (account == CallHealth::kOutOfCredit) return "the gateway's account has no credit";
  if (loop_.Now() < limited_until_) return "the provider limits the rate";
  if (troubles_in_a_row_ > 0) return "the last call failed";
  return "";
}

}  // namespace assetgate::upstream
