// The connection to a gateway, and calls over it.
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

// An error of assetctl itself, without error details.
absl::Status PlainError(absl::StatusCode code, absl::string_view message);

// The status of a call, with the details that the gateway attached (see base/error.h).
absl::Status ToStatus(const grpc::Status& status);

// The address of a gateway, and the credentials to present to it. Files are in PEM, except for the
// token.
struct Endpoint {
  // HOST:PORT, or anything else that gRPC resolves. Of several addresses gRPC uses the first that
  // answers, until that one goes away.
  std::string server = "127.0.0.1:8080";
  // A file with a bearer token; empty: none. White space around it is ignored. Without TLS the
  // token travels in clear text; to another machine that requires `insecure`.
  std::string token_file;
  // The CA that signs the gateway's certificate: a file, or "system"; empty: no TLS.
  std::string ca;
  // The client certificate and its key; empty: none.
  std::string certificate;
  std::string key;
  // Whether the token may go to another machine without TLS.
  bool insecure = false;
};

// Opens a channel. Errors: INVALID_ARGUMENT where a file cannot be read or is empty.
absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const Endpoint& endpoint);

// The client of one gateway, or of several that share a store. Connects at the first call.
//
// Threading: any thread.
class Client {
 public:
  explicit Client(const std::shared_ptr<grpc::Channel>& channel);

  // Whether the gRPC health service reports the gateway as a whole as SERVING. Errors: those of a
  // call.
  absl::StatusOr<bool> Serving(absl::Duration timeout, const std::stop_token& stop);

  v1::AssetService::Stub& assets() { return *assets_; }
  v1::VideoService::Stub& videos() { return *videos_; }
  v1::ProviderService::Stub& providers() { return *providers_; }

  // Makes one call and never repeats it, for instance
  //   Call(client.assets(), &v1::AssetService::Stub::GetAsset, request, Seconds(30), stop)
  // Errors: DEADLINE_EXCEEDED after `timeout`, CANCELLED when `stop` is requested, UNAVAILABLE at
  // once when nothing listens at the address; otherwise those of the gateway.
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
