#include "reconcile/work/placement_item.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "model/apply.h"
#include "model/fingerprint.h"
#include "reconcile/dependencies.h"
#include "reconcile/submission.h"
#include "reconcile/tracking.h"

namespace assetgate::reconcile {
namespace {

model::UnitContext ContextOf(const model::Settings& settings, const std::string& provider_id,
                             absl::Time now) {
  model::UnitContext context;
  context.provider_id = provider_id;
  context.now = now;
  context.max_unknown_submissions = settings.max_unknown_submissions;
  return context;
}

// After this long in a queue of ours it is worth saying.
constexpr absl::Duration kSlowQueue = absl::Seconds(1);
// An asset that waits until others have been sent looks again then.
constexpr absl::Duration kUploadPatience = absl::Seconds(10);

// Of one resource at one provider, those that were LOST or given up included: each may stand for a
// copy there. Then it is not placed again any more.
constexpr int kMostPlacementsThere = 8;

// Ended without a copy at the provider that is known by an id: it can be used again.
bool IsVacant(v1::Placement::State state, const model::Unit& unit) {
  return state == v1::Placement::FAILED && unit.handle().empty();
}

// The pause before another try where an outage of the provider is to be outlived.
absl::Duration LongPause(const model::Settings& settings) {
  return std::min(14 * settings.max_back_off, settings.submit_timeout / 2);
}

// The unit is not tried before `when`.
void PauseUntil(absl::Time when, UnitRun& run) {
  if (when <= run.due) return;
  run.due = when;
  run.due_because = v1::Explanation::BACK_OFF;
}

}  // namespace

template <typename EntityT>
void PlacementItem<EntityT>::SpreadPolls(const Environment& environment) {
  if (this->ReadOnly()) return;
  for (int i = 0; i < this->current_.resource.placements_size(); ++i) {
    const auto& placement = this->current_.resource.placements(i);
    if (placement.state() != v1::Placement::PROCESSING) continue;
    const model::ProviderEntry* provider =
        environment.catalog().FindProvider(this->current_.record.units(i).provider());
    if (provider == nullptr) continue;
    SpreadPoll(environment, *provider, kUnit, Pace{base::FromProto(placement.create_time())},
               this->run(static_cast<std::size_t>(i)));
  }
}

template <typename EntityT>
bool PlacementItem<EntityT>::Reconsider(const Environment& environment,
                                        const model::ProviderChanges& changes) {
  if (this->ReadOnly()) return false;
  bool concerned = false;
  for (int i = 0; i < this->current_.resource.placements_size(); ++i) {
    const auto& placement = this->current_.resource.placements(i);
    if (model::IsFinal(placement.state())) continue;
    concerned |= ReconsiderPoll(environment, this->current_.record.units(i).provider(), kUnit,
                                Pace{base::FromProto(placement.create_time())}, changes,
                                this->run(static_cast<std::size_t>(i)));
  }
  return concerned;
}

template <typename EntityT>
bool PlacementItem<EntityT>::CanBePlacedAnew(const std::string& provider_id) const {
  const auto& placements = this->current_.resource.placements();
  int there = 0;
  for (int i = 0; i < placements.size(); ++i) {
    if (model::ParseProvider(placements[i].provider()) != provider_id) continue;
    if (IsVacant(placements[i].state(), this->current_.record.units(i))) return true;
    ++there;
  }
  return there < kMostPlacementsThere;
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::AddPlacement(Step& step, const std::string& provider_id) {
  auto& resource = this->draft_.resource;
  const std::string provider_name = model::MakeName(model::kProviders, provider_id);
  int vacant = -1;
  int there = 0;
  for (int i = 0; i < resource.placements_size(); ++i) {
    const auto& placement = resource.placements(i);
    if (placement.provider() != provider_name) continue;
    // What a provider refused stays refused, but for the groups that the gateway makes for itself,
    // which are tried again: then it was asked for (see GroupAt).
    const bool over = placement.state() == v1::Placement::LOST ||
                      (placement.state() == v1::Placement::FAILED &&
                       (kIsGroup || model::IsGivenUp(placement.error())));
    if (!over) return absl::OkStatus();
    if (IsVacant(placement.state(), this->draft_.record.units(i))) vacant = i;
    ++there;
  }
  if (vacant < 0 && there >= kMostPlacementsThere) return absl::OkStatus();
  if (vacant < 0) {
    vacant = resource.placements_size();
    resource.add_placements()->set_provider(provider_name);
    this->draft_.record.add_units()->set_provider(provider_id);
  } else {
    UseAgain(static_cast<std::size_t>(vacant));
  }
  auto* placement = resource.mutable_placements(vacant);
  placement->set_state(v1::Placement::SUBMITTING);
  *placement->mutable_create_time() = base::ToProto(step.now());
  if constexpr (kIsGroup) {
    const model::ProviderEntry* provider = step.catalog().FindProvider(provider_id);
    if (provider != nullptr && provider->dialect->traits().asset_capabilities.groups() ==
                                   v1::AssetCapabilities::KEPT_BY_GATEWAY) {
      placement->set_state(v1::Placement::ACTIVE);
      *placement->mutable_end_time() = placement->create_time();
    }
  }
  step.MarkChanged();
  return absl::OkStatus();
}

template <typename EntityT>
void PlacementItem<EntityT>::UseAgain(std::size_t unit) {
  auto& placement = *this->draft_.resource.mutable_placements(static_cast<int>(unit));
  model::Unit& record = *this->draft_.record.mutable_units(static_cast<int>(unit));
  placement.clear_error();
  placement.clear_waiting();
  placement.clear_end_time();
  // Submissions keep their numbers: an answer to a former one is known by its own.
  const int sends = record.submission().sends();
  record.clear_submission();
  record.mutable_submission()->set_sends(sends);
  record.clear_submit_not_before();
  record.set_earlier_unknown_outcomes(record.earlier_unknown_outcomes() +
                                      record.unknown_outcomes());
  record.clear_unknown_outcomes();
  this->ForgetTrouble(unit);
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::PlaceAnewOnce(Step& step, const std::string& provider_id) {
  const auto& placements = this->draft_.resource.placements();
  const auto lost = std::count_if(placements.begin(), placements.end(), [&](const auto& one) {
    return model::ParseProvider(one.provider()) == provider_id &&
           one.state() == v1::Placement::LOST;
  });
  return lost == 1 ? AddPlacement(step, provider_id) : absl::OkStatus();
}

template <typename EntityT>
absl::Time PlacementItem<EntityT>::SpreadTries(const Environment& environment, std::size_t unit,
                                               bool outage, absl::Time since) {
  const auto& placement = this->draft_.resource.placements(static_cast<int>(unit));
  model::Unit& record = *this->draft_.record.mutable_units(static_cast<int>(unit));
  const model::Settings& settings = environment.settings();
  const absl::Duration timeout = settings.submit_timeout;
  const absl::Time expires = base::FromProto(placement.create_time()) + timeout;
  const absl::Duration short_pause = std::min(settings.max_back_off, timeout / 30);
  absl::Duration pause = outage ? LongPause(settings) : short_pause;
  if (since + pause >= expires) pause = short_pause;
  *record.mutable_submit_not_before() = base::ToProto(since + pause);
  return since + pause - environment.behind();
}

template <typename EntityT>
absl::Time PlacementItem<EntityT>::NotBefore(const Environment& environment,
                                             const model::Unit& record) const {
  return std::min(base::FromProto(record.submit_not_before()) - environment.behind(),
                  this->known_since() + LongPause(environment.settings()));
}

template <typename EntityT>
void PlacementItem<EntityT>::Plan(Step& step) {
  // What a unit still waits for, it asks for again.
  step.dependencies().LetGo(this->key_);
  for (int i = 0; i < this->draft_.resource.placements_size(); ++i) {
    PlanUnit(step, static_cast<std::size_t>(i));
  }
  this->Derive(step);
}

template <typename EntityT>
void PlacementItem<EntityT>::PlanUnit(Step& step, std::size_t unit) {
  Placement& placement = this->placement(unit);
  model::Unit& record = this->record(unit);
  UnitRun& run = this->run(unit);
  if (model::IsFinal(placement.state())) return run.place.Release();
  if (run.in_flight) return;
  const bool submitting = placement.state() == v1::Placement::SUBMITTING;
  if (submitting && record.submission().open()) {
    if (InFlightElsewhere(step, record, run)) return run.place.Release();
    step.MarkChanged(model::ApplySubmit(placement, record, LostOutcome(),
                                        ContextOf(step.settings(), record.provider(), step.now())));
    if (model::IsFinal(placement.state())) return;
    // From when it was sent: that may be long ago. It was a gateway that ended, so this says
    // nothing of the provider.
    SpreadTries(step, unit, /*outage=*/false,
                base::FromProto(record.submission().send_before()) -
                    step.settings().submission_start_timeout);
  }
  if (Expire(step, unit)) return;
  const model::ProviderEntry* provider = step.catalog().FindProvider(record.provider());
  if (provider == nullptr || provider->mode == v1::Provider::OFF ||
      (submitting && provider->mode != v1::Provider::SERVE)) {
    step.MarkChanged(model::SetWaiting(
        placement, v1::Waiting::NEEDS_OPERATOR, placement.provider(),
        provider == nullptr ? "the provider is not in the gateway's config any more"
        : submitting        ? "the provider takes no new work (see its mode)"
                            : "the provider is switched off (see its mode)",
        step.now()));
    return run.place.Release();
  }
  if (submitting) return PlanSubmission(step, unit, *provider);
  if (IsDisowned(&run)) {
    step.MarkChanged(model::SetWaiting(
        placement, v1::Waiting::PROVIDER_NOT_FOUND, placement.provider(),
        absl::StrCat(DisownedMessage(step, run),
                     kIsGroup ? "it fails" : "the asset is placed there anew, once"),
        step.now()));
  }
  PlanPoll(
      step, *this,
      {unit, *provider, kUnit,
       kIsGroup ? base::UpstreamOperation::kPollAssetGroup : base::UpstreamOperation::kPollAsset,
       record, Pace{base::FromProto(placement.create_time())}});
}

template <typename EntityT>
bool PlacementItem<EntityT>::Expire(Step& step, std::size_t unit) {
  Placement& placement = this->placement(unit);
  const model::Unit& record = this->record(unit);
  const model::Settings& settings = step.settings();
  const absl::Time created = base::FromProto(placement.create_time());
  const bool submitting = placement.state() == v1::Placement::SUBMITTING;
  const absl::Time expires = submitting ? created + settings.submit_timeout
                                        : this->GiveUpAt(created + settings.tracking_horizon);
  if (step.now() < expires) {
    step.WakeAt(expires);
    return false;
  }
  const std::string within = absl::FormatDuration(settings.submit_timeout);
  const std::string& why = placement.waiting().message();
  const base::Error error =
      !submitting ? base::Error(absl::StatusCode::kDeadlineExceeded, v1::TRACKING_EXPIRED,
                                absl::StrCat("no final state was learned from the provider within ",
                                             absl::FormatDuration(settings.tracking_horizon)))
      : record.unknown_outcomes() > 0
          ? base::Error(
                absl::StatusCode::kUnknown, v1::SUBMISSION_UNKNOWN,
                absl::StrCat("not known to be accepted within ", within, "; the outcome of ",
                             record.unknown_outcomes(), " submissions is not known: ", why))
          : base::Error(absl::StatusCode::kUnavailable, v1::NOT_SUBMITTED,
                        absl::StrCat("not accepted within ", within, ": ", why));
  step.MarkChanged(model::ApplyGivenUp(
      placement, base::Error(error).Metadata("provider", record.provider()).ToProto(), step.now()));
  this->run(unit).place.Release();
  return true;
}

template <typename EntityT>
void PlacementItem<EntityT>::PlanSubmission(Step& step, std::size_t unit,
                                            const model::ProviderEntry& provider) {
  Placement& placement = this->placement(unit);
  model::Unit& record = this->record(unit);
  UnitRun& run = this->run(unit);
  if (step.draining()) return;
  if (record.has_submit_not_before()) PauseUntil(NotBefore(step, record), run);
  if (run.due > step.now()) return step.WakeAt(run.due);

  absl::StatusOr<std::optional<http::Request>> request = Prepare(step, unit, provider);
  if (!request.ok()) {
    step.MarkChanged(
        model::ApplyGivenUp(placement, base::ToRpcStatus(request.status()), step.now()));
    return run.place.Release();
  }
  if (!request->has_value()) return run.place.Release();
  const std::optional<absl::Time> send_before = step.SendBefore();
  if (!send_before.has_value()) return run.place.Release();
  if (!TakePlaces(step, unit, provider)) return;
  const provider::Credential& credential = provider.credential;
  record.set_credential_id(credential.id);
  *record.mutable_account() = model::FingerprintOf(provider, credential);
  constexpr base::UpstreamOperation kOperation =
      kIsGroup ? base::UpstreamOperation::kSubmitAssetGroup : base::UpstreamOperation::kSubmitAsset;
  Journal(step, **request, *send_before, *record.mutable_submission());
  *record.mutable_send_timeout() = base::ToProto(provider.TimeoutFor(kOperation));
  step.MarkChanged();
  const bool replay = record.submission().sends() > 1;
  SubmitAfterCommit(step, *this, {unit, provider, kUnit, kOperation, replay, credential},
                    record.submission());
}

template <typename EntityT>
bool PlacementItem<EntityT>::TakePlaces(Step& step, std::size_t unit,
                                        const model::ProviderEntry& provider) {
  if (HeldByAccount(step, unit, provider)) return false;
  Placement& placement = this->placement(unit);
  const absl::Time created = base::FromProto(placement.create_time());
  if (!kIsGroup &&
      !step.uploads().Take(this->key_, unit, provider, created, step.ownership().gateways())) {
    this->run(unit).place.Release();
    const absl::Time now = step.now();
    if (now - created >= kSlowQueue) {
      step.MarkChanged(model::SetWaiting(
          placement, v1::Waiting::PROVIDER_BUSY, placement.provider(),
          "as many assets as the provider takes at one time are being sent to it", now));
    }
    // The asset is planned again when its turn comes; this is for where that was missed.
    step.WakeAt(now + (now - created >= kSlowQueue ? kUploadPatience : kSlowQueue));
    return false;
  }
  return AcquirePlace(step, unit, provider);
}

template <typename EntityT>
bool PlacementItem<EntityT>::HeldByAccount(Step& step, std::size_t unit,
                                           const model::ProviderEntry& provider) {
  UnitRun& run = this->run(unit);
  const std::optional<upstream::Gate::Held> held = step.gate(provider).HeldSubmissions();
  if (!held.has_value() || run.place.held()) return false;
  // What the provider said to another submission holds for this one too.
  if (!held->under_way) {
    // Its own refusal of that kind has the provider's words.
    if (!run.failure.has_value() || run.failure->reason != held->failure.reason) {
      run.failure = held->failure;
    }
    Placement& placement = this->placement(unit);
    step.MarkChanged(
        model::SetWaiting(placement, model::WaitingReasonOf(held->failure), placement.provider(),
                          provider::ToError(held->failure, provider.id).ToProto().message(),
                          step.now(), held->until));
  }
  step.WakeAt(held->until);
  run.place.Release();
  return true;
}

template <typename EntityT>
bool PlacementItem<EntityT>::AcquirePlace(Step& step, std::size_t unit,
                                          const model::ProviderEntry& provider) {
  UnitRun& run = this->run(unit);
  const upstream::Gate& gate = step.gate(provider);
  const bool held = this->Acquire(step, run.place, provider, upstream::CallClass::kSubmission);
  if (held) return true;
  Placement& placement = this->placement(unit);
  if (const auto unwell = gate.Unwell()) {
    step.MarkChanged(model::SetWaiting(placement, unwell->reason, placement.provider(),
                                       gate.state_reason(), step.now(), unwell->until));
  } else if (step.now() - run.place.queued_since() >= kSlowQueue) {
    step.MarkChanged(model::SetWaiting(placement, v1::Waiting::PROVIDER_BUSY, placement.provider(),
                                       "as many calls as allowed are under way to the provider",
                                       step.now()));
  } else {
    step.WakeAt(run.place.queued_since() + kSlowQueue);
  }
  return false;
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::Apply(Step& step, std::size_t unit, const Said& said) {
  return std::visit(
      Overloaded{[&](const SubmitAnswer& answer) { return ApplyAnswer(step, unit, answer); },
                 [&](const News& news) { return ApplyNews(step, unit, news); },
                 [&](const Trouble& trouble) { return ApplyTrouble(step, unit, trouble.failure); },
                 [&](const Unstorable& bad) { return ApplyUnstorable(step, unit, bad.error); }},
      said);
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::ApplyAnswer(Step& step, std::size_t unit,
                                                 const SubmitAnswer& answer) {
  const int i = static_cast<int>(unit);
  model::Unit& record = *this->draft_.record.mutable_units(i);
  if (!IsNews(record, answer)) return absl::OkStatus();
  model::UnitContext context = ContextOf(step.settings(), record.provider(), step.now());
  auto& placement = *this->draft_.resource.mutable_placements(i);
  const bool ended = model::IsFinal(placement.state());
  if (answer.result.outcome == provider::Outcome::kUnknown) {
    // A hiccup costs half a minute; the last try comes when an outage of minutes is over.
    const bool last_follows =
        record.unknown_outcomes() + 2 >= step.settings().max_unknown_submissions;
    PauseUntil(SpreadTries(step, unit, last_follows, step.now() + step.behind()), this->run(unit));
  }
  context.next_try = this->run(unit).due;
  step.MarkChanged(model::ApplySubmit(placement, record, answer.result, context));
  absl::Status status;
  if (!ended && placement.state() == v1::Placement::LOST) {
    status = PlaceAnewOnce(step, context.provider_id);
  }
  this->Derive(step);
  return status;
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::ApplyNews(Step& step, std::size_t unit, const News& news) {
  const int i = static_cast<int>(unit);
  auto& placement = *this->draft_.resource.mutable_placements(i);
  const model::UnitContext context =
      ContextOf(step.settings(), this->draft_.record.units(i).provider(), step.now());
  if (news.news.kind == provider::UnitNews::Kind::kObserved) {
    const bool ended = model::IsFinal(placement.state());
    step.MarkChanged(model::ApplyObservation(placement, news.news.observation, context));
    if (!ended && model::IsFinal(placement.state())) {
      ReportDetected(step, this->run(unit), context.provider_id,
                     kIsGroup ? base::MetricKind::kAssetGroup : base::MetricKind::kAsset,
                     news.news.observation);
    }
    if (!ended && placement.state() == v1::Placement::LOST) {
      return PlaceAnewOnce(step, context.provider_id);
    }
  } else if (news.verdict) {
    step.MarkChanged(model::ApplyForgotten(placement, news.news.failure, context));
    if (placement.state() == v1::Placement::LOST) {
      return PlaceAnewOnce(step, context.provider_id);
    }
  } else if (placement.waiting().reason() != v1::Waiting::PROVIDER_WORKING) {
    // The calls succeed again, with no news.
    step.MarkChanged(model::SetWaiting(placement, v1::Waiting::PROVIDER_WORKING,
                                       placement.provider(), "the provider is preparing it",
                                       step.now()));
  }
  return absl::OkStatus();
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::ApplyTrouble(Step& step, std::size_t unit,
                                                  const provider::Failure& failure) {
  const int i = static_cast<int>(unit);
  auto& placement = *this->draft_.resource.mutable_placements(i);
  if (model::IsFinal(placement.state())) return absl::OkStatus();
  if (failure.unreadable) {
    step.MarkChanged(model::SetWaiting(placement, v1::Waiting::PROVIDER_WORKING,
                                       placement.provider(), std::string(model::kUnreadable),
                                       step.now()));
    return absl::OkStatus();
  }
  step.MarkChanged(model::SetWaiting(
      placement, model::WaitingReasonOf(failure), placement.provider(),
      provider::ToError(failure, this->draft_.record.units(i).provider()).ToProto().message(),
      step.now(), this->run(unit).due));
  return absl::OkStatus();
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::ApplyUnstorable(Step& step, std::size_t unit,
                                                     const google::rpc::Status& error) {
  model::LoseOpenSubmission(*this->draft_.record.mutable_units(static_cast<int>(unit)));
  step.MarkChanged(model::ApplyGivenUp(
      *this->draft_.resource.mutable_placements(static_cast<int>(unit)), error, step.now()));
  return absl::OkStatus();
}

template <typename EntityT>
UnfinishedUnits PlacementItem<EntityT>::Units() const {
  UnfinishedUnits units;
  for (int i = 0; i < this->current_.resource.placements_size(); ++i) {
    if (model::IsFinal(this->current_.resource.placements(i).state())) continue;
    units.push_back({kIsGroup ? base::MetricKind::kAssetGroup : base::MetricKind::kAsset,
                     this->current_.record.units(i).provider(),
                     this->current_.resource.placements(i).waiting().reason()});
  }
  return units;
}

template <typename EntityT>
const google::protobuf::Struct& PlacementItem<EntityT>::OptionsFor(
    const std::string& provider_id) const {
  static const auto* const none = new google::protobuf::Struct();
  const auto& options = this->draft_.resource.provider_options();
  const auto it = options.find(provider_id);
  return it == options.end() ? *none : it->second;
}

template class PlacementItem<model::GroupEntity>;
template class PlacementItem<model::AssetEntity>;

}  // namespace assetgate::reconcile
