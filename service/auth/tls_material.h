// Certificates and keys in PEM, checked before anybody uses them.
#ifndef ASSETGATE_AUTH_TLS_MATERIAL_H_
#define ASSETGATE_AUTH_TLS_MATERIAL_H_

#include <string>

#include "absl/time/time.h"
#include "base/secret.h"

namespace assetgate::auth {

// What a TLS server shows and asks for: the content of three files in PEM.
struct TlsMaterial {
  // Ours, with what is between it and a root that clients know.
  std::string certificate;
  base::Secret key;
  // Who signs clients' certificates; empty where none are asked for.
  std::string client_ca;

  friend bool operator==(const TlsMaterial& a, const TlsMaterial& b) {
    return a.certificate == b.certificate && a.key.Reveal() == b.key.Reveal() &&
           a.client_ca == b.client_ca;
  }
};

// These say what is wrong with the content of a file, and the remedy, in words that follow the
// file's name; empty where nothing is. None repeats a part of a key.

// Certificates, ours first. All must be whole: a chain that is cut off is none.
std::string FaultOfCertificate(const std::string& pem);
// The private key of the first certificate in `certificate`, which is good. Also what TLS would
// refuse of the two, such as a key that is too short.
std::string FaultOfKey(const base::Secret& pem, const std::string& certificate);
// Certificates of authorities, of which one at least is valid at `now`.
std::string FaultOfAuthorities(const std::string& pem, absl::Time now);
// Whether the first certificate in `pem`, which is good, is valid at `now`.
std::string FaultOfTime(const std::string& pem, absl::Time now);

// Until when the first certificate in `pem` is valid; InfinitePast where there is none.
absl::Time CertificateEnd(const std::string& pem);

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_TLS_MATERIAL_H_
