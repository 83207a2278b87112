#include "calls/asset_calls.h"

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/proto_time.h"
#include "calls/paging.h"
#include "calls/request_ids.h"
#include "calls/stored_resources.h"
#include "calls/validate.h"
#include "calls/watch_requests.h"
#include "model/sizes.h"

namespace assetgate::calls {
namespace {

// Whether an error concerns the batch as a whole, and is the call's error rather than an item's.
bool ConcernsTheBatch(const absl::Status& status) {
  switch (base::ReasonOf(status)) {
    case v1::REQUEST_ID_REUSED:
    case v1::STORE_UNAVAILABLE:
    case v1::COMMIT_UNKNOWN:
    case v1::DRAINING:
    case v1::OVERLOADED:
      return true;
    default:
      return false;
  }
}

void AnswerBatch(Results<v1::Asset> results,
                 reconcile::Reply<v1::BatchCreateAssetsResponse> reply) {
  if (!results.front().ok() && ConcernsTheBatch(results.front().status())) {
    return std::move(reply)(results.front().status());
  }
  v1::BatchCreateAssetsResponse response;
  for (auto& result : results) {
    if (result.ok()) {
      *response.add_results()->mutable_asset() = *std::move(result);
    } else {
      *response.add_results()->mutable_error() = base::ToRpcStatus(result.status());
    }
  }
  std::move(reply)(std::move(response));
}

// The config's asset_providers that the caller may use, that serve, and that can hold the asset.
// The others get it when a video first needs it there, if they can hold it then.
std::vector<std::string> DefaultProviders(const model::Catalog& catalog, const Caller& caller,
                                          const v1::CreateAssetRequest& request) {
  std::vector<std::string> providers;
  for (const std::string& id : catalog.asset_providers()) {
    v1::CreateAssetRequest single = request;
    single.add_providers(id);
    base::Faults faults;
    if (caller.MayUse(id) && Validate(single, catalog, "", faults).ok() && faults.empty() &&
        catalog.FindProvider(id)->mode == v1::Provider::SERVE) {
      providers.push_back(id);
    }
  }
  return providers;
}

}  // namespace

// --- Groups

void AssetCalls::CreateAssetGroup(const Caller& caller, const v1::CreateAssetGroupRequest& request,
                                  reconcile::Reply<v1::AssetGroup> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  const absl::Time answer_by = AnswerBy(catalog->settings(), caller, now, MaxWaitOf(request));
  auto creation =
      BeginCreation<model::GroupEntity>(caller, "CreateAssetGroup", request, now, answer_by);
  absl::StatusOr<model::GroupEntity> entity = NewGroup(*catalog, caller, request, now);
  if (entity.ok()) {
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateGroups(
      std::move(creation),
      AnswerOrCallAgain(*this, &AssetCalls::CreateAssetGroup, caller, request, answer_by,
                        std::move(reply), AnswerOne<v1::AssetGroup>));
}

absl::StatusOr<model::GroupEntity> AssetCalls::NewGroup(const model::Catalog& catalog,
                                                        const Caller& caller,
                                                        const v1::CreateAssetGroupRequest& request,
                                                        absl::Time now) {
  if (absl::Status allowed =
          CheckMayUse(caller, request.providers(), request.asset_group().provider_options());
      !allowed.ok()) {
    return allowed;
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;

  model::GroupEntity entity;
  entity.key = {
      caller.tenant, store::Kind::kAssetGroup,
      request.asset_group_id().empty() ? model::NewResourceId(now) : request.asset_group_id()};
  v1::AssetGroup& group = entity.resource;
  group.set_name(model::MakeName(model::kAssetGroups, entity.key.id));
  group.set_display_name(request.asset_group().display_name());
  group.set_description(request.asset_group().description());
  *group.mutable_labels() = request.asset_group().labels();
  *group.mutable_provider_options() = request.asset_group().provider_options();
  group.set_creator(caller.identity);
  *group.mutable_create_time() = base::ToProto(now);
  *group.mutable_update_time() = group.create_time();
  for (const std::string& name : request.providers()) {
    const model::ProviderEntry& provider = *catalog.FindProvider(*model::ParseProvider(name));
    auto* placement = group.add_placements();
    placement->set_provider(model::MakeName(model::kProviders, provider.id));
    placement->set_state(v1::Placement::SUBMITTING);
    *placement->mutable_create_time() = group.create_time();
    if (provider.dialect->traits().asset_capabilities.groups() ==
        v1::AssetCapabilities::KEPT_BY_GATEWAY) {
      placement->set_state(v1::Placement::ACTIVE);
      *placement->mutable_end_time() = group.create_time();
    }
    entity.record.add_units()->set_provider(provider.id);
  }
  return entity;
}

absl::StatusOr<v1::AssetGroup> AssetCalls::GetAssetGroup(const Caller& caller,
                                                         const v1::GetAssetGroupRequest& request) {
  auto row = ReadRow(store_, caller, store::Kind::kAssetGroup, request.name());
  if (!row.ok()) return row.status();
  return ReadResource(*row, reconciler_, model::GroupFromRow);
}

absl::StatusOr<v1::ListAssetGroupsResponse> AssetCalls::ListAssetGroups(
    const Caller& caller, const v1::ListAssetGroupsRequest& request) {
  absl::StatusOr<StoredPage> page = ListStored(store_, caller, store::Kind::kAssetGroup, request);
  if (!page.ok()) return page.status();
  v1::ListAssetGroupsResponse response;
  response.set_next_page_token(std::move(page->next_page_token));
  AddResources(page->rows, reconciler_, model::GroupFromRow,
               [&](v1::AssetGroup one) { *response.add_asset_groups() = std::move(one); });
  return response;
}

void AssetCalls::DeleteAssetGroup(const Caller& caller, const v1::DeleteAssetGroupRequest& request,
                                  reconcile::Reply<v1::DeleteAssetGroupResponse> reply) {
  auto id = IdOf(store::Kind::kAssetGroup, request.name());
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.DeleteGroup({caller.tenant, store::Kind::kAssetGroup, *std::move(id)},
                          caller.providers, std::move(reply));
}

// --- Assets

void AssetCalls::CreateAsset(const Caller& caller, const v1::CreateAssetRequest& request,
                             reconcile::Reply<v1::Asset> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  const absl::Time answer_by = AnswerBy(catalog->settings(), caller, now, MaxWaitOf(request));
  auto creation = BeginCreation<model::AssetEntity>(caller, "CreateAsset", request, now, answer_by);
  absl::StatusOr<model::AssetEntity> entity = NewAsset(*catalog, caller, request);
  if (entity.ok()) {
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateAssets(std::move(creation),
                           AnswerOrCallAgain(*this, &AssetCalls::CreateAsset, caller, request,
                                             answer_by, std::move(reply), AnswerOne<v1::Asset>));
}

void AssetCalls::BatchCreateAssets(const Caller& caller,
                                   const v1::BatchCreateAssetsRequest& request,
                                   reconcile::Reply<v1::BatchCreateAssetsResponse> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  const absl::Time answer_by = AnswerBy(catalog->settings(), caller, now, MaxWaitOf(request));
  auto creation =
      BeginCreation<model::AssetEntity>(caller, "BatchCreateAssets", request, now, answer_by);
  absl::StatusOr<std::vector<model::AssetEntity>> entities = NewAssets(*catalog, caller, request);
  if (entities.ok()) {
    creation.entities = *std::move(entities);
  } else if (absl::Status s = UnlessRepeated(store_, entities.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateAssets(std::move(creation),
                           AnswerOrCallAgain(*this, &AssetCalls::BatchCreateAssets, caller, request,
                                             answer_by, std::move(reply), AnswerBatch));
}

absl::StatusOr<model::AssetEntity> AssetCalls::NewAsset(const model::Catalog& catalog,
                                                        const Caller& caller,
                                                        const v1::CreateAssetRequest& request) {
  if (absl::Status allowed =
          CheckMayUse(caller, request.providers(), request.asset().provider_options());
      !allowed.ok()) {
    return allowed;
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, "", faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;
  return MakeAsset(catalog, caller, request);
}

absl::StatusOr<std::vector<model::AssetEntity>> AssetCalls::NewAssets(
    const model::Catalog& catalog, const Caller& caller,
    const v1::BatchCreateAssetsRequest& request) {
  for (const v1::CreateAssetRequest& item : request.requests()) {
    if (absl::Status allowed =
            CheckMayUse(caller, item.providers(), item.asset().provider_options());
        !allowed.ok()) {
      return allowed;
    }
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;
  std::vector<model::AssetEntity> entities;
  std::size_t bytes = 0;
  for (const v1::CreateAssetRequest& item : request.requests()) {
    absl::StatusOr<model::AssetEntity> entity = MakeAsset(catalog, caller, item);
    if (!entity.ok()) return entity.status();
    bytes += entity->resource.ByteSizeLong() + kBytesBesideResource;
    entities.push_back(*std::move(entity));
  }
  if (bytes > model::kMaxAnswerBytes) {
    faults.Add("requests",
               absl::StrCat("would be answered with ", bytes, " bytes; at most ",
                            model::kMaxAnswerBytes, " are possible, so make several batches"));
    return faults.ToStatus();
  }
  return entities;
}

absl::StatusOr<model::AssetEntity> AssetCalls::MakeAsset(const model::Catalog& catalog,
                                                         const Caller& caller,
                                                         const v1::CreateAssetRequest& request) {
  if (!request.asset().asset_group().empty()) {
    auto group = ReadRow(store_, caller, store::Kind::kAssetGroup, request.asset().asset_group(),
                         "asset.asset_group");
    if (!group.ok()) return group.status();
  }
  const absl::Time now = clock_.Now();
  model::AssetEntity entity;
  entity.key = {caller.tenant, store::Kind::kAsset,
                request.asset_id().empty() ? model::NewResourceId(now) : request.asset_id()};
  v1::Asset& asset = entity.resource;
  asset.set_name(model::MakeName(model::kAssets, entity.key.id));
  asset.set_display_name(request.asset().display_name());
  asset.set_source_uri(request.asset().source_uri());
  asset.set_media_type(request.asset().media_type());
  asset.set_asset_group(request.asset().asset_group());
  *asset.mutable_labels() = request.asset().labels();
  *asset.mutable_provider_options() = request.asset().provider_options();
  asset.set_creator(caller.identity);
  *asset.mutable_create_time() = base::ToProto(now);
  *asset.mutable_update_time() = asset.create_time();
  std::vector<std::string> providers;
  for (const std::string& name : request.providers()) {
    providers.push_back(*model::ParseProvider(name));
  }
  if (providers.empty()) providers = DefaultProviders(catalog, caller, request);
  for (const std::string& id : providers) {
    auto* placement = asset.add_placements();
    placement->set_provider(model::MakeName(model::kProviders, id));
    placement->set_state(v1::Placement::SUBMITTING);
    *placement->mutable_create_time() = asset.create_time();
    entity.record.add_units()->set_provider(id);
  }
  asset.set_state(providers.empty() ? v1::Asset::REGISTERED : v1::Asset::PROCESSING);
  return entity;
}

absl::StatusOr<v1::Asset> AssetCalls::GetAsset(const Caller& caller,
                                               const v1::GetAssetRequest& request) {
  auto row = ReadRow(store_, caller, store::Kind::kAsset, request.name());
  if (!row.ok()) return row.status();
  return ReadResource(*row, reconciler_, model::AssetFromRow);
}

absl::StatusOr<v1::ListAssetsResponse> AssetCalls::ListAssets(
    const Caller& caller, const v1::ListAssetsRequest& request) {
  absl::StatusOr<StoredPage> page = ListStored(store_, caller, store::Kind::kAsset, request);
  if (!page.ok()) return page.status();
  v1::ListAssetsResponse response;
  response.set_next_page_token(std::move(page->next_page_token));
  AddResources(page->rows, reconciler_, model::AssetFromRow,
               [&](v1::Asset one) { *response.add_assets() = std::move(one); });
  return response;
}

void AssetCalls::DeleteAsset(const Caller& caller, const v1::DeleteAssetRequest& request,
                             reconcile::Reply<v1::DeleteAssetResponse> reply) {
  auto id = IdOf(store::Kind::kAsset, request.name());
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.DeleteAsset({caller.tenant, store::Kind::kAsset, *std::move(id)}, caller.providers,
                          std::move(reply));
}

absl::StatusOr<watch::WatchRequest> AssetCalls::WatchAssets(const Caller& caller,
                                                            const v1::WatchAssetsRequest& request) {
  return MakeWatchRequest(caller, store::Kind::kAsset, request);
}

}  // namespace assetgate::calls
