#include "auth/jwt.h"

#include <jwt.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/text.h"
#include "base/uri.h"
#include "http/message.h"
#include "rapidjson/document.h"

namespace assetgate::auth {
namespace {

// gRPC accepts 8 KiB of metadata.
constexpr std::size_t kMaxTokenBytes = 8 << 10;
// The accepted difference between the clocks of issuers and of this machine.
constexpr absl::Duration kLeeway = absl::Seconds(60);

struct Algorithm {
  const char* name;
  jwt_alg_t code;
  JwkKey::Type type;
  // EC: the bits of the curve.
  int bits;
};
constexpr Algorithm kAlgorithms[] = {{"RS256", JWT_ALG_RS256, JwkKey::Type::kRsa, 0},
                                     {"RS384", JWT_ALG_RS384, JwkKey::Type::kRsa, 0},
                                     {"RS512", JWT_ALG_RS512, JwkKey::Type::kRsa, 0},
                                     {"ES256", JWT_ALG_ES256, JwkKey::Type::kEc, 256},
                                     {"ES384", JWT_ALG_ES384, JwkKey::Type::kEc, 384},
                                     {"ES512", JWT_ALG_ES512, JwkKey::Type::kEc, 521}};

// Of a claim, in bytes.
constexpr std::size_t kMaxShown = 128;

std::optional<rapidjson::Document> ObjectIn(absl::string_view part) {
  std::string json;
  if (!absl::WebSafeBase64Unescape(part, &json)) return std::nullopt;
  std::optional<rapidjson::Document> document = base::ParseJson(json);
  if (document.has_value() && !document->IsObject()) document.reset();
  return document;
}

std::string TextOf(const rapidjson::Value& object, const char* name) {
  return base::JsonString(object, name).value_or("");
}

// A claim of type NumericDate; absent where it is not one.
std::optional<absl::Time> TimeOf(const rapidjson::Value& object, const char* name) {
  const rapidjson::Value* value = base::FindJson(object, name);
  if (value == nullptr || !value->IsNumber()) return std::nullopt;
  return absl::UnixEpoch() + absl::Seconds(value->GetDouble());
}

// The claim `aud`: a string or an array of strings.
std::vector<std::string> AudiencesOf(const rapidjson::Value& claims) {
  std::vector<std::string> audiences;
  const rapidjson::Value* value = base::FindJson(claims, "aud");
  if (value == nullptr) return audiences;
  if (value->IsString()) audiences.emplace_back(value->GetString());
  if (value->IsArray()) {
    for (const rapidjson::Value& each : value->GetArray()) {
      if (each.IsString()) audiences.emplace_back(each.GetString());
    }
  }
  return audiences;
}

// Whether `key` has signed the token, with exactly `algorithm`.
bool IsSignedBy(const std::string& token, const JwkKey& key, const Algorithm& algorithm) {
  jwt_t* decoded = nullptr;
  if (jwt_decode(&decoded, token.c_str(), reinterpret_cast<const unsigned char*>(key.pem.c_str()),
                 static_cast<int>(key.pem.size())) != 0) {
    return false;
  }
  const bool same = jwt_get_alg(decoded) == algorithm.code;
  jwt_free(decoded);
  return same;
}

absl::Status Rejected(const std::string& why) {
  return absl::UnauthenticatedError(absl::StrCat("the JWT ", why));
}

absl::Status Pending(const std::string& why) {
  return absl::UnavailableError(absl::StrCat("the JWT cannot be verified now: ", why));
}

std::string SourceOfKeys(const JwtIssuer& issuer) {
  if (!issuer.fetched()) return issuer.jwks_file;
  return issuer.jwks_url.empty() ? "the keys that its issuer publishes"
                                 : base::RedactUri(issuer.jwks_url);
}

}  // namespace

bool LooksLikeJwt(absl::string_view token) {
  return std::count(token.begin(), token.end(), '.') == 2;
}

JwtVerifier::JwtVerifier(std::vector<JwtIssuer> issuers, const base::Clock& clock,
                         std::vector<JwksEndpointPtr> endpoints)
    : issuers_(std::move(issuers)), endpoints_(std::move(endpoints)), clock_(clock) {}

absl::Status JwtVerifier::Refresh() {
  std::vector<std::string> faults;
  for (const JwksEndpointPtr& endpoint : endpoints_) {
    endpoint->Refresh();
    const absl::Status status = endpoint->status();
    if (!status.ok()) faults.push_back(std::string(status.message()));
  }
  if (faults.empty()) return absl::OkStatus();
  return absl::UnavailableError(absl::StrJoin(faults, "; "));
}

JwksEndpoint* JwtVerifier::EndpointOf(const JwtIssuer& issuer) const {
  for (const JwksEndpointPtr& endpoint : endpoints_) {
    if (endpoint->issuer().issuer == issuer.issuer) return endpoint.get();
  }
  return nullptr;
}

JwkKeysPtr JwtVerifier::KeysOf(const JwtIssuer& issuer) const {
  if (const JwksEndpoint* endpoint = EndpointOf(issuer)) return endpoint->keys();
  return issuer.keys;
}

absl::StatusOr<Subject> JwtVerifier::Verify(const std::string& token) const {
  const std::vector<absl::string_view> parts = absl::StrSplit(token, '.');
  if (token.size() > kMaxTokenBytes) return Rejected("is longer than 8 KiB");
  // libjwt takes the token as a C string.
  if (parts.size() != 3 || absl::StrContains(token, '\0')) return Rejected("is not complete");
  const auto header = ObjectIn(parts[0]);
  const auto claims = ObjectIn(parts[1]);
  if (!header.has_value() || !claims.has_value()) return Rejected("is not complete");

  const std::string issuer = TextOf(*claims, "iss");
  const auto known = std::find_if(issuers_.begin(), issuers_.end(),
                                  [&](const JwtIssuer& each) { return each.issuer == issuer; });
  if (known == issuers_.end()) {
    return Rejected(absl::StrCat("is of the issuer ", base::Quoted(issuer, kMaxShown),
                                 ", which is not in jwt_issuers"));
  }
  const std::string name = TextOf(*header, "alg");
  const auto algorithm = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                                      [&](const Algorithm& each) { return each.name == name; });
  if (algorithm == std::end(kAlgorithms)) {
    return Rejected(absl::StrCat("has alg ", base::Quoted(name, kMaxShown),
                                 "; accepted are RS and ES with 256, 384 and 512"));
  }
  if (header->HasMember("crit"))
    return Rejected("has critical extensions, none of which is supported");

