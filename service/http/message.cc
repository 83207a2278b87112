#include "http/message.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace assetgate::http {
namespace {

constexpr char kSchemeCharacters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.";

}  // namespace

std::string PercentEncode(absl::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' ||
        c == '~') {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.push_back('%');
      encoded.push_back(kHex[byte >> 4]);
      encoded.push_back(kHex[byte & 15]);
    }
  }
  return encoded;
}

std::string RedactUri(absl::string_view uri) {
  const std::size_t end = uri.find_first_of("?#");
  const absl::string_view kept = uri.substr(0, end);

  // Past "scheme:" and its slashes, whichever way they lean and however many: a password in a
  // misspelt URI is a password, too.
  std::size_t authority = 0;
  const std::size_t colon = kept.find(':');
  if (colon != absl::string_view::npos && kept.find_first_not_of(kSchemeCharacters) == colon) {
    authority = colon + 1;
  }
  authority = std::min(kept.find_first_not_of("/\\", authority), kept.size());

  std::string redacted(kept.substr(0, authority));
  absl::string_view rest = kept.substr(authority);
  while (true) {
    const std::size_t path = std::min(rest.find_first_of("/\\"), rest.size());
    const std::size_t at = rest.substr(0, path).rfind('@');
    const std::size_t host = at == absl::string_view::npos ? 0 : at + 1;
    // A URI may stand in the path of another, as proxies and archives have them.
    const std::size_t slashes = rest.find("//", path);
    if (slashes == absl::string_view::npos) {
      absl::StrAppend(&redacted, rest.substr(host), end == absl::string_view::npos ? "" : "?…");
      return redacted;
    }
    const std::size_t next = std::min(rest.find_first_not_of("/\\", slashes), rest.size());
    absl::StrAppend(&redacted, rest.substr(host, next - host));
    rest.remove_prefix(next);
  }
}

}  // namespace assetgate::http
