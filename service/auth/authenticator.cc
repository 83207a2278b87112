#include "auth/authenticator.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace assetgate::auth {
namespace {

absl::Status Unauthenticated(const std::string& why) { return absl::UnauthenticatedError(why); }

// Compares with every digest, so that the time does not depend on which one matches.
CallerPtr FindByDigest(const std::vector<CallerPtr>& callers, const std::string& digest) {
  CallerPtr found;
  for (const CallerPtr& caller : callers) {
    for (const std::string& each : caller->token_digests) {
      if (CRYPTO_memcmp(each.data(), digest.data(), digest.size()) == 0) found = caller;
    }
  }
  return found;
}

CallerPtr FindBySubject(const std::vector<CallerPtr>& callers, const Subject& subject) {
  for (const CallerPtr& caller : callers) {
    for (const Subject& each : caller->subjects) {
      if (each.issuer == subject.issuer && each.subject == subject.subject) return caller;
    }
  }
  return nullptr;
}

// A host name has no colon.
bool IsUri(absl::string_view name) { return absl::StrContains(name, ':'); }

CallerPtr FindByName(const std::vector<CallerPtr>& callers, const std::string& name) {
  for (const CallerPtr& caller : callers) {
    const std::vector<std::string>& names = caller->certificates;
    if (std::find(names.begin(), names.end(), name) != names.end()) return caller;
  }
  return nullptr;
}

}  // namespace

std::string DigestOf(const std::string& token) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

Authenticator::Authenticator(Callers callers, const base::Clock& clock, const Fetching& fetching)
    : clock_(clock), fetching_(fetching), table_(MakeTable(std::move(callers), nullptr)) {}

std::shared_ptr<const Authenticator::Table> Authenticator::MakeTable(Callers callers,
                                                                     const Table* former) const {
  auto table = std::make_shared<Table>();
  for (Caller& caller : callers.callers) {
    table->callers.push_back(std::make_shared<const Caller>(std::move(caller)));
  }
  std::vector<JwksEndpointPtr> endpoints;
  for (const JwtIssuer& issuer : callers.issuers) {
    if (!issuer.fetched()) continue;
    JwksEndpointPtr endpoint;
    if (former != nullptr) {
      for (const JwksEndpointPtr& each : former->verifier->endpoints()) {
        if (each->issuer().FetchedLike(issuer)) endpoint = each;
      }
    }
    if (endpoint == nullptr) {
      endpoint = std::make_shared<JwksEndpoint>(issuer, fetching_);
    } else {
      endpoint->FetchWith(issuer);
    }
    endpoints.push_back(std::move(endpoint));
  }
  table->verifier =
      std::make_unique<JwtVerifier>(std::move(callers.issuers), clock_, std::move(endpoints));
  return table;
}

std::shared_ptr<const Authenticator::Table> Authenticator::table() const {
  absl::MutexLock lock(&mu_);
  return table_;
}

void Authenticator::Replace(Callers callers) {
  std::shared_ptr<const Table> table = MakeTable(std::move(callers), this->table().get());
  // RefreshKeys reports a failure.
  table->verifier->Refresh().IgnoreError();
  absl::MutexLock lock(&mu_);
  table_ = std::move(table);
}

absl::Status Authenticator::RefreshKeys() { return table()->verifier->Refresh(); }

std::map<std::string, absl::Time> Authenticator::FetchTimes() const {
  std::map<std::string, absl::Time> times;
  for (const JwksEndpointPtr& endpoint : table()->verifier->endpoints()) {
    times[endpoint->issuer().issuer] = endpoint->fetch_time();
  }
  return times;
}

bool Authenticator::open() const { return table()->callers.empty(); }

absl::StatusOr<CallerPtr> Authenticator::Identify(const Credentials& credentials) const {
  const std::shared_ptr<const Table> table = this->table();
  if (credentials.authorization.size() > 1)
    return Unauthenticated("it has several authorization headers");
  if (!credentials.authorization.empty()) {
    absl::string_view token = credentials.authorization[0];
    if (!absl::StartsWithIgnoreCase(token, "bearer ")) {
      return Unauthenticated("its authorization header is not a bearer token");
    }
    token = absl::StripAsciiWhitespace(token.substr(sizeof("bearer ") - 1));
    if (token.empty()) return Unauthenticated("its bearer token is empty");
    const std::string text(token);
    if (CallerPtr caller = FindByDigest(table->callers, DigestOf(text))) return caller;
    if (!LooksLikeJwt(token)) return Unauthenticated("its bearer token is not in callers");
    absl::StatusOr<Subject> subject = table->verifier->Verify(text);
    if (!subject.ok()) return subject.status();
    if (CallerPtr caller = FindBySubject(table->callers, *subject)) return caller;
    return Unauthenticated(absl::StrCat("the subject ", base::Quoted(subject->subject, 256), " of ",
                                        subject->issuer, " is not in callers"));
  }
  if (credentials.certificate_uris.empty() && credentials.certificate_dns_names.empty()) {
    return Unauthenticated("it has neither a bearer token nor a client certificate");
  }
  std::vector<std::string> names;
  for (const std::string& uri : credentials.certificate_uris) {
    CallerPtr caller = IsUri(uri) ? FindByName(table->callers, uri) : nullptr;
    if (caller != nullptr) return caller;
    names.push_back(absl::StrCat("URI ", uri));
  }
  for (const std::string& dns_name : credentials.certificate_dns_names) {
    CallerPtr caller = IsUri(dns_name) ? nullptr : FindByName(table->callers, dns_name);
    if (caller != nullptr) return caller;
    names.push_back(absl::StrCat("DNS ", dns_name));
  }
  return Unauthenticated(absl::StrCat("none of its certificate's names is in callers: ",
                                      base::CleanText(absl::StrJoin(names, ", "), 512)));
}

}  // namespace assetgate::auth
