#include "api/provider_service.h"

#include <optional>
#include <utility>

#include "base/proto_time.h"

namespace assetgate::api {

using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

ProviderService::ProviderService(const Parts& parts, calls::ProviderCalls& calls,
                                 calls::ProviderWatches& watches, std::string version,
                                 const ConfigState& config)
    : calls_(calls),
      watches_(watches),
      version_(std::move(version)),
      config_(config),
      list_providers_(parts, "assetgate.v1.ProviderService/ListProviders", Access::kRead),
      get_provider_(parts, "assetgate.v1.ProviderService/GetProvider", Access::kRead),
      watch_providers_(parts.gatekeeper, parts.metrics, parts.clock, parts.log,
                       "assetgate.v1.ProviderService/WatchProviders", base::MetricKind::kProvider),
      list_models_(parts, "assetgate.v1.ProviderService/ListModels", Access::kRead),
      get_model_(parts, "assetgate.v1.ProviderService/GetModel", Access::kRead),
      explain_(parts, "assetgate.v1.ProviderService/Explain", Access::kRead) {}

ServerUnaryReactor* ProviderService::ListProviders(CallbackServerContext* context,
                                                   const ByteBuffer* request,
                                                   ByteBuffer* response) {
  return list_providers_.Run<v1::ListProvidersRequest, v1::ListProvidersResponse>(
      context, request, response,
      [&](const calls::Caller& caller, const v1::ListProvidersRequest& asked,
          reconcile::Reply<v1::ListProvidersResponse> reply) {
        calls_.ListProviders(caller, asked,
                             [this, reply = std::move(reply)](
                                 absl::StatusOr<v1::ListProvidersResponse> listed) mutable {
                               if (listed.ok()) AddGateway(*listed);
                               std::move(reply)(std::move(listed));
                             });
      });
}

void ProviderService::AddGateway(v1::ListProvidersResponse& listed) const {
  listed.set_gateway_version(version_);
  if (const std::optional<absl::Time> rejected = config_.rejected()) {
    *listed.mutable_config_rejected_time() = base::ToProto(*rejected);
  }
}

ServerUnaryReactor* ProviderService::GetProvider(CallbackServerContext* context,
                                                 const ByteBuffer* request, ByteBuffer* response) {
  return get_provider_.Run(context, request, response, calls_, &calls::ProviderCalls::GetProvider);
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* ProviderService::WatchProviders(
    CallbackServerContext* context, const grpc::ByteBuffer* bytes) {
  return watch_providers_.Answer(
      *context, [&](const calls::Caller& caller) -> absl::StatusOr<WatchMethod::Opening> {
        const absl::StatusOr<v1::WatchProvidersRequest> request =
            Parse<v1::WatchProvidersRequest>(*bytes);
        if (!request.ok()) return request.status();
        WatchMethod::Opening opening;
        opening.open = [this, caller](std::shared_ptr<watch::Reader> reader) {
          return watches_.Open(caller, std::move(reader));
        };
        return opening;
      });
}

ServerUnaryReactor* ProviderService::ListModels(CallbackServerContext* context,
                                                const ByteBuffer* request, ByteBuffer* response) {
  return list_models_.Run(context, request, response, calls_, &calls::ProviderCalls::ListModels);
}

ServerUnaryReactor* ProviderService::GetModel(CallbackServerContext* context,
                                              const ByteBuffer* request, ByteBuffer* response) {
  return get_model_.Run(context, request, response, calls_, &calls::ProviderCalls::GetModel);
}

ServerUnaryReactor* ProviderService::Explain(CallbackServerContext* context,
                                             const ByteBuffer* request, ByteBuffer* response) {
  return explain_.Run(context, request, response, calls_, &calls::ProviderCalls::Explain);
}

}  // namespace assetgate::api
