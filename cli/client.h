// Calls to the gateway.
#ifndef ASSETGATE_CLI_CLIENT_H_
#define ASSETGATE_CLI_CLIENT_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.grpc.pb.h"
#include "assetgate/v1/provider_service.grpc.pb.h"
#include "assetgate/v1/video_service.grpc.pb.h"

namespace assetgate::cli {

// An error of this program itself: it carries no error details.
absl::Status PlainError(absl::StatusCode code, absl::string_view message);

// What a call ended with, with the details that the gateway attached (see base/error.h).
absl::Status ToStatus(const grpc::Status& status);

// Where a gateway is, and what is shown to it. Files are in PEM, but for the token.
struct Endpoint {
  // HOST:PORT, or anything else that gRPC resolves: of several addresses, the first that answers is
  // used, until it goes away.
  std::string server = "127.0.0.1:8080";
  // A file with a bearer token; empty: none. White space around it is ignored. Without TLS
  // it is sent in clear text, which to another machine only goes with `insecure`.
  std::string token_file;
  // Who signs the gateway's certificate: a file, or "system"; empty: no TLS.
  std::string ca;
  // The certificate that is shown, and its key; empty: none.
  std::string certificate;
  std::string key;
  // Whether the token may go to another machine without TLS.
  bool insecure = false;
};

// A channel to it. INVALID_ARGUMENT where a file cannot be read.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const Endpoint& endpoint);

// A channel to a gateway, or to one of several that share a store. Thread-safe. Connects at the
// first call.
class Client {
 public:
  explicit Client(const std::shared_ptr<grpc::Channel>& channel);

  // Whether the gRPC health service calls the gateway as a whole SERVING. Errors as of a call.
  absl::StatusOr<bool> Serving(absl::Duration timeout, const std::stop_token& stop);

  v1::AssetService::Stub& assets() { return *assets_; }
  v1::VideoService::Stub& videos() { return *videos_; }
  v1::ProviderService::Stub& providers() { return *providers_; }

  // One call, for instance
  //   Call(client.assets(), &v1::AssetService::Stub::GetAsset, request, Seconds(30), stop)
  // It fails with DEADLINE_EXCEEDED after `timeout`, with CANCELLED when `stop` is requested, and
  // with UNAVAILABLE at once when nobody listens. It is never repeated.
  template <typename Stub, typename Request, typename Response>
  static absl::StatusOr<Response> Call(
      Stub& stub, grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
      const Request& request, absl::Duration timeout, const std::stop_token& stop) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
    const std::stop_callback cancel(stop, [&context] { context.TryCancel(); });
    Response response;
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (!status.ok()) return ToStatus(status);
    return response;
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::AssetService::Stub> assets_;
  std::unique_ptr<v1::VideoService::Stub> videos_;
  std::unique_ptr<v1::ProviderService::Stub> providers_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_CLIENT_H_
