// Certificates and keys in PEM, checked before use.
#ifndef ASSETGATE_AUTH_TLS_MATERIAL_H_
#define ASSETGATE_AUTH_TLS_MATERIAL_H_

#include <string>

#include "absl/time/time.h"
#include "base/secret.h"

namespace assetgate::auth {

// The content of the three PEM files of a TLS server.
struct TlsMaterial {
  // The server's certificate, followed by the intermediates up to a root that clients know.
  std::string certificate;
  base::Secret key;
  // The CAs of client certificates; empty where none are requested.
  std::string client_ca;

  friend bool operator==(const TlsMaterial& a, const TlsMaterial& b) {
    return a.certificate == b.certificate && a.key.Reveal() == b.key.Reveal() &&
           a.client_ca == b.client_ca;
  }
};

// These functions return the fault of a file's content and the remedy, in words that follow the
// file's name; empty where there is no fault. They never repeat a part of a key.

// Certificates, the server's own first. All must be complete: a truncated chain is a fault.
std::string FaultOfCertificate(const std::string& pem);
// The private key of the first certificate in `certificate`, which must have no fault. Also checks
// what TLS would reject, such as a key that is too short.
std::string FaultOfKey(const base::Secret& pem, const std::string& certificate);
// CA certificates, of which at least one is valid at `now`.
std::string FaultOfAuthorities(const std::string& pem, absl::Time now);
// The validity at `now` of the first certificate in `pem`, which must have no fault.
std::string FaultOfTime(const std::string& pem, absl::Time now);

// The end of the validity of the first certificate in `pem`; InfinitePast where there is none.
absl::Time CertificateEnd(const std::string& pem);

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_TLS_MATERIAL_H_
