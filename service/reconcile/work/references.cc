#include "reconcile/work/references.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "model/apply.h"
#include "reconcile/dependencies.h"
#include "reconcile/work/attempts.h"

namespace assetgate::reconcile {
namespace {

// For a refused content: no provider that does not hold it already is shown it. Returns whether
// targets are left; otherwise the task has failed.
bool KeepFromOthers(Step& step, model::VideoEntity& draft, const v1::Asset& asset,
                    const google::rpc::Status& error) {
  const auto holds = [&](const std::string& provider_id) {
    return std::any_of(asset.placements().begin(), asset.placements().end(),
                       [&](const v1::Placement& placement) {
                         return placement.state() == v1::Placement::ACTIVE &&
                                model::ParseProvider(placement.provider()) == provider_id;
                       });
  };
  bool others = false;
  for (auto& target : *draft.record.mutable_targets()) {
    if (target.ineligible()) continue;
    if (holds(target.provider())) {
      others = true;
      continue;
    }
    target.set_ineligible(true);
    target.set_error(error.SerializeAsString());
  }
  step.MarkChanged();
  if (others) return true;
  google::rpc::Status refused = error;
  refused.set_message(absl::StrCat("\"", asset.name(), "\": ", error.message()));
  model::FinishTask(draft.resource, v1::VideoTask::FAILED, refused, step.now());
  return false;
}

google::rpc::Status AssetError(const std::string& asset, absl::string_view what) {
  return base::Error(absl::StatusCode::kFailedPrecondition, v1::ASSET_FAILED,
                     absl::StrCat("\"", asset, "\" ", what))
      .Resource("assetgate.v1.Asset", asset)
      .ToProto();
}

// A reference to an asset that is ready, or why the provider cannot take it.
google::rpc::Status Resolve(const v1::Reference& reference, const Dependency& asset,
                            bool https_only, provider::ResolvedReference& resolved) {
  resolved.media_type = asset.asset.media_type();
  if (!asset.provider_id.empty()) {
    resolved.provider_asset_id = asset.provider_id;
    resolved.asset = asset.handle;
    return {};
  }
  // The provider registers no asset of that type: it is passed the URI itself.
  resolved.uri = asset.asset.source_uri();
  if (!https_only || absl::StartsWithIgnoreCase(resolved.uri, "https://")) return {};
  return base::Error(absl::StatusCode::kFailedPrecondition, v1::ASSET_FAILED,
                     absl::StrCat("the provider fetches https URLs only, and \"", reference.asset(),
                                  "\" is http"))
      .ToProto();
}

bool FetchesHttpsOnly(const model::ProviderEntry& provider, const std::string& model) {
  const v1::Capabilities* capabilities = provider.dialect->FindModel(model);
  return capabilities != nullptr && capabilities->https_only();
}

void MakeIneligible(Step& step, const google::rpc::Status& error,
                    model::VideoTaskRecord::Target& target) {
  target.set_ineligible(true);
  target.set_error(error.SerializeAsString());
  step.MarkChanged();
}

Readiness ResolveAll(Step& step, const Item& item, model::VideoEntity& draft,
                     const model::ProviderEntry& provider, std::size_t target,
                     std::vector<provider::ResolvedReference>& references) {
  v1::VideoTask& task = draft.resource;
  auto& chosen = *draft.record.mutable_targets(static_cast<int>(target));
  const bool https_only = FetchesHttpsOnly(provider, chosen.provider_model());
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
    const store::Key asset{item.key().tenant, store::Kind::kAsset,
                           model::ParseName(model::kAssets, reference.asset()).value_or("")};
    const Dependency dependency =
        step.dependencies().AssetAt(asset, provider, PendingSince(task), item, step);
    google::rpc::Status error;
    switch (dependency.state) {
      case Dependency::State::kReady:
        error = Resolve(reference, dependency, https_only, resolved);
        references.push_back(std::move(resolved));
        break;
      case Dependency::State::kPending:
        if (dependency.in_doubt) {
          in_doubt = true;
        } else if (waiting_for.empty()) {
          waiting_for = reference.asset();
        }
        break;
      case Dependency::State::kFailed:
        if (base::ReasonOf(dependency.error) == v1::CONTENT_REJECTED &&
            !KeepFromOthers(step, draft, dependency.asset, dependency.error)) {
          return Readiness::kFailed;
        }
        error = AssetError(reference.asset(),
                           absl::StrCat("failed there: ", dependency.error.message()));
        break;
      case Dependency::State::kMissing:
        error = AssetError(reference.asset(), "is gone");
        break;
    }
    if (error.code() != 0) {
      MakeIneligible(step, error, chosen);
      return Readiness::kFailed;
    }
  }
  if (waiting_for.empty()) return in_doubt ? Readiness::kWaiting : Readiness::kReady;
  step.MarkChanged(model::SetWaiting(task, v1::Waiting::ASSET_PROCESSING, waiting_for,
                                     absl::StrCat("the asset is being prepared at ", provider.id),
                                     step.now()));
  return Readiness::kWaiting;
}

}  // namespace

Readiness ResolveReferences(Step& step, const Item& item, model::VideoEntity& draft,
                            const model::ProviderEntry& provider, std::size_t target,
                            std::vector<provider::ResolvedReference>& resolved) {
  const Readiness readiness = ResolveAll(step, item, draft, provider, target, resolved);
  if (readiness != Readiness::kWaiting) step.dependencies().LetGo(item.key());
  return readiness;
}

}  // namespace assetgate::reconcile
