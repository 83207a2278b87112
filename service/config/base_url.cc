#include "config/base_url.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/host_port.h"
#include "base/loopback.h"
#include "base/text.h"

namespace assetgate::config {
namespace {

// The host and port of "scheme://authority/path"; absent where they are not valid.
std::optional<base::HostPort> HostPortOf(absl::string_view url) {
  url.remove_prefix(std::min(url.size(), url.find("//") + 2));
  std::string authority(url.substr(0, url.find('/')));
  const bool has_port = !absl::EndsWith(authority, "]") && absl::StrContains(authority, ":");
  if (!has_port) authority += ":443";
  std::optional<base::HostPort> parsed = base::ParseHostPort(authority);
  if (parsed.has_value() && parsed->port == 0) return std::nullopt;
  return parsed;
}

}  // namespace

std::string CheckBaseUrl(bool allow_insecure, std::string& url) {
  // A user name and password would be a secret in the config.
  if (absl::StrContains(url, "@")) {
    return "holds an @ (not shown, in case of a password); keys belong into credential";
  }
  const std::string shown = base::Quoted(url);
  const bool https = absl::StartsWithIgnoreCase(url, "https://");
  const bool http = absl::StartsWithIgnoreCase(url, "http://");
  if (!https && !http) {
    // Not shown: it may be a key.
    return "does not begin with https://; write https://HOST/PATH";
  }
  if (url.find_first_of("?#") != std::string::npos) {
    return absl::StrCat(shown, " has a query or a fragment; end it with the path");
  }
  if (std::any_of(url.begin(), url.end(),
                  [](char c) { return !absl::ascii_isgraph(static_cast<unsigned char>(c)); })) {
    return absl::StrCat(shown,
                        " holds white space or characters outside of ASCII; percent-encode them");
  }
  while (absl::EndsWith(url, "/")) url.pop_back();
  const std::optional<base::HostPort> parsed = HostPortOf(url);
  if (!parsed.has_value()) {
    return absl::StrCat(shown,
                        " has no valid host and port; write https://HOST/PATH, or "
                        "https://HOST:PORT/PATH");
  }
  if (http && !allow_insecure && !base::IsLoopback(parsed->host)) {
    return absl::StrCat(shown,
                        " would send the key in clear; use https://, or set "
                        "allow_insecure_http: true for a network that you trust");
  }
  return "";
}

}  // namespace assetgate::config
