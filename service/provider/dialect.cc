#include "provider/dialect.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace assetgate::provider {

absl::StatusOr<http::Request> Dialect::EncodeSubmitGroup(const GroupSubmission&) const {
  return absl::InternalError("the gateway keeps this dialect's groups and never submits them");
}

std::optional<http::Request> Dialect::EncodeDeleteAsset(const Handle&) const {
  return std::nullopt;
}

std::optional<http::Request> Dialect::EncodeCheckCredential() const { return std::nullopt; }

std::optional<Failure> Dialect::DecodeCheckCredential(const http::Response& response) const {
  if (response.status >= 200 && response.status < 300) return std::nullopt;
  return FailureOf(response, "", response.body);
}

std::optional<Credit> Dialect::DecodeCredit(const http::Response& /*response*/) const {
  return std::nullopt;
}

std::optional<Failure> Dialect::DecodeDeleteAsset(const http::Response& response) const {
  if (response.status >= 200 && response.status < 300) return std::nullopt;
  if (response.status == 404) return std::nullopt;
  return FailureOf(response, "", "");
}

std::string BaseUrlFor(const http::Request& request, const std::string& base_url,
                       const std::map<std::string, std::string>& planes) {
  if (request.plane.empty()) return base_url;
  const auto plane = planes.find(request.plane);
  return plane == planes.end() ? "" : plane->second;
}

Destination DestinationOf(const http::Request& request, absl::string_view base_url) {
  // As the HTTP client joins the two.
  const std::string url = absl::StrCat(absl::StripSuffix(base_url, "/"), request.path);
  absl::string_view rest(url);
  const bool secure = absl::StartsWithIgnoreCase(rest, "https:");
  rest.remove_prefix(std::min(rest.size(), rest.find("//") + 2));
  Destination destination;
  const absl::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  rest.remove_prefix(authority.size());
  destination.host = std::string(absl::StripSuffix(authority, secure ? ":443" : ":80"));
  destination.path = std::string(rest.substr(0, rest.find('?')));
  if (destination.path.empty()) destination.path.assign(1, '/');
  if (const std::size_t mark = rest.find('?'); mark != absl::string_view::npos) {
    destination.query = std::string(rest.substr(mark + 1));
  }
  return destination;
}

}  // namespace assetgate::provider
