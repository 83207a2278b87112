#include "reconcile/tracking.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "model/apply.h"
#include "model/fingerprint.h"

namespace assetgate::reconcile {
namespace {

base::MetricKind MetricKindOf(provider::UnitKind kind) {
  switch (kind) {
    case provider::UnitKind::kVideo:
      return base::MetricKind::kVideoTask;
    case provider::UnitKind::kAsset:
      return base::MetricKind::kAsset;
    case provider::UnitKind::kAssetGroup:
      break;
  }
  return base::MetricKind::kAssetGroup;
}

// Where a relay's own state has lagged behind the state inside it for long enough, the inner one
// takes its place.
void SettleLag(const Environment& environment, UnitRun& run, provider::Observation& said) {
  const std::shared_ptr<const provider::Observation> inner = said.inner;
  if (inner == nullptr) {
    run.lagging = 0;
    return;
  }
  if (run.lagging == 0 || run.inner_progress != inner->progress) {
    run.lagging = 0;
    run.lagging_since = environment.now();
    run.inner_progress = inner->progress;
  }
  ++run.lagging;
  const model::Settings& settings = environment.settings();
  if (run.lagging >= settings.inner_state_polls ||
      environment.now() - run.lagging_since >= settings.inner_state_period) {
    said = *inner;
  }
}

upstream::CallClass ClassOf(const UnitRun& run, Pace pace) {
  if (pace.late || run.slow) return upstream::CallClass::kSlowPoll;
  return run.polled ? upstream::CallClass::kPoll : upstream::CallClass::kFirstPoll;
}

// A poll that is sent.
struct Poll {
  Environment environment;
  store::Key key;
  std::uint64_t serial;
  std::size_t unit;
  CallFacts facts;
  provider::Handle handle;
  upstream::CallClass call_class;
  upstream::UpstreamCall call;
};

void OnPollEnd(Poll poll, http::Result answer, absl::Duration latency) {
  const Environment& environment = poll.environment;
  const model::ProviderEntry& provider = *poll.facts.provider;
  provider::PollResult result;
  if (const auto* error = std::get_if<http::TransportError>(&answer)) {
    if (error->kind == http::TransportError::Kind::kStopped) {
      return environment.gate(provider).Abandon(poll.call_class);
    }
    result.trouble = provider::FailureOf(*error);
  } else {
    result = provider.dialect->DecodePoll(poll.facts.kind, std::get<http::Response>(answer),
                                          std::span<const provider::Handle>(&poll.handle, 1));
  }
  const provider::Failure* trouble = result.trouble ? &*result.trouble : nullptr;
  environment.gates().Release(provider, poll.call_class, trouble, poll.serial);
  if (trouble != nullptr) environment.gates().NoteFailure(provider.id, *trouble);
  provider::UnitNews news;
  if (!result.news.empty()) news = std::move(result.news[0]);
  const bool not_found = news.kind == provider::UnitNews::Kind::kNotFound;
  poll.call.outcome = upstream::OutcomeOf(answer, trouble != nullptr || not_found);
  poll.call.latency = latency;
  if (const auto* response = std::get_if<http::Response>(&answer)) {
    poll.call.http_status = response->status;
  }
  if (trouble != nullptr) poll.call.message = base::CleanText(trouble->message);
  if (not_found) poll.call.message = "the provider does not know it";
  environment.telemetry().OnUpstreamCall(poll.call);
  poll.facts.http_status = poll.call.http_status;
  poll.facts.latency = latency;
  Observed observed{poll.key, poll.serial, poll.unit, std::move(news), std::move(poll.facts)};
  if (result.trouble.has_value()) observed.said = *std::move(result.trouble);
  environment.Observe(std::move(observed));
}

// Once the round is committed: sends the poll of a unit whose place is held.
void SendPoll(const Environment& environment, Item& item, const model::ProviderEntry& provider,
              base::UpstreamOperation operation, const provider::Credential& credential,
              Poll poll) {
  UnitRun& run = item.run(poll.unit);
  poll.call_class = run.place.Use();
  run.in_flight = true;
  run.polled = true;
  ++run.polls;
  run.last_poll = environment.now();
  std::vector<provider::PollCall> calls = provider.dialect->EncodePoll(
      poll.facts.kind, std::span<const provider::Handle>(&poll.handle, 1));
  if (calls.empty()) {
    // The dialect cannot ask for this handle: no answer will ever come.
    run.in_flight = false;
    run.due = environment.now() + environment.settings().slow_poll;
    run.due_because = v1::Explanation::POLL_INTERVAL;
    environment.gate(provider).Abandon(poll.call_class);
    environment.telemetry().OnWarning(item.name(), "the dialect cannot poll this unit");
    return;
  }
  http::SendOptions options;
  options.timeout = provider.TimeoutFor(operation);
  http::Request request = std::move(calls[0].request);
  poll.call = environment.upstream().Begin(item.purpose(), provider, operation, request);
  upstream::Access to{poll.facts.catalog, provider, credential};
  environment.upstream().Send(
      std::move(to), std::move(request), std::move(options),
      [poll = std::move(poll)](http::Result answer, absl::Duration latency) mutable {
        OnPollEnd(std::move(poll), std::move(answer), latency);
      });
}

// What both kinds of answers tell.
absl::Duration NoteAnswer(const Environment& environment, const CallFacts& call, UnitRun& run) {
  run.in_flight = false;
  run.answered = environment.now();
  run.answered_status = call.http_status;
  run.slow = call.latency >= environment.settings().slow_answer;
  return PollInterval(environment, *call.provider, call.kind, {call.since, call.late});
}

}  // namespace

absl::Duration PollInterval(const Environment& environment, const model::ProviderEntry& provider,
                            provider::UnitKind kind, Pace pace) {
  const absl::Duration age = environment.now() - pace.since;
  const provider::Polling& polling = provider.PollingFor(kind);
  const model::Settings& settings = environment.settings();
  const absl::Duration period = kind == provider::UnitKind::kVideo ? settings.video_tracking_period
                                                                   : settings.asset_tracking_period;
  absl::Duration interval =
      pace.late      ? std::clamp(age / 10, std::max(settings.slow_poll, polling.ceiling),
                                  std::max(settings.max_late_poll, polling.ceiling))
      : age > period ? std::max(settings.slow_poll, polling.ceiling)
                     : std::clamp(polling.floor + age / 10, polling.floor,
                                  std::max(polling.floor, polling.ceiling));
  // Only longer: the floor is the floor.
  return interval * absl::Uniform(environment.random(), 1.0, 1.15);
}

void SpreadPoll(const Environment& environment, const model::ProviderEntry& provider,
                provider::UnitKind kind, Pace pace, UnitRun& run) {
  const absl::Duration interval = PollInterval(environment, provider, kind, pace);
  run.due = environment.now() + interval * absl::Uniform(environment.random(), 0.0, 1.0);
  run.due_because = v1::Explanation::POLL_INTERVAL;
  run.polled = true;
}

bool ReconsiderPoll(const Environment& environment, const std::string& provider_id,
                    provider::UnitKind kind, Pace pace, const model::ProviderChanges& changes,
                    UnitRun& run) {
  const auto change = changes.find(provider_id);
  if (change == changes.end()) return false;
  // Its answer decides when it is due.
  if (run.in_flight) return true;
  const absl::Time now = environment.now();
  if (change->second.access && (run.failures > 0 || run.not_found > 0)) {
    run.failures = 0;
    run.failure.reset();
    run.not_found = 0;
    run.due = now;
    run.due_because = v1::Explanation::DUE;
  } else if (change->second.polling && run.due > now &&
             run.due_because == v1::Explanation::POLL_INTERVAL) {
    const model::ProviderEntry& provider = *environment.catalog().FindProvider(provider_id);
    const absl::Time since = run.polls > 0 ? run.last_poll : now;
    const absl::Time due = since + PollInterval(environment, provider, kind, pace);
    run.due = std::min(run.due, std::max(due, now));
  }
  return true;
}

absl::Duration BackOff(const Environment& environment, const UnitRun& run) {
  const model::Settings& settings = environment.settings();
  const absl::Duration back_off =
      std::min(settings.max_back_off,
               settings.initial_back_off * std::exp2(std::clamp(run.failures - 1, 0, 16)));
  absl::Duration jittered = back_off * absl::Uniform(environment.random(), 0.8, 1.2);
  if (run.failure.has_value() && run.failure->retry_after.has_value()) {
    jittered =
        std::max(jittered, std::min(*run.failure->retry_after, absl::Duration(absl::Hours(1))));
  }
  return jittered;
}

void SetDueAfterFailure(const Environment& environment, absl::Duration min, UnitRun& run) {
  const absl::Duration back_off = BackOff(environment, run);
  run.due = environment.now() + std::max(min, back_off);
  const bool asked_for = run.failure.has_value() && run.failure->retry_after.has_value() &&
                         back_off <= *run.failure->retry_after;
  run.due_because = back_off <= min ? v1::Explanation::POLL_INTERVAL
                    : asked_for     ? v1::Explanation::RETRY_AFTER
                                    : v1::Explanation::BACK_OFF;
}

void PlanPoll(Step& step, Item& item, const PollTarget& target) {
  UnitRun& run = item.run(target.unit);
  if (run.in_flight || step.draining()) return;
  if (run.due > step.now()) return step.WakeAt(run.due);
  const bool held = item.Acquire(step, run.place, target.provider, ClassOf(run, target.pace));
  if (!held) return;
  CallFacts facts;
  facts.catalog = step.catalog_ptr();
  facts.provider = &target.provider;
  facts.kind = target.kind;
  facts.late = target.pace.late;
  facts.since = target.pace.since;
  Poll poll{Environment(step),
            item.key(),
            item.serial(),
            target.unit,
            std::move(facts),
            target.record.handle(),
            {},
            {}};
  step.AfterCommit([environment = Environment(step), &item, shard = step.shard(),
                    operation = target.operation,
                    &credential = model::CredentialToAsk(target.record, target.provider),
                    poll = std::move(poll)]() mutable {
    if (!environment.ownership().Holds(shard)) return item.run(poll.unit).place.Release();
    const model::ProviderEntry& provider = *poll.facts.provider;
    SendPoll(environment, item, provider, operation, credential, std::move(poll));
  });
}

std::optional<Said> Track(const Environment& environment, Item& item, std::size_t unit,
                          provider::Failure failure, const CallFacts& call) {
  UnitRun& run = item.run(unit);
  const absl::Duration interval = NoteAnswer(environment, call, run);
  ReportOddities(environment, item, *call.provider, call.kind, nullptr, &failure);
  ++run.failures;
  run.failure = failure;
  SetDueAfterFailure(environment, interval, run);
  // A hiccup is not worth a commit; a provider that stays away is.
  if (run.failures < 3 && !model::NeedsOperator(failure)) return std::nullopt;
  return Trouble{std::move(failure)};
}

std::optional<Said> Track(const Environment& environment, Item& item, std::size_t unit,
                          provider::UnitNews news, const CallFacts& call) {
  UnitRun& run = item.run(unit);
  const absl::Time now = environment.now();
  const absl::Duration interval = NoteAnswer(environment, call, run);
  const bool observed = news.kind == provider::UnitNews::Kind::kObserved;
  ReportOddities(environment, item, *call.provider, call.kind,
                 observed ? &news.observation : nullptr, nullptr);
  run.failures = 0;
  run.failure.reset();
  run.due = now + interval;
  run.due_because = v1::Explanation::POLL_INTERVAL;
  bool verdict = false;
  if (news.kind == provider::UnitNews::Kind::kNotFound) {
    if (run.not_found++ == 0) run.not_found_since = now;
    verdict = run.not_found >= environment.settings().not_found_polls &&
              now - run.not_found_since >= environment.settings().not_found_period;
    if (!verdict) return std::nullopt;
  } else {
    run.not_found = 0;
  }
  if (observed) SettleLag(environment, run, news.observation);
  const provider::Observation::Progress progress = news.observation.progress;
  if (progress == provider::Observation::Progress::kQueued ||
      progress == provider::Observation::Progress::kRunning) {
    run.unfinished_at = run.last_poll;
  }
  return News{std::move(news), verdict};
}

bool IsDisowned(const UnitRun* run) {
  // A single "not found" can come from a replica that is behind. While calls fail, that is what is
  // reported.
  return run != nullptr && run->not_found >= 2 && run->failures == 0;
}

std::string DisownedMessage(const Environment& environment, const UnitRun& run) {
  return absl::StrCat(
      "the provider accepted it and says since ", base::FormatTime(run.not_found_since),
      " that it does not know it; unless that changes until ",
      base::FormatTime(run.not_found_since + environment.settings().not_found_period), ", ");
}

void ReportDetected(Step& step, const UnitRun& run, const std::string& provider_id,
                    base::MetricKind kind, const provider::Observation& said) {
  const bool dated = said.end_time.has_value();
  const absl::Time since = dated ? *said.end_time : run.unfinished_at;
  // This process has not asked before: how long it took is unknown.
  if (since == absl::InfinitePast()) return;
  step.AfterCommit([environment = Environment(step), provider_id, kind, since, dated] {
    environment.telemetry().OnDetected(
        provider_id, kind,
        dated ? base::DetectionBasis::kFinishTime : base::DetectionBasis::kLastPoll,
        std::max(absl::ZeroDuration(), environment.now() - since));
  });
}

void ReportOddities(const Environment& environment, const Item& item,
                    const model::ProviderEntry& provider, provider::UnitKind kind,
                    const provider::Observation* said, const provider::Failure* failure) {
  using base::Oddity;
  const auto report = [&](Oddity oddity, absl::string_view word) {
    environment.telemetry().OnOddAnswer(provider.id, MetricKindOf(kind), oddity, item.name(),
                                        base::CleanText(word, 64));
  };
  if (failure != nullptr && failure->unreadable) report(Oddity::kUnreadable, failure->message);
  if (said == nullptr) return;
  if (said->unknown_state) report(Oddity::kUnknownState, said->provider_state);
  if (model::HoldsUnkept(*said)) report(Oddity::kTooLong, "");
  if (said->progress != provider::Observation::Progress::kSucceeded) return;
  if (said->result == provider::Observation::Result::kMissing) {
    report(Oddity::kResultMissing, said->provider_state);
  } else if (said->result == provider::Observation::Result::kInline) {
    report(Oddity::kResultInline, said->provider_state);
  }
}

}  // namespace assetgate::reconcile
