#include "api/provider_service.h"

#include <utility>

namespace assetgate::api {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

ProviderService::ProviderService(const Parts& parts, core::ProviderWatcher& watcher,
                                 std::string version)
    : gateway_(parts.gateway),
      watcher_(watcher),
      version_(std::move(version)),
      list_providers_(parts, "assetgate.v1.ProviderService/ListProviders", Access::kRead),
      get_provider_(parts, "assetgate.v1.ProviderService/GetProvider", Access::kRead),
      watch_providers_(parts.gatekeeper, parts.metrics, parts.clock, parts.log,
                       "assetgate.v1.ProviderService/WatchProviders", base::MetricKind::kProvider),
      list_models_(parts, "assetgate.v1.ProviderService/ListModels", Access::kRead),
      get_model_(parts, "assetgate.v1.ProviderService/GetModel", Access::kRead),
      explain_(parts, "assetgate.v1.ProviderService/Explain", Access::kRead) {}

ServerUnaryReactor* ProviderService::ListProviders(CallbackServerContext* context,
                                                   const v1::ListProvidersRequest* request,
                                                   v1::ListProvidersResponse* response) {
  return list_providers_.Run(
      context, *request, response,
      [&](const core::Caller& caller, core::Reply<v1::ListProvidersResponse> reply) {
        gateway_.ListProviders(caller, *request,
                               [this, reply = std::move(reply)](
                                   absl::StatusOr<v1::ListProvidersResponse> listed) mutable {
                                 if (listed.ok()) listed->set_gateway_version(version_);
                                 std::move(reply)(std::move(listed));
                               });
      });
}

ServerUnaryReactor* ProviderService::GetProvider(CallbackServerContext* context,
                                                 const v1::GetProviderRequest* request,
                                                 v1::Provider* response) {
  return get_provider_.Run(context, *request, response,
                           [&](const core::Caller& caller, core::Reply<v1::Provider> reply) {
                             gateway_.GetProvider(caller, *request, std::move(reply));
                           });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ProviderService::WatchProviders(
    CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  return watch_providers_.Answer(
      *context, [&](const core::Caller& caller) -> absl::StatusOr<WatchMethod::Opening> {
        const absl::StatusOr<v1::WatchProvidersRequest> request =
            Parse<v1::WatchProvidersRequest>(*bytes);
        if (!request.ok()) return request.status();
        WatchMethod::Opening opening;
        opening.open = [this, caller](std::shared_ptr<watch::Reader> reader) {
          return watcher_.Open(caller, std::move(reader));
        };
        return opening;
      });
}

ServerUnaryReactor* ProviderService::ListModels(CallbackServerContext* context,
                                                const v1::ListModelsRequest* request,
                                                v1::ListModelsResponse* response) {
  return list_models_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.ListModels(caller, *request);
  });
}

ServerUnaryReactor* ProviderService::GetModel(CallbackServerContext* context,
                                              const v1::GetModelRequest* request,
                                              v1::Model* response) {
  return get_model_.RunNow(context, *request, response, [&](const core::Caller& caller) {
    return gateway_.GetModel(caller, *request);
  });
}

ServerUnaryReactor* ProviderService::Explain(CallbackServerContext* context,
                                             const v1::ExplainRequest* request,
                                             v1::Explanation* response) {
  return explain_.Run(context, *request, response,
                      [&](const core::Caller& caller, core::Reply<v1::Explanation> reply) {
                        gateway_.Explain(caller, *request, std::move(reply));
                      });
}

}  // namespace assetgate::api
