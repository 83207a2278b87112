// JSON Web Tokens (RFC 7519) of callers.
#ifndef ASSETGATE_AUTH_JWT_H_
#define ASSETGATE_AUTH_JWT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "auth/callers.h"
#include "auth/jwks.h"
#include "auth/jwks_endpoint.h"
#include "base/clock.h"

namespace assetgate::auth {

// Whether a bearer token is meant as a JWT: three parts with dots between them.
bool LooksLikeJwt(absl::string_view token);

using JwksEndpointPtr = std::shared_ptr<JwksEndpoint>;

// Verifies tokens of the issuers of the config. Asymmetric algorithms only (RS and ES with 256, 384
// and 512): what verifies here can sign nothing. Thread-safe.
class JwtVerifier {
 public:
  // `endpoints`: one for each issuer whose keys are fetched. `clock` must outlive it.
  JwtVerifier(std::vector<JwtIssuer> issuers, const base::Clock& clock,
              std::vector<JwksEndpointPtr> endpoints = {});

  // Has keys fetched that are due. The error tells what came of the newest fetches that failed.
  absl::Status Refresh();
  const std::vector<JwksEndpointPtr>& endpoints() const { return endpoints_; }

  // Who it was issued for. UNAUTHENTICATED says for the log why not, without the token: of an
  // unknown issuer or signed by an unknown key, altered, expired, not valid yet, for another
  // audience. UNAVAILABLE: it cannot be told now, since keys of its issuer are being fetched.
  absl::StatusOr<Subject> Verify(const std::string& token) const;

 private:
  // Null where the issuer's keys are in a file.
  JwksEndpoint* EndpointOf(const JwtIssuer& issuer) const;
  JwkKeysPtr KeysOf(const JwtIssuer& issuer) const;

  const std::vector<JwtIssuer> issuers_;
  const std::vector<JwksEndpointPtr> endpoints_;
  const base::Clock& clock_;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_JWT_H_
