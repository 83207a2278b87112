#include "upstream/gates.h"

#include <utility>

#include "base/proto_time.h"
#include "model/resource.h"

namespace assetgate::upstream {
namespace {

// How often it is looked up how many gateways share a budget.
constexpr absl::Duration kShareInterval = absl::Seconds(5);

}  // namespace

Gates::Gates(base::EventLoop& loop, Telemetry& telemetry, std::function<int()> gateways)
    : loop_(loop), telemetry_(telemetry), gateways_(std::move(gateways)) {}

void Gates::Configure(model::CatalogPtr catalog, const model::ProviderChanges& changes) {
  catalog_ = std::move(catalog);
  for (const auto& provider : catalog_->providers()) {
    std::unique_ptr<Gate>& gate = gates_[provider->id];
    if (gate == nullptr) {
      gate = std::make_unique<Gate>(provider->limits, loop_,
                                    [this, id = provider->id](absl::Duration waited) {
                                      telemetry_.OnBudgetWait(id, waited);
                                    });
    } else {
      gate->SetLimits(provider->limits);
      const auto change = changes.find(provider->id);
      if (change != changes.end() && change->second.access) gate->Forget();
    }
    NoteState(provider->id);
  }
}

void Gates::ShareBudgets() {
  const absl::Time now = loop_.Now();
  // Also when the clock has stepped back.
  if (now >= shared_ && now - shared_ < kShareInterval) return;
  ShareBudgetsNow();
}

void Gates::ShareBudgetsNow() {
  shared_ = loop_.Now();
  const int gateways = gateways_();
  for (auto& [id, gate] : gates_) gate->Share(gateways);
}

void Gates::Release(const model::ProviderEntry& called, CallClass call_class,
                    const provider::Failure* failure, std::uint64_t unit) {
  const model::ProviderEntry* now = catalog_->FindProvider(called.id);
  if (failure != nullptr && (now == nullptr || !model::SameAccess(*now, called))) {
    return Of(called.id).Abandon(call_class);
  }
  Of(called.id).Release(call_class, failure, unit);
}

void Gates::NoteFailure(const std::string& provider_id, const provider::Failure& failure) {
  // Every tenant can read it. The provider's own words are in that resource's error and in the log.
  last_errors_[provider_id] = {provider::ToError(WithoutWords(failure), provider_id).ToProto(),
                               loop_.Now()};
}

void Gates::NoteState(const std::string& provider_id) {
  const Gate& gate = Of(provider_id);
  const base::ProviderCondition condition = gate.condition();
  const auto [known, first] = conditions_.try_emplace(provider_id, condition);
  if (!first && std::exchange(known->second, condition) == condition) return;
  if (first) telemetry_.OnVideoModels(provider_id, catalog_->ModelsOf(provider_id));
  telemetry_.OnProviderState(provider_id, condition, gate.state_reason());
  if (notify_) notify_();
}

v1::Provider Gates::Describe(const model::ProviderEntry& entry) const {
  v1::Provider provider;
  provider.set_name(model::MakeName(model::kProviders, entry.id));
  provider.set_dialect(entry.dialect->traits().name);
  provider.set_mode(entry.mode);
  const Gate& gate = Of(entry.id);
  provider.set_state(gate.state());
  provider.set_state_reason(gate.state_reason());
  if (const auto it = last_errors_.find(entry.id); it != last_errors_.end()) {
    *provider.mutable_last_error() = it->second.status;
    *provider.mutable_last_error_time() = base::ToProto(it->second.time);
  }
  *provider.mutable_asset_capabilities() = entry.dialect->traits().asset_capabilities;
  return provider;
}

}  // namespace assetgate::upstream
