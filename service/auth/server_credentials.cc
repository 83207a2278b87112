#include "auth/server_credentials.h"

#include <string>
#include <type_traits>
#include <utility>

#include "auth/handshake.h"
#include "grpc/grpc.h"
#include "grpc/grpc_security_constants.h"

namespace assetgate::auth {
namespace {

// In gRPC's C++ API only credentials that read files can change their certificate; its core API has
// others. The wrapper of the core's credentials depends on gRPC's release: up to 1.54 the base
// class is an interface, later it owns the core's credentials itself.
template <typename Base, bool = std::is_abstract_v<Base>>
class CoreCredentials final : public Base {
 public:
  explicit CoreCredentials(grpc_server_credentials* core) : core_(core) {}
  ~CoreCredentials() override { grpc_server_credentials_release(core_); }

  // Not called in this program.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), core_);
  }

  grpc_server_credentials* const core_;
};

template <typename Base>
class CoreCredentials<Base, false> final : public Base {
 public:
  explicit CoreCredentials(grpc_server_credentials* core) : Base(core) {}
};

grpc_ssl_client_certificate_request_type RequestType(ClientCertificates clients) {
  switch (clients) {
    case ClientCertificates::kRequired:
      return GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientCertificates::kOptional:
      return GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
    case ClientCertificates::kNone:
      break;
  }
  return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
}

}  // namespace

ServerTls::ServerTls(TlsMaterial material, ClientCertificates clients)
    : clients_(clients), material_(std::move(material)) {}

void ServerTls::Replace(TlsMaterial material) {
  absl::MutexLock lock(&mu_);
  if (material == material_) return;
  material_ = std::move(material);
  fresh_ = true;
}

grpc_ssl_certificate_config_reload_status ServerTls::Fetch(
    void* self, grpc_ssl_server_certificate_config** config) {
  ServerTls& tls = *static_cast<ServerTls*>(self);
  absl::MutexLock lock(&tls.mu_);
  if (!tls.fresh_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const grpc_ssl_pem_key_cert_pair pair = {tls.material_.key.Reveal().c_str(),
                                           tls.material_.certificate.c_str()};
  // gRPC requires roots even where it asks no client for a certificate; it ignores them then.
  const std::string& roots = tls.clients_ == ClientCertificates::kNone ? tls.material_.certificate
                                                                       : tls.material_.client_ca;
  *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
  tls.fresh_ = false;
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

std::shared_ptr<grpc::ServerCredentials> ServerTls::MakeCredentials() {
  RecordHandshakeFailures();
  {
    absl::MutexLock lock(&mu_);
    fresh_ = true;
  }
  return std::make_shared<CoreCredentials<grpc::ServerCredentials>>(
      grpc_ssl_server_credentials_create_with_options(
          grpc_ssl_server_credentials_create_options_using_config_fetcher(
              RequestType(clients_), &ServerTls::Fetch, this)));
}

}  // namespace assetgate::auth
