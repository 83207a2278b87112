// Verifies callers' JSON Web Tokens (RFC 7519).
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

// Whether a bearer token has the form of a JWT: three parts with dots between them.
bool LooksLikeJwt(absl::string_view token);

using JwksEndpointPtr = std::shared_ptr<JwksEndpoint>;

// Verifies tokens of the issuers of the config. Accepts asymmetric algorithms only (RS and ES with
// 256, 384 and 512), so that nothing that verifies here could also sign.
//
// Threading: any thread.
class JwtVerifier {
 public:
  // `endpoints`: one for each issuer whose keys are fetched. Lifetime: `clock` must outlive it.
  JwtVerifier(std::vector<JwtIssuer> issuers, const base::Clock& clock,
              std::vector<JwksEndpointPtr> endpoints = {});

  // Begins fetches that are due. Errors: the faults of the newest fetches that failed.
  absl::Status Refresh();
  const std::vector<JwksEndpointPtr>& endpoints() const { return endpoints_; }

  // The subject that the token was issued for. Errors: UNAUTHENTICATED, with the reason for the
  // log, without the token: of an unknown issuer, signed by an unknown key, altered, expired, not
  // valid yet, or for another audience. UNAVAILABLE where it cannot be verified now, because keys
  // of its issuer are being fetched.
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
