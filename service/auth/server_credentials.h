// TLS on the gRPC port.
#ifndef ASSETGATE_AUTH_SERVER_CREDENTIALS_H_
#define ASSETGATE_AUTH_SERVER_CREDENTIALS_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/security/server_credentials.h"

namespace assetgate::auth {

// Whether a client has to show who it is by a certificate.
enum class ClientCertificates { kNone, kOptional, kRequired };

// Files in PEM, all read again when they change.
struct TlsFiles {
  // Ours, with what is between it and a root that clients know.
  std::string certificate;
  std::string key;
  // Who signs clients' certificates; empty where none are asked for.
  std::string client_ca;
  ClientCertificates clients = ClientCertificates::kNone;
};

struct TlsState {
  // Of our certificate.
  absl::Time not_after;
};

// Reads and checks the files. The error says which one is wrong, and what is: not there, no PEM, a
// key of another certificate, not valid yet or no more.
absl::StatusOr<TlsState> CheckTls(const TlsFiles& files, absl::Time now);

// TLS 1.2 or newer. The files must be good.
std::shared_ptr<grpc::ServerCredentials> MakeTlsCredentials(const TlsFiles& files);

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_SERVER_CREDENTIALS_H_
