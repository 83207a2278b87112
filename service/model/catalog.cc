#include "model/catalog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/error.h"
#include "base/spelling.h"
#include "base/text.h"
#include "model/resource.h"

namespace assetgate::model {
namespace {

std::string Known(absl::string_view what, absl::string_view wanted,
                  std::vector<std::string> known) {
  if (known.empty()) return absl::StrCat("; no ", what, " is configured");
  known = base::NearestFirst(wanted.substr(0, 256), std::move(known));
  constexpr std::size_t kMaxKnown = 20;
  const bool cut = known.size() > kMaxKnown;
  if (cut) known.resize(kMaxKnown);
  return absl::StrCat("; known, nearest first: ", absl::StrJoin(known, ", "), cut ? ", …" : "");
}

bool SameCredential(const provider::Credential& a, const provider::Credential& b) {
  return a.id == b.id && std::equal(a.secrets.begin(), a.secrets.end(), b.secrets.begin(),
                                    b.secrets.end(), [](const auto& one, const auto& other) {
                                      return one.first == other.first &&
                                             one.second.Reveal() == other.second.Reveal();
                                    });
}

bool Shows(Catalog::Visible visible, const ProviderEntry& provider) {
  return visible == nullptr || visible->contains(provider.id);
}

bool SamePolling(const provider::Polling& a, const provider::Polling& b) {
  return a.first == b.first && a.floor == b.floor && a.ceiling == b.ceiling;
}

}  // namespace

const provider::Credential& ProviderEntry::CredentialFor(absl::string_view credential_id) const {
  if (previous_credential.has_value() && previous_credential->id == credential_id &&
      credential.id != credential_id) {
    return *previous_credential;
  }
  return credential;
}

const provider::Polling& ProviderEntry::PollingFor(provider::UnitKind kind) const {
  switch (kind) {
    case provider::UnitKind::kAssetGroup:
      return group_polling;
    case provider::UnitKind::kAsset:
      return asset_polling;
    case provider::UnitKind::kVideo:
      break;
  }
  return video_polling;
}

absl::Duration ProviderEntry::TimeoutFor(base::UpstreamOperation operation) const {
  const absl::Duration own = [&] {
    switch (operation) {
      case base::UpstreamOperation::kSubmitAssetGroup:
        return timeouts.submit_group;
      case base::UpstreamOperation::kSubmitAsset:
        return timeouts.submit_asset;
      case base::UpstreamOperation::kSubmitVideo:
        return timeouts.submit_video;
      case base::UpstreamOperation::kPollAssetGroup:
      case base::UpstreamOperation::kPollAsset:
      case base::UpstreamOperation::kPollVideo:
        return timeouts.poll;
      case base::UpstreamOperation::kDeleteAsset:
        return timeouts.remove;
    }
    return absl::ZeroDuration();
  }();
  return own == absl::ZeroDuration() ? call_timeout : own;
}

absl::Duration ProviderEntry::MaxSubmissionTimeout() const {
  return std::max({TimeoutFor(base::UpstreamOperation::kSubmitAssetGroup),
                   TimeoutFor(base::UpstreamOperation::kSubmitAsset),
                   TimeoutFor(base::UpstreamOperation::kSubmitVideo)});
}

std::optional<int> SlotLimits::For(const std::string& provider_model) const {
  const auto own = by_model.find(provider_model);
  return own == by_model.end() ? each : std::optional<int>(own->second);
}

Catalog::Catalog(std::vector<std::unique_ptr<const ProviderEntry>> providers,
                 std::vector<ModelEntry> routes, std::vector<std::string> asset_providers,
                 Settings settings)
    : providers_(std::move(providers)),
      routes_(std::move(routes)),
      asset_providers_(std::move(asset_providers)),
      settings_(settings) {}

const ProviderEntry* Catalog::FindProvider(absl::string_view id) const {
  for (const auto& provider : providers_) {
    if (provider->id == id) return provider.get();
  }
  return nullptr;
}

absl::StatusOr<ModelEntry> Catalog::FindModel(absl::string_view name, Visible visible) const {
  absl::string_view rest = name;
  if (absl::ConsumePrefix(&rest, "providers/")) {
    const std::size_t slash = rest.find('/');
    const absl::string_view provider_id = rest.substr(0, slash);
    rest.remove_prefix(std::min(rest.size(), provider_id.size()));
    if (!absl::ConsumePrefix(&rest, "/models/")) return NoSuchModel(name, visible);
    const ProviderEntry* provider = FindProvider(provider_id);
    if (provider == nullptr) return NoSuchProvider(provider_id, visible);
    const v1::Capabilities* capabilities = provider->dialect->FindModel(rest);
    if (capabilities == nullptr) return NoSuchModel(name, visible);
    ModelEntry model;
    model.id = std::string(name);
    model.targets.push_back(Target{provider, std::string(rest), 0, 1, capabilities});
    return model;
  }
  absl::ConsumePrefix(&rest, "models/");
  for (const ModelEntry& route : routes_) {
    if (route.id == rest) return route;
  }
  return NoSuchModel(name, visible);
}

std::set<std::string> Catalog::ModelsOf(absl::string_view provider) const {
  std::set<std::string> models;
  for (const ModelEntry& route : routes_) {
    for (const Target& target : route.targets) {
      if (target.provider->id == provider) models.insert(target.provider_model);
    }
  }
  return models;
}

absl::Status Catalog::NoSuchProvider(absl::string_view id, Visible visible) const {
  std::vector<std::string> known;
  for (const auto& provider : providers_) {
    if (Shows(visible, *provider)) known.push_back(MakeName(kProviders, provider->id));
  }
  const std::string name = MakeName(kProviders, id);
  return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                     absl::StrCat("there is no provider ", base::Quoted(name, 128),
                                  Known("provider", name, std::move(known))))
      .Resource("assetgate.v1.Provider", base::CleanText(name, 256));
}

