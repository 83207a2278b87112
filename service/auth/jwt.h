// JSON Web Tokens (RFC 7519) of callers.
#ifndef ASSETGATE_AUTH_JWT_H_
#define ASSETGATE_AUTH_JWT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "auth/callers.h"
#include "auth/jwks.h"
#include "base/clock.h"

namespace assetgate::auth {

// Whether a bearer token is meant as a JWT: three parts with dots between them.
bool LooksLikeJwt(absl::string_view token);

// Verifies tokens of the issuers of the config. Asymmetric algorithms only (RS and ES with 256, 384
// and 512): what verifies here can sign nothing. Thread-safe.
class JwtVerifier {
 public:
  // `clock` must outlive it.
  JwtVerifier(std::vector<JwtIssuer> issuers, const base::Clock& clock);

  // Reads the key files that have changed. What cannot be read stays as it was; the error names all
  // such files.
  absl::Status Reload() ABSL_LOCKS_EXCLUDED(mu_);

  // Who it was issued for. The error says for the log why not, without the token: of an unknown
  // issuer or signed by an unknown key, altered, expired, not valid yet, for another audience.
  absl::StatusOr<Subject> Verify(const std::string& token) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Keys {
    std::string text;
    std::vector<JwkKey> keys;
  };

  const std::vector<JwtIssuer> issuers_;
  const base::Clock& clock_;
  mutable absl::Mutex mu_;
  // By issuer, in the same order.
  std::vector<std::shared_ptr<const Keys>> keys_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_JWT_H_
