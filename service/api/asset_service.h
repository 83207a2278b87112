// assetgate.v1.AssetService over gRPC.
#ifndef ASSETGATE_API_ASSET_SERVICE_H_
#define ASSETGATE_API_ASSET_SERVICE_H_

#include "api/rpc.h"
#include "api/watch_stream.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "calls/asset_calls.h"

namespace assetgate::api {

// Every method is raw: its request is parsed after its caller is admitted.
using RawAssetService = v1::AssetService::WithRawCallbackMethod_CreateAssetGroup<
    v1::AssetService::WithRawCallbackMethod_GetAssetGroup<
        v1::AssetService::WithRawCallbackMethod_ListAssetGroups<
            v1::AssetService::WithRawCallbackMethod_DeleteAssetGroup<
                v1::AssetService::WithRawCallbackMethod_CreateAsset<
                    v1::AssetService::WithRawCallbackMethod_BatchCreateAssets<
                        v1::AssetService::WithRawCallbackMethod_GetAsset<
                            v1::AssetService::WithRawCallbackMethod_ListAssets<
                                v1::AssetService::WithRawCallbackMethod_DeleteAsset<
                                    v1::AssetService::WithRawCallbackMethod_WatchAssets<
                                        v1::AssetService::Service>>>>>>>>>>;

class AssetService final : public RawAssetService {
 public:
  AssetService(const Parts& parts, calls::AssetCalls& calls, watch::Watches& watches);

  grpc::ServerUnaryReactor* CreateAssetGroup(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetAssetGroup(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListAssetGroups(grpc::CallbackServerContext* context,
                                            const grpc::ByteBuffer* request,
                                            grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteAssetGroup(grpc::CallbackServerContext* context,
                                             const grpc::ByteBuffer* request,
                                             grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* CreateAsset(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* BatchCreateAssets(grpc::CallbackServerContext* context,
                                              const grpc::ByteBuffer* request,
                                              grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetAsset(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* ListAssets(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* DeleteAsset(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchAssets(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* request) override;

 private:
  calls::AssetCalls& calls_;
  Method create_group_;
  Method get_group_;
  Method list_groups_;
  Method delete_group_;
  Method create_;
  Method batch_create_;
  Method get_;
  Method list_;
  Method delete_;
  watch::Watches& watches_;
  WatchMethod watch_;
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_ASSET_SERVICE_H_
