#include "api/provider_service.h"

#include <utility>

namespace assetgate::api {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

ProviderService::ProviderService(const Parts& parts)
    : gateway_(parts.gateway),
      list_providers_(parts, "assetgate.v1.ProviderService/ListProviders", Access::kRead),
      get_provider_(parts, "assetgate.v1.ProviderService/GetProvider", Access::kRead),
      list_models_(parts, "assetgate.v1.ProviderService/ListModels", Access::kRead),
      get_model_(parts, "assetgate.v1.ProviderService/GetModel", Access::kRead) {}

ServerUnaryReactor* ProviderService::ListProviders(CallbackServerContext* context,
                                                   const v1::ListProvidersRequest* request,
                                                   v1::ListProvidersResponse* response) {
  return list_providers_.Run(
      context, "", response,
      [&](const core::Caller& caller, core::Reply<v1::ListProvidersResponse> reply) {
        gateway_.ListProviders(caller, *request, std::move(reply));
      });
}

ServerUnaryReactor* ProviderService::GetProvider(CallbackServerContext* context,
                                                 const v1::GetProviderRequest* request,
                                                 v1::Provider* response) {
  return get_provider_.Run(context, "", response,
                           [&](const core::Caller& caller, core::Reply<v1::Provider> reply) {
                             gateway_.GetProvider(caller, *request, std::move(reply));
                           });
}

ServerUnaryReactor* ProviderService::ListModels(CallbackServerContext* context,
                                                const v1::ListModelsRequest* request,
                                                v1::ListModelsResponse* response) {
  return list_models_.RunNow(context, response,
                             [&](const core::Caller&) { return gateway_.ListModels(*request); });
}

ServerUnaryReactor* ProviderService::GetModel(CallbackServerContext* context,
                                              const v1::GetModelRequest* request,
                                              v1::Model* response) {
  return get_model_.RunNow(context, response,
                           [&](const core::Caller&) { return gateway_.GetModel(*request); });
}

}  // namespace assetgate::api
