// TLS on the gRPC port.
#ifndef ASSETGATE_AUTH_SERVER_CREDENTIALS_H_
#define ASSETGATE_AUTH_SERVER_CREDENTIALS_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "auth/tls_material.h"
#include "grpc/grpc_security.h"
#include "grpcpp/security/server_credentials.h"

namespace assetgate::auth {

// Whether a client has to show who it is by a certificate.
enum class ClientCertificates { kNone, kOptional, kRequired };

// The certificate of a gRPC server, which can be another one from some moment on: connections that
// are made from then on see it, others stay as they are.
//
// gRPC's own watcher of files hands them on as they are, and ends the process over an empty one. So
// gRPC gets to see only what was checked, from memory.
//
// Thread-safe. Lifetime: longer than every server that was made with its credentials.
class ServerTls {
 public:
  // `material` is good, by the functions of tls_material.h; Replace likewise.
  ServerTls(TlsMaterial material, ClientCertificates clients);
  ServerTls(const ServerTls&) = delete;
  ServerTls& operator=(const ServerTls&) = delete;

  void Replace(TlsMaterial material) ABSL_LOCKS_EXCLUDED(mu_);

  // For one server. TLS 1.2 or newer.
  std::shared_ptr<grpc::ServerCredentials> MakeCredentials();

 private:
  // Asked by gRPC as each connection begins.
  static grpc_ssl_certificate_config_reload_status Fetch(
      void* self, grpc_ssl_server_certificate_config** config);

  const ClientCertificates clients_;
  absl::Mutex mu_;
  TlsMaterial material_ ABSL_GUARDED_BY(mu_);
  // gRPC has not been given it yet.
  bool fresh_ ABSL_GUARDED_BY(mu_) = true;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_SERVER_CREDENTIALS_H_
