#include "reconcile/work/asset_item.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "model/apply.h"
#include "reconcile/dependencies.h"

namespace assetgate::reconcile {

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

absl::StatusOr<std::optional<provider::Handle>> AssetItem::GroupHandle(
    Step& step, std::size_t unit, const model::ProviderEntry& provider) {
  if (provider.dialect->traits().asset_capabilities.groups() != v1::AssetCapabilities::NATIVE) {
    return provider::Handle();
  }
  v1::Placement& placement = *draft_.resource.mutable_placements(static_cast<int>(unit));
  store::Key group{key_.tenant, store::Kind::kAssetGroup, model::DefaultGroupId(provider.id)};
  if (!draft_.resource.asset_group().empty()) {
    group.id = model::ParseName(model::kAssetGroups, draft_.resource.asset_group()).value_or("");
  }
  const std::string name = model::MakeName(model::kAssetGroups, group.id);
  const Dependency dependency = step.dependencies().GroupAt(
      group, provider, base::FromProto(placement.create_time()), *this, step);
  switch (dependency.state) {
    case Dependency::State::kReady:
      return dependency.handle;
    case Dependency::State::kPending:
      if (!dependency.in_doubt) {
        step.MarkChanged(model::SetWaiting(placement, v1::Waiting::ASSET_PROCESSING, name,
                                           "its group is being made at the provider", step.now()));
      }
      return std::nullopt;
    case Dependency::State::kFailed: {
      google::rpc::Status error = dependency.error;
      error.set_message(absl::StrCat("its group \"", name,
                                     "\" could not be made at the provider: ", error.message()));
      return base::FromRpcStatus(error);
    }
    case Dependency::State::kMissing:
      break;
  }
  return base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND,
                     absl::StrCat("its group \"", name, "\" is gone"))
      .Resource(model::TypeOf(store::Kind::kAssetGroup), name);
}

absl::StatusOr<std::optional<http::Request>> AssetItem::Prepare(
    Step& step, std::size_t unit, const model::ProviderEntry& provider) {
  absl::StatusOr<std::optional<provider::Handle>> group = GroupHandle(step, unit, provider);
  if (!group.ok()) return group.status();
  if (!group->has_value()) return std::nullopt;
  absl::StatusOr<std::string> source = SourceFor(provider);
  if (!source.ok()) return source.status();
  provider::AssetSubmission submission{draft_.resource, *std::move(source), **std::move(group),
                                       OptionsFor(provider.id)};
  auto request = provider.dialect->EncodeSubmitAsset(submission);
  if (!request.ok()) return request.status();
  return std::optional<http::Request>(*std::move(request));
}

void AssetItem::Derive(Step& step) { step.MarkChanged(model::DeriveAsset(draft_.resource)); }

}  // namespace assetgate::reconcile
