// Video tasks: choose a target, see to the references, submit once, follow the attempt to its end.
//
// A submission costs money, so nothing here sends one again unless the last one surely was not
// accepted, or the provider promises to know it by its idempotency key.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "calls/validate.h"
#include "model/apply.h"
#include "model/fingerprint.h"
#include "model/refusal.h"
#include "model/video_end.h"
#include "reconcile/item.h"
#include "reconcile/reconciler.h"

namespace assetgate::reconcile {
namespace {

constexpr absl::Duration kSlowQueue = absl::Seconds(1);
// A task that waits for a slot is told when one is free; it looks again then in case that was
// missed.
constexpr absl::Duration kSlotPatience = absl::Seconds(30);

// A refusal that the caller has to mend ends the task: another provider would be asked for the
// same.
bool CallerMustMend(const provider::Failure& failure) {
  // Not shown to anybody else either.
  if (failure.reason == v1::CONTENT_REJECTED) return true;
  if (failure.act.has_value()) return *failure.act == base::Act::kCaller;
  return failure.reason == v1::PROVIDER_INVALID_ARGUMENT || failure.reason == v1::PROVIDER_REJECTED;
}

bool IsOpen(const v1::Attempt& attempt) { return !model::IsFinal(attempt.state()); }

// The attempt that is under way, or -1.
int OpenAttempt(const v1::VideoTask& task) {
  for (int i = task.attempts_size() - 1; i >= 0; --i) {
    if (IsOpen(task.attempts(i))) return i;
  }
  return -1;
}

// Whether the outcome of a submission, whoever it went to, was ever unknown: from then on nobody
// can say that nothing exists.
bool WasEverInDoubt(const model::VideoTaskRecord& record) {
  return std::any_of(record.units().begin(), record.units().end(),
                     [](const model::Unit& unit) { return unit.unknown_outcomes() > 0; });
}

// What the task's end leaves open about money, to follow "nothing was billed", or in its place.
enum class Bill { kNone, kNoneByAPersonsWord, kInDoubt };
Bill BillOf(const v1::VideoTask& task) {
  Bill bill = Bill::kNone;
  for (const v1::Attempt& attempt : task.attempts()) {
    if (attempt.billing() != v1::Attempt::NOT_BILLED) return Bill::kInDoubt;
    if (attempt.has_resolve_time()) bill = Bill::kNoneByAPersonsWord;
  }
  return bill;
}

absl::string_view WordsOf(Bill bill) {
  switch (bill) {
    case Bill::kNone:
      return "nothing was billed";
    case Bill::kNoneByAPersonsWord:
      return "by the word of the person who resolved an attempt, nothing was billed";
    case Bill::kInDoubt:
      break;
  }
  return "an earlier submission may have been accepted, and be billed (see attempts)";
}

// Since when the submit timeout counts: a person who has it submitted anew gives it a new one.
absl::Time PendingSince(const v1::VideoTask& task) {
  const std::optional<int> resolved = model::ResolvedAttempt(task);
  return base::FromProto(resolved.has_value() ? task.attempts(*resolved).resolve_time()
                                              : task.create_time());
}

// A person gave its id, and the provider has not spoken of it yet.
bool IsUnverified(const v1::Attempt& attempt) {
  return (attempt.has_resolve_time() || attempt.has_import_time()) &&
         attempt.provider_state().empty();
}

// Where such an id comes from.
absl::string_view GivenAs(const v1::Attempt& attempt) {
  return attempt.has_import_time() ? "which was imported" : "which the submission was resolved to";
}

// "to kyy, first sent at 2026-11-21T04:18:42Z"
std::string WhichSubmission(const model::Unit& record) {
  return absl::StrCat("to ", record.provider(), ", first sent at ",
                      base::FormatTime(base::FromProto(record.submission().first_send_time())));
}

// What is known of a submission that nothing but a person's word can settle any more. `why`: it is
// not sent again.
std::string InDoubt(absl::string_view task, int index, const v1::Attempt& attempt,
                    const model::Unit& record, absl::string_view why) {
  const google::rpc::ErrorInfo error = base::InfoOf(attempt.error());
  const auto words = error.metadata().find("provider_message");
  return absl::StrCat("the outcome of the submission ", WhichSubmission(record), ", is not known",
                      words == error.metadata().end() ? "" : absl::StrCat(" (", words->second, ")"),
                      ": there may be a video, and a bill. It is not sent again: ", why,
                      ". Look into the provider's own list of tasks, then settle it with "
                      "ResolveVideoTask (assetctl videos resolve ",
                      task, " --attempt ", index, ")");
}

}  // namespace

void VideoItem::SpreadPolls() {
  if (ReadOnly()) return;
  for (int i = 0; i < current_.resource.attempts_size(); ++i) {
    const v1::Attempt& attempt = current_.resource.attempts(i);
    const bool late = current_.record.units(i).has_late_until();
    if (attempt.state() != v1::Attempt::QUEUED && attempt.state() != v1::Attempt::RUNNING &&
        !late) {
      continue;
    }
    const model::ProviderEntry* provider =
        owner_.catalog().FindProvider(current_.record.units(i).provider());
    if (provider == nullptr) continue;
    const absl::Duration interval =
        PollInterval(*provider, provider::UnitKind::kVideo, PaceOf(current_, i));
    run(i).due = Now() + interval * absl::Uniform(owner_.random(), 0.0, 1.0);
    run(i).due_because = v1::Explanation::POLL_INTERVAL;
    run(i).polled = true;
  }
}

bool VideoItem::Reconsider(const model::ProviderChanges& changes) {
  const v1::VideoTask& task = current_.resource;
  if (ReadOnly()) return false;
  bool concerned = false;
  if (model::IsFinal(task.state())) {
    for (int i = 0; i < current_.record.units_size(); ++i) {
      if (!current_.record.units(i).has_late_until()) continue;
      concerned |=
          Item::Reconsider(static_cast<std::size_t>(i), current_.record.units(i).provider(),
                           provider::UnitKind::kVideo, PaceOf(current_, i), changes);
    }
    return concerned;
  }
  if (const int open = OpenAttempt(task); open >= 0) {
    concerned =
        Item::Reconsider(static_cast<std::size_t>(open), current_.record.units(open).provider(),
                         provider::UnitKind::kVideo, PaceOf(current_, open), changes);
  }
  for (int i = 0; i < current_.record.targets_size(); ++i) {
    const auto change = changes.find(current_.record.targets(i).provider());
    if (change == changes.end()) continue;
    concerned = true;
    if (change->second.access) target_run(static_cast<std::size_t>(i)) = TargetRun();
  }
  return concerned;
}

model::UnitContext VideoItem::Context(const std::string& provider_id) const {
  model::UnitContext context;
  context.provider_id = provider_id;
  context.now = Now();
  if (const model::ProviderEntry* provider = owner_.catalog().FindProvider(provider_id)) {
    context.video_lifetime = provider->dialect->traits().video_lifetime;
  }
  context.missing_result_period = owner_.settings().missing_result_period;
  context.late_result_period = owner_.settings().late_result_period;
  return context;
}

Pace VideoItem::PaceOf(const model::VideoEntity& entity, int attempt) {
  const v1::Attempt& asked = entity.resource.attempts(attempt);
  if (entity.record.units(attempt).has_late_until()) {
    return {base::FromProto(asked.end_time()), /*late=*/true};
  }
  return {base::FromProto(asked.submit_time())};
}

std::optional<std::size_t> VideoItem::TargetOf(const v1::Attempt& attempt) const {
  const std::string provider = model::ParseProvider(attempt.provider()).value_or("");
  for (int i = 0; i < draft_.record.targets_size(); ++i) {
    if (draft_.record.targets(i).provider() == provider &&
        draft_.record.targets(i).provider_model() == attempt.provider_model()) {
      return i;
    }
  }
  return std::nullopt;
}

void VideoItem::Plan() {
  v1::VideoTask& task = draft_.resource;
  if (model::IsFinal(task.state())) {
    owner_.ReleaseSlot(key_);
    ReleaseSubmissionPlace();
    return PlanLate();
  }
  const int open = OpenAttempt(task);
  if (open < 0) return PlanPending();
  // Left over where the commit of the intent went astray.
  ReleaseSubmissionPlace();
  const auto unit = static_cast<std::size_t>(open);
  model::Unit& record = *draft_.record.mutable_units(open);
  v1::Attempt& attempt = *task.mutable_attempts(open);
  if (run(unit).in_flight) return;
  if (record.submission().open()) {
    if (UnderWayElsewhere(unit, record)) return;
    // The journal of a process that is gone says that it sent this, and not what came of it.
    provider::SubmitResult lost;
    lost.outcome = provider::Outcome::kUnknown;
    lost.failure.reason = v1::PROVIDER_UNAVAILABLE;
    lost.failure.message = "the gateway stopped before the provider's answer was recorded";
    MarkChanged(model::ApplySubmit(task, open, record, lost, Context(record.provider())));
  }
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(record.provider());
  if (provider == nullptr) {
    constexpr absl::string_view kGone = "the provider is not in the gateway's config any more";
    MarkChanged(model::SetWaiting(task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
                                  attempt.state() == v1::Attempt::UNCONFIRMED
                                      ? InDoubt(name(), open, attempt, record, kGone)
                                      : std::string(kGone),
                                  Now()));
    return;
  }
  if (attempt.state() == v1::Attempt::UNCONFIRMED) return PlanUnconfirmed(unit, *provider);
  if (provider->mode == v1::Provider::OFF) {
    MarkChanged(model::SetWaiting(task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
                                  "the provider is switched off (see its mode)", Now()));
    return ReleasePlace(unit);
  }
  const absl::Time expires =
      GiveUpAt(base::FromProto(attempt.submit_time()) + owner_.settings().tracking_horizon);
  if (Now() >= expires) {
    const google::rpc::Status error =
        base::Error(absl::StatusCode::kDeadlineExceeded, v1::TRACKING_EXPIRED,
                    absl::StrCat("no final state was learned from the provider within ",
                                 absl::FormatDuration(owner_.settings().tracking_horizon),
                                 "; whether it is billed is not known"))
            .Metadata("provider", record.provider())
            .ToProto();
    MarkChanged(model::ApplyGivenUp(task, open, record, error, Context(record.provider())));
    return ReleasePlace(unit);
  }
  WakeAt(expires);
  if (run(unit).not_found > 0 && run(unit).failures == 0 && IsUnverified(attempt)) {
    const model::Settings& settings = owner_.settings();
    MarkChanged(model::SetWaiting(
        task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
        absl::StrCat("the provider does not know a task \"", attempt.provider_task_id(), "\", ",
                     GivenAs(attempt), "; unless that changes within ",
                     absl::FormatDuration(settings.not_found_period), ", the task fails"),
        Now()));
  } else if (IsDisowned(unit) && AskedElsewhere(record)) {
    SayAskedElsewhere(open);
  } else if (IsDisowned(unit)) {
    MarkChanged(model::SetWaiting(
        task, v1::Waiting::PROVIDER_NOT_FOUND, attempt.provider(),
        absl::StrCat(Disowned(unit), "the task fails with PROVIDER_FORGOT"), Now()));
  }
  PlanPoll(unit, *provider, provider::UnitKind::kVideo, base::UpstreamOperation::kPollVideo, record,
           PaceOf(draft_, open));
}

void VideoItem::PlanLate() {
  for (int i = 0; i < draft_.record.units_size(); ++i) {
    model::Unit& record = *draft_.record.mutable_units(i);
    const auto unit = static_cast<std::size_t>(i);
    if (!record.has_late_until() || run(unit).in_flight) continue;
    const absl::Time until = base::FromProto(record.late_until());
    if (Now() >= until || !model::MayEndLate(draft_.resource.attempts(i))) {
      record.clear_late_until();
      MarkChanged();
      ReleasePlace(unit);
      continue;
    }
    WakeAt(until);
    const model::ProviderEntry* provider = owner_.catalog().FindProvider(record.provider());
    if (provider == nullptr || provider->mode == v1::Provider::OFF) {
      ReleasePlace(unit);
      continue;
    }
    // It was asked a moment ago.
    const absl::Time given_up = base::FromProto(draft_.resource.attempts(i).end_time());
    run(unit).due = std::max(run(unit).due, given_up + owner_.settings().slow_poll);
    PlanPoll(unit, *provider, provider::UnitKind::kVideo, base::UpstreamOperation::kPollVideo,
             record, {given_up, /*late=*/true});
  }
}

absl::Time VideoItem::RepeatableUntil(const model::Unit& record,
                                      const model::ProviderEntry& provider) const {
  const absl::Duration margin = owner_.settings().idempotency_margin;
  const absl::Time sent = base::FromProto(record.submission().first_send_time()) - owner_.behind();
  // A date that is still to come says that this clock is behind, and not by how much.
  if (sent > Now() + margin) return absl::InfinitePast();
  return sent + provider.dialect->traits().idempotency_window - margin;
}

std::string VideoItem::WhyNotRepeated(const model::Unit& record,
                                      const model::ProviderEntry& provider) const {
  if (provider.dialect->traits().idempotency_window <= absl::ZeroDuration()) {
    return "the provider has no idempotency key, so that could make and bill a second video";
  }
  if (Now() >= RepeatableUntil(record, provider)) {
    return "its idempotency key may be forgotten by now, and a second video made and billed";
  }
  // Under another account the key means nothing: there it would buy a second video.
  if (record.account().digest().empty()) {
    return "an older release sent it, which did not record under which key, and to another account "
           "its idempotency key means nothing";
  }
  if (model::CredentialBehind(record, provider) == nullptr) {
    return absl::StrCat("the key that it was sent with (credential \"", record.credential_id(),
                        "\"), or the provider's address, is not the configured one any more, and "
                        "to another account its idempotency key means nothing");
  }
  if (record.submission().method().empty()) return "what was sent is not on record";
  return "";
}

void VideoItem::PlanUnconfirmed(std::size_t unit, const model::ProviderEntry& provider) {
  v1::VideoTask& task = draft_.resource;
  model::Unit& record = *draft_.record.mutable_units(static_cast<int>(unit));
  UnitRun& state = run(unit);
  const absl::Time until = RepeatableUntil(record, provider);
  if (const std::string why = WhyNotRepeated(record, provider); !why.empty()) {
    ReleasePlace(unit);
    MarkChanged(model::SetWaiting(
        task, v1::Waiting::NEEDS_OPERATOR, model::MakeName(model::kProviders, provider.id),
        InDoubt(name(), static_cast<int>(unit), task.attempts(static_cast<int>(unit)), record, why),
        Now()));
    return;
  }
  WakeAt(until);
  MarkChanged(model::SetWaiting(
      task, v1::Waiting::PROVIDER_UNAVAILABLE, model::MakeName(model::kProviders, provider.id),
      absl::StrCat("the outcome of the submission ", WhichSubmission(record),
                   ", is not known; it is learned by sending it again with its idempotency key, "
                   "until ",
                   base::FormatTime(until)),
      Now()));
  if (provider.mode == v1::Provider::OFF) return ReleasePlace(unit);
  if (owner_.draining()) return;
  if (state.due > Now()) return WakeAt(state.due);
  const std::optional<absl::Time> send_before = SendBefore();
  if (!send_before.has_value()) return ReleasePlace(unit);
  if (!HoldPlace(unit, provider, upstream::CallClass::kSubmission)) return;
  // Byte for byte what was sent before.
  const http::Request request = FromJournal(record.submission());
  Journal(request, Now(), std::min(until, *send_before), *record.mutable_submission());
  *record.mutable_send_timeout() =
      base::ToProto(provider.TimeoutFor(base::UpstreamOperation::kSubmitVideo));
  task.mutable_attempts(static_cast<int>(unit))->set_tries(record.submission().sends());
  MarkChanged();
  SubmitAfterCommit(unit, provider, provider::UnitKind::kVideo,
                    base::UpstreamOperation::kSubmitVideo, record.submission(), /*replay=*/true,
                    *model::CredentialBehind(record, provider));
}

google::rpc::Status VideoItem::TargetFailures(absl::StatusCode code, v1::ErrorReason reason,
                                              absl::string_view message) const {
  v1::ProviderFailures failures;
  std::string detail(message);
  for (const auto& target : draft_.record.targets()) {
    google::rpc::Status status;
    if (!status.ParseFromString(target.error()) || status.code() == 0) continue;
    auto* failure = failures.add_failures();
    failure->set_provider(model::MakeName(model::kProviders, target.provider()));
    *failure->mutable_status() = status;
    absl::StrAppend(&detail, failures.failures_size() == 1 ? ": " : "; ", target.provider(), ": ",
                    status.message());
  }
  base::Error error(code, reason, detail);
  if (failures.failures_size() == 1) {
    error.Metadata("provider", model::ParseProvider(failures.failures(0).provider()).value_or(""));
  }
  return error.Failures(failures).ToProto();
}

std::optional<VideoItem::Obstacle> VideoItem::ObstacleOf(const model::VideoTaskRecord& record,
                                                         int target) const {
  const std::string& id = record.targets(target).provider();
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(id);
  if (provider == nullptr || provider->mode != v1::Provider::SERVE) {
    return Obstacle{v1::Waiting::NEEDS_OPERATOR, v1::Explanation::PROVIDER_MODE,
                    provider == nullptr ? "the provider is not in the gateway's config any more"
                                        : "the provider takes no new work (see its mode)",
                    absl::InfiniteFuture(), std::nullopt};
  }
  const auto index = static_cast<std::size_t>(target);
  if (index < target_runs_.size() && target_runs_[index].not_before > Now()) {
    const TargetRun& run = target_runs_[index];
    const provider::Failure failure = run.failure.value_or(provider::Failure{});
    return Obstacle{model::WaitingReasonOf(failure), run.not_before_because,
                    provider::ToError(failure, id).ToProto().message(), run.not_before,
                    std::nullopt};
  }
  const bool holds = place_ == UnitRun::Place::kHeld && place_provider_ == id;
  // Who holds a place may be the very call that finds out whether the provider is well again.
  const upstream::Gate& gate = owner_.gate(*provider);
  if (const auto unwell = gate.Unwell(); unwell.has_value() && !holds) {
    return Obstacle{unwell->reason,
                    unwell->reason == v1::Waiting::PROVIDER_RATE_LIMITED
                        ? v1::Explanation::PROVIDER_RATE_LIMITED
                        : v1::Explanation::PROVIDER_UNAVAILABLE,
                    gate.state_reason(), unwell->until, std::nullopt};
  }
  if (const auto held = gate.HeldSubmissions(); held.has_value() && !holds) {
    Obstacle obstacle{model::WaitingReasonOf(held->failure), v1::Explanation::BACK_OFF,
                      provider::ToError(held->failure, id).ToProto().message(), held->until,
                      std::nullopt};
    if (!held->under_way) obstacle.account = held->failure;
    return obstacle;
  }
  if (auto none = owner_.NoSlotFor(key_, *provider, record.targets(target).provider_model())) {
    return Obstacle{v1::Waiting::PROVIDER_SLOTS, v1::Explanation::PROVIDER_SLOTS,
                    std::move(none->message), none->until, std::nullopt};
  }
  return std::nullopt;
}

std::optional<std::size_t> VideoItem::ChooseTarget() {
  v1::VideoTask& task = draft_.resource;
  const absl::Time now = Now();
  std::optional<std::size_t> chosen;
  bool any_eligible = false;
  // Of the first target that has to wait: it is the preferred one.
  std::optional<Obstacle> first;
  std::string subject;
  absl::Time next = absl::InfiniteFuture();
  for (int i = 0; i < draft_.record.targets_size(); ++i) {
    const auto& target = draft_.record.targets(i);
    if (target.ineligible()) continue;
    any_eligible = true;
    if (std::optional<Obstacle> obstacle = ObstacleOf(draft_.record, i)) {
      next = std::min(next, obstacle->until);
      if (obstacle->reason == v1::Waiting::PROVIDER_SLOTS) {
        owner_.JoinSlotLine(key_, {target.provider(), target.provider_model()}, PendingSince(task));
        WakeAt(now + kSlotPatience);
      }
      if (obstacle->account.has_value() && target.error().empty()) {
        // As if it had been asked for this task: the answer would be the same.
        draft_.record.mutable_targets(i)->set_error(
            provider::ToError(*obstacle->account, target.provider()).ToProto().SerializeAsString());
        MarkChanged();
      }
      if (obstacle->account.has_value()) {
        target_run(static_cast<std::size_t>(i)).failure = obstacle->account;
      }
      if (!first.has_value()) {
        first = std::move(obstacle);
        subject = model::MakeName(model::kProviders, target.provider());
      }
      continue;
    }
    const model::ProviderEntry* provider = owner_.catalog().FindProvider(target.provider());
    const bool free = (place_ == UnitRun::Place::kHeld && place_provider_ == provider->id) ||
                      !owner_.gate(*provider).WouldBlock().has_value();
    if (free) return i;
    if (!chosen.has_value()) chosen = i;
  }
  if (chosen.has_value()) return chosen;
  if (!any_eligible) {
    MarkChanged(
        model::FinishTask(task, v1::VideoTask::FAILED,
                          TargetFailures(absl::StatusCode::kFailedPrecondition, v1::ASSET_FAILED,
                                         "no provider can use the referenced assets"),
                          now));
    return std::nullopt;
  }
  if (first.has_value()) {
    MarkChanged(model::SetWaiting(task, first->reason, subject, first->message, now, next));
    if (next != absl::InfiniteFuture()) WakeAt(next);
  }
  return std::nullopt;
}

VideoItem::Readiness VideoItem::ResolveReferences(
    const model::ProviderEntry& provider, std::size_t target,
    std::vector<provider::ResolvedReference>& references) {
  v1::VideoTask& task = draft_.resource;
  const bool https_only = [&] {
    const v1::Capabilities* capabilities = provider.dialect->FindModel(
        draft_.record.targets(static_cast<int>(target)).provider_model());
    return capabilities != nullptr && capabilities->https_only();
  }();
  std::string waiting_for;
  bool in_doubt = false;
  for (const v1::Reference& reference : task.references()) {
    provider::ResolvedReference resolved;
    resolved.role = reference.role();
    resolved.media_type = reference.media_type();
    if (!reference.has_asset()) {
      resolved.uri = reference.uri();
      references.push_back(std::move(resolved));
      continue;
    }
    const store::Key asset{key_.tenant, store::Kind::kAsset,
                           model::ParseName(model::kAssets, reference.asset()).value_or("")};
    const Reconciler::Dependency dependency =
        owner_.AssetAt(asset, provider, PendingSince(task), *this);
    google::rpc::Status error;
    switch (dependency.state) {
      case Reconciler::Dependency::State::kReady:
        resolved.media_type = dependency.asset.media_type();
        if (dependency.provider_id.empty()) {
          // No asset of that type is held there: the URI itself is passed.
          resolved.uri = dependency.asset.source_uri();
          if (https_only && !absl::StartsWithIgnoreCase(resolved.uri, "https://")) {
            error = base::Error(absl::StatusCode::kFailedPrecondition, v1::ASSET_FAILED,
                                absl::StrCat("the provider fetches https URLs only, and \"",
                                             reference.asset(), "\" is http"))
                        .ToProto();
          }
        } else {
          resolved.provider_asset_id = dependency.provider_id;
          resolved.asset = dependency.handle;
        }
        references.push_back(std::move(resolved));
        break;
      case Reconciler::Dependency::State::kPending:
        if (dependency.in_doubt) {
          in_doubt = true;
        } else if (waiting_for.empty()) {
          waiting_for = reference.asset();
        }
        break;
      case Reconciler::Dependency::State::kFailed:
        if (base::ReasonOf(dependency.error) == v1::CONTENT_REJECTED &&
            !KeepFromOthers(dependency.asset, dependency.error)) {
          return Readiness::kFailed;
        }
        error = base::Error(absl::StatusCode::kFailedPrecondition, v1::ASSET_FAILED,
                            absl::StrCat("\"", reference.asset(),
                                         "\" failed there: ", dependency.error.message()))
                    .Resource("assetgate.v1.Asset", reference.asset())
                    .ToProto();
        break;
      case Reconciler::Dependency::State::kMissing:
        error = base::Error(absl::StatusCode::kFailedPrecondition, v1::ASSET_FAILED,
                            absl::StrCat("\"", reference.asset(), "\" is gone"))
                    .Resource("assetgate.v1.Asset", reference.asset())
                    .ToProto();
        break;
    }
    if (error.code() != 0) {
      auto* failed = draft_.record.mutable_targets(static_cast<int>(target));
      failed->set_ineligible(true);
      failed->set_error(error.SerializeAsString());
      MarkChanged();
      return Readiness::kFailed;
    }
  }
  if (waiting_for.empty()) return in_doubt ? Readiness::kWaiting : Readiness::kReady;
  MarkChanged(model::SetWaiting(task, v1::Waiting::ASSET_PROCESSING, waiting_for,
                                absl::StrCat("the asset is being prepared at ", provider.id),
                                Now()));
  return Readiness::kWaiting;
}

bool VideoItem::KeepFromOthers(const v1::Asset& asset, const google::rpc::Status& error) {
  const auto holds = [&](const std::string& provider_id) {
    return std::any_of(asset.placements().begin(), asset.placements().end(),
                       [&](const v1::Placement& placement) {
                         return placement.state() == v1::Placement::ACTIVE &&
                                model::ParseProvider(placement.provider()) == provider_id;
                       });
  };
  bool others = false;
  for (auto& target : *draft_.record.mutable_targets()) {
    if (target.ineligible()) continue;
    if (holds(target.provider())) {
      others = true;
      continue;
    }
    target.set_ineligible(true);
    target.set_error(error.SerializeAsString());
  }
  MarkChanged();
  if (others) return true;
  google::rpc::Status refused = error;
  refused.set_message(absl::StrCat("\"", asset.name(), "\": ", error.message()));
  model::FinishTask(draft_.resource, v1::VideoTask::FAILED, refused, Now());
  return false;
}

bool VideoItem::HoldSubmissionPlace(const model::ProviderEntry& provider) {
  if (place_ != UnitRun::Place::kNone && place_provider_ != provider.id) ReleaseSubmissionPlace();
  if (place_ == UnitRun::Place::kHeld) return true;
  if (place_ == UnitRun::Place::kQueued) return false;
  upstream::Gate& gate = owner_.gate(provider);
  const int generation = ++place_generation_;
  const bool held =
      gate.Acquire(upstream::CallClass::kSubmission,
                   [&owner = owner_, key = key_, serial = serial_, generation, &gate] {
                     auto* item = static_cast<VideoItem*>(owner.Find(key, serial));
                     if (item == nullptr || item->place_ != UnitRun::Place::kQueued ||
                         item->place_generation_ != generation) {
                       return gate.Abandon(upstream::CallClass::kSubmission);
                     }
                     item->place_ = UnitRun::Place::kHeld;
                     owner.PostAdvance(*item);
                   });
  place_ = held ? UnitRun::Place::kHeld : UnitRun::Place::kQueued;
  place_provider_ = provider.id;
  queued_since_ = Now();
  return held;
}

void VideoItem::ReleaseSubmissionPlace() {
  if (place_ == UnitRun::Place::kHeld)
    owner_.gate(place_provider_).Abandon(upstream::CallClass::kSubmission);
  place_ = UnitRun::Place::kNone;
  place_provider_.clear();
}

void VideoItem::AbandonPlaces() {
  owner_.ReleaseSlot(key_);
  ReleaseSubmissionPlace();
  Item::AbandonPlaces();
}

void VideoItem::PlanPending() {
  v1::VideoTask& task = draft_.resource;
  const model::Settings& settings = owner_.settings();
  const absl::Time now = Now();
  const absl::Time expires = PendingSince(task) + settings.submit_timeout;
  // Nothing of it is under way: what it was about to take came to nothing.
  owner_.ReleaseSlot(key_);
  if (now >= expires) {
    ReleaseSubmissionPlace();
    const Bill bill = BillOf(task);
    const bool doubt = bill == Bill::kInDoubt;
    const google::rpc::Status error = TargetFailures(
        doubt ? absl::StatusCode::kUnknown : absl::StatusCode::kUnavailable,
        doubt ? v1::SUBMISSION_UNKNOWN : v1::NOT_SUBMITTED,
        absl::StrCat("no provider accepted it within ",
                     absl::FormatDuration(settings.submit_timeout), "; ", WordsOf(bill),
                     " (it waited for: ", task.waiting().message(), ")"));
    MarkChanged(model::FinishTask(task, v1::VideoTask::FAILED, error, now));
    return;
  }
  WakeAt(expires);
  if (owner_.draining()) return;
  const std::optional<absl::Time> send_before = SendBefore();
  if (!send_before.has_value()) return ReleaseSubmissionPlace();
  for (;;) {
    const std::optional<std::size_t> target = ChooseTarget();
    if (!target.has_value()) return ReleaseSubmissionPlace();
    const model::ProviderEntry& provider =
        *owner_.catalog().FindProvider(draft_.record.targets(static_cast<int>(*target)).provider());
    std::vector<provider::ResolvedReference> references;
    switch (ResolveReferences(provider, *target, references)) {
      case Readiness::kFailed:
        continue;
      case Readiness::kWaiting:
        return ReleaseSubmissionPlace();
      case Readiness::kReady:
        break;
    }
    if (HoldSubmissionPlace(provider)) {
      return StartAttempt(*target, provider, std::move(references), *send_before);
    }
    if (now - queued_since_ >= kSlowQueue) {
      MarkChanged(model::SetWaiting(task, v1::Waiting::PROVIDER_BUSY,
                                    model::MakeName(model::kProviders, provider.id),
                                    "as many calls as allowed are under way to the provider", now));
      // Another target may become free first.
      WakeAt(now + kSlowQueue);
    } else {
      WakeAt(queued_since_ + kSlowQueue);
    }
    return;
  }
}

void VideoItem::StartAttempt(std::size_t target, const model::ProviderEntry& provider,
                             std::vector<provider::ResolvedReference> references,
                             absl::Time send_before) {
  v1::VideoTask& task = draft_.resource;
  const absl::Time now = Now();
  const std::string provider_name = model::MakeName(model::kProviders, provider.id);
  const std::string& model = draft_.record.targets(static_cast<int>(target)).provider_model();
  // The same provider again, after it surely did not accept: the attempt is used again, so that
  // their number stays bounded. One that was ever in doubt stays on record, and open to a late
  // answer: what a person says of it is never taken for a word on another submission.
  int index = -1;
  for (int i = 0; i < task.attempts_size(); ++i) {
    if (task.attempts(i).provider() == provider_name &&
        task.attempts(i).provider_model() == model &&
        task.attempts(i).state() == v1::Attempt::NOT_ACCEPTED &&
        draft_.record.units(i).unknown_outcomes() == 0 && !task.attempts(i).has_resolve_time()) {
      index = i;
    }
  }
  if (index < 0) {
    index = task.attempts_size();
    task.add_attempts();
    draft_.record.add_units();
  }
  v1::Attempt& attempt = *task.mutable_attempts(index);
  model::Unit& record = *draft_.record.mutable_units(index);
  attempt.set_provider(provider_name);
  attempt.set_provider_model(model);
  attempt.set_credential_id(provider.credential.id);
  attempt.set_state(v1::Attempt::SUBMITTING);
  // From now on it can be.
  attempt.set_billing(v1::Attempt::UNKNOWN);
  attempt.clear_error();
  attempt.clear_end_time();
  if (!attempt.has_create_time()) *attempt.mutable_create_time() = base::ToProto(now);
  static const auto* const no_options = new google::protobuf::Struct();
  const auto options = task.provider_options().find(provider.id);
  provider::VideoSubmission submission{
      task, model, std::move(references), attempt.idempotency_key(),
      options == task.provider_options().end() ? *no_options : options->second};
  const bool has_key = provider.dialect->traits().idempotency_window > absl::ZeroDuration();
  absl::StatusOr<http::Request> request = absl::InternalError("not encoded yet");
  // "Not accepted" is what the provider, or something in front of it, said. Were that not so, the
  // key of the time before keeps the same request to the same account from being paid for twice.
  bool same_key = has_key && !submission.idempotency_key.empty() &&
                  model::Matches(record.account(), provider, provider.credential) &&
                  now < RepeatableUntil(record, provider);
  if (same_key) {
    request = provider.dialect->EncodeSubmitVideo(submission);
    same_key = request.ok() && model::DigestOf(*request) == record.request_digest();
  }
  if (!same_key) {
    submission.idempotency_key =
        absl::StrCat(model::NewResourceId(now), "-", model::NewResourceId(now).substr(13));
    request = provider.dialect->EncodeSubmitVideo(submission);
    record.clear_request_digest();
    if (has_key) {
      attempt.set_idempotency_key(submission.idempotency_key);
      if (request.ok()) record.set_request_digest(model::DigestOf(*request));
    }
    *record.mutable_account() = model::FingerprintOf(provider, provider.credential);
  }
  record.set_provider(provider.id);
  record.set_credential_id(provider.credential.id);
  if (!request.ok()) {
    attempt.set_state(v1::Attempt::NOT_ACCEPTED);
    attempt.set_billing(v1::Attempt::NOT_BILLED);
    *attempt.mutable_error() = base::ToRpcStatus(request.status());
    *attempt.mutable_end_time() = base::ToProto(now);
    auto* failed = draft_.record.mutable_targets(static_cast<int>(target));
    failed->set_ineligible(true);
    failed->set_error(attempt.error().SerializeAsString());
    MarkChanged();
    WakeAt(now);
    return ReleaseSubmissionPlace();
  }
  // A new submission, not a repetition: its own first send time, unless its key is an old one,
  // which the provider has known since then.
  model::Submission former;
  former.Swap(record.mutable_submission());
  record.mutable_submission()->set_sends(former.sends());
  if (same_key) {
    *record.mutable_submission()->mutable_first_send_time() = former.first_send_time();
  }
  Journal(*request, now, send_before, *record.mutable_submission());
  *record.mutable_send_timeout() =
      base::ToProto(provider.TimeoutFor(base::UpstreamOperation::kSubmitVideo));
  attempt.set_tries(record.submission().sends());
  // What held it up is over, unless it was this provider's refusal: whether that is over will be
  // seen.
  switch (task.waiting().reason()) {
    case v1::Waiting::PROVIDER_UNAVAILABLE:
    case v1::Waiting::PROVIDER_RATE_LIMITED:
    case v1::Waiting::PROVIDER_CREDENTIALS_REJECTED:
    case v1::Waiting::PROVIDER_OUT_OF_CREDIT:
      break;
    default:
      task.clear_waiting();
  }
  MarkChanged();
  owner_.TakeSlot(key_, {provider.id, model});
  SubmitAfterCommit(static_cast<std::size_t>(index), provider, provider::UnitKind::kVideo,
                    base::UpstreamOperation::kSubmitVideo, record.submission(), /*replay=*/false,
                    provider.credential);
  After([this] {
    // The place is the attempt's now.
    place_ = UnitRun::Place::kNone;
    place_provider_.clear();
  });
}

absl::Status VideoItem::OnSubmitted(std::size_t unit, const SubmitAnswer& answer) {
  const int i = static_cast<int>(unit);
  v1::VideoTask& task = draft_.resource;
  model::Unit& record = *draft_.record.mutable_units(i);
  const v1::Attempt& attempt = task.attempts(i);
  const model::UnitContext context = Context(record.provider());
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
  MarkChanged(model::ApplySubmit(task, i, record, result, context));
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
    MarkChanged(model::FinishTask(task, v1::VideoTask::FAILED, error, Now()));
    return absl::OkStatus();
  }
  if (const auto target = TargetOf(attempt)) {
    draft_.record.mutable_targets(static_cast<int>(*target))
        ->set_error(attempt.error().SerializeAsString());
    TargetRun& state = target_run(*target);
    state.failure = result.failure;
    // As the unit's own run, which counted this failure.
    state.failures = run(unit).failures;
    state.not_before = run(unit).due;
    state.not_before_because = run(unit).due_because;
  }
  return absl::OkStatus();
}