  JwksEndpoint* endpoint = EndpointOf(*known);
  const JwkKeysPtr keys = KeysOf(*known);
  if (keys == nullptr) {
    if (endpoint == nullptr) {
      return Rejected("cannot be verified: there are no keys of its issuer");
    }
    endpoint->Miss();
    return Pending("the keys of its issuer have not been fetched yet");
  }
  const std::string key_id = TextOf(*header, "kid");
  bool known_id = false;
  bool tried = false;
  bool is_signed = false;
  for (const JwkKey& key : *keys) {
    if (!key_id.empty() && key.id != key_id) continue;
    known_id = known_id || !key_id.empty();
    if (key.type != algorithm->type || key.bits != algorithm->bits) continue;
    if (!key.algorithm.empty() && key.algorithm != algorithm->name) continue;
    tried = true;
    is_signed = is_signed || IsSignedBy(token, key, *algorithm);
  }
  // The issuer may have published a new key meanwhile.
  if (!is_signed && !known_id && endpoint != nullptr && endpoint->Miss()) {
    return Pending(absl::StrCat("it is signed by the key ", base::Quoted(key_id, kMaxShown),
                                ", and the keys of its issuer are being fetched"));
  }
  if (!tried) {
    return Rejected(absl::StrCat("is signed by the key ", base::Quoted(key_id, kMaxShown), " for ",
                                 algorithm->name, ", which is not in ", SourceOfKeys(*known)));
  }
  if (!is_signed) return Rejected("has an invalid signature");

  // The signature is valid: from here on the claims can be trusted.
  const absl::Time now = clock_.Now();
  const auto expires = TimeOf(*claims, "exp");
  if (!expires.has_value()) return Rejected("never expires (it has no exp)");
  if (now >= *expires + kLeeway) {
    return Rejected(absl::StrCat(
        "expired at ", absl::FormatTime(absl::RFC3339_sec, *expires, absl::UTCTimeZone())));
  }
  if (claims->HasMember("nbf")) {
    const auto begins = TimeOf(*claims, "nbf");
    if (!begins.has_value() || now < *begins - kLeeway) {
      return Rejected(begins.has_value() ? absl::StrCat("is valid from ",
                                                        absl::FormatTime(absl::RFC3339_sec, *begins,
                                                                         absl::UTCTimeZone()))
                                         : "has an nbf that is not a time");
    }
  }
  const std::vector<std::string> audiences = AudiencesOf(*claims);
  if (std::none_of(audiences.begin(), audiences.end(), [&](const std::string& each) {
        return std::find(known->audiences.begin(), known->audiences.end(), each) !=
               known->audiences.end();
      })) {
    return Rejected(absl::StrCat("is for the audience ",
                                 base::Quoted(absl::StrJoin(audiences, ", "), kMaxShown),
                                 ", not for ", absl::StrJoin(known->audiences, ", ")));
  }
  return Subject{issuer, TextOf(*claims, "sub")};
}

}  // namespace assetgate::auth
