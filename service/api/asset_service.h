// assetgate.v1.AssetService over gRPC.
#ifndef ASSETGATE_API_ASSET_SERVICE_H_
#define ASSETGATE_API_ASSET_SERVICE_H_

#include "api/rpc.h"
#include "api/watch_stream.h"
#include "assetgate/v1/asset_service.grpc.pb.h"

namespace assetgate::api {

class AssetService final : public v1::AssetService::WithRawCallbackMethod_WatchAssets<
                               v1::AssetService::CallbackService> {
 public:
  AssetService(const Parts& parts, watch::Watcher& watcher);

  grpc::ServerUnaryReactor* CreateAssetGroup(grpc::CallbackServerContext* context,
                                             const v1::CreateAssetGroupRequest* request,
                                             v1::AssetGroup* response) override;
  grpc::ServerUnaryReactor* GetAssetGroup(grpc::CallbackServerContext* context,
                                          const v1::GetAssetGroupRequest* request,
                                          v1::AssetGroup* response) override;
  grpc::ServerUnaryReactor* ListAssetGroups(grpc::CallbackServerContext* context,
                                            const v1::ListAssetGroupsRequest* request,
                                            v1::ListAssetGroupsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteAssetGroup(grpc::CallbackServerContext* context,
                                             const v1::DeleteAssetGroupRequest* request,
                                             v1::DeleteAssetGroupResponse* response) override;
  grpc::ServerUnaryReactor* CreateAsset(grpc::CallbackServerContext* context,
                                        const v1::CreateAssetRequest* request,
                                        v1::Asset* response) override;
  grpc::ServerUnaryReactor* BatchCreateAssets(grpc::CallbackServerContext* context,
                                              const v1::BatchCreateAssetsRequest* request,
                                              v1::BatchCreateAssetsResponse* response) override;
  grpc::ServerUnaryReactor* GetAsset(grpc::CallbackServerContext* context,
                                     const v1::GetAssetRequest* request,
                                     v1::Asset* response) override;
  grpc::ServerUnaryReactor* ListAssets(grpc::CallbackServerContext* context,
                                       const v1::ListAssetsRequest* request,
                                       v1::ListAssetsResponse* response) override;
  grpc::ServerUnaryReactor* DeleteAsset(grpc::CallbackServerContext* context,
                                        const v1::DeleteAssetRequest* request,
                                        v1::DeleteAssetResponse* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchAssets(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request) override;

 private:
  core::Gateway& gateway_;
  Method create_group_;
  Method get_group_;
  Method list_groups_;
  Method delete_group_;
  Method create_;
  Method batch_create_;
  Method get_;
  Method list_;
  Method delete_;
  watch::Watcher& watcher_;
  WatchMethod watch_;
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_ASSET_SERVICE_H_
