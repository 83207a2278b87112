// assetgate.v1.ProviderService over gRPC.
#ifndef ASSETGATE_API_PROVIDER_SERVICE_H_
#define ASSETGATE_API_PROVIDER_SERVICE_H_

#include <string>

#include "api/config_state.h"
#include "api/rpc.h"
#include "api/watch_stream.h"
#include "assetgate/v1/provider_service.grpc.pb.h"
#include "calls/provider_calls.h"
#include "calls/provider_watches.h"

namespace assetgate::api {

// Every method is raw: its request is parsed after its caller is admitted.
using RawProviderService = v1::ProviderService::WithRawCallbackMethod_ListProviders<
    v1::ProviderService::WithRawCallbackMethod_GetProvider<
        v1::ProviderService::WithRawCallbackMethod_ListModels<
            v1::ProviderService::WithRawCallbackMethod_GetModel<
                v1::ProviderService::WithRawCallbackMethod_Explain<
                    v1::ProviderService::WithRawCallbackMethod_WatchProviders<
                        v1::ProviderService::Service>>>>>>;

class ProviderService final : public RawProviderService {
 public:
  // `version` is the program's own. Lifetime: the other arguments outlive the service.
  ProviderService(const Parts& parts, calls::ProviderCalls& calls, calls::ProviderWatches& watches,
                  std::string version, const ConfigState& config);

  grpc::ServerUnaryReactor* ListProviders(grpc::CallbackServerContext* context,
                                          const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetProvider(grpc::CallbackServerContext* context,
                                        const grpc::ByteBuffer* request,
                                        grpc::ByteBuffer* response) override;
  grpc::ServerWriteReactor<grpc::ByteBuffer>* WatchProviders(
      grpc::CallbackServerContext* context, const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ListModels(grpc::CallbackServerContext* context,
                                       const grpc::ByteBuffer* request,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetModel(grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const grpc::ByteBuffer* request,
                                    grpc::ByteBuffer* response) override;

 private:
  // Adds what a list says of the gateway itself.
  void AddGateway(v1::ListProvidersResponse& listed) const;

  calls::ProviderCalls& calls_;
  calls::ProviderWatches& watches_;
  const std::string version_;
  const ConfigState& config_;
  Method list_providers_;
  Method get_provider_;
  WatchMethod watch_providers_;
  Method list_models_;
  Method get_model_;
  Method explain_;
};

}  // namespace assetgate::api

#endif  // ASSETGATE_API_PROVIDER_SERVICE_H_
