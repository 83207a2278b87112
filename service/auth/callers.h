// Who may call, and what they may do: the table of the config.
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
  // Get, List, Watch, and what there is to know of providers and models.
  kReader,
  // Also Create, Cancel and Delete.
  kWriter,
  // Reads, and settles what only a person can (ResolveVideoTask, ImportVideoTask); reflection and
  // channelz.
  kOperator,
};

// How much one caller may ask for; 0: as much as it likes.
struct CallerLimits {
  // At each gateway.
  double requests_per_second = 0;
  int open_streams = 0;
  // Over all gateways on one store.
  int unfinished_videos = 0;
};

// A subject, as one issuer of JWTs calls it.
struct Subject {
  std::string issuer;
  std::string subject;
};

// One caller. What it presents must be in one of the three lists.
struct Caller {
  // Stands in `creator` and in logs.
  std::string id;
  std::string tenant;
  std::set<Role> roles;
  // Providers that it may use, by id; absent: all.
  std::optional<std::set<std::string>> providers;
  CallerLimits limits;

  // Names in client certificates: URIs (SPIFFE ids), which have a colon, or DNS names.
  std::vector<std::string> certificates;
  // SHA-256 of bearer tokens, 32 bytes each.
  std::vector<std::string> token_digests;
  std::vector<Subject> subjects;
};

// Who signs JWTs that are taken here.
struct JwtIssuer {
  // The claim `iss`, letter by letter.
  std::string issuer;
  // A token is for one of these (the claim `aud`). Never empty.
  std::vector<std::string> audiences;
  // Where its keys are: a JWKS (RFC 7517) in a file; or one at a URL. With neither, the issuer's
  // OpenID Connect discovery document says at which URL.
  std::string jwks_file;
  std::string jwks_url;
  // For fetching them; empty: the system's authorities, and no token.
  std::string ca_file;
  std::string token_file;

  // What the files held when the config was read.
  JwkKeysPtr keys;
  std::string ca;
  base::Secret token;
  // How calls for them leave.
  http::Egress egress;

  // Whether its keys are fetched; and from the same place as another's.
  bool fetched() const { return jwks_file.empty(); }
  bool FetchedLike(const JwtIssuer& other) const {
    return fetched() && other.fetched() && issuer == other.issuer && jwks_url == other.jwks_url;
  }
};

struct Callers {
  // Without any, nobody is asked who they are.
  std::vector<Caller> callers;
  std::vector<JwtIssuer> issuers;
};

}  // namespace assetgate::auth

#endif  // ASSETGATE_AUTH_CALLERS_H_
