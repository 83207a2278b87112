#include "auth/jwks_endpoint.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/loopback.h"
#include "base/text.h"
#include "base/uri.h"
#include "rapidjson/document.h"

namespace assetgate::auth {
namespace {

// For each of the two requests.
constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr std::size_t kMaxResponseBytes = 1 << 20;
constexpr std::size_t kMaxUrlLength = 2048;
constexpr absl::string_view kDiscoveryPath = "/.well-known/openid-configuration";

using FetchDone = absl::AnyInvocable<void(absl::StatusOr<std::vector<JwkKey>>) &&>;
using BodyDone = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;

// The part of `url` before the path: scheme, host and port.
absl::string_view OriginOf(absl::string_view url) {
  const std::size_t slashes = url.find("//");
  if (slashes == absl::string_view::npos) return url;
  return url.substr(0, url.find_first_of("/?", slashes + 2));
}

// GETs `url`. Calls `done` with the body of a 200. Threading: on the loop, as is `done`.
void Get(const JwtIssuer& issuer, const Fetching& fetching, const std::string& url, bool with_token,
         BodyDone done) {
  http::Request request;
  http::SendOptions options;
  options.base_url = std::string(OriginOf(url));
  options.timeout = kTimeout;
  options.ca = issuer.ca;
  options.max_response_bytes = kMaxResponseBytes;
  request.path = url.substr(options.base_url.size());
  request.headers = {{"Accept", "application/json"}};
  if (with_token && !issuer.token.empty()) {
    request.headers.push_back({"Authorization", absl::StrCat("Bearer ", issuer.token.Reveal())});
  }
  issuer.egress.ApplyTo(request, options);
  fetching.http.Send(std::move(request), std::move(options),
                     [&loop = fetching.loop, shown = base::RedactUri(url),
                      done = std::move(done)](http::Result result) mutable {
                       loop.Post([shown = std::move(shown), done = std::move(done),
                                  result = std::move(result)]() mutable {
                         if (const auto* error = std::get_if<http::TransportError>(&result)) {
                           return std::move(done)(absl::UnavailableError(error->message));
                         }
                         auto& response = std::get<http::Response>(result);
                         if (response.status != 200) {
                           return std::move(done)(absl::UnavailableError(absl::StrCat(
                               "GET ", shown, ": was answered HTTP ", response.status)));
                         }
                         std::move(done)(std::move(response.body));
                       });
                     });
}

void GetKeys(const JwtIssuer& issuer, const Fetching& fetching, const std::string& url,
             bool with_token, FetchDone done) {
  Get(issuer, fetching, url, with_token,
      [shown = base::RedactUri(url),
       done = std::move(done)](absl::StatusOr<std::string> body) mutable {
        if (!body.ok()) return std::move(done)(body.status());
        absl::StatusOr<std::vector<JwkKey>> keys = ParseJwks(*body);
        if (!keys.ok()) {
          keys = absl::FailedPreconditionError(
              absl::StrCat("GET ", shown, ": the answer ", keys.status().message()));
        }
        std::move(done)(std::move(keys));
      });
}

// The URL of the keys that the discovery document `body` names.
absl::StatusOr<std::string> KeyUrlIn(const std::string& body, const JwtIssuer& issuer) {
  const std::optional<rapidjson::Document> document = base::ParseJson(body);
  if (!document.has_value() || !document->IsObject()) {
    return absl::FailedPreconditionError("is not a JSON object");
  }
  const std::string said = base::JsonString(*document, "issuer").value_or("");
  if (said != issuer.issuer) {
    return absl::FailedPreconditionError(
        absl::StrCat("names another issuer, ", base::Quoted(said, 128)));
  }
  std::string url = base::JsonString(*document, "jwks_uri").value_or("");
  if (const std::string fault = FaultOfKeyUrl(url); !fault.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("has a jwks_uri that ", fault));
  }
  return url;
}

}  // namespace

