// Requests that create assets and asset groups.
#include <algorithm>
#include <set>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "calls/field_checks.h"
#include "calls/media_uri.h"
#include "calls/provider_options.h"
#include "calls/validate.h"
#include "model/capability_fit.h"
#include "model/resource.h"
#include "model/sizes.h"

namespace assetgate::calls {
namespace {

constexpr int kMaxDescription = 1024;
constexpr int kMaxBatch = 100;

// Adds why the provider, which the request names, would not take the asset.
void CheckProviderTakes(const v1::Asset& asset, const model::ProviderEntry& provider,
                        const std::string& prefix, base::Faults& faults) {
  const v1::AssetCapabilities& capabilities = provider.dialect->traits().asset_capabilities;
  if (v1::MediaType_IsValid(asset.media_type()) && asset.media_type() != 0 &&
      std::find(capabilities.media_types().begin(), capabilities.media_types().end(),
                asset.media_type()) == capabilities.media_types().end()) {
    faults.Add(prefix + "asset.media_type",
               absl::StrCat("cannot be ", v1::MediaType_Name(asset.media_type()), " at provider ",
                            provider.id, ", which does not register such media"));
  }
  if (auto fault =
          model::FormatFault(asset.source_uri(), asset.media_type(), capabilities.media())) {
    faults.Add(prefix + "asset.source_uri", absl::StrCat(*fault, " by provider ", provider.id));
  }
  if (capabilities.https_only() && absl::StartsWithIgnoreCase(asset.source_uri(), "http://")) {
    faults.Add(prefix + "asset.source_uri",
               absl::StrCat("has to be https for provider ", provider.id));
  }
  if (provider.mode != v1::Provider::SERVE) {
    faults.Add(prefix + "providers",
               absl::StrCat("names ", provider.id, ", which takes no new work at the moment (mode ",
                            v1::Provider::Mode_Name(provider.mode), ")"));
  }
}

}  // namespace

absl::Status Validate(const v1::CreateAssetGroupRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  const v1::AssetGroup& group = request.asset_group();
  if (!request.has_asset_group()) faults.Add("asset_group", "is required");
  CheckLength("asset_group.display_name", group.display_name(), kMaxDisplayName, faults);
  CheckLength("asset_group.description", group.description(), kMaxDescription, faults);
  CheckLabels("asset_group.labels", group.labels(), faults);
  model::CheckSize("asset_group", group, faults);
  CheckId("asset_group_id", request.asset_group_id(), faults);
  if (absl::StartsWith(request.asset_group_id(), model::DefaultGroupId(""))) {
    faults.Add("asset_group_id",
               "begins with \"default-\", which is reserved for the gateway's own groups");
  }
  CheckRequestId("request_id", request.request_id(), faults);
  CheckMaxWait("max_wait", request.has_max_wait(), request.max_wait(), faults);
  CheckProviderOptions("asset_group.provider_options", group.provider_options(),
                       provider::UnitKind::kAssetGroup, catalog, faults);
  return CheckProviders("providers", request.providers(), catalog, faults);
}

absl::Status Validate(const v1::CreateAssetRequest& request, const model::Catalog& catalog,
                      const std::string& prefix, base::Faults& faults) {
  const v1::Asset& asset = request.asset();
  if (!request.has_asset()) {
    faults.Add(prefix + "asset", "is required, with source_uri and media_type");
  } else {
    if (const auto fault = MediaUriFault(asset.source_uri())) {
      faults.Add(prefix + "asset.source_uri", *fault);
    }
    CheckEnum(prefix + "asset.media_type", asset.media_type(), v1::MediaType_descriptor(), faults);
  }
  CheckLength(prefix + "asset.display_name", asset.display_name(), kMaxDisplayName, faults);
  CheckLabels(prefix + "asset.labels", asset.labels(), faults);
  model::CheckSize(prefix + "asset", asset, faults);
  if (!asset.asset_group().empty()) {
    CheckCollectionName(prefix + "asset.asset_group", model::kAssetGroups, asset.asset_group(),
                        faults);
  }
  CheckId(prefix + "asset_id", request.asset_id(), faults);
  CheckRequestId(prefix + "request_id", request.request_id(), faults);
  CheckMaxWait(prefix + "max_wait", request.has_max_wait(), request.max_wait(), faults);
  CheckProviderOptions(prefix + "asset.provider_options", asset.provider_options(),
                       provider::UnitKind::kAsset, catalog, faults);
  absl::Status unknown = CheckProviders(prefix + "providers", request.providers(), catalog, faults);
  for (const std::string& name : request.providers()) {
    const model::ProviderEntry* provider =
        catalog.FindProvider(model::ParseProvider(name).value_or(""));
    if (provider != nullptr) CheckProviderTakes(asset, *provider, prefix, faults);
  }
  return unknown;
}

absl::Status Validate(const v1::BatchCreateAssetsRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  CheckRequestId("request_id", request.request_id(), faults);
  CheckMaxWait("max_wait", request.has_max_wait(), request.max_wait(), faults);
  if (request.requests().empty()) faults.Add("requests", "is required; 1 to 100 items");
  if (request.requests_size() > kMaxBatch) {
    faults.Add("requests", absl::StrCat("has ", request.requests_size(), " items; at most ",
                                        kMaxBatch, " are accepted"));
    return absl::OkStatus();
  }
  absl::Status unknown;
  std::set<std::string> ids;
  for (int i = 0; i < request.requests_size(); ++i) {
    const v1::CreateAssetRequest& item = request.requests(i);
    const std::string prefix = absl::StrCat("requests[", i, "].");
    const absl::Status status = Validate(item, catalog, prefix, faults);
    if (unknown.ok()) unknown = status;
    if (!item.request_id().empty()) {
      faults.Add(prefix + "request_id", "has to be unset; the batch has one of its own");
    }
    if (item.has_max_wait()) {
      faults.Add(prefix + "max_wait", "has to be unset; the batch has one of its own");
    }
    if (!item.asset_id().empty() && !ids.insert(item.asset_id()).second) {
      faults.Add(prefix + "asset_id", absl::StrCat("is ", base::Quoted(item.asset_id()),
                                                   ", as in an earlier item; choose another"));
    }
  }
  return unknown;
}

}  // namespace assetgate::calls
