#include "api/asset_service.h"

#include <utility>

namespace assetgate::api {

using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

AssetService::AssetService(const Parts& parts, calls::AssetCalls& calls, watch::Watches& watches)
    : calls_(calls),
      create_group_(parts, "assetgate.v1.AssetService/CreateAssetGroup", Access::kWrite),
      get_group_(parts, "assetgate.v1.AssetService/GetAssetGroup", Access::kRead),
      list_groups_(parts, "assetgate.v1.AssetService/ListAssetGroups", Access::kRead),
      delete_group_(parts, "assetgate.v1.AssetService/DeleteAssetGroup", Access::kWrite),
      create_(parts, "assetgate.v1.AssetService/CreateAsset", Access::kWrite),
      batch_create_(parts, "assetgate.v1.AssetService/BatchCreateAssets", Access::kWrite),
      get_(parts, "assetgate.v1.AssetService/GetAsset", Access::kRead),
      list_(parts, "assetgate.v1.AssetService/ListAssets", Access::kRead),
      delete_(parts, "assetgate.v1.AssetService/DeleteAsset", Access::kWrite),
      watches_(watches),
      watch_(parts.gatekeeper, parts.metrics, parts.clock, parts.log,
             "assetgate.v1.AssetService/WatchAssets", base::MetricKind::kAsset) {}

ServerUnaryReactor* AssetService::CreateAssetGroup(CallbackServerContext* context,
                                                   const ByteBuffer* request,
                                                   ByteBuffer* response) {
  return create_group_.Run(context, request, response, calls_,
                           &calls::AssetCalls::CreateAssetGroup);
}

ServerUnaryReactor* AssetService::GetAssetGroup(CallbackServerContext* context,
                                                const ByteBuffer* request, ByteBuffer* response) {
  return get_group_.Run(context, request, response, calls_, &calls::AssetCalls::GetAssetGroup);
}

ServerUnaryReactor* AssetService::ListAssetGroups(CallbackServerContext* context,
                                                  const ByteBuffer* request, ByteBuffer* response) {
  return list_groups_.Run(context, request, response, calls_, &calls::AssetCalls::ListAssetGroups);
}

ServerUnaryReactor* AssetService::DeleteAssetGroup(CallbackServerContext* context,
                                                   const ByteBuffer* request,
                                                   ByteBuffer* response) {
  return delete_group_.Run(context, request, response, calls_,
                           &calls::AssetCalls::DeleteAssetGroup);
}

ServerUnaryReactor* AssetService::CreateAsset(CallbackServerContext* context,
                                              const ByteBuffer* request, ByteBuffer* response) {
  return create_.Run(context, request, response, calls_, &calls::AssetCalls::CreateAsset);
}

ServerUnaryReactor* AssetService::BatchCreateAssets(CallbackServerContext* context,
                                                    const ByteBuffer* request,
                                                    ByteBuffer* response) {
  return batch_create_.Run(context, request, response, calls_,
                           &calls::AssetCalls::BatchCreateAssets);
}

ServerUnaryReactor* AssetService::GetAsset(CallbackServerContext* context,
                                           const ByteBuffer* request, ByteBuffer* response) {
  return get_.Run(context, request, response, calls_, &calls::AssetCalls::GetAsset);
}

ServerUnaryReactor* AssetService::ListAssets(CallbackServerContext* context,
                                             const ByteBuffer* request, ByteBuffer* response) {
  return list_.Run(context, request, response, calls_, &calls::AssetCalls::ListAssets);
}

ServerUnaryReactor* AssetService::DeleteAsset(CallbackServerContext* context,
                                              const ByteBuffer* request, ByteBuffer* response) {
  return delete_.Run(context, request, response, calls_, &calls::AssetCalls::DeleteAsset);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* AssetService::WatchAssets(
    CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  return watch_.Answer(*context,
                       [&](const calls::Caller& caller) -> absl::StatusOr<WatchMethod::Opening> {
                         const absl::StatusOr<v1::WatchAssetsRequest> request =
                             Parse<v1::WatchAssetsRequest>(*bytes);
                         if (!request.ok()) return request.status();
                         return OpeningOf(watches_, calls_.WatchAssets(caller, *request));
                       });
}

}  // namespace assetgate::api
