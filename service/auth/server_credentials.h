// TLS for the gRPC port.
#ifndef ASSETGATE_AUTH_SERVER_CREDENTIALS_H_
#define ASSETGATE_AUTH_SERVER_CREDENTIALS_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "auth/tls_material.h"
#include "grpc/grpc_security.h"
#include "grpcpp/security/server_credentials.h"

namespace assetgate::auth {

// Whether a client has to present a certificate.
enum class ClientCertificates { kNone, kOptional, kRequired };

// The certificate of a gRPC server, which can be replaced: new connections get the new one,
// existing connections stay.
//
// gRPC's own file watcher passes on unchecked files, and ends the process over an empty one. So
// gRPC gets only checked material, from memory.
//
// Threading: any thread. Lifetime: must outlive every server with its credentials.
class ServerTls {
 public:
  // `material` must have no fault by the functions of tls_material.h; the same applies to Replace.
  ServerTls(TlsMaterial material, ClientCertificates clients);
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  void Replace(TlsMaterial material) ABSL_LOCKS_EXCLUDED(mu_);

  // The credentials for one server. TLS 1.2 or newer.
  std::shared_ptr<grpc::ServerCredentials> MakeCredentials();

 private:
  // gRPC calls it at the beginning of each connection.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config);

  const ClientCertificates clients_;
  absl::Mutex mu_;
  TlsMaterial material_ ABSL_GUARDED_BY(mu_);
  // Whether gRPC has yet to fetch the material.
  bool fresh_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_SERVER_CREDENTIALS_H_
