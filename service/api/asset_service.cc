#include "api/asset_service.h"

#include <utility>

namespace assetgate::api {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

AssetService::AssetService(const Parts& parts, watch::Watcher& watcher)
    : gateway_(parts.gateway),
      create_group_(parts, "assetgate.v1.AssetService/CreateAssetGroup", Access::kWrite),
      get_group_(parts, "assetgate.v1.AssetService/GetAssetGroup", Access::kRead),
      list_groups_(parts, "assetgate.v1.AssetService/ListAssetGroups", Access::kRead),
      delete_group_(parts, "assetgate.v1.AssetService/DeleteAssetGroup", Access::kWrite),
      create_(parts, "assetgate.v1.AssetService/CreateAsset", Access::kWrite),
      batch_create_(parts, "assetgate.v1.AssetService/BatchCreateAssets", Access::kWrite),
      get_(parts, "assetgate.v1.AssetService/GetAsset", Access::kRead),
      list_(parts, "assetgate.v1.AssetService/ListAssets", Access::kRead),
      delete_(parts, "assetgate.v1.AssetService/DeleteAsset", Access::kWrite),
      watcher_(watcher),
      watch_(parts.gatekeeper, parts.metrics, parts.clock, parts.log,
             "assetgate.v1.AssetService/WatchAssets", base::MetricKind::kAsset) {}

ServerUnaryReactor* AssetService::CreateAssetGroup(CallbackServerContext* context,
                                                   const v1::CreateAssetGroupRequest* request,
                                                   v1::AssetGroup* response) {
  return create_group_.Run(context, *request, response,
                           [&](const core::Caller& caller, core::Reply<v1::AssetGroup> reply) {
                             gateway_.CreateAssetGroup(caller, *request, std::move(reply));
                           });
}

ServerUnaryReactor* AssetService::GetAssetGroup(CallbackServerContext* context,
                                                const v1::GetAssetGroupRequest* request,
                                                v1::AssetGroup* response) {
  return get_group_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.GetAssetGroup(caller, *request);
  });
}

ServerUnaryReactor* AssetService::ListAssetGroups(CallbackServerContext* context,
                                                  const v1::ListAssetGroupsRequest* request,
                                                  v1::ListAssetGroupsResponse* response) {
  return list_groups_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.ListAssetGroups(caller, *request);
  });
}

ServerUnaryReactor* AssetService::DeleteAssetGroup(CallbackServerContext* context,
                                                   const v1::DeleteAssetGroupRequest* request,
                                                   v1::DeleteAssetGroupResponse* response) {
  return delete_group_.Run(
      context, *request, response,
      [&](const core::Caller& caller, core::Reply<v1::DeleteAssetGroupResponse> reply) {
        gateway_.DeleteAssetGroup(caller, *request, std::move(reply));
      });
}

ServerUnaryReactor* AssetService::CreateAsset(CallbackServerContext* context,
                                              const v1::CreateAssetRequest* request,
                                              v1::Asset* response) {
  return create_.Run(context, *request, response,
                     [&](const core::Caller& caller, core::Reply<v1::Asset> reply) {
                       gateway_.CreateAsset(caller, *request, std::move(reply));
                     });
}

ServerUnaryReactor* AssetService::BatchCreateAssets(CallbackServerContext* context,
                                                    const v1::BatchCreateAssetsRequest* request,
                                                    v1::BatchCreateAssetsResponse* response) {
  return batch_create_.Run(
      context, *request, response,
      [&](const core::Caller& caller, core::Reply<v1::BatchCreateAssetsResponse> reply) {
        gateway_.BatchCreateAssets(caller, *request, std::move(reply));
      });
}

ServerUnaryReactor* AssetService::GetAsset(CallbackServerContext* context,
                                           const v1::GetAssetRequest* request,
                                           v1::Asset* response) {
  return get_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.GetAsset(caller, *request);
  });
}

ServerUnaryReactor* AssetService::ListAssets(CallbackServerContext* context,
                                             const v1::ListAssetsRequest* request,
                                             v1::ListAssetsResponse* response) {
  return list_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.ListAssets(caller, *request);
  });
}

ServerUnaryReactor* AssetService::DeleteAsset(CallbackServerContext* context,
                                              const v1::DeleteAssetRequest* request,
                                              v1::DeleteAssetResponse* response) {
  return delete_.Run(context, *request, response,
                     [&](const core::Caller& caller, core::Reply<v1::DeleteAssetResponse> reply) {
                       gateway_.DeleteAsset(caller, *request, std::move(reply));
                     });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* AssetService::WatchAssets(
    CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  return watch_.Answer(*context,
                       [&](const core::Caller& caller) -> absl::StatusOr<WatchMethod::Opening> {
                         const absl::StatusOr<v1::WatchAssetsRequest> request =
                             Parse<v1::WatchAssetsRequest>(*bytes);
                         if (!request.ok()) return request.status();
                         return OpeningOf(watcher_, gateway_.WatchAssets(caller, *request));
                       });
}

}  // namespace assetgate::api
