// Groups and assets: hand each placement to its provider, then follow it until it is final.
#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "model/apply.h"
#include "model/fingerprint.h"
#include "model/refusal.h"
#include "reconcile/item.h"
#include "reconcile/reconciler.h"

namespace assetgate::reconcile {
namespace {

const google::protobuf::Struct& OptionsFor(
    const google::protobuf::Map<std::string, google::protobuf::Struct>& options,
    const std::string& provider_id) {
  static const auto* const none = new google::protobuf::Struct();
  const auto it = options.find(provider_id);
  return it == options.end() ? *none : it->second;
}

model::UnitContext ContextOf(const model::Settings& settings, const std::string& provider_id,
                             absl::Time now) {
  model::UnitContext context;
  context.provider_id = provider_id;
  context.now = now;
  context.max_unknown_submissions = settings.max_unknown_submissions;
  return context;
}

// The journal of a process that is gone says that it sent this, and not what came of it.
provider::SubmitResult LostOutcome() {
  provider::SubmitResult result;
  result.outcome = provider::Outcome::kUnknown;
  result.failure.reason = v1::PROVIDER_UNAVAILABLE;
  result.failure.message = "the gateway stopped before the provider's answer was recorded";
  return result;
}

bool StuckOnOperator(v1::Waiting::Reason reason) {
  return reason == v1::Waiting::PROVIDER_CREDENTIALS_REJECTED ||
         reason == v1::Waiting::PROVIDER_OUT_OF_CREDIT;
}

// After this long in a queue of ours it is worth saying.
constexpr absl::Duration kSlowQueue = absl::Seconds(1);
// An asset that waits until others have been sent looks again then.
constexpr absl::Duration kUploadPatience = absl::Seconds(10);

// Of one resource at one provider, those that were LOST or given up included: each may stand for a
// copy there. Then it is not placed anew any more.
constexpr int kMostPlacementsThere = 8;

// Ended without a copy at the provider that is known by an id: it can be used again.
bool IsVacant(v1::Placement::State state, const model::Unit& unit) {
  return state == v1::Placement::FAILED && unit.handle().empty();
}

}  // namespace

template <typename EntityT>
void PlacementItem<EntityT>::SpreadPolls() {
  if (this->ReadOnly()) return;
  for (int i = 0; i < this->current_.resource.placements_size(); ++i) {
    const auto& placement = this->current_.resource.placements(i);
    if (placement.state() != v1::Placement::PROCESSING) continue;
    const model::ProviderEntry* provider =
        this->owner_.catalog().FindProvider(this->current_.record.units(i).provider());
    if (provider == nullptr) continue;
    const absl::Duration interval =
        this->PollInterval(*provider, kUnit, Pace{base::FromProto(placement.create_time())});
    this->run(i).due = this->Now() + interval * absl::Uniform(this->owner_.random(), 0.0, 1.0);
    this->run(i).due_because = v1::Explanation::POLL_INTERVAL;
    this->run(i).polled = true;
  }
}

template <typename EntityT>
bool PlacementItem<EntityT>::Reconsider(const model::ProviderChanges& changes) {
  if (this->ReadOnly()) return false;
  bool concerned = false;
  for (int i = 0; i < this->current_.resource.placements_size(); ++i) {
    const auto& placement = this->current_.resource.placements(i);
    if (model::IsFinal(placement.state())) continue;
    concerned |=
        Item::Reconsider(static_cast<std::size_t>(i), this->current_.record.units(i).provider(),
                         kUnit, Pace{base::FromProto(placement.create_time())}, changes);
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
absl::Status PlacementItem<EntityT>::AddPlacement(const std::string& provider_id) {
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
  *placement->mutable_create_time() = base::ToProto(this->Now());
  if constexpr (kIsGroup) {
    const model::ProviderEntry* provider = this->owner_.catalog().FindProvider(provider_id);
    if (provider != nullptr && provider->dialect->traits().asset_capabilities.groups() ==
                                   v1::AssetCapabilities::KEPT_BY_GATEWAY) {
      placement->set_state(v1::Placement::ACTIVE);
      *placement->mutable_end_time() = placement->create_time();
    }
  }
  this->MarkChanged();
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
absl::Status PlacementItem<EntityT>::PlaceAnewOnce(const std::string& provider_id) {
  const auto& placements = this->draft_.resource.placements();
  const auto lost = std::count_if(placements.begin(), placements.end(), [&](const auto& one) {
    return model::ParseProvider(one.provider()) == provider_id &&
           one.state() == v1::Placement::LOST;
  });
  return lost == 1 ? AddPlacement(provider_id) : absl::OkStatus();
}

template <typename EntityT>
absl::Duration PlacementItem<EntityT>::LongPause() const {
  const model::Settings& settings = this->owner_.settings();
  return std::min(14 * settings.max_back_off, settings.submit_timeout / 2);
}

template <typename EntityT>
absl::Time PlacementItem<EntityT>::SpreadTries(std::size_t unit, bool outage, absl::Time since) {
  const auto& placement = this->draft_.resource.placements(static_cast<int>(unit));
  model::Unit& record = *this->draft_.record.mutable_units(static_cast<int>(unit));
  const model::Settings& settings = this->owner_.settings();
  const absl::Duration timeout = settings.submit_timeout;
  const absl::Time expires = base::FromProto(placement.create_time()) + timeout;
  const absl::Duration short_pause = std::min(settings.max_back_off, timeout / 30);
  absl::Duration pause = outage ? LongPause() : short_pause;
  if (since + pause >= expires) pause = short_pause;
  *record.mutable_submit_not_before() = base::ToProto(since + pause);
  return since + pause - this->owner_.behind();
}

template <typename EntityT>
void PlacementItem<EntityT>::PauseUntil(absl::Time when, UnitRun& run) {
  if (when <= run.due) return;
  run.due = when;
  run.due_because = v1::Explanation::BACK_OFF;
}

template <typename EntityT>
absl::Time PlacementItem<EntityT>::NotBefore(const model::Unit& record) const {
  return std::min(base::FromProto(record.submit_not_before()) - this->owner_.behind(),
                  this->known_since() + LongPause());
}

template <typename EntityT>
void PlacementItem<EntityT>::Plan() {
  for (int i = 0; i < this->draft_.resource.placements_size(); ++i) PlanUnit(i);
  this->Derive();
}

template <typename EntityT>
void PlacementItem<EntityT>::PlanUnit(std::size_t unit) {
  auto& placement = *this->draft_.resource.mutable_placements(static_cast<int>(unit));
  model::Unit& record = *this->draft_.record.mutable_units(static_cast<int>(unit));
  UnitRun& run = this->run(unit);
  if (model::IsFinal(placement.state())) return this->ReleasePlace(unit);
  if (run.in_flight) return;
  const absl::Time now = this->Now();
  const model::Settings& settings = this->owner_.settings();
  const absl::Time created = base::FromProto(placement.create_time());
  const model::UnitContext context = ContextOf(settings, record.provider(), now);
  const model::ProviderEntry* provider = this->owner_.catalog().FindProvider(record.provider());
  const bool submitting = placement.state() == v1::Placement::SUBMITTING;

  if (submitting && record.submission().open()) {
    if (this->UnderWayElsewhere(unit, record)) return this->ReleasePlace(unit);
    this->MarkChanged(model::ApplySubmit(placement, record, LostOutcome(), context));
    if (model::IsFinal(placement.state())) return;
    // From when it was sent: that may be long ago. It was a gateway that ended, so this says
    // nothing of the provider.
    SpreadTries(
        unit, /*outage=*/false,
        base::FromProto(record.submission().send_before()) - settings.submission_start_timeout);
  }
  const absl::Time expires = submitting ? created + settings.submit_timeout
                                        : this->GiveUpAt(created + settings.tracking_horizon);
  if (now >= expires) {
    const std::string within = absl::FormatDuration(settings.submit_timeout);
    const std::string& why = placement.waiting().message();
    const base::Error error =
        !submitting
            ? base::Error(absl::StatusCode::kDeadlineExceeded, v1::TRACKING_EXPIRED,
                          absl::StrCat("no final state was learned from the provider within ",
                                       absl::FormatDuration(settings.tracking_horizon)))
        : record.unknown_outcomes() > 0
            ? base::Error(
                  absl::StatusCode::kUnknown, v1::SUBMISSION_UNKNOWN,
                  absl::StrCat("not known to be accepted within ", within, "; the outcome of ",
                               record.unknown_outcomes(), " submissions is not known: ", why))
            : base::Error(absl::StatusCode::kUnavailable, v1::NOT_SUBMITTED,
                          absl::StrCat("not accepted within ", within, ": ", why));
    this->MarkChanged(model::ApplyGivenUp(
        placement, base::Error(error).Metadata("provider", record.provider()).ToProto(), now));
    return this->ReleasePlace(unit);
  }
  this->WakeAt(expires);
  if (provider == nullptr || provider->mode == v1::Provider::OFF ||
      (submitting && provider->mode != v1::Provider::SERVE)) {
    this->MarkChanged(model::SetWaiting(
        placement, v1::Waiting::NEEDS_OPERATOR, placement.provider(),
        provider == nullptr ? "the provider is not in the gateway's config any more"
        : submitting        ? "the provider takes no new work (see its mode)"
                            : "the provider is switched off (see its mode)",
        now));
    return this->ReleasePlace(unit);
  }
  if (!submitting) {
    if (this->IsDisowned(unit)) {
      this->MarkChanged(model::SetWaiting(
          placement, v1::Waiting::PROVIDER_NOT_FOUND, placement.provider(),
          absl::StrCat(this->Disowned(unit),
                       kIsGroup ? "it fails" : "the asset is placed there anew, once"),
          now));
    }
    return this->PlanPoll(
        unit, *provider, kUnit,
        kIsGroup ? base::UpstreamOperation::kPollAssetGroup : base::UpstreamOperation::kPollAsset,
        record, Pace{created});
  }
  if (this->owner_.draining()) return;
  if (record.has_submit_not_before()) PauseUntil(NotBefore(record), run);
  if (run.due > now) return this->WakeAt(run.due);

  absl::StatusOr<std::optional<http::Request>> request = Prepare(unit, *provider);
  if (!request.ok()) {
    this->MarkChanged(model::ApplyGivenUp(placement, base::ToRpcStatus(request.status()), now));
    return this->ReleasePlace(unit);
  }
  if (!request->has_value()) return this->ReleasePlace(unit);
  const std::optional<absl::Time> send_before = this->SendBefore();
  if (!send_before.has_value()) return this->ReleasePlace(unit);
  const std::optional<upstream::Gate::Held> held = this->owner_.gate(*provider).HeldSubmissions();
  if (held.has_value() && run.place != UnitRun::Place::kHeld) {
    // What the provider said to another submission holds for this one too.
    if (!held->under_way) {
      // Its own refusal of that kind has the provider's words.
      if (!run.failure.has_value() || run.failure->reason != held->failure.reason) {
        run.failure = held->failure;
      }
      this->MarkChanged(
          model::SetWaiting(placement, model::WaitingReasonOf(held->failure), placement.provider(),
                            provider::ToError(held->failure, record.provider()).ToProto().message(),
                            now, held->until));
    }
    this->WakeAt(held->until);
    return this->ReleasePlace(unit);
  }
  if (!kIsGroup && !this->owner_.TakeUploadPlace(this->key_, unit, *provider, created)) {
    this->ReleasePlace(unit);
    if (now - created >= kSlowQueue) {
      this->MarkChanged(
          model::SetWaiting(placement, v1::Waiting::PROVIDER_BUSY, placement.provider(),
                            "as many assets as the provider takes at one time are being sent "
                            "to it",
                            now));
    }
    // It is told when its turn comes; this is for where that was missed.
    return this->WakeAt(now + (now - created >= kSlowQueue ? kUploadPatience : kSlowQueue));
  }
  if (!this->HoldPlace(unit, *provider, upstream::CallClass::kSubmission)) {
    if (const auto unwell = this->owner_.gate(*provider).Unwell()) {
      this->MarkChanged(model::SetWaiting(placement, unwell->reason, placement.provider(),
                                          this->owner_.gate(*provider).state_reason(), now,
                                          unwell->until));
    } else if (now - run.queued_since >= kSlowQueue) {
      this->MarkChanged(
          model::SetWaiting(placement, v1::Waiting::PROVIDER_BUSY, placement.provider(),
                            "as many calls as allowed are under way to the provider", now));
    } else {
      this->WakeAt(run.queued_since + kSlowQueue);
    }
    return;
  }
  const provider::Credential& credential = provider->credential;
  record.set_credential_id(credential.id);
  *record.mutable_account() = model::FingerprintOf(*provider, credential);
  constexpr base::UpstreamOperation kOperation =
      kIsGroup ? base::UpstreamOperation::kSubmitAssetGroup : base::UpstreamOperation::kSubmitAsset;
  this->Journal(**request, now, *send_before, *record.mutable_submission());
  *record.mutable_send_timeout() = base::ToProto(provider->TimeoutFor(kOperation));
  this->MarkChanged();
  this->SubmitAfterCommit(unit, *provider, kUnit, kOperation, record.submission(),
                          record.submission().sends() > 1, credential);
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::OnSubmitted(std::size_t unit, const SubmitAnswer& answer) {
  const int i = static_cast<int>(unit);
  model::Unit& record = *this->draft_.record.mutable_units(i);
  if (!this->IsNews(record, answer)) return absl::OkStatus();
  model::UnitContext context = ContextOf(this->owner_.settings(), record.provider(), this->Now());
  auto& placement = *this->draft_.resource.mutable_placements(i);
  const bool ended = model::IsFinal(placement.state());
  if (answer.result.outcome == provider::Outcome::kUnknown) {
    // A hiccup costs half a minute; the last try comes when an outage of minutes is over.
    const bool last_follows =
        record.unknown_outcomes() + 2 >= this->owner_.settings().max_unknown_submissions;
    PauseUntil(SpreadTries(unit, last_follows, this->Now() + this->owner_.behind()),
               this->run(unit));
  }
  context.next_try = this->run(unit).due;
  this->MarkChanged(model::ApplySubmit(placement, record, answer.result, context));
  absl::Status status;
  if (!ended && placement.state() == v1::Placement::LOST) {
    status = PlaceAnewOnce(context.provider_id);
  }
  this->Derive();
  return status;
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::OnNews(std::size_t unit, const provider::UnitNews& news,
                                            bool verdict) {
  const int i = static_cast<int>(unit);
  auto& placement = *this->draft_.resource.mutable_placements(i);
  const model::UnitContext context =
      ContextOf(this->owner_.settings(), this->draft_.record.units(i).provider(), this->Now());
  if (news.kind == provider::UnitNews::Kind::kObserved) {
    const bool ended = model::IsFinal(placement.state());
    this->MarkChanged(model::ApplyObservation(placement, news.observation, context));
    if (!ended && model::IsFinal(placement.state())) {
      this->TellDetected(unit, context.provider_id,
                         kIsGroup ? base::MetricKind::kAssetGroup : base::MetricKind::kAsset,
                         news.observation);
    }
    if (!ended && placement.state() == v1::Placement::LOST) {
      return PlaceAnewOnce(context.provider_id);
    }
  } else if (verdict) {
    this->MarkChanged(model::ApplyForgotten(placement, news.failure, context));
    if (placement.state() == v1::Placement::LOST) {
      return PlaceAnewOnce(context.provider_id);
    }
  } else if (placement.waiting().reason() != v1::Waiting::PROVIDER_WORKING) {
    // The calls succeed again, with no news.
    this->MarkChanged(model::SetWaiting(placement, v1::Waiting::PROVIDER_WORKING,
                                        placement.provider(), "the provider is preparing it",
                                        this->Now()));
  }
  return absl::OkStatus();
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::OnPollTrouble(std::size_t unit,
                                                   const provider::Failure& failure) {
  const int i = static_cast<int>(unit);
  auto& placement = *this->draft_.resource.mutable_placements(i);
  if (model::IsFinal(placement.state())) return absl::OkStatus();
  if (failure.unreadable) {
    this->MarkChanged(model::SetWaiting(placement, v1::Waiting::PROVIDER_WORKING,
                                        placement.provider(), std::string(model::kUnreadable),
                                        this->Now()));
    return absl::OkStatus();
  }
  this->MarkChanged(model::SetWaiting(
      placement, model::WaitingReasonOf(failure), placement.provider(),
      provider::ToError(failure, this->draft_.record.units(i).provider()).ToProto().message(),
      this->Now(), this->run(unit).due));
  return absl::OkStatus();
}

template <typename EntityT>
absl::Status PlacementItem<EntityT>::OnUnkept(std::size_t unit, const google::rpc::Status& error) {
  model::LoseOpenSubmission(*this->draft_.record.mutable_units(static_cast<int>(unit)));
  this->MarkChanged(model::ApplyGivenUp(
      *this->draft_.resource.mutable_placements(static_cast<int>(unit)), error, this->Now()));
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
bool PlacementItem<EntityT>::Answerable() const {
  const auto& placements = this->current_.resource.placements();
  return std::all_of(placements.begin(), placements.end(), [](const auto& placement) {
    return placement.state() != v1::Placement::SUBMITTING ||
           StuckOnOperator(placement.waiting().reason());
  });
}

template <typename EntityT>
bool PlacementItem<EntityT>::MayBeRefused() const {
  const auto& units = this->current_.record.units();
  return !units.empty() && std::none_of(units.begin(), units.end(), [](const model::Unit& unit) {
    return !unit.handle().empty() || unit.unknown_outcomes() > 0 ||
           unit.earlier_unknown_outcomes() > 0;
  });
}

template <typename EntityT>
std::optional<absl::Status> PlacementItem<EntityT>::Refusal() const {
  const auto& draft = this->draft_;
  if (draft.resource.placements_size() == 0) return std::nullopt;
  v1::ProviderFailures failures;
  for (int i = 0; i < draft.resource.placements_size(); ++i) {
    const auto& placement = draft.resource.placements(i);
    // Accepted once: something exists. On its way: it can be.
    if (!draft.record.units(i).handle().empty()) return std::nullopt;
    if (draft.record.units(i).submission().open()) return std::nullopt;
    // Sent, and never answered: nobody can say that nothing exists.
    if (draft.record.units(i).unknown_outcomes() > 0 ||
        draft.record.units(i).earlier_unknown_outcomes() > 0) {
      return std::nullopt;
    }
    const UnitRun* run =
        static_cast<std::size_t>(i) < this->runs_.size() ? &this->runs_[i] : nullptr;
    auto* failure = failures.add_failures();
    failure->set_provider(placement.provider());
    if (placement.state() == v1::Placement::FAILED) {
      *failure->mutable_status() = placement.error();
    } else if (placement.state() == v1::Placement::SUBMITTING &&
               StuckOnOperator(placement.waiting().reason()) && run != nullptr &&
               run->failure.has_value()) {
      *failure->mutable_status() =
          provider::ToError(*run->failure, draft.record.units(i).provider()).ToProto();
    } else {
      return std::nullopt;
    }
  }
  return model::CombinedRefusal(failures);
}

absl::StatusOr<std::optional<http::Request>> GroupItem::Prepare(
    std::size_t unit, const model::ProviderEntry& provider) {
  (void)unit;
  provider::GroupSubmission submission{draft_.resource,
                                       OptionsFor(draft_.resource.provider_options(), provider.id)};
  auto request = provider.dialect->EncodeSubmitGroup(submission);
  if (!request.ok()) return request.status();
  return std::optional<http::Request>(*std::move(request));
}

absl::StatusOr<std::string> AssetItem::SourceFor(const model::ProviderEntry& provider) const {
  const std::string& uri = draft_.resource.source_uri();
  const bool https_only = provider.dialect->traits().asset_capabilities.https_only();
  if (!https_only || absl::StartsWithIgnoreCase(uri, "https://")) return uri;
  for (const auto& placement : draft_.resource.placements()) {
    if (placement.state() == v1::Placement::ACTIVE &&
        absl::StartsWithIgnoreCase(placement.provider_uri(), "https://")) {
      return placement.provider_uri();
    }
  }
  return base::Error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD,
                     absl::StrCat("provider ", provider.id,
                                  " fetches https URLs only, and the asset's source_uri is http"))
      .Violation("asset.source_uri", "use an https URL")
      .Metadata("provider", provider.id);
}

absl::StatusOr<std::optional<http::Request>> AssetItem::Prepare(
    std::size_t unit, const model::ProviderEntry& provider) {
  v1::Placement& placement = *draft_.resource.mutable_placements(static_cast<int>(unit));
  provider::Handle group;
  if (provider.dialect->traits().asset_capabilities.groups() == v1::AssetCapabilities::NATIVE) {
    store::Key group_key{key_.tenant, store::Kind::kAssetGroup, model::DefaultGroupId(provider.id)};
    if (!draft_.resource.asset_group().empty()) {
      group_key.id =
          model::ParseName(model::kAssetGroups, draft_.resource.asset_group()).value_or("");
    }
    const std::string group_name = model::MakeName(model::kAssetGroups, group_key.id);
    const Reconciler::Dependency dependency =
        owner_.GroupAt(group_key, provider, base::FromProto(placement.create_time()), *this);
    switch (dependency.state) {
      case Reconciler::Dependency::State::kReady:
        group = dependency.handle;
        break;
      case Reconciler::Dependency::State::kPending:
        MarkChanged(model::SetWaiting(placement, v1::Waiting::ASSET_PROCESSING, group_name,
                                      "its group is being made at the provider", Now()));
        return std::nullopt;
      case Reconciler::Dependency::State::kFailed: {
        google::rpc::Status error = dependency.error;
        error.set_message(absl::StrCat("its group \"", group_name,
                                       "\" could not be made at the provider: ", error.message()));
        return base::FromRpcStatus(error);
      }
      case Reconciler::Dependency::State::kMissing:
        return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                           absl::StrCat("its group \"", group_name, "\" is gone"))
            .Resource(model::TypeOf(store::Kind::kAssetGroup), group_name);
    }
  }
  absl::StatusOr<std::string> source = SourceFor(provider);
  if (!source.ok()) return source.status();
  provider::AssetSubmission submission{draft_.resource, *std::move(source), std::move(group),
                                       OptionsFor(draft_.resource.provider_options(), provider.id)};
  auto request = provider.dialect->EncodeSubmitAsset(submission);
  if (!request.ok()) return request.status();
  return std::optional<http::Request>(*std::move(request));
}

void AssetItem::Derive() { MarkChanged(model::DeriveAsset(draft_.resource)); }

template class PlacementItem<model::GroupEntity>;
template class PlacementItem<model::AssetEntity>;

}  // namespace assetgate::reconcile
