// The calls of AssetService: assets and asset groups, without gRPC.
#ifndef ASSETGATE_CALLS_ASSET_CALLS_H_
#define ASSETGATE_CALLS_ASSET_CALLS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.pb.h"
#include "base/clock.h"
#include "calls/caller.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "reconcile/reconciler.h"
#include "store/store.h"
#include "watch/stream.h"

namespace assetgate::calls {

// Checks each call, looks up what it refers to, and hands it to the reconciler. Each call uses the
// catalog that is in force when it arrives.
//
// Threading: thread-safe. A Reply runs on the reconciler's thread, or inside the call where the
// request is refused at once. Lifetime: the constructor's arguments outlive it.
class AssetCalls {
 public:
  AssetCalls(const model::CurrentCatalog& catalog, store::Store& store,
             reconcile::Reconciler& reconciler, const base::Clock& clock)
      : catalog_(catalog), store_(store), reconciler_(reconciler), clock_(clock) {}

  void CreateAssetGroup(const Caller& caller, const v1::CreateAssetGroupRequest& request,
                        reconcile::Reply<v1::AssetGroup> reply);
  absl::StatusOr<v1::AssetGroup> GetAssetGroup(const Caller& caller,
                                               const v1::GetAssetGroupRequest& request);
  absl::StatusOr<v1::ListAssetGroupsResponse> ListAssetGroups(
      const Caller& caller, const v1::ListAssetGroupsRequest& request);
  void DeleteAssetGroup(const Caller& caller, const v1::DeleteAssetGroupRequest& request,
                        reconcile::Reply<v1::DeleteAssetGroupResponse> reply);

  void CreateAsset(const Caller& caller, const v1::CreateAssetRequest& request,
                   reconcile::Reply<v1::Asset> reply);
  void BatchCreateAssets(const Caller& caller, const v1::BatchCreateAssetsRequest& request,
                         reconcile::Reply<v1::BatchCreateAssetsResponse> reply);
  absl::StatusOr<v1::Asset> GetAsset(const Caller& caller, const v1::GetAssetRequest& request);
  absl::StatusOr<v1::ListAssetsResponse> ListAssets(const Caller& caller,
                                                    const v1::ListAssetsRequest& request);
  void DeleteAsset(const Caller& caller, const v1::DeleteAssetRequest& request,
                   reconcile::Reply<v1::DeleteAssetResponse> reply);

  // The watch that the request asks for.
  absl::StatusOr<watch::WatchRequest> WatchAssets(const Caller& caller,
                                                  const v1::WatchAssetsRequest& request);

 private:
  // What each request makes. Validates the request.
  absl::StatusOr<model::GroupEntity> NewGroup(const model::Catalog& catalog, const Caller& caller,
                                              const v1::CreateAssetGroupRequest& request,
                                              absl::Time now);
  absl::StatusOr<model::AssetEntity> NewAsset(const model::Catalog& catalog, const Caller& caller,
                                              const v1::CreateAssetRequest& request);
  absl::StatusOr<std::vector<model::AssetEntity>> NewAssets(
      const model::Catalog& catalog, const Caller& caller,
      const v1::BatchCreateAssetsRequest& request);
  // One asset of a validated request; looks up the group that it names.
  absl::StatusOr<model::AssetEntity> MakeAsset(const model::Catalog& catalog, const Caller& caller,
                                               const v1::CreateAssetRequest& request);

  const model::CurrentCatalog& catalog_;
  store::Store& store_;
  reconcile::Reconciler& reconciler_;
  const base::Clock& clock_;
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_ASSET_CALLS_H_
