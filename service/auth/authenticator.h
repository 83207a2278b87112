// Authenticates callers.
#ifndef ASSETGATE_AUTH_AUTHENTICATOR_H_
#define ASSETGATE_AUTH_AUTHENTICATOR_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "auth/callers.h"
#include "auth/jwks_endpoint.h"
#include "auth/jwt.h"
#include "base/clock.h"

namespace assetgate::auth {

// The credentials that a call presents.
struct Credentials {
  // The names in a client certificate that TLS has verified: its URIs, such as a SPIFFE id, and its
  // DNS names. They are kept apart because the holder of a certificate for a DNS name could spell a
  // URI in it.
  std::vector<std::string> certificate_uris;
  std::vector<std::string> certificate_dns_names;
  // The values of the metadata key `authorization`.
  std::vector<std::string> authorization;
};

using CallerPtr = std::shared_ptr<const Caller>;

// The SHA-256 of a token, 32 bytes.
std::string DigestOf(const std::string& token);

// Identifies callers by the callers of the config.
//
// Threading: any thread.
class Authenticator {
 public:
  // Lifetime: `clock` and the parts of `fetching` must outlive it.
  Authenticator(Callers callers, const base::Clock& clock, const Fetching& fetching);

  // Replaces the callers, and begins to fetch keys that are missing. Calls in flight keep their
  // caller, and keys that were fetched are kept.
  void Replace(Callers callers) ABSL_LOCKS_EXCLUDED(mu_);
  // Fetches keys that are due; call it every few seconds. Errors: names what could not be fetched;
  // the former keys stay in use.
  absl::Status RefreshKeys() ABSL_LOCKS_EXCLUDED(mu_);
  // When the keys of each issuer that publishes keys were fetched; InfinitePast before the first
  // fetch.
  std::map<std::string, absl::Time> FetchTimes() const ABSL_LOCKS_EXCLUDED(mu_);

  // Whether callers are not authenticated, because the config lists none.
  bool open() const ABSL_LOCKS_EXCLUDED(mu_);
  // The caller: by its bearer token if it presents one, otherwise by its certificate. Errors:
  // UNAUTHENTICATED, with the reason for the log, without the token; UNAVAILABLE where the
  // credential cannot be verified now, with the reason.
  absl::StatusOr<CallerPtr> Identify(const Credentials& credentials) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Table {
    std::vector<CallerPtr> callers;
    std::unique_ptr<JwtVerifier> verifier;
  };
  // Reuses endpoints of `former`, which may be null.
  std::shared_ptr<const Table> MakeTable(Callers callers, const Table* former) const;
  std::shared_ptr<const Table> table() const ABSL_LOCKS_EXCLUDED(mu_);

  const base::Clock& clock_;
  const Fetching fetching_;
  mutable absl::Mutex mu_;
  std::shared_ptr<const Table> table_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_AUTHENTICATOR_H_
