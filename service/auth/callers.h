// The callers of the config: their credentials, roles and limits.
#ifndef ASSETGATE_AUTH_CALLERS_H_
#define ASSETGATE_AUTH_CALLERS_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "auth/jwks.h"
#include "base/secret.h"
#include "http/egress.h"

namespace assetgate::auth {

enum class Role {
  // May call Get, List and Watch, and read providers and models.
  kReader,
  // As kReader; may also call Create, Cancel and Delete.
  kWriter,
  // As kReader; may also settle what only a person can (ResolveVideoTask, ImportVideoTask), and use
  // reflection and channelz.
  kOperator,
};

// The limits of one caller; 0: unlimited.
struct CallerLimits {
  // At each gateway.
  double requests_per_second = 0;
  int open_streams = 0;
  // Over all gateways that share a store.
  int unfinished_videos = 0;
};

// The subject of a JWT, in the terms of its issuer.
struct Subject {
  std::string issuer;
  std::string subject;
};

// One caller. A call is from it when its credential is in one of the three lists.
struct Caller {
  // Appears in `creator` and in logs.
  std::string id;
  std::string tenant;
  std::set<Role> roles;
  // The ids of the providers that it may use; absent: all.
  std::optional<std::set<std::string>> providers;
  CallerLimits limits;

  // Names in client certificates: URIs (SPIFFE ids), which contain a colon, or DNS names.
  std::vector<std::string> certificates;
  // SHA-256 of bearer tokens, 32 bytes each.
  std::vector<std::string> token_digests;
  std::vector<Subject> subjects;
};

// An issuer whose JWTs are accepted.
struct JwtIssuer {
  // The claim `iss`, compared exactly.
  std::string issuer;
  // Accepted values of the claim `aud`. Never empty.
  std::vector<std::string> audiences;
  // Its keys: a JWKS (RFC 7517) in a file or at a URL. With neither, the issuer's OpenID Connect
  // discovery document names the URL.
  std::string jwks_file;
  std::string jwks_url;
  // For fetching the keys. Empty: the system's CAs, and no token.
  std::string ca_file;
  std::string token_file;

  // The content of the files when the config was read.
  JwkKeysPtr keys;
  std::string ca;
  base::Secret token;
  // The proxy and the headers for fetching the keys.
  http::Egress egress;

  // Whether its keys are fetched, and whether they are fetched from the same URL as those of
  // `other`.
  bool fetched() const { return jwks_file.empty(); }
  bool FetchedLike(const JwtIssuer& other) const {
    return fetched() && other.fetched() && issuer == other.issuer && jwks_url == other.jwks_url;
  }
};

struct Callers {
  // If empty, callers are not authenticated.
  std::vector<Caller> callers;
  std::vector<JwtIssuer> issuers;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_CALLERS_H_
