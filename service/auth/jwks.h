// Keys of an issuer of JWTs: a JSON Web Key Set (RFC 7517).
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
  // Its `kid`; may be empty.
  std::string id;
  Type type = Type::kRsa;
  // EC: bits of the curve (256, 384 or 521).
  int bits = 0;
  // The one algorithm that it is for ("RS256"); empty: any of its type.
  std::string algorithm;
  std::string pem;
};

using JwkKeysPtr = std::shared_ptr<const std::vector<JwkKey>>;

// The keys in `json` that sign: RSA of at least 2,048 bits, and EC on P-256, P-384 and P-521.
// Others (for encryption, symmetric ones, of types not known here, too small or broken) are passed
// over, so that one of them does not lock out the holders of the others. INVALID_ARGUMENT where it
// is not a key set, no key is left (then it says what is wrong with the broken ones), or there are
// more than any issuer has.
absl::StatusOr<std::vector<JwkKey>> ParseJwks(absl::string_view json);

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_JWKS_H_
