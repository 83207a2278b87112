#include "cli/client.h"

#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/build_info.h"
#include "base/error.h"
#include "base/file.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"

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

namespace {

// Sends a token with each call. gRPC's own call credentials refuse to travel in plain text, which
// is how callers reach gateways behind a mesh and on this machine.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(const std::string& header) : header_(header) {}
  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->insert({"authorization", header_});
    }
    methods->Proceed();
  }

 private:
  const std::string& header_;
};

class TokenInterceptorFactory final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(absl::string_view token)
      : header_(absl::StrCat("Bearer ", token)) {}
  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo*) override {
    return new TokenInterceptor(header_);
  }

 private:
  const std::string header_;
};

absl::StatusOr<std::string> ReadFile(absl::string_view flag, const std::string& path) {
  absl::StatusOr<std::string> text = base::ReadFile(path, base::kMaxKeyFileBytes);
  if (text.ok() && !text->empty()) return text;
  return PlainError(
      absl::StatusCode::kInvalidArgument,
      absl::StrCat(flag, ": ", path, " ", text.ok() ? "is empty" : text.status().message()));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const Endpoint& endpoint) {
  if (endpoint.ca.empty()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  const auto read = [](absl::string_view flag, const std::string& path, std::string& out) {
    absl::StatusOr<std::string> text = ReadFile(flag, path);
    if (!text.ok()) return text.status();
    out = *std::move(text);
    return absl::OkStatus();
  };
  if (endpoint.ca != "system") {
    if (auto s = read("--ca", endpoint.ca, options.pem_root_certs); !s.ok()) return s;
  }
  if (!endpoint.certificate.empty()) {
    if (auto s = read("--certificate", endpoint.certificate, options.pem_cert_chain); !s.ok()) {
      return s;
    }
    if (auto s = read("--key", endpoint.key, options.pem_private_key); !s.ok()) return s;
  }
  return grpc::SslCredentials(options);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const Endpoint& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(absl::StrCat("assetctl/", base::ThisBuild().version));
  // A margin over gRPC's default of 4 MiB; the gateway's responses stay below about 3 MiB.
  arguments.SetMaxReceiveMessageSize(64 << 20);
  // The gateway is on the local network: the environment's proxy for the internet does not apply.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // So that a watch resumes soon after the gateway is back; gRPC's default grows to two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 5000);  // The timeout for connecting.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  const auto credentials = CredentialsOf(endpoint);
  if (!credentials.ok()) return credentials.status();
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (!endpoint.token_file.empty()) {
    const auto token = ReadFile("--token-file", endpoint.token_file);
    if (!token.ok()) return token.status();
    interceptors.push_back(
        std::make_unique<TokenInterceptorFactory>(absl::StripAsciiWhitespace(*token)));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      endpoint.server, *credentials, arguments, std::move(interceptors));
}

Client::Client(const std::shared_ptr<grpc::Channel>& channel) {
  channel_ = channel;
  assets_ = v1::AssetService::NewStub(channel_);
  videos_ = v1::VideoService::NewStub(channel_);
  providers_ = v1::ProviderService::NewStub(channel_);
}

absl::StatusOr<bool> Client::Serving(absl::Duration timeout, const std::stop_token& stop) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  const auto answer = Call(
      *health, &grpc::health::v1::Health::Stub::Check,
      grpc::health::v1::HealthCheckRequest() /* service "": the whole gateway */, timeout, stop);
  if (!answer.ok()) return answer.status();
  return answer->status() == grpc::health::v1::HealthCheckResponse::SERVING;
}

}  // namespace assetgate::cli