absl::Status VideoItem::OnNews(std::size_t unit, const provider::UnitNews& news, bool verdict) {
  const int i = static_cast<int>(unit);
  v1::VideoTask& task = draft_.resource;
  const v1::Attempt& attempt = task.attempts(i);
  model::Unit& record = *draft_.record.mutable_units(i);
  const model::UnitContext context = Context(record.provider());
  if (news.kind == provider::UnitNews::Kind::kObserved) {
    const bool ended = model::IsFinal(attempt.state());
    const bool given_up = model::MayEndLate(attempt);
    MarkChanged(model::ApplyObservation(task, i, record, news.observation, context));
    if (!ended && model::IsFinal(attempt.state())) {
      TellDetected(unit, context.provider_id, base::MetricKind::kVideoTask, news.observation);
    } else if (given_up && !model::MayEndLate(attempt)) {
      After([this, id = context.provider_id, state = v1::Attempt::State_Name(attempt.state())] {
        owner_.telemetry().OnOddAnswer(id, base::MetricKind::kVideoTask, base::Oddity::kLateResult,
                                       name(), state);
      });
    }
    return absl::OkStatus();
  }
  if (verdict && AskedElsewhere(record)) {
    if (model::IsFinal(task.state())) return absl::OkStatus();
    SayAskedElsewhere(i);
    return absl::OkStatus();
  }
  if (verdict) {
    const google::rpc::Status error =
        base::Error(absl::StatusCode::kNotFound, v1::PROVIDER_FORGOT,
                    IsUnverified(attempt)
                        ? absl::StrCat("the provider does not know a task \"",
                                       attempt.provider_task_id(), "\", ", GivenAs(attempt),
                                       "; what became of the submission, and whether it is billed, "
                                       "is not known")
                        : "the provider accepted the task and no longer knows it; whether it is "
                          "billed is not known")
            .Metadata("provider", context.provider_id)
            .Metadata("provider_message", base::CleanText(news.failure.message))
            .ToProto();
    MarkChanged(model::ApplyGivenUp(task, i, record, error, context));
    return absl::OkStatus();
  }
  const v1::Waiting::Reason reason = task.waiting().reason();
  if (!model::IsFinal(task.state()) && reason != v1::Waiting::PROVIDER_QUEUE &&
      reason != v1::Waiting::PROVIDER_WORKING) {
    // The calls succeed again, without news: what holds it up is the provider's work.
    const model::Situation waits = model::SituationOf(attempt, record, nullptr, context);
    MarkChanged(model::SetWaiting(task, waits.reason, attempt.provider(), waits.message, Now()));
  }
  return absl::OkStatus();
}

