#include "reconcile/work/deletion_item.h"

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "reconcile/tracking.h"

namespace assetgate::reconcile {
namespace {

constexpr upstream::CallClass kClass = upstream::CallClass::kDeletion;

// A deletion that is sent.
struct Sent {
  Environment environment;
  store::Key key;
  std::uint64_t serial;
  CallFacts facts;
  upstream::UpstreamCall call;
};

void OnDeletionEnd(Sent sent, http::Result answer, absl::Duration latency) {
  const Environment& environment = sent.environment;
  const model::ProviderEntry& provider = *sent.facts.provider;
  std::optional<provider::Failure> failure;
  if (const auto* error = std::get_if<http::TransportError>(&answer)) {
    failure = provider::FailureOf(*error);
  } else {
    const auto& response = std::get<http::Response>(answer);
    sent.call.http_status = response.status;
    failure = provider.dialect->DecodeDeleteAsset(response);
  }
  const provider::Failure* no = failure.has_value() ? &*failure : nullptr;
  environment.gates().Release(provider, kClass, no, sent.serial);
  sent.call.outcome = upstream::OutcomeOf(answer, no != nullptr);
  sent.call.latency = latency;
  if (no != nullptr) sent.call.message = base::CleanText(no->message);
  environment.telemetry().OnUpstreamCall(sent.call);
  Observed observed{sent.key, sent.serial, 0, provider::UnitNews(), std::move(sent.facts)};
  // Gone.
  std::get<provider::UnitNews>(observed.said).kind = provider::UnitNews::Kind::kNotFound;
  if (failure.has_value()) observed.said = *std::move(failure);
  environment.Observe(std::move(observed));
}

}  // namespace

void DeletionItem::Load(const store::Row& row) {
  revision_ = row.revision;
  content_ = row.content;
  if (!deletion_.ParseFromString(row.content.internal)) deletion_.Clear();
}

bool DeletionItem::Reconsider(const Environment& environment,
                              const model::ProviderChanges& changes) {
  return ReconsiderPoll(environment, deletion_.provider(), provider::UnitKind::kAsset,
                        Pace{base::FromProto(deletion_.create_time())}, changes, run(0));
}

void DeletionItem::Plan(Step& step) {
  UnitRun& state = run(0);
  if (state.in_flight) return;
  const model::ProviderEntry* provider = step.catalog().FindProvider(deletion_.provider());
  const absl::Time expires =
      GiveUpAt(base::FromProto(deletion_.create_time()) + step.settings().deletion_period);
  std::optional<http::Request> request;
  if (provider != nullptr) request = provider->dialect->EncodeDeleteAsset(deletion_.handle());
  if (!request.has_value() || step.now() >= expires) {
    step.telemetry().OnWarning(
        deletion_.asset(),
        absl::StrCat("its copy at ", deletion_.provider(), " was not deleted and is left there",
                     state.failure.has_value()
                         ? absl::StrCat(": ", base::CleanText(state.failure->message))
                         : std::string()));
    state.place.Release();
    return step.Remove();
  }
  step.WakeAt(expires);
  if (provider->mode == v1::Provider::OFF) return state.place.Release();
  if (step.draining()) return;
  if (state.due > step.now()) return step.WakeAt(state.due);
  if (!Acquire(step, state.place, *provider, kClass)) return;
  CallFacts facts;
  facts.catalog = step.catalog_ptr();
  facts.provider = provider;
  facts.kind = provider::UnitKind::kAsset;
  step.AfterCommit([this, shard = step.shard(), request = *std::move(request),
                    sent =
                        Sent{Environment(step), key_, serial(), std::move(facts), {}}]() mutable {
    const Environment& env = sent.environment;
    if (!env.ownership().Holds(shard)) return run(0).place.Release();
    run(0).place.Use();
    run(0).in_flight = true;
    const model::ProviderEntry& entry = *sent.facts.provider;
    constexpr base::UpstreamOperation kOperation = base::UpstreamOperation::kDeleteAsset;
    http::SendOptions options;
    options.timeout = entry.TimeoutFor(kOperation);
    upstream::Purpose of = purpose();
    of.resource = deletion_.asset();
    sent.call = env.upstream().Begin(of, entry, kOperation, request);
    upstream::Access to{sent.facts.catalog, entry, entry.CredentialFor(deletion_.credential_id())};
    upstream::Upstream& upstream = env.upstream();
    upstream.Send(std::move(to), std::move(request), std::move(options),
                  [sent = std::move(sent)](http::Result answer, absl::Duration latency) mutable {
                    OnDeletionEnd(std::move(sent), std::move(answer), latency);
                  });
  });
}

std::optional<Said> DeletionItem::TakeIn(const Environment& environment, Observed observed) {
  UnitRun& state = run(0);
  state.in_flight = false;
  if (auto* news = std::get_if<provider::UnitNews>(&observed.said)) {
    return News{std::move(*news), /*verdict=*/true};
  }
  ++state.failures;
  state.failure = std::get<provider::Failure>(std::move(observed.said));
  state.due = environment.now() + BackOff(environment, state);
  return std::nullopt;
}

absl::Status DeletionItem::Apply(Step& step, std::size_t /*unit*/, const Said& /*said*/) {
  step.Remove();
  return absl::OkStatus();
}

}  // namespace assetgate::reconcile