absl::Status Catalog::NoSuchModel(absl::string_view name, Visible visible) const {
  std::vector<std::string> known;
  for (const ModelEntry& route : routes_) {
    if (std::any_of(route.targets.begin(), route.targets.end(),
                    [&](const Target& target) { return Shows(visible, *target.provider); })) {
      known.push_back(route.id);
    }
  }
  for (const auto& provider : providers_) {
    if (!Shows(visible, *provider)) continue;
    for (const std::string& model : provider->dialect->models()) {
      known.push_back(absl::StrCat("providers/", provider->id, "/models/", model));
    }
  }
  return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                     absl::StrCat("there is no model ", base::Quoted(name, 128),
                                  Known("model", name, std::move(known))))
      .Resource("assetgate.v1.Model", base::CleanText(name, 256));
}

bool SameAccess(const ProviderEntry& a, const ProviderEntry& b) {
  return &a == &b ||
         (a.base_url == b.base_url && a.planes == b.planes &&
          http::SameEgress(a.egress, b.egress) && SameCredential(a.credential, b.credential) &&
          a.previous_credential.has_value() == b.previous_credential.has_value() &&
          (!a.previous_credential.has_value() ||
           SameCredential(*a.previous_credential, *b.previous_credential)));
}

ProviderChanges ChangesBetween(const Catalog& before, const Catalog& after) {
  ProviderChanges changes;
  for (const auto& provider : after.providers()) {
    const ProviderEntry* former = before.FindProvider(provider->id);
    if (former == nullptr) continue;
    const ProviderChange change{
        .access = !SameAccess(*former, *provider),
        .mode = former->mode != provider->mode,
        .polling = !SamePolling(former->group_polling, provider->group_polling) ||
                   !SamePolling(former->asset_polling, provider->asset_polling) ||
                   !SamePolling(former->video_polling, provider->video_polling),
        .slots = former->slots != provider->slots};
    if (change.access || change.mode || change.polling || change.slots)
      changes.emplace(provider->id, change);
  }
  return changes;
}

v1::Model ToProto(const ModelEntry& model) {
  v1::Model proto;
  proto.set_name(absl::StartsWith(model.id, "providers/") ? model.id : MakeName(kModels, model.id));
  for (const Target& target : model.targets) {
    auto* out = proto.add_targets();
    out->set_provider(MakeName(kProviders, target.provider->id));
    out->set_provider_model(target.provider_model);
    out->set_priority(target.priority);
    out->set_weight(target.weight);
    *out->mutable_capabilities() = *target.capabilities;
  }
  *proto.mutable_defaults() = model.defaults;
  return proto;
}

}  // namespace assetgate::model
