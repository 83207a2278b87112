// Who makes a call.
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

// What a call brings along.
struct Credentials {
  // Of a client certificate that TLS has verified: its URIs, a SPIFFE id among them, and its DNS
  // names. Apart, since whoever may have a certificate for a DNS name could spell a URI in it.
  std::vector<std::string> certificate_uris;
  std::vector<std::string> certificate_dns_names;
  // The values of the metadata `authorization`.
  std::vector<std::string> authorization;
};

using CallerPtr = std::shared_ptr<const Caller>;

// The SHA-256 of a token, 32 bytes.
std::string DigestOf(const std::string& token);

// Tells callers by the table of the config. Thread-safe.
class Authenticator {
 public:
  // `clock`, and what keys are fetched with, must outlive it.
  Authenticator(Callers callers, const base::Clock& clock, const Fetching& fetching);

  // Puts another table into the place of the present one, and begins to fetch the keys that are to
  // be. Calls that are under way keep who they are, and keys that were fetched stay.
  void Replace(Callers callers) ABSL_LOCKS_EXCLUDED(mu_);
  // Fetches keys that are due. The error names what could not be had, where the keys stay as they
  // were. To be called every few seconds.
  absl::Status RefreshKeys() ABSL_LOCKS_EXCLUDED(mu_);
  // When the keys of each issuer were fetched that publishes them; InfinitePast where they were
  // not.
  std::map<std::string, absl::Time> FetchTimes() const ABSL_LOCKS_EXCLUDED(mu_);

  // Whether nobody is asked who they are.
  bool open() const ABSL_LOCKS_EXCLUDED(mu_);
  // Who it is: by its bearer token where it has one, else by its certificate. UNAUTHENTICATED says
  // for the log why it is nobody, without the token; UNAVAILABLE, why that cannot be told now.
  absl::StatusOr<CallerPtr> Identify(const Credentials& credentials) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Table {
    std::vector<CallerPtr> callers;
    std::unique_ptr<JwtVerifier> verifier;
  };
  // Takes endpoints over from `former`.
  std::shared_ptr<const Table> MakeTable(Callers callers, const Table* former) const;
  std::shared_ptr<const Table> table() const ABSL_LOCKS_EXCLUDED(mu_);

  const base::Clock& clock_;
  const Fetching fetching_;
  mutable absl::Mutex mu_;
  std::shared_ptr<const Table> table_ ABSL_GUARDED_BY(mu_);
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_AUTHENTICATOR_H_