std::string FaultOfKeyUrl(absl::string_view url) {
  if (url.size() > kMaxUrlLength) return "is longer than 2048 characters";
  if (std::any_of(url.begin(), url.end(),
                  [](char c) { return !absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    return "holds white space or characters outside of ASCII";
  }
  const bool http = absl::StartsWithIgnoreCase(url, "http://");
  if (!http && !absl::StartsWithIgnoreCase(url, "https://")) return "does not begin with https://";
  if (absl::StrContains(url, '#')) return "has a fragment";
  const absl::string_view origin = OriginOf(url);
  absl::string_view host = origin.substr(origin.find("//") + 2);
  if (absl::StrContains(host, '@')) return "holds an @ in its host";
  if (!absl::EndsWith(host, "]")) host = host.substr(0, host.rfind(':'));
  if (host.empty()) return "has no host";
  if (absl::ConsumePrefix(&host, "[")) host = absl::StripSuffix(host, "]");
  if (http && !base::IsLoopback(absl::AsciiStrToLower(host))) {
    return "begins with http://, which is for this machine only: anybody on the network path could "
           "replace the keys";
  }
  return "";
}

void FetchJwks(const JwtIssuer& issuer, const Fetching& fetching, FetchDone done) {
  fetching.loop.Post([issuer, fetching, done = std::move(done)]() mutable {
    if (!issuer.jwks_url.empty()) {
      return GetKeys(issuer, fetching, issuer.jwks_url, /*with_token=*/true, std::move(done));
    }
    const std::string discovery =
        absl::StrCat(absl::StripSuffix(issuer.issuer, "/"), kDiscoveryPath);
    Get(issuer, fetching, discovery, /*with_token=*/true,
        [issuer, fetching, discovery,
         done = std::move(done)](absl::StatusOr<std::string> body) mutable {
          if (!body.ok()) return std::move(done)(body.status());
          const absl::StatusOr<std::string> url = KeyUrlIn(*body, issuer);
          if (!url.ok()) {
            return std::move(done)(absl::FailedPreconditionError(
                absl::StrCat("GET ", discovery, ": the answer ", url.status().message())));
          }
          const bool same_host = absl::EqualsIgnoreCase(OriginOf(*url), OriginOf(discovery));
          GetKeys(issuer, fetching, *url, same_host, std::move(done));
        });
  });
}

void JwksEndpoint::FetchWith(const JwtIssuer& issuer) {
  absl::MutexLock lock(&mu_);
  if (ca_ == issuer.ca && token_.Reveal() == issuer.token.Reveal() &&
      http::SameEgress(egress_, issuer.egress)) {
    return;
  }
  ca_ = issuer.ca;
  token_ = issuer.token;
  egress_ = issuer.egress;
  due_ = absl::InfinitePast();
}

JwkKeysPtr JwksEndpoint::keys() const {
  absl::MutexLock lock(&mu_);
  return keys_;
}

absl::Time JwksEndpoint::fetch_time() const {
  absl::MutexLock lock(&mu_);
  return fetch_time_;
}

absl::Status JwksEndpoint::status() const {
  absl::MutexLock lock(&mu_);
  return status_;
}

void JwksEndpoint::Refresh() {
  absl::MutexLock lock(&mu_);
  if (!in_flight_ && Now() >= due_) Begin();
}

bool JwksEndpoint::Miss() {
  absl::MutexLock lock(&mu_);
  if (in_flight_) return true;
  const absl::Time allowed = began_ + kMissInterval;
  if (Now() < allowed) {
    due_ = std::min(due_, allowed);
    return false;
  }
  Begin();
  return true;
}

void JwksEndpoint::Begin() {
  in_flight_ = true;
  began_ = Now();
  JwtIssuer issuer = issuer_;
  issuer.ca = ca_;
  issuer.token = token_;
  issuer.egress = egress_;
  FetchJwks(issuer, fetching_,
            [self = weak_from_this()](absl::StatusOr<std::vector<JwkKey>> fetched) {
              if (const auto endpoint = self.lock()) endpoint->End(std::move(fetched));
            });
}

void JwksEndpoint::End(absl::StatusOr<std::vector<JwkKey>> fetched) {
  absl::MutexLock lock(&mu_);
  in_flight_ = false;
  status_ = fetched.status();
  if (!fetched.ok()) {
    due_ = Now() + backoff_;
    backoff_ = std::min(2 * backoff_, kMaxBackoff);
    return;
  }
  keys_ = std::make_shared<const std::vector<JwkKey>>(*std::move(fetched));
  fetch_time_ = Now();
  due_ = fetch_time_ + kRefresh;
  backoff_ = kInitialBackoff;
}

}  // namespace assetgate::auth