void VideoItem::SayAskedElsewhere(int index) {
  v1::VideoTask& task = draft_.resource;
  const v1::Attempt& attempt = task.attempts(index);
  // To be followed again as soon as its own key is back.
  MarkChanged(model::SetWaiting(
      task, v1::Waiting::NEEDS_OPERATOR, attempt.provider(),
      absl::StrCat("it was submitted with a key (credential \"", attempt.credential_id(),
                   "\"), or to an address, that is not configured any more, and under the "
                   "present ones the provider does not know it: there may be a video, and a "
                   "bill. Configure the former key as previous_credential"),
      Now()));
}

bool VideoItem::AskedElsewhere(const model::Unit& record) const {
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(record.provider());
  return provider != nullptr && model::IsOfAnotherAccount(record, *provider);
}

absl::Status VideoItem::OnPollTrouble(std::size_t unit, const provider::Failure& failure) {
  v1::VideoTask& task = draft_.resource;
  if (model::IsFinal(task.state())) return absl::OkStatus();
  const std::string& provider = draft_.record.units(static_cast<int>(unit)).provider();
  if (failure.unreadable) {
    MarkChanged(model::SetWaiting(task, v1::Waiting::PROVIDER_WORKING,
                                  model::MakeName(model::kProviders, provider), model::kUnreadable,
                                  Now()));
    return absl::OkStatus();
  }
  MarkChanged(model::SetWaiting(
      task, model::WaitingReasonOf(failure), model::MakeName(model::kProviders, provider),
      provider::ToError(failure, provider).ToProto().message(), Now(), run(unit).due));
  return absl::OkStatus();
}

