#include "cli/client.h"

#include "absl/strings/str_cat.h"
#include "base/build_info.h"
#include "base/error.h"
#include "google/rpc/status.pb.h"

namespace assetgate::cli {

absl::Status PlainError(absl::StatusCode code, absl::string_view message) {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(code));
  proto.set_message(std::string(message));
  return base::FromRpcStatus(proto);
}

absl::Status ToStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  google::rpc::Status proto;
  if (status.error_details().empty() || !proto.ParseFromString(status.error_details()) ||
      proto.code() != static_cast<int>(status.error_code())) {
    proto.Clear();
    proto.set_code(static_cast<int>(status.error_code()));
    proto.set_message(status.error_message());
  }
  return base::FromRpcStatus(proto);
}

Client::Client(const std::string& server) {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(absl::StrCat("assetctl/", base::ThisBuild().version));
  // A page of 1,000 large resources is bigger than gRPC's default of 4 MiB.
  arguments.SetMaxReceiveMessageSize(64 << 20);
  // The gateway is a neighbour: it is not asked for through the proxy that the environment names
  // for the internet.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A watch comes back soon after the gateway does; gRPC's own back-off would grow to two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // The time that connecting may take.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  const auto channel =
      grpc::CreateCustomChannel(server, grpc::InsecureChannelCredentials(), arguments);
  assets_ = v1::AssetService::NewStub(channel);
  videos_ = v1::VideoService::NewStub(channel);
  providers_ = v1::ProviderService::NewStub(channel);
}

}  // namespace assetgate::cli
