// The keys of a JWT issuer: a JSON Web Key Set (RFC 7517).
#ifndef ASSETGATE_AUTH_JWKS_H_
#define ASSETGATE_AUTH_JWKS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assetgate::auth {

// One public key.
struct JwkKey {
  enum class Type { kRsa, kEc };
  // The claim `kid`; may be empty.
  std::string id;
  Type type = Type::kRsa;
  // EC: the bits of the curve (256, 384 or 521).
  int bits = 0;
  // The only algorithm to use it with ("RS256"); empty: any of its type.
  std::string algorithm;
  std::string pem;
};

using JwkKeysPtr = std::shared_ptr<const std::vector<JwkKey>>;

// Parses the signing keys in `json`: RSA of at least 2,048 bits, and EC on P-256, P-384 and P-521.
// Skips other keys (for encryption, symmetric, of unknown types, too small or invalid), so that one
// of them does not lock out the holders of the others.
//
// Errors: INVALID_ARGUMENT where `json` is not a key set, has no usable key (the message names the
// faults of the invalid ones), or has more than 100 keys.
absl::StatusOr<std::vector<JwkKey>> ParseJwks(absl::string_view json);

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_JWKS_H_
