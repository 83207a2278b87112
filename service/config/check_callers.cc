#include "config/check_callers.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "auth/jwks_endpoint.h"
#include "base/text.h"
#include "config/check_proxy.h"
#include "config/files.h"
#include "model/tenant.h"

namespace assetgate::config {
namespace {

// Where each credential of a caller stands in the file, by what it holds.
using Credentials = std::map<std::string, std::string>;

// Each credential must identify one caller.
void CheckOnce(const std::string& path, const std::string& credential, Credentials& seen,
               Reading& reading) {
  const auto [first, inserted] = seen.emplace(credential, path);
  if (inserted) return;
  reading.AddFault(path,
                   absl::StrCat("is the same as ", first->second, "; give each caller its own"));
}

void CheckKeyUrls(const file::JwtIssuer& in, const std::string& path, Reading& reading,
                  auth::JwtIssuer& issuer) {
  if (in.has_jwks_url()) {
    if (const std::string fault = auth::FaultOfKeyUrl(issuer.jwks_url); !fault.empty()) {
      reading.AddFault(path + ".jwks_url", absl::StrCat(fault, "; write https://HOST/PATH"));
    }
  } else if (in.has_issuer() && (!auth::FaultOfKeyUrl(issuer.issuer).empty() ||
                                 absl::StrContains(issuer.issuer, '?'))) {
    // Not shown: it may be a token.
    reading.AddFault(path + ".issuer",
                     "is not a URL at which a discovery document could be; name its keys with "
                     "jwks_url or jwks_file");
  }
  if (in.has_ca_file() && in.ca_file().empty()) {
    reading.AddFault(path + ".ca_file", "is empty; name a file, or leave it out");
  }
  if (in.has_token_file() && in.token_file().empty()) {
    reading.AddFault(path + ".token_file", "is empty; name a file, or leave it out");
  }
  CheckProxy(in, path, in.has_jwks_url() ? issuer.jwks_url : issuer.issuer, reading, issuer.egress);
}

// Where an issuer's keys are, and how they are fetched.
void CheckKeys(const file::JwtIssuer& in, const std::string& path, Reading& reading,
               auth::JwtIssuer& issuer) {
  issuer.jwks_file = in.jwks_file();
  issuer.jwks_url = in.jwks_url();
  issuer.ca_file = in.ca_file();
  issuer.token_file = in.token_file();
  if (in.has_jwks_file() && in.has_jwks_url()) {
    reading.AddFault(path + ".jwks_url", "has no effect beside jwks_file; keep one of the two");
    return;
  }
  if (!in.has_jwks_file()) {
    CheckKeyUrls(in, path, reading, issuer);
  } else if (in.jwks_file().empty()) {
    reading.AddFault(path + ".jwks_file", "is empty; name the file of its keys");
    return;
  } else if (in.has_ca_file() || in.has_token_file() || in.has_proxy()) {
    reading.AddFault(path + (in.has_ca_file()      ? ".ca_file"
                             : in.has_token_file() ? ".token_file"
                                                   : ".proxy"),
                     "is for keys that are fetched; leave it out beside jwks_file");
  }
  ReadFilesOf(path, reading, issuer);
}

void CheckIssuers(Reading& reading, auth::Callers& out) {
  const file::Config& in = reading.message();
  std::set<std::string> seen;
  for (int i = 0; i < in.jwt_issuers_size(); ++i) {
    const std::string path = absl::StrCat("jwt_issuers[", i, "]");
    const file::JwtIssuer& from = in.jwt_issuers(i);
    auth::JwtIssuer& issuer = out.issuers.emplace_back();
    issuer.issuer = reading.Text(path + ".issuer", from.has_issuer(), from.issuer(),
                                 "write the claim iss of its tokens");
    CheckKeys(from, path, reading, issuer);
    issuer.audiences.assign(from.audiences().begin(), from.audiences().end());
    if (issuer.audiences.empty()) {
      reading.AddFault(path + ".audiences",
                       "is missing; name what tokens for this gateway say in aud, such as "
                       "[assetgate]");
    }
    if (!issuer.issuer.empty() && !seen.insert(issuer.issuer).second) {
      reading.AddFault(path + ".issuer", "is listed twice; remove one");
    }
  }
  if (in.callers().empty() && !in.jwt_issuers().empty()) {
    reading.AddFault("jwt_issuers", "has no effect without callers; add callers, or remove it");
  }
}

void CheckCertificates(const file::Caller& in, const std::string& path, Credentials& seen,
                       Reading& reading, auth::Caller& out) {
  for (int i = 0; i < in.certificates_size(); ++i) {
    const std::string at = absl::StrCat(path, ".certificates[", i, "]");
    const std::string& name = in.certificates(i);
    if (name.empty()) reading.AddFault(at, "is empty");
    if (reading.message().tls().client_ca().empty()) {
      reading.AddFault(at, "needs tls.client_ca: no client is asked for a certificate otherwise");
    }
    CheckOnce(at, absl::StrCat("certificate ", name), seen, reading);
    out.certificates.push_back(name);
  }
}

void CheckTokens(const file::Caller& in, const std::string& path, Credentials& seen,
                 Reading& reading, auth::Caller& out) {
  for (int i = 0; i < in.token_sha256_size(); ++i) {
    const std::string at = absl::StrCat(path, ".token_sha256[", i, "]");
    const std::string& hex = in.token_sha256(i);
    if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
      // Not shown: it may be the token itself.
      reading.AddFault(at,
                       "is not a SHA-256 digest, which is 64 hexadecimal digits; never write the "
                       "token itself");
      continue;
    }
    out.token_digests.push_back(absl::HexStringToBytes(hex));
    CheckOnce(at, absl::StrCat("token ", out.token_digests.back()), seen, reading);
  }
}

void CheckSubjects(const file::Caller& in, const std::string& path, Credentials& seen,
                   const auth::Callers& callers, Reading& reading, auth::Caller& out) {
  for (int i = 0; i < in.jwts_size(); ++i) {
    const std::string at = absl::StrCat(path, ".jwts[", i, "]");
    const file::Caller::Jwt& jwt = in.jwts(i);
    auth::Subject subject;
    subject.issuer =
        reading.Text(at + ".issuer", jwt.has_issuer(), jwt.issuer(), "name one of jwt_issuers");
    subject.subject = reading.Text(at + ".subject", jwt.has_subject(), jwt.subject(),
                                   "write the claim sub of its tokens");
    if (!subject.issuer.empty() &&
        std::none_of(callers.issuers.begin(), callers.issuers.end(),
                     [&](const auth::JwtIssuer& each) { return each.issuer == subject.issuer; })) {
      reading.AddFault(at + ".issuer", "is not one of jwt_issuers");
    }
    CheckOnce(at, absl::StrCat("jwt ", subject.issuer, "\n", subject.subject), seen, reading);
    out.subjects.push_back(std::move(subject));
  }
}

void CheckRoles(const file::Caller& in, const std::string& path, Reading& reading,
                auth::Caller& out) {
  for (int i = 0; i < in.roles_size(); ++i) {
    switch (in.roles(i)) {
      case file::Caller::READER:
        out.roles.insert(auth::Role::kReader);
        break;
      case file::Caller::WRITER:
        out.roles.insert(auth::Role::kWriter);
        break;
      case file::Caller::OPERATOR:
        out.roles.insert(auth::Role::kOperator);
        break;
      default:
        reading.AddFault(absl::StrCat(path, ".roles[", i, "]"),
                         "is not a role; use READER, WRITER or OPERATOR");
    }
  }
  if (in.roles().empty()) {
    reading.AddFault(path + ".roles", "is missing; name at least one: READER, WRITER, OPERATOR");
  }
}

void CheckRights(const file::Caller& in, const std::string& path, Reading& reading,
                 auth::Caller& out) {
  CheckRoles(in, path, reading, out);
  const auto& providers = reading.message().providers();
  for (int i = 0; i < in.providers_size(); ++i) {
    const std::string& id = in.providers(i);
    if (std::none_of(providers.begin(), providers.end(),
                     [&](const file::Provider& each) { return each.id() == id; })) {
      reading.AddFault(absl::StrCat(path, ".providers[", i, "]"),
                       absl::StrCat(base::Quoted(id), " is not the id of a provider"));
    }
    if (!out.providers.has_value()) out.providers.emplace();
    out.providers->insert(id);
  }
  const file::Caller::Limits& limits = in.limits();
  out.limits.requests_per_second =
      reading.Number<double>(path + ".limits.requests_per_second", limits.has_requests_per_second(),
                             limits.requests_per_second(), 0, 0.01, 100'000);
  out.limits.open_streams =
      reading.Number<int>(path + ".limits.open_streams", limits.has_open_streams(),
                          limits.open_streams(), 1'000, 1, 1'000'000);
  out.limits.unfinished_videos =
      reading.Number<int>(path + ".limits.unfinished_videos", limits.has_unfinished_videos(),
                          limits.unfinished_videos(), 0, 1, 500'000);
}

}  // namespace

void CheckCallers(Reading& reading, GatewayConfig& out) {
  CheckIssuers(reading, out.callers);
  const file::Config& in = reading.message();
  Credentials credentials;
  std::set<std::string> ids;
  for (int i = 0; i < in.callers_size(); ++i) {
    const std::string path = absl::StrCat("callers[", i, "]");
    const file::Caller& from = in.callers(i);
    auth::Caller& caller = out.callers.callers.emplace_back();
    caller.id =
        reading.Text(path + ".id", from.has_id(), from.id(), "choose a name for the caller");
    if (!caller.id.empty()) reading.CheckId(path + ".id", caller.id);
    if (!caller.id.empty() && !ids.insert(caller.id).second) {
      reading.AddFault(path + ".id",
                       absl::StrCat(base::Quoted(caller.id), " is listed twice; remove one"));
    }
    caller.tenant = from.has_tenant() ? from.tenant() : std::string(model::kDefaultTenant);
    reading.CheckId(path + ".tenant", caller.tenant);
    CheckCertificates(from, path, credentials, reading, caller);
    CheckTokens(from, path, credentials, reading, caller);
    CheckSubjects(from, path, credentials, out.callers, reading, caller);
    if (from.certificates().empty() && from.token_sha256().empty() && from.jwts().empty()) {
      reading.AddFault(path, "has no credential; give it certificates, token_sha256 or jwts");
    }
    CheckRights(from, path, reading, caller);
  }
}

}  // namespace assetgate::config
