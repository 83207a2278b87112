#include "config/egress.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "http/egress.h"

namespace assetgate::config {
namespace {

// Headers that dialects, the HTTP client or the gateway's tracing write.
constexpr absl::string_view kWritten[] = {
    "accept",       "accept-encoding", "connection", "content-encoding", "content-length",
    "content-type", "expect",          "host",       "idempotency-key",  "keep-alive",
    "te",           "traceparent",     "tracestate", "trailer",          "transfer-encoding",
    "upgrade",
};

// Parts of the names of headers that carry credentials, without their separators.
constexpr absl::string_view kCredentials[] = {
    "accesskey", "apikey", "authorization", "cookie", "credential",
    "passw",     "secret", "signature",     "token",
};

bool IsCredential(absl::string_view lower) {
  std::string letters;
  for (const char c : lower) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) letters.push_back(c);
  }
  return letters == "key" || letters == "auth" || letters == "xauth" || letters == "xkey" ||
         std::any_of(std::begin(kCredentials), std::end(kCredentials),
                     [&](absl::string_view part) { return absl::StrContains(letters, part); });
}

std::optional<std::string> PercentDecode(absl::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size() || !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 1])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(text[i + 2]))) {
      return std::nullopt;
    }
    out.append(absl::HexStringToBytes(text.substr(i + 1, 2)));
    i += 2;
  }
  return out;
}

}  // namespace

std::string FaultOfHeaderName(absl::string_view name, const std::vector<std::string>& own) {
  if (!http::IsToken(name) || name.size() > kMaxHeaderNameBytes) {
    return absl::StrCat("is not a header's name; use at most ", kMaxHeaderNameBytes,
                        " letters, digits and -");
  }
  const std::string lower = absl::AsciiStrToLower(name);
  const bool owned =
      std::find(std::begin(kWritten), std::end(kWritten), lower) != std::end(kWritten) ||
      std::any_of(own.begin(), own.end(),
                  [&](const std::string& each) { return absl::EqualsIgnoreCase(each, name); });
  if (IsCredential(lower)) {
    return "carries a credential, which a config must not hold; remove it, and put keys into "
           "credential";
  }
  if (owned) return "is written by the gateway itself; remove it";
  return "";
}

std::string FaultOfHeaderValue(absl::string_view value) {
  if (value.empty()) return "is empty; give it a value, or remove it";
  if (value.size() > kMaxHeaderValueBytes) {
    return absl::StrCat("is longer than ", kMaxHeaderValueBytes, " bytes; shorten it");
  }
  if (absl::StripAsciiWhitespace(value).size() != value.size()) {
    return "begins or ends with white space; remove it";
  }
  if (std::any_of(value.begin(), value.end(), [](char c) {
        return c != ' ' && c != '\t' && !absl::ascii_isgraph(static_cast<unsigned char>(c));
      })) {
    return "holds a control character or one outside of ASCII; use visible ASCII characters, "
           "spaces and tabs";
  }
  return "";
}

std::string FaultOfProxy(absl::string_view url) {
  constexpr absl::string_view kForm =
      "write http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT";
  if (absl::StrContains(url, "@")) {
    return "holds an @ (not shown, in case of a password); name user and password in "
           "proxy_credential";
  }
  absl::string_view rest = url;
  if (!absl::ConsumePrefix(&rest, "http://") && !absl::ConsumePrefix(&rest, "https://") &&
      !absl::ConsumePrefix(&rest, "socks5h://")) {
    return absl::StrCat("is not the URL of a proxy of a known kind; ", kForm,
                        ", or environment for the proxy that HTTPS_PROXY names");
  }
  absl::ConsumeSuffix(&rest, "/");
  const std::size_t colon = rest.rfind(':');
  const absl::string_view host = rest.substr(0, colon);
  int port = 0;
  const bool has_port =
      colon != absl::string_view::npos && absl::SimpleAtoi(rest.substr(colon + 1), &port) &&
      port > 0 && port <= 65535 && absl::ascii_isdigit(static_cast<unsigned char>(rest.back()));
  const bool bracketed = absl::StartsWith(host, "[") && absl::EndsWith(host, "]");
  const bool is_host = !host.empty() && std::all_of(host.begin(), host.end(), [&](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' ||
           (bracketed && (c == ':' || c == '[' || c == ']'));
  });
  if (!has_port || !is_host) return absl::StrCat("has no valid host and port; ", kForm);
  return "";
}

absl::StatusOr<EnvironmentProxy> ProxyOfEnvironment(absl::string_view base_url,
                                                    const GetEnvironment& getenv) {
  if (http::IsOfThisMachine(base_url)) return EnvironmentProxy();
  // Like libcurl, which ignores HTTP_PROXY in capitals: a CGI client could set it.
  std::vector<std::string> names = {"https_proxy", "HTTPS_PROXY"};
  if (absl::StartsWithIgnoreCase(base_url, "http://")) names = {"http_proxy"};
  names.insert(names.end(), {"all_proxy", "ALL_PROXY"});
  EnvironmentProxy proxy;
  for (const std::string& name : names) {
    const std::optional<std::string> value = getenv(name);
    if (!value.has_value() || value->empty()) continue;
    std::string scheme = "http://";
    absl::string_view rest = *value;
    if (const std::size_t end = rest.find("://"); end != absl::string_view::npos) {
      scheme = std::string(rest.substr(0, end + 3));
      rest.remove_prefix(end + 3);
    }
    if (const std::size_t at = rest.rfind('@'); at != absl::string_view::npos) {
      std::optional<std::string> credential = PercentDecode(rest.substr(0, at));
      if (!credential.has_value()) {
        return absl::InvalidArgumentError(
            absl::StrCat("environment variable ", name,
                         " has a user and password that are not percent-encoded; encode them"));
      }
      proxy.credential = *std::move(credential);
      rest.remove_prefix(at + 1);
    }
    proxy.url = absl::StrCat(scheme, rest);
    if (const std::string fault = FaultOfProxy(proxy.url); !fault.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("environment variable ", name, " ", fault));
    }
    break;
  }
  for (const char* name : {"no_proxy", "NO_PROXY"}) {
    proxy.no_proxy = getenv(name).value_or("");
    if (!proxy.no_proxy.empty()) break;
  }
  return proxy;
}

}  // namespace assetgate::config
