#include "reconcile/work/video_item.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/apply.h"
#include "model/fingerprint.h"
#include "model/video_end.h"
#include "reconcile/submission.h"
#include "reconcile/work/attempts.h"
#include "reconcile/work/new_attempt.h"
#include "reconcile/work/references.h"

namespace assetgate::reconcile {
namespace {

// After this long in a queue the task says so.
constexpr absl::Duration kSlowQueue = absl::Seconds(1);

}  // namespace

void VideoItem::SpreadPolls(const Environment& environment) {
  if (ReadOnly()) return;
  for (int i = 0; i < current_.resource.attempts_size(); ++i) {
    const v1::Attempt& attempt = current_.resource.attempts(i);
    const bool late = current_.record.units(i).has_late_until();
    if (attempt.state() != v1::Attempt::QUEUED && attempt.state() != v1::Attempt::RUNNING &&
        !late) {
      continue;
    }
    const model::ProviderEntry* provider =
        environment.catalog().FindProvider(current_.record.units(i).provider());
    if (provider == nullptr) continue;
    SpreadPoll(environment, *provider, provider::UnitKind::kVideo, PaceOf(current_, i),
               run(static_cast<std::size_t>(i)));
  }
}

bool VideoItem::Reconsider(const Environment& environment, const model::ProviderChanges& changes) {
  const v1::VideoTask& task = current_.resource;
  if (ReadOnly()) return false;
  const auto reconsider = [&](int attempt) {
    return ReconsiderPoll(environment, current_.record.units(attempt).provider(),
                          provider::UnitKind::kVideo, PaceOf(current_, attempt), changes,
                          run(static_cast<std::size_t>(attempt)));
  };
  bool concerned = false;
  if (model::IsFinal(task.state())) {
    for (int i = 0; i < current_.record.units_size(); ++i) {
      if (current_.record.units(i).has_late_until()) concerned |= reconsider(i);
    }
    return concerned;
  }
  if (const int open = OpenAttempt(task); open >= 0) concerned = reconsider(open);
  for (int i = 0; i < current_.record.targets_size(); ++i) {
    const auto change = changes.find(current_.record.targets(i).provider());
    if (change == changes.end()) continue;
    concerned = true;
    if (change->second.access) choice_.run(static_cast<std::size_t>(i)) = TargetRun();
  }
  return concerned;
}

void VideoItem::Plan(Step& step) {
  v1::VideoTask& task = draft_.resource;
  if (model::IsFinal(task.state())) {
    step.slots().Release(key_);
    choice_.Release();
    return PlanLate(step);
  }
  const int open = OpenAttempt(task);
  if (open < 0) return PlanPending(step);
  // Left over where the commit of the intent was lost.
  choice_.Release();
  PlanOpen(step, static_cast<std::size_t>(open));
}

void VideoItem::PlanOpen(Step& step, std::size_t unit) {
  v1::VideoTask& task = draft_.resource;
  const int open = static_cast<int>(unit);
  model::Unit& record = *draft_.record.mutable_units(open);
  v1::Attempt& attempt = *task.mutable_attempts(open);
  UnitRun& run = this->run(unit);
  if (run.in_flight) return;
  if (record.submission().open()) {
    if (InFlightElsewhere(step, record, run)) return;
    // The process that journalled it is gone, and its outcome is not on record.
    step.MarkChanged(
        model::ApplySubmit(task, open, record, LostOutcome(), ContextOf(step, record.provider())));
  }
  const model::ProviderEntry* provider = step.catalog().FindProvider(record.provider());
  if (provider == nullptr) {
    constexpr absl::string_view kGone = "the provider is not in the gateway's config any more";
    step.MarkChanged(model::SetWaiting(task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
                                       attempt.state() == v1::Attempt::UNCONFIRMED
                                           ? InDoubt(name(), open, attempt, record, kGone)
                                           : std::string(kGone),
                                       step.now()));
    return;
  }
  if (attempt.state() == v1::Attempt::UNCONFIRMED) return PlanUnconfirmed(step, unit, *provider);
  if (provider->mode == v1::Provider::OFF) {
    step.MarkChanged(model::SetWaiting(task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
                                       "the provider is switched off (see its mode)", step.now()));
    return run.place.Release();
  }
  const absl::Time expires =
      GiveUpAt(base::FromProto(attempt.submit_time()) + step.settings().tracking_horizon);
  if (step.now() >= expires) {
    const google::rpc::Status error =
        base::Error(absl::StatusCode::kDeadlineExceeded, v1::TRACKING_EXPIRED,
                    absl::StrCat("no final state was learned from the provider within ",
                                 absl::FormatDuration(step.settings().tracking_horizon),
                                 "; whether it is billed is not known"))
            .Metadata("provider", record.provider())
            .ToProto();
    step.MarkChanged(
        model::ApplyGivenUp(task, open, record, error, ContextOf(step, record.provider())));
    return run.place.Release();
  }
  step.WakeAt(expires);
  SayNotFound(step, open);
  PlanPoll(step, *this,
           {unit, *provider, provider::UnitKind::kVideo, base::UpstreamOperation::kPollVideo,
            record, PaceOf(draft_, open)});
}

void VideoItem::SayNotFound(Step& step, int open) {
  v1::VideoTask& task = draft_.resource;
  const v1::Attempt& attempt = task.attempts(open);
  const model::Unit& record = draft_.record.units(open);
  const UnitRun& run = this->run(static_cast<std::size_t>(open));
  if (run.not_found > 0 && run.failures == 0 && IsUnverified(attempt)) {
    const model::Settings& settings = step.settings();
    step.MarkChanged(model::SetWaiting(
        task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
        absl::StrCat("the provider does not know a task \"", attempt.provider_task_id(), "\", ",
                     GivenAs(attempt), "; unless that changes within ",
                     absl::FormatDuration(settings.not_found_period), ", the task fails"),
        step.now()));
  } else if (IsDisowned(&run) && BelongsToAnotherAccount(step, record)) {
    SayAnotherAccount(step, open);
  } else if (IsDisowned(&run)) {
    step.MarkChanged(model::SetWaiting(
        task, v1::Waiting::PROVIDER_NOT_FOUND, attempt.provider(),
        absl::StrCat(DisownedMessage(step, run), "the task fails with PROVIDER_FORGOT"),
        step.now()));
  }
}

void VideoItem::PlanLate(Step& step) {
  for (int i = 0; i < draft_.record.units_size(); ++i) {
    model::Unit& record = *draft_.record.mutable_units(i);
    const auto unit = static_cast<std::size_t>(i);
    if (!record.has_late_until() || run(unit).in_flight) continue;
    const absl::Time until = base::FromProto(record.late_until());
    if (step.now() >= until || !model::MayEndLate(draft_.resource.attempts(i))) {
      record.clear_late_until();
      step.MarkChanged();
      run(unit).place.Release();
      continue;
    }
    step.WakeAt(until);
    const model::ProviderEntry* provider = step.catalog().FindProvider(record.provider());
    if (provider == nullptr || provider->mode == v1::Provider::OFF) {
      run(unit).place.Release();
      continue;
    }
    // It was asked a moment ago.
    const absl::Time given_up = base::FromProto(draft_.resource.attempts(i).end_time());
    run(unit).due = std::max(run(unit).due, given_up + step.settings().slow_poll);
    PlanPoll(step, *this,
             {unit,
              *provider,
              provider::UnitKind::kVideo,
              base::UpstreamOperation::kPollVideo,
              record,
              {given_up, /*late=*/true}});
  }
}

void VideoItem::PlanUnconfirmed(Step& step, std::size_t unit,
                                const model::ProviderEntry& provider) {
  v1::VideoTask& task = draft_.resource;
  model::Unit& record = *draft_.record.mutable_units(static_cast<int>(unit));
  UnitRun& state = run(unit);
  const absl::Time until = RepeatableUntil(step, record, provider);
  if (const std::string why = WhyNotRepeated(step, record, provider); !why.empty()) {
    state.place.Release();
    step.MarkChanged(model::SetWaiting(
        task, v1::Waiting::NEEDS_OPERATOR, model::MakeName(model::kProviders, provider.id),
        InDoubt(name(), static_cast<int>(unit), task.attempts(static_cast<int>(unit)), record, why),
        step.now()));
    return;
  }
  step.WakeAt(until);
  step.MarkChanged(model::SetWaiting(
      task, v1::Waiting::PROVIDER_UNAVAILABLE, model::MakeName(model::kProviders, provider.id),
      absl::StrCat("the outcome of the submission ", WhichSubmission(record),
                   ", is not known; it is learned by sending it again with its idempotency key, "
                   "until ",
                   base::FormatTime(until)),
      step.now()));
  if (provider.mode == v1::Provider::OFF) return state.place.Release();
  if (step.draining()) return;
  if (state.due > step.now()) return step.WakeAt(state.due);
  const std::optional<absl::Time> send_before = step.SendBefore();
  if (!send_before.has_value()) return state.place.Release();
  if (!Acquire(step, state.place, provider, upstream::CallClass::kSubmission)) {
    return;
  }
  // Byte for byte what was sent before.
  const http::Request request = FromJournal(record.submission());
  Journal(step, request, std::min(until, *send_before), *record.mutable_submission());
  *record.mutable_send_timeout() =
      base::ToProto(provider.TimeoutFor(base::UpstreamOperation::kSubmitVideo));
  task.mutable_attempts(static_cast<int>(unit))->set_tries(record.submission().sends());
  step.MarkChanged();
  SubmitAfterCommit(
      step, *this,
      {unit, provider, provider::UnitKind::kVideo, base::UpstreamOperation::kSubmitVideo,
       /*replay=*/true, *model::CredentialBehind(record, provider)},
      record.submission());
}

void VideoItem::PlanPending(Step& step) {
  v1::VideoTask& task = draft_.resource;
  const model::Settings& settings = step.settings();
  const absl::Time now = step.now();
  const absl::Time expires = PendingSince(task) + settings.submit_timeout;
  // Nothing of it is under way: what it was about to take came to nothing.
  step.slots().Release(key_);
  if (now >= expires) return ExpirePending(step);
  step.WakeAt(expires);
  if (step.draining()) return;
  const std::optional<absl::Time> send_before = step.SendBefore();
  if (!send_before.has_value()) return choice_.Release();
  for (;;) {
    const std::optional<std::size_t> target = choice_.Choose(step, key_, draft_);
    if (!target.has_value()) return choice_.Release();
    const model::ProviderEntry& provider =
        *step.catalog().FindProvider(draft_.record.targets(static_cast<int>(*target)).provider());
    std::vector<provider::ResolvedReference> references;
    switch (ResolveReferences(step, *this, draft_, provider, *target, references)) {
      case Readiness::kFailed:
        continue;
      case Readiness::kWaiting:
        return choice_.Release();
      case Readiness::kReady:
        break;
    }
    if (choice_.Acquire(step, *this, provider)) {
      return StartAttempt(step, *target, provider, std::move(references), *send_before);
    }
    if (now - choice_.place().queued_since() >= kSlowQueue) {
      step.MarkChanged(model::SetWaiting(
          task, v1::Waiting::PROVIDER_BUSY, model::MakeName(model::kProviders, provider.id),
          "as many calls as allowed are under way to the provider", now));
      // Another target may become free first.
      step.WakeAt(now + kSlowQueue);
    } else {
      step.WakeAt(choice_.place().queued_since() + kSlowQueue);
    }
    return;
  }
}

void VideoItem::ExpirePending(Step& step) {
  v1::VideoTask& task = draft_.resource;
  choice_.Release();
  const google::rpc::Status error = NotAcceptedInTime(draft_, step.settings().submit_timeout);
  step.MarkChanged(model::FinishTask(task, v1::VideoTask::FAILED, error, step.now()));
}

void VideoItem::StartAttempt(Step& step, std::size_t target, const model::ProviderEntry& provider,
                             std::vector<provider::ResolvedReference> references,
                             absl::Time send_before) {
  v1::VideoTask& task = draft_.resource;
  auto& chosen = *draft_.record.mutable_targets(static_cast<int>(target));
  const std::string model = chosen.provider_model();
  const NewAttempt made = BeginAttempt(step, provider, model, std::move(references), draft_);
  v1::Attempt& attempt = *task.mutable_attempts(made.index);
  model::Unit& record = *draft_.record.mutable_units(made.index);
  step.MarkChanged();
  if (!made.request.ok()) {
    attempt.set_state(v1::Attempt::NOT_ACCEPTED);
    attempt.set_billing(v1::Attempt::NOT_BILLED);
    *attempt.mutable_error() = base::ToRpcStatus(made.request.status());
    *attempt.mutable_end_time() = base::ToProto(step.now());
    chosen.set_ineligible(true);
    chosen.set_error(attempt.error().SerializeAsString());
    step.WakeAt(step.now());
    return choice_.Release();
  }
  // A new submission, not a repetition: its own first send time, unless its key is an old one,
  // which the provider has known since then.
  model::Submission former;
  former.Swap(record.mutable_submission());
  record.mutable_submission()->set_sends(former.sends());
  if (made.same_key) {
    *record.mutable_submission()->mutable_first_send_time() = former.first_send_time();
  }
  constexpr base::UpstreamOperation kOperation = base::UpstreamOperation::kSubmitVideo;
  Journal(step, *made.request, send_before, *record.mutable_submission());
  *record.mutable_send_timeout() = base::ToProto(provider.TimeoutFor(kOperation));
  attempt.set_tries(record.submission().sends());
  // What held it up is over, unless it was this provider's refusal: the answer shows whether that
  // is over.
  switch (task.waiting().reason()) {
    case v1::Waiting::PROVIDER_UNAVAILABLE:
    case v1::Waiting::PROVIDER_RATE_LIMITED:
    case v1::Waiting::PROVIDER_CREDENTIALS_REJECTED:
    case v1::Waiting::PROVIDER_OUT_OF_CREDIT:
      break;
    default:
      task.clear_waiting();
  }
  step.slots().Take(key_, {provider.id, model});
  SubmitAfterCommit(step, *this,
                    {static_cast<std::size_t>(made.index), provider, provider::UnitKind::kVideo,
                     kOperation, /*replay=*/false, provider.credential},
                    record.submission());
  step.AfterCommit([this] { choice_.Use(); });
}

absl::Status VideoItem::Apply(Step& step, std::size_t unit, const Said& said) {
  return std::visit(
      Overloaded{[&](const SubmitAnswer& answer) { return ApplyAnswer(step, unit, answer); },
                 [&](const News& news) { return ApplyNews(step, unit, news); },
                 [&](const Trouble& trouble) { return ApplyTrouble(step, unit, trouble.failure); },
                 [&](const Unstorable& bad) { return ApplyUnstorable(step, unit, bad.error); }},
      said);
}

absl::Status VideoItem::ApplyAnswer(Step& step, std::size_t unit, const SubmitAnswer& answer) {
  const int i = static_cast<int>(unit);
  v1::VideoTask& task = draft_.resource;
  model::Unit& record = *draft_.record.mutable_units(i);
  const v1::Attempt& attempt = task.attempts(i);
  const model::UnitContext context = ContextOf(step, record.provider());
  if (!IsNews(record, answer)) return absl::OkStatus();
  // A late answer is to what is still in doubt, or to what a person resolved.
  const bool awaited = record.submission().open() && record.submission().sends() == answer.sends;
  if (!awaited && attempt.state() != v1::Attempt::UNCONFIRMED && !attempt.has_resolve_time()) {
    return absl::OkStatus();
  }
  provider::SubmitResult result = answer.result;
  // What refuses a repetition, whatever the dialect makes of it, says nothing of the first try:
  // that one may have been accepted, and the provider may have changed its mind, its schema or its
  // key since.
  if (answer.replay && result.outcome != provider::Outcome::kAccepted) {
    result.outcome = provider::Outcome::kUnknown;
  }
  step.MarkChanged(model::ApplySubmit(task, i, record, result, context));
  if (attempt.has_resolve_time()) return absl::OkStatus();
  if (result.outcome != provider::Outcome::kRefused &&
      result.outcome != provider::Outcome::kNotAccepted) {
    return absl::OkStatus();
  }
  if (result.outcome == provider::Outcome::kRefused && CallerMustMend(result.failure)) {
    google::rpc::Status error = attempt.error();
    if (const Bill bill = BillOf(task); bill == Bill::kInDoubt) {
      error.set_message(absl::StrCat(error.message(), "; ", WordsOf(bill)));
    }
    step.MarkChanged(model::FinishTask(task, v1::VideoTask::FAILED, error, step.now()));
    return absl::OkStatus();
  }
  if (const auto target = TargetOf(draft_.record, attempt)) {
    draft_.record.mutable_targets(static_cast<int>(*target))
        ->set_error(attempt.error().SerializeAsString());
    TargetRun& state = choice_.run(*target);
    state.failure = result.failure;
    // As the unit's own run, which counted this failure.
    state.failures = run(unit).failures;
    state.not_before = run(unit).due;
    state.not_before_because = run(unit).due_because;
  }
  return absl::OkStatus();
}

absl::Status VideoItem::ApplyNews(Step& step, std::size_t unit, const News& said) {
  const int i = static_cast<int>(unit);
  v1::VideoTask& task = draft_.resource;
  const v1::Attempt& attempt = task.attempts(i);
  model::Unit& record = *draft_.record.mutable_units(i);
  const model::UnitContext context = ContextOf(step, record.provider());
  if (said.news.kind == provider::UnitNews::Kind::kObserved) {
    const bool ended = model::IsFinal(attempt.state());
    const bool given_up = model::MayEndLate(attempt);
    step.MarkChanged(model::ApplyObservation(task, i, record, said.news.observation, context));
    if (!ended && model::IsFinal(attempt.state())) {
      ReportDetected(step, run(unit), context.provider_id, base::MetricKind::kVideoTask,
                     said.news.observation);
    } else if (given_up && !model::MayEndLate(attempt)) {
      step.AfterCommit([this, environment = Environment(step), id = context.provider_id,
                        state = v1::Attempt::State_Name(attempt.state())] {
        environment.telemetry().OnOddAnswer(id, base::MetricKind::kVideoTask,
                                            base::Oddity::kLateResult, name(), state);
      });
    }
    return absl::OkStatus();
  }
  if (said.verdict && BelongsToAnotherAccount(step, record)) {
    if (model::IsFinal(task.state())) return absl::OkStatus();
    SayAnotherAccount(step, i);
    return absl::OkStatus();
  }
  if (said.verdict) {
    const google::rpc::Status error =
        ForgottenError(context.provider_id, attempt, said.news.failure);
    step.MarkChanged(model::ApplyGivenUp(task, i, record, error, context));
    return absl::OkStatus();
  }
  const v1::Waiting::Reason reason = task.waiting().reason();
  if (!model::IsFinal(task.state()) && reason != v1::Waiting::PROVIDER_QUEUE &&
      reason != v1::Waiting::PROVIDER_WORKING) {
    // The calls succeed again, without news: what holds it up is the provider's work.
    const model::Situation waits = model::SituationOf(attempt, record, nullptr, context);
    step.MarkChanged(
        model::SetWaiting(task, waits.reason, attempt.provider(), waits.message, step.now()));
  }
  return absl::OkStatus();
}

void VideoItem::SayAnotherAccount(Step& step, int index) {
  v1::VideoTask& task = draft_.resource;
  const v1::Attempt& attempt = task.attempts(index);
  // To be followed again as soon as its own key is back.
  step.MarkChanged(model::SetWaiting(
      task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
      absl::StrCat("it was submitted with a key (credential \"", attempt.credential_id(),
                   "\"), or to an address, that is not configured any more, and under the "
                   "present ones the provider does not know it: there may be a video, and a "
                   "bill. Configure the former key as previous_credential"),
      step.now()));
}

absl::Status VideoItem::ApplyTrouble(Step& step, std::size_t unit,
                                     const provider::Failure& failure) {
  v1::VideoTask& task = draft_.resource;
  if (model::IsFinal(task.state())) return absl::OkStatus();
  const std::string& provider = draft_.record.units(static_cast<int>(unit)).provider();
  if (failure.unreadable) {
    step.MarkChanged(model::SetWaiting(task, v1::Waiting::PROVIDER_WORKING,
                                       model::MakeName(model::kProviders, provider),
                                       model::kUnreadable, step.now()));
    return absl::OkStatus();
  }
  step.MarkChanged(model::SetWaiting(
      task, model::WaitingReasonOf(failure), model::MakeName(model::kProviders, provider),
      provider::ToError(failure, provider).ToProto().message(), step.now(), run(unit).due));
  return absl::OkStatus();
}

absl::Status VideoItem::ApplyUnstorable(Step& step, std::size_t unit,
                                        const google::rpc::Status& error) {
  const int i = static_cast<int>(unit);
  model::Unit& record = *draft_.record.mutable_units(i);
  model::LoseOpenSubmission(record);
  step.MarkChanged(
      model::ApplyGivenUp(draft_.resource, i, record, error, ContextOf(step, record.provider())));
  return absl::OkStatus();
}

void VideoItem::AcceptDraft(const Environment& environment, store::Revision revision) {
  const std::optional<model::VideoEnd> end =
      model::EndOf(current_.resource, draft_.resource, environment.catalog());
  const std::vector<model::VideoUsage> usages =
      model::UsageBetween(current_.resource, draft_.resource, environment.catalog());
  EntityItem::AcceptDraft(environment, revision);
  if (end.has_value()) environment.telemetry().OnVideoEnd(*end);
  for (const model::VideoUsage& usage : usages) environment.telemetry().OnVideoUsage(usage);
}

UnfinishedUnits VideoItem::Units() const {
  const v1::VideoTask& task = current_.resource;
  if (const int open = OpenAttempt(task); open >= 0) {
    return {{base::MetricKind::kVideoTask, current_.record.units(open).provider(),
             task.waiting().reason(), task.attempts(open).state() == v1::Attempt::UNCONFIRMED}};
  }
  if (model::IsFinal(task.state())) return {};
  return {{base::MetricKind::kVideoTask, "", task.waiting().reason()}};
}

void VideoItem::AbandonPlaces(const Environment& environment) {
  environment.slots().Release(key_);
  choice_.Release();
  Item::AbandonPlaces(environment);
}

}  // namespace assetgate::reconcile
