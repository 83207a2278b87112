// Deleting a copy at a provider: tried until the provider says that it is gone, or for a day.
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "reconcile/item.h"
#include "reconcile/reconciler.h"

namespace assetgate::reconcile {

void DeletionItem::Take(const store::Row& row) {
  revision_ = row.revision;
  content_ = row.content;
  if (!deletion_.ParseFromString(row.content.internal)) deletion_.Clear();
}

bool DeletionItem::Reconsider(const model::ProviderChanges& changes) {
  return Item::Reconsider(0, deletion_.provider(), provider::UnitKind::kAsset,
                          Pace{base::FromProto(deletion_.create_time())}, changes);
}

void DeletionItem::Plan() {
  UnitRun& state = run(0);
  if (state.in_flight) return;
  const model::ProviderEntry* provider = owner_.catalog().FindProvider(deletion_.provider());
  const absl::Time expires =
      GiveUpAt(base::FromProto(deletion_.create_time()) + owner_.settings().deletion_period);
  std::optional<http::Request> request;
  if (provider != nullptr) request = provider->dialect->EncodeDeleteAsset(deletion_.handle());
  if (!request.has_value() || Now() >= expires) {
    owner_.telemetry().OnWarning(
        deletion_.asset(),
        absl::StrCat("its copy at ", deletion_.provider(), " was not deleted and is left there",
                     state.failure.has_value()
                         ? absl::StrCat(": ", base::CleanText(state.failure->message))
                         : std::string()));
    ReleasePlace(0);
    return Remove({});
  }
  WakeAt(expires);
  if (provider->mode == v1::Provider::OFF) return ReleasePlace(0);
  if (owner_.draining()) return;
  if (state.due > Now()) return WakeAt(state.due);
  if (!HoldPlace(0, *provider, upstream::CallClass::kDeletion)) return;
  After([this, catalog = owner_.catalog_ptr(), provider, request = *std::move(request)]() mutable {
    if (!owner_.Follows(*this)) return ReleasePlace(0);
    UnitRun& run_now = run(0);
    run_now.place = UnitRun::Place::kNone;
    run_now.in_flight = true;
    http::SendOptions options;
    options.timeout = provider->TimeoutFor(base::UpstreamOperation::kDeleteAsset);
    upstream::UpstreamCall begun =
        BeginCall(*provider, base::UpstreamOperation::kDeleteAsset, request);
    Reconciler& owner = owner_;
    owner.Send(
        *this, std::move(catalog), *provider, provider->CredentialFor(deletion_.credential_id()),
        std::move(request), std::move(options),
        [&owner, provider, serial = serial_, asset = deletion_.asset(), call = std::move(begun)](
            Item* item, http::Result answer, absl::Duration latency) mutable {
          std::optional<provider::Failure> failure;
          int status = 0;
          if (const auto* error = std::get_if<http::TransportError>(&answer)) {
            failure = provider::FailureOf(*error);
          } else {
            const auto& response = std::get<http::Response>(answer);
            status = response.status;
            failure = provider->dialect->DecodeDeleteAsset(response);
          }
          const provider::Failure* no = failure.has_value() ? &*failure : nullptr;
          owner.Release(*provider, upstream::CallClass::kDeletion, no, serial);
          call.outcome = upstream::OutcomeOf(answer, no != nullptr);
          call.http_status = status;
          call.latency = latency;
          call.resource = asset;
          if (no != nullptr) call.message = base::CleanText(no->message);
          owner.telemetry().OnUpstreamCall(call);
          if (item == nullptr) return;
          UnitRun& back = static_cast<DeletionItem*>(item)->run(0);
          back.in_flight = false;
          if (no == nullptr) {
            return owner.AddChange(*item, Change{[](Item& gone) {
                                                   gone.Remove({});
                                                   return absl::OkStatus();
                                                 },
                                                 {},
                                                 {}});
          }
          ++back.failures;
          back.failure = failure;
          back.due = owner.Now() + static_cast<DeletionItem*>(item)->BackOff(back);
          owner.PostAdvance(*item);
        });
  });
}

}  // namespace assetgate::reconcile