absl::Status VideoItem::OnUnkept(std::size_t unit, const google::rpc::Status& error) {
  const int i = static_cast<int>(unit);
  model::Unit& record = *draft_.record.mutable_units(i);
  model::LoseOpenSubmission(record);
  MarkChanged(model::ApplyGivenUp(draft_.resource, i, record, error, Context(record.provider())));
  return absl::OkStatus();
}

void VideoItem::AcceptDraft(store::Revision revision) {
  const std::optional<model::VideoEnd> end =
      model::EndOf(current_.resource, draft_.resource, owner_.catalog());
  const std::vector<model::VideoUsage> usages =
      model::UsageBetween(current_.resource, draft_.resource, owner_.catalog());
  EntityItem::AcceptDraft(revision);
  if (end.has_value()) owner_.telemetry().OnVideoEnd(*end);
  for (const model::VideoUsage& usage : usages) owner_.telemetry().OnVideoUsage(usage);
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

bool VideoItem::Answerable() const {
  const v1::VideoTask& task = current_.resource;
  if (model::IsSettled(task) || task.has_submit_time()) return true;
  return task.state() == v1::VideoTask::PENDING &&
         task.waiting().reason() == v1::Waiting::ASSET_PROCESSING;
}

bool VideoItem::MayBeRefused() const {
  const v1::VideoTask& task = current_.resource;
  return !task.has_submit_time() && task.state() != v1::VideoTask::CANCELLED &&
         !WasEverInDoubt(current_.record);
}

std::optional<absl::Status> VideoItem::Refusal() const {
  const v1::VideoTask& task = draft_.resource;
  if (task.has_submit_time() || WasEverInDoubt(draft_.record)) return std::nullopt;
  if (task.state() == v1::VideoTask::FAILED) return base::FromRpcStatus(task.error());
  if (task.state() != v1::VideoTask::PENDING || OpenAttempt(task) >= 0) return std::nullopt;
  // Every target has said no, and only an operator can change that.
  v1::ProviderFailures failures;
  for (int i = 0; i < draft_.record.targets_size(); ++i) {
    const auto& target = draft_.record.targets(i);
    google::rpc::Status status;
    if (target.error().empty() || !status.ParseFromString(target.error())) return std::nullopt;
    const bool stuck = static_cast<std::size_t>(i) < target_runs_.size() &&
                       target_runs_[i].failure.has_value() &&
                       base::InfoOf(status).metadata().count("act") > 0 &&
                       base::InfoOf(status).metadata().at("act") == "OPERATOR";
    if (!target.ineligible() && !stuck) return std::nullopt;
    auto* failure = failures.add_failures();
    failure->set_provider(model::MakeName(model::kProviders, target.provider()));
    *failure->mutable_status() = std::move(status);
  }
  if (failures.failures_size() == 0) return std::nullopt;
  return model::CombinedRefusal(failures);
}

absl::Status VideoItem::Cancel() {
  v1::VideoTask& task = draft_.resource;
  if (task.state() == v1::VideoTask::CANCELLED) return absl::OkStatus();
  if (model::IsFinal(task.state())) {
    return base::Error(absl::StatusCode::kFailedPrecondition, v1::ALREADY_FINISHED,
                       absl::StrCat("\"", name(), "\" is ", v1::VideoTask::State_Name(task.state()),
                                    " already; there is nothing to cancel"));
  }
  if (const int open = OpenAttempt(task); open >= 0) {
    const std::string& provider = draft_.record.units(open).provider();
    if (task.state() == v1::VideoTask::UNCONFIRMED) {
      return base::Error(
                 absl::StatusCode::kFailedPrecondition, v1::CANCEL_UNSUPPORTED,
                 absl::StrCat("\"", name(), "\" may have been accepted by ", provider,
                              ", which cannot cancel; look into the provider's own list of tasks, "
                              "and settle it with ResolveVideoTask (assetctl videos resolve)"))
          .Metadata("provider", provider);
    }
    return base::Error(absl::StatusCode::kFailedPrecondition, v1::CANCEL_UNSUPPORTED,
                       absl::StrCat("\"", name(), "\" has been submitted to ", provider,
                                    ", which cannot cancel; it goes on and will be billed"))
        .Metadata("provider", provider);
  }
  MarkChanged(model::FinishTask(
      task, v1::VideoTask::CANCELLED,
      base::Error(absl::StatusCode::kCancelled, v1::TASK_CANCELLED,
                  absl::StrCat("cancelled before it was ",
                               task.attempts_size() > 0 ? "accepted" : "submitted", "; ",
                               WordsOf(BillOf(task))))
          .ToProto(),
      Now()));
  return absl::OkStatus();
}

absl::StatusOr<std::optional<int>> VideoItem::AttemptToResolve(
    const model::Resolution& said) const {
  const v1::VideoTask& task = draft_.resource;
  const int open = OpenAttempt(task);
  const v1::Attempt::State state =
      open < 0 ? v1::Attempt::STATE_UNSPECIFIED : task.attempts(open).state();
  const auto fault = [](const auto&... words) {
    base::Faults faults;
    faults.Add("attempt", absl::StrCat(words...));
    return faults.ToStatus();
  };
  if (said.attempt.has_value() && *said.attempt >= task.attempts_size()) {
    return fault("is ", *said.attempt, ", and the task has ", task.attempts_size(),
                 " attempts, counted from 0");
  }
  const std::optional<int> resolved = model::ResolvedAttempt(task);
  const std::optional<int> meant = said.attempt.has_value() ? said.attempt : resolved;
  if (meant.has_value() && task.attempts(*meant).has_resolve_time()) {
    // Without an index, a repetition cannot be told from a word on the second doubt.
    const auto required = [&] {
      return fault("is required, since attempt ", *meant,
                   " was resolved before: say which one this is about; attempt ", open, " is ",
                   v1::Attempt::State_Name(state));
    };
    if (!said.attempt.has_value() && state == v1::Attempt::UNCONFIRMED) return required();
    if (WasResolvedSo(*meant, said)) return std::nullopt;
    if (!said.attempt.has_value() && state == v1::Attempt::SUBMITTING) return required();
    if (state == v1::Attempt::UNCONFIRMED) {
      return fault("is ", *meant, ", which was resolved otherwise; in doubt is attempt ", open);
    }
    return NothingToResolve();
  }
  if (state != v1::Attempt::UNCONFIRMED && state != v1::Attempt::SUBMITTING) {
    return NothingToResolve();
  }
  // What a person means whose word comes late is the attempt that was in doubt when it was said.
  if (!said.attempt.has_value()) {
    for (int i = 0; i < task.attempts_size(); ++i) {
      if (i == open || draft_.record.units(i).unknown_outcomes() == 0) continue;
      return fault("is required, since attempt ", i,
                   " was in doubt before: say which one this is about; attempt ", open, " is ",
                   v1::Attempt::State_Name(state));
    }
  }
  if (said.attempt.has_value() && *said.attempt != open) {
    return fault("is ", *said.attempt, ", which is ",
                 v1::Attempt::State_Name(task.attempts(*said.attempt).state()),
                 "; in doubt is attempt ", open);
  }
  return open;
}

absl::Status VideoItem::Resolve(const model::Resolution& said) {
  v1::VideoTask& task = draft_.resource;
  const absl::StatusOr<std::optional<int>> meant = AttemptToResolve(said);
  if (!meant.ok()) return meant.status();
  if (!meant->has_value()) return absl::OkStatus();
  const int open = **meant;
  const v1::Attempt& attempt = task.attempts(open);
  const auto unit = static_cast<std::size_t>(open);
  model::Unit& record = *draft_.record.mutable_units(open);
  if (record.submission().open() || run(unit).in_flight) {
    return base::Error(absl::StatusCode::kFailedPrecondition, v1::SUBMISSION_UNDER_WAY,
                       absl::StrCat("\"", name(), "\" is just being sent to ", record.provider(),
                                    ", whose answer may settle it; look again in a moment"))
        .Metadata("provider", record.provider())
        .RetryAfter(absl::Seconds(1));
  }
  provider::Handle handle;
  model::Resolution spelled = said;
  if (!said.provider_task_id.empty()) {
    const model::ProviderEntry* provider = owner_.catalog().FindProvider(record.provider());
    if (provider == nullptr) {
      return base::Error(
                 absl::StatusCode::kFailedPrecondition, v1::PROVIDER_NOT_CONFIGURED,
                 absl::StrCat("\"", record.provider(),
                              "\" is not in the gateway's config any more, so that its task \"",
                              said.provider_task_id,
                              "\" cannot be followed; configure it again, with mode DRAIN if it is "
                              "to take no new work"))
          .Metadata("provider", record.provider());
    }
    absl::StatusOr<provider::Handle> adopted =
        provider->dialect->AdoptVideo(said.provider_task_id, attempt.provider_model());
    if (!adopted.ok()) {
      base::Faults faults;
      faults.Add("provider_task_id", std::string(adopted.status().message()));
      return faults.ToStatus();
    }
    handle = *std::move(adopted);
    spelled.provider_task_id = provider->dialect->CanonicalVideoId(said.provider_task_id);
  }
  ReleasePlace(unit);
  // Asked for at once, like anything that was just accepted.
  run(unit) = UnitRun();
  MarkChanged(
      model::ApplyResolution(task, open, record, spelled, handle, Context(record.provider())));
  return absl::OkStatus();
}

bool VideoItem::WasResolvedSo(int index, const model::Resolution& said) const {
  const v1::VideoTask& task = draft_.resource;
  const v1::Attempt& attempt = task.attempts(index);
  // A late answer of the provider may have given what a person called "not accepted" an id.
  const bool accepted = attempt.state() != v1::Attempt::NOT_ACCEPTED;
  if (accepted != !said.provider_task_id.empty()) return false;
  if (said.provider_task_id.empty()) {
    const bool ended = task.state() == v1::VideoTask::FAILED &&
                       index == model::ResolvedAttempt(task) &&
                       base::ReasonOf(task.error()) == v1::NOT_ACCEPTED_BY_RESOLUTION;
    return said.resubmit == !ended;
  }
  if (attempt.provider_task_id() == said.provider_task_id) return true;
  // The provider may spell it otherwise than the person did.
  const model::Unit& record = draft_.record.units(index);
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(record.provider());
  if (provider == nullptr) return false;
  const auto adopted =
      provider->dialect->AdoptVideo(said.provider_task_id, attempt.provider_model());
  return adopted.ok() && *adopted == record.handle();
}

absl::Status VideoItem::NothingToResolve() const {
  const v1::VideoTask& task = draft_.resource;
  std::string known;
  if (const std::optional<int> resolved = model::ResolvedAttempt(task)) {
    const v1::Attempt& attempt = task.attempts(*resolved);
    known = absl::StrCat("; at ", base::FormatTime(base::FromProto(attempt.resolve_time())),
                         " a person resolved it: ",
                         attempt.state() == v1::Attempt::NOT_ACCEPTED
                             ? absl::StrCat("not accepted by ", attempt.provider())
                             : absl::StrCat("accepted by ", attempt.provider(), " as \"",
                                            attempt.provider_task_id(), "\""));
  } else if (task.attempts_size() > 0 && !task.attempts().rbegin()->provider_task_id().empty()) {
    const v1::Attempt& attempt = *task.attempts().rbegin();
    known =
        absl::StrCat("; ", attempt.provider(), " itself has confirmed that it accepted it as \"",
                     attempt.provider_task_id(), "\"");
  }
  const bool ended = model::IsFinal(task.state());
  const bool pending = task.state() == v1::VideoTask::PENDING;
  return base::Error(absl::StatusCode::kFailedPrecondition,
                     ended ? v1::ALREADY_FINISHED : v1::NOT_UNCONFIRMED,
                     absl::StrCat("\"", name(), "\" is ", v1::VideoTask::State_Name(task.state()),
                                  ", not UNCONFIRMED: there is nothing to resolve", known,
                                  ended     ? ""
                                  : pending ? "; wait for it, or cancel it"
                                            : "; wait for its end"));
}

}  // namespace assetgate::reconcile
