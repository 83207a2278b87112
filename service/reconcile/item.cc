#include "reconcile/item.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/apply.h"
#include "model/fingerprint.h"
#include "reconcile/reconciler.h"

namespace assetgate::reconcile {
namespace {

// Twice the longest usual interval of polls, so that every provider is asked at least once before
// anything that a restart finds is given up.
constexpr absl::Duration kGiveUpPatience = absl::Minutes(12);

// What a missing answer to a submission means.
provider::SubmitResult FromTransport(const http::TransportError& error) {
  provider::SubmitResult result;
  result.outcome = error.maybe_sent ? provider::Outcome::kUnknown : provider::Outcome::kNotAccepted;
  result.failure = provider::FailureOf(error);
  return result;
}

template <typename Record>
std::vector<std::pair<std::size_t, int>> OpenUnits(const std::string& internal) {
  std::vector<std::pair<std::size_t, int>> open;
  Record record;
  if (!record.ParseFromString(internal)) return open;
  for (int i = 0; i < record.units_size(); ++i) {
    const model::Submission& submission = record.units(i).submission();
    if (submission.open()) open.emplace_back(static_cast<std::size_t>(i), submission.sends());
  }
  return open;
}

// The units whose submission is open, and its number.
std::vector<std::pair<std::size_t, int>> OpenUnits(const store::Row& row) {
  switch (row.key.kind) {
    case store::Kind::kAssetGroup:
      return OpenUnits<model::GroupRecord>(row.content.internal);
    case store::Kind::kAsset:
      return OpenUnits<model::AssetRecord>(row.content.internal);
    case store::Kind::kVideoTask:
      return OpenUnits<model::VideoTaskRecord>(row.content.internal);
    case store::Kind::kUpstreamDeletion:
      break;
  }
  return {};
}

}  // namespace

Item::Item(Reconciler& owner, store::Key key)
    : owner_(owner), key_(std::move(key)), serial_(owner.NextSerial()), known_since_(owner.Now()) {}

absl::Time Item::Now() const { return owner_.Now(); }

absl::Time Item::GiveUpAt(absl::Time due) const {
  return std::max(due, known_since_ + kGiveUpPatience);
}

void Item::Load(const store::Row& row) {
  shard_ = row.content.shard;
  create_revision_ = row.create_revision;
  Take(row);
}

absl::Status Item::OnSubmitted(std::size_t, const SubmitAnswer&) {
  return absl::InternalError("no units");
}
absl::Status Item::OnNews(std::size_t, const provider::UnitNews&, bool) {
  return absl::InternalError("no units");
}
absl::Status Item::OnPollTrouble(std::size_t, const provider::Failure&) {
  return absl::InternalError("no units");
}
absl::Status Item::OnUnkept(std::size_t, const google::rpc::Status&) {
  return absl::InternalError("no units");
}

upstream::UpstreamCall Item::BeginCall(const model::ProviderEntry& provider,
                                       base::UpstreamOperation operation, http::Request& request) {
  upstream::UpstreamCall call;
  call.provider = provider.id;
  call.operation = operation;
  call.resource = name();
  call.context = context_;
  const std::shared_ptr<upstream::WaitedCall> waited = waited_.lock();
  if (waited == nullptr) return call;
  ++waited->upstream_calls;
  waited->providers.insert(provider.id);
  const base::TraceContext& trace = waited->trace;
  if (trace.empty()) return call;
  call.context.span_id = base::SpanId(absl::Uniform<std::uint64_t>(owner_.random()));
  request.headers.push_back({"traceparent", base::TraceParent(trace, call.context.span_id)});
  if (!trace.state.empty()) request.headers.push_back({"tracestate", trace.state});
  return call;
}

absl::Duration Item::BackOff(const UnitRun& run) const {
  const model::Settings& settings = owner_.settings();
  const absl::Duration back_off =
      std::min(settings.max_back_off,
               settings.initial_back_off * std::exp2(std::clamp(run.failures - 1, 0, 16)));
  absl::Duration jittered = back_off * absl::Uniform(owner_.random(), 0.8, 1.2);
  if (run.failure.has_value() && run.failure->retry_after.has_value()) {
    jittered =
        std::max(jittered, std::min(*run.failure->retry_after, absl::Duration(absl::Hours(1))));
  }
  return jittered;
}

void Item::DueAfterFailure(UnitRun& run, absl::Duration shortest) const {
  const absl::Duration back_off = BackOff(run);
  run.due = Now() + std::max(shortest, back_off);
  const bool asked_for = run.failure.has_value() && run.failure->retry_after.has_value() &&
                         back_off <= *run.failure->retry_after;
  run.due_because = back_off <= shortest ? v1::Explanation::POLL_INTERVAL
                    : asked_for          ? v1::Explanation::RETRY_AFTER
                                         : v1::Explanation::BACK_OFF;
}

void Item::DueAfterSubmission(UnitRun& run, provider::Outcome outcome, bool replay) const {
  DueAfterFailure(run, absl::ZeroDuration());
  const model::Settings& settings = owner_.settings();
  const provider::Failure& failure = *run.failure;
  const int status = failure.http_status;
  // A key or an account that is refused is another matter: whether it is mended is found out by
  // calls like this one.
  const bool operator_alone =
      outcome != provider::Outcome::kUnknown && !model::NeedsOperator(failure) &&
      !failure.from_edge &&
      (failure.act == base::Act::kOperator || failure.reason == v1::PROVIDER_PROTOCOL_ERROR);
  // The repetition is refused, and will be: what became of the first try shows later, if at all.
  const bool refused_again = replay && status >= 400 && status < 500 && status != 408 &&
                             status != 409 && status != 423 && status != 425 && status != 429;
  if (!operator_alone && !refused_again) return;
  const absl::Duration back_off =
      std::min(settings.max_operator_back_off, settings.initial_operator_back_off *
                                                   std::exp2(std::clamp(run.failures - 1, 0, 16))) *
      absl::Uniform(owner_.random(), 0.9, 1.1);
  if (Now() + back_off <= run.due) return;
  run.due = Now() + back_off;
  run.due_because = v1::Explanation::BACK_OFF;
}

bool Item::HoldPlace(std::size_t unit, const model::ProviderEntry& provider,
                     upstream::CallClass call_class) {
  UnitRun& state = run(unit);
  if (state.place == UnitRun::Place::kHeld) return true;
  if (state.place == UnitRun::Place::kQueued) return false;
  // The item may be gone when the place is granted: then it is given back.
  upstream::Gate& gate = owner_.gate(provider);
  const bool held = gate.Acquire(
      call_class, [this_owner = &owner_, key = key_, serial = serial_, unit, call_class, &gate] {
        Item* item = this_owner->Find(key, serial);
        if (item == nullptr || item->run(unit).place != UnitRun::Place::kQueued ||
            item->run(unit).place_class != call_class) {
          gate.Abandon(call_class);
          return;
        }
        item->run(unit).place = UnitRun::Place::kHeld;
        this_owner->PostAdvance(*item);
      });
  state.place = held ? UnitRun::Place::kHeld : UnitRun::Place::kQueued;
  state.place_class = call_class;
  state.gate = &gate;
  state.queued_since = Now();
  return held;
}

void Item::AbandonPlaces() {
  for (UnitRun& state : runs_) {
    if (state.place == UnitRun::Place::kHeld) state.gate->Abandon(state.place_class);
    // A queued one is given back when it is granted.
    state.place = UnitRun::Place::kNone;
  }
}

void Item::ReleasePlace(std::size_t unit) {
  UnitRun& state = run(unit);
  if (state.place == UnitRun::Place::kHeld) state.gate->Abandon(state.place_class);
  state.place = UnitRun::Place::kNone;
}

void Item::ForgetTrouble(std::size_t unit) {
  if (run(unit).in_flight) return;
  ReleasePlace(unit);
  run(unit) = UnitRun();
}

bool Item::Reconsider(std::size_t unit, const std::string& provider_id, provider::UnitKind kind,
                      Pace pace, const model::ProviderChanges& changes) {
  const auto change = changes.find(provider_id);
  if (change == changes.end()) return false;
  UnitRun& state = run(unit);
  // Its answer decides when it is due.
  if (state.in_flight) return true;
  if (change->second.access && (state.failures > 0 || state.not_found > 0)) {
    state.failures = 0;
    state.failure.reset();
    state.not_found = 0;
    state.due = Now();
    state.due_because = v1::Explanation::DUE;
  } else if (change->second.polling && state.due > Now() &&
             state.due_because == v1::Explanation::POLL_INTERVAL) {
    const model::ProviderEntry& provider = *owner_.catalog().FindProvider(provider_id);
    const absl::Time since = state.polls > 0 ? state.last_poll : Now();
    const absl::Time due = since + PollInterval(provider, kind, pace);
    state.due = std::min(state.due, std::max(due, Now()));
  }
  return true;
}

void Item::UpdateCounts() {
  UnfinishedUnits units;
  if (owner_.Follows(*this) && !ReadOnly()) units = Units();
  owner_.Count(counted_, units);
  counted_ = std::move(units);
}

void Item::ClearCounts() {
  owner_.Count(counted_, {});
  counted_.clear();
}

void Item::TakeBackOpenSubmissions(const store::Row& row) {
  for (const auto& [unit, sends] : OpenUnits(row)) {
    SubmitAnswer answer{
        sends, /*replay=*/false,
        FromTransport(http::TransportError{http::TransportError::Kind::kExpired,
                                           /*maybe_sent=*/false,
                                           "the store could not tell in time whether its "
                                           "creation was committed"})};
    pending_.push_back(Change{[unit = unit, answer = std::move(answer)](Item& target) {
                                return target.OnSubmitted(unit, answer);
                              },
                              {},
                              {}});
  }
}

void Item::Journal(const http::Request& request, absl::Time now, absl::Time send_before,
                   model::Submission& submission) const {
  if (!submission.has_first_send_time()) {
    *submission.mutable_first_send_time() = base::ToProto(now + owner_.behind());
  }
  submission.set_method(request.method);
  submission.set_path(request.path);
  submission.clear_headers();
  for (const http::Header& header : request.headers) {
    auto* out = submission.add_headers();
    out->set_name(header.name);
    out->set_value(header.value);
  }
  submission.set_body(request.body);
  *submission.mutable_send_before() = base::ToProto(send_before);
  submission.set_open(true);
  submission.set_sends(submission.sends() + 1);
}

http::Request Item::FromJournal(const model::Submission& submission) {
  http::Request request;
  request.method = submission.method();
  request.path = submission.path();
  for (const auto& header : submission.headers()) {
    request.headers.push_back({header.name(), header.value()});
  }
  request.body = submission.body();
  return request;
}

std::optional<absl::Time> Item::SendBefore() {
  const absl::Time now = Now();
  const model::Settings& settings = owner_.settings();
  const std::optional<absl::Time> held = owner_.leases().HeldUntil(shard_);
  if (!held.has_value() || *held < now + settings.min_send_window) {
    WakeAt(now + settings.min_send_window);
    return std::nullopt;
  }
  return std::min(now + settings.submission_start_timeout, *held);
}

absl::Time Item::UnderWayUntil(std::size_t unit, const model::Unit& record) const {
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(record.provider());
  // What an older gateway journalled does not say.
  const absl::Duration timeout =
      record.has_send_timeout()
          ? base::FromProto(record.send_timeout())
          : (provider != nullptr ? *provider : model::ProviderEntry()).MaxSubmissionTimeout();
  const model::Settings& settings = owner_.settings();
  absl::Time send_before = base::FromProto(record.submission().send_before());
  // It was journalled before it was seen, and is not begun longer after that than this.
  if (const UnitRun* run = FindRun(unit);
      run != nullptr && run->open_elsewhere == record.submission().sends()) {
    send_before =
        std::min(send_before, run->open_elsewhere_since + settings.submission_start_timeout);
  }
  return send_before + timeout + settings.clock_skew;
}

bool Item::UnderWayElsewhere(std::size_t unit, const model::Unit& record) {
  if (owner_.leases().exclusive()) return false;
  UnitRun& state = run(unit);
  if (state.open_elsewhere != record.submission().sends()) {
    state.open_elsewhere = record.submission().sends();
    state.open_elsewhere_since = Now();
  }
  const absl::Time until = UnderWayUntil(unit, record);
  if (Now() >= until) return false;
  WakeAt(until);
  return true;
}

bool Item::IsNews(const model::Unit& record, const SubmitAnswer& answer) {
  const model::Submission& submission = record.submission();
  const bool newest = submission.sends() == answer.sends;
  if (newest && submission.open()) return true;
  // What was accepted stays so.
  if (!record.handle().empty()) return false;
  switch (answer.result.outcome) {
    case provider::Outcome::kAccepted:
      return true;
    case provider::Outcome::kUnknown:
      return false;
    case provider::Outcome::kRefused:
    case provider::Outcome::kNotAccepted:
      // Nothing came of this very submission. That settles the unit when there was no other.
      return newest && !answer.replay;
  }
  return false;
}

void Item::SubmitAfterCommit(std::size_t unit, const model::ProviderEntry& provider,
                             provider::UnitKind kind, base::UpstreamOperation operation,
                             const model::Submission& submission, bool replay,
                             const provider::Credential& credential) {
  After([this, unit, catalog = owner_.catalog_ptr(), &provider, kind, operation, submission, replay,
         &credential]() mutable {
    UnitRun& state = run(unit);
    state.place = UnitRun::Place::kNone;
    state.in_flight = true;
    owner_.SubmissionBegan();
    http::Request request = FromJournal(submission);
    http::SendOptions options;
    options.submission = true;
    options.timeout = provider.TimeoutFor(operation);
    // Where the lease was lost while the intent was committed it is not begun at all.
    options.send_before =
        owner_.Follows(*this) ? base::FromProto(submission.send_before()) : absl::InfinitePast();
    http::Request sent = request;
    upstream::UpstreamCall call = BeginCall(provider, operation, request);
    Reconciler& owner = owner_;
    owner.Send(
        *this, std::move(catalog), provider, credential, std::move(request), std::move(options),
        [&owner, unit, &provider, kind, replay, serial = serial_, sends = submission.sends(),
         sent = std::move(sent), item_call = std::move(call)](Item* item, http::Result answer,
                                                              absl::Duration latency) mutable {
          provider::SubmitResult result;
          const auto* error = std::get_if<http::TransportError>(&answer);
          if (error != nullptr && error->kind == http::TransportError::Kind::kStopped) {
            // Going away: the journal says that it is open, which is the truth.
            owner.gate(provider).Abandon(upstream::CallClass::kSubmission);
            return owner.SubmissionEnded();
          }
          result = error != nullptr ? FromTransport(*error)
                                    : provider.dialect->DecodeSubmit(
                                          kind, sent, std::get<http::Response>(answer), replay);
          const bool accepted = result.outcome == provider::Outcome::kAccepted;
          const provider::Failure* failure = accepted ? nullptr : &result.failure;
          if (error != nullptr && error->kind == http::TransportError::Kind::kExpired) {
            // The gateway was late; that says nothing of the provider.
            owner.gate(provider).Abandon(upstream::CallClass::kSubmission);
          } else {
            owner.Release(provider, upstream::CallClass::kSubmission, failure, serial);
            if (failure != nullptr) owner.Failed(provider, *failure);
          }
          item_call.outcome = upstream::OutcomeOf(answer, !accepted);
          item_call.submission = result.outcome;
          item_call.latency = latency;
          if (!accepted) {
            item_call.http_status = result.failure.http_status;
            item_call.message = base::CleanText(result.failure.message);
          } else if (error == nullptr) {
            item_call.http_status = std::get<http::Response>(answer).status;
          }
          owner.telemetry().OnUpstreamCall(item_call);
          if (item != nullptr) item->run(unit).in_flight = false;
          if (kind == provider::UnitKind::kAsset) owner.WakeForUpload(provider.id);
          if (item != nullptr) {
            item->TellOddities(provider, kind, accepted ? &result.observation : nullptr, failure);
            UnitRun& back = item->run(unit);
            back.failures = accepted ? 0 : back.failures + 1;
            back.failure = accepted ? std::nullopt : std::optional(result.failure);
            if (accepted) back.unfinished_at = owner.Now();
            back.answered = owner.Now();
            back.answered_status = item_call.http_status;
            if (accepted) {
              back.due = owner.Now() + provider.PollingFor(kind).first;
              back.due_because = v1::Explanation::POLL_INTERVAL;
            } else {
              item->DueAfterSubmission(back, result.outcome, replay);
            }
            owner.AddChange(*item,
                            Change{[unit, answer = SubmitAnswer{sends, replay, std::move(result)}](
                                       Item& target) { return target.OnSubmitted(unit, answer); },
                                   {},
                                   {},
                                   {},
                                   unit});
          }
          owner.SubmissionEnded();
        });
  });
}

absl::Duration Item::PollInterval(const model::ProviderEntry& provider, provider::UnitKind kind,
                                  Pace pace) const {
  const absl::Duration age = Now() - pace.since;
  const provider::Polling& polling = provider.PollingFor(kind);
  const model::Settings& settings = owner_.settings();
  const absl::Duration period = kind == provider::UnitKind::kVideo ? settings.video_tracking_period
                                                                   : settings.asset_tracking_period;
  absl::Duration interval =
      pace.late      ? std::clamp(age / 10, std::max(settings.slow_poll, polling.ceiling),
                                  std::max(settings.max_late_poll, polling.ceiling))
      : age > period ? std::max(settings.slow_poll, polling.ceiling)
                     : std::clamp(polling.floor + age / 10, polling.floor,
                                  std::max(polling.floor, polling.ceiling));
  // Only longer: the floor is the floor.
  return interval * absl::Uniform(owner_.random(), 1.0, 1.15);
}

void Item::PlanPoll(std::size_t unit, const model::ProviderEntry& provider, provider::UnitKind kind,
                    base::UpstreamOperation operation, const model::Unit& record, Pace pace) {
  UnitRun& state = run(unit);
  if (state.in_flight || owner_.draining()) return;
  if (state.due > Now()) return WakeAt(state.due);
  const upstream::CallClass call_class = pace.late || state.slow ? upstream::CallClass::kSlowPoll
                                         : state.polled          ? upstream::CallClass::kPoll
                                                                 : upstream::CallClass::kFirstPoll;
  if (!HoldPlace(unit, provider, call_class)) return;
  After([this, unit, catalog = owner_.catalog_ptr(), &provider, kind, operation,
         handle = record.handle(), &credential = model::CredentialToAsk(record, provider),
         pace]() mutable {
    if (!owner_.Follows(*this)) return ReleasePlace(unit);
    UnitRun& run_now = run(unit);
    const upstream::CallClass held_class = run_now.place_class;
    run_now.place = UnitRun::Place::kNone;
    run_now.in_flight = true;
    run_now.polled = true;
    ++run_now.polls;
    run_now.last_poll = Now();
    std::vector<provider::PollCall> calls =
        provider.dialect->EncodePoll(kind, std::span<const provider::Handle>(&handle, 1));
    if (calls.empty()) {
      // The dialect cannot ask for this handle: nothing will ever be heard.
      run_now.in_flight = false;
      run_now.due = Now() + owner_.settings().slow_poll;
      run_now.due_because = v1::Explanation::POLL_INTERVAL;
      owner_.gate(provider).Abandon(held_class);
      owner_.telemetry().OnWarning(name(), "the dialect cannot poll this unit");
      return;
    }
    http::SendOptions options;
    options.timeout = provider.TimeoutFor(operation);
    upstream::UpstreamCall call = BeginCall(provider, operation, calls[0].request);
    Reconciler& owner = owner_;
    owner.Send(
        *this, std::move(catalog), provider, credential, std::move(calls[0].request),
        std::move(options),
        [&owner, unit, &provider, kind, handle, pace, held_class, serial = serial_,
         item_call = std::move(call)](Item* item, http::Result answer,
                                      absl::Duration latency) mutable {
          provider::PollResult result;
          if (const auto* error = std::get_if<http::TransportError>(&answer)) {
            if (error->kind == http::TransportError::Kind::kStopped) {
              return owner.gate(provider).Abandon(held_class);
            }
            result.trouble = provider::FailureOf(*error);
          } else {
            result = provider.dialect->DecodePoll(kind, std::get<http::Response>(answer),
                                                  std::span<const provider::Handle>(&handle, 1));
          }
          const provider::Failure* trouble = result.trouble ? &*result.trouble : nullptr;
          owner.Release(provider, held_class, trouble, serial);
          if (trouble != nullptr) owner.Failed(provider, *trouble);
          provider::UnitNews news;
          if (!result.news.empty()) news = std::move(result.news[0]);
          const bool not_found = news.kind == provider::UnitNews::Kind::kNotFound;
          item_call.outcome = upstream::OutcomeOf(answer, trouble != nullptr || not_found);
          item_call.latency = latency;
          if (const auto* response = std::get_if<http::Response>(&answer)) {
            item_call.http_status = response->status;
          }
          if (trouble != nullptr) item_call.message = base::CleanText(trouble->message);
          if (not_found) item_call.message = "the provider does not know it";
          owner.telemetry().OnUpstreamCall(item_call);
          if (item == nullptr) return;
          item->run(unit).answered = owner.Now();
          item->run(unit).answered_status = item_call.http_status;
          item->run(unit).slow = latency >= owner.settings().slow_answer;
          item->OnPolled(unit, provider, kind, pace, std::move(result.trouble), std::move(news));
        });
  });
}

void Item::SettleLag(UnitRun& run, provider::Observation& said) const {
  const std::shared_ptr<const provider::Observation> inner = said.inner;
  if (inner == nullptr) {
    run.lagging = 0;
    return;
  }
  if (run.lagging == 0 || run.inner_progress != inner->progress) {
    run.lagging = 0;
    run.lagging_since = Now();
    run.inner_progress = inner->progress;
  }
  ++run.lagging;
  const model::Settings& settings = owner_.settings();
  if (run.lagging >= settings.inner_state_polls ||
      Now() - run.lagging_since >= settings.inner_state_period) {
    said = *inner;
  }
}

void Item::TellOddities(const model::ProviderEntry& provider, provider::UnitKind kind,
                        const provider::Observation* said, const provider::Failure* failure) const {
  using base::Oddity;
  const auto tell = [&](Oddity oddity, absl::string_view word) {
    owner_.telemetry().OnOddAnswer(provider.id,
                                   kind == provider::UnitKind::kVideo ? base::MetricKind::kVideoTask
                                   : kind == provider::UnitKind::kAsset
                                       ? base::MetricKind::kAsset
                                       : base::MetricKind::kAssetGroup,
                                   oddity, name(), base::CleanText(word, 64));
  };
  if (failure != nullptr && failure->unreadable) tell(Oddity::kUnreadable, failure->message);
  if (said == nullptr) return;
  if (said->unknown_state) tell(Oddity::kUnknownState, said->provider_state);
  if (model::HoldsUnkept(*said)) tell(Oddity::kTooLong, "");
  if (said->progress != provider::Observation::Progress::kSucceeded) return;
  if (said->result == provider::Observation::Result::kMissing) {
    tell(Oddity::kResultMissing, said->provider_state);
  } else if (said->result == provider::Observation::Result::kInline) {
    tell(Oddity::kResultInline, said->provider_state);
  }
}

bool Item::IsDisowned(std::size_t unit) const {
  const UnitRun* run = FindRun(unit);
  // Once can be a replica that is behind. While calls fail, that is what is said.
  return run != nullptr && run->not_found >= 2 && run->failures == 0;
}

std::string Item::Disowned(std::size_t unit) const {
  const absl::Time since = FindRun(unit)->not_found_since;
  const auto written = [](absl::Time time) {
    return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
  };
  return absl::StrCat("the provider accepted it and says since ", written(since),
                      " that it does not know it; unless that changes until ",
                      written(since + owner_.settings().not_found_period), ", ");
}

void Item::TellDetected(std::size_t unit, const std::string& provider_id, base::MetricKind kind,
                        const provider::Observation& said) {
  const bool dated = said.end_time.has_value();
  const absl::Time since = dated ? *said.end_time : run(unit).unfinished_at;
  // Nobody here has asked before: what there was of it is not known.
  if (since == absl::InfinitePast()) return;
  After([this, provider_id, kind, since, dated] {
    owner_.telemetry().OnDetected(
        provider_id, kind,
        dated ? base::DetectionBasis::kFinishTime : base::DetectionBasis::kLastPoll,
        std::max(absl::ZeroDuration(), Now() - since));
  });
}

void Item::OnPolled(std::size_t unit, const model::ProviderEntry& provider, provider::UnitKind kind,
                    Pace pace, std::optional<provider::Failure> trouble, provider::UnitNews news) {
  UnitRun& state = run(unit);
  const absl::Time now = Now();
  state.in_flight = false;
  const absl::Duration interval = PollInterval(provider, kind, pace);
  TellOddities(provider, kind,
               news.kind == provider::UnitNews::Kind::kObserved ? &news.observation : nullptr,
               trouble.has_value() ? &*trouble : nullptr);
  if (trouble.has_value()) {
    ++state.failures;
    state.failure = trouble;
    DueAfterFailure(state, interval);
    // A hiccup is not worth a change; a provider that stays away is.
    if (state.failures >= 3 || model::NeedsOperator(*trouble)) {
      return owner_.AddChange(*this, Change{[unit, failure = *std::move(trouble)](Item& item) {
                                              return item.OnPollTrouble(unit, failure);
                                            },
                                            {},
                                            {},
                                            {},
                                            unit});
    }
    return owner_.PostAdvance(*this);
  }
  state.failures = 0;
  state.failure.reset();
  state.due = now + interval;
  state.due_because = v1::Explanation::POLL_INTERVAL;
  bool verdict = false;
  if (news.kind == provider::UnitNews::Kind::kNotFound) {
    if (state.not_found++ == 0) state.not_found_since = now;
    verdict = state.not_found >= owner_.settings().not_found_polls &&
              now - state.not_found_since >= owner_.settings().not_found_period;
    if (!verdict) return owner_.PostAdvance(*this);
  } else {
    state.not_found = 0;
  }
  if (news.kind == provider::UnitNews::Kind::kObserved) SettleLag(state, news.observation);
  const provider::Observation::Progress progress = news.observation.progress;
  if (progress == provider::Observation::Progress::kQueued ||
      progress == provider::Observation::Progress::kRunning) {
    state.unfinished_at = state.last_poll;
  }
  owner_.AddChange(*this, Change{[unit, verdict, news = std::move(news)](Item& item) {
                                   return item.OnNews(unit, news, verdict);
                                 },
                                 {},
                                 {},
                                 {},
                                 unit});
}

}  // namespace assetgate::reconcile
