#include "base/uri.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace assetgate::base {
namespace {

constexpr char kSchemeCharacters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.";

// `uri`, which has no query, without user:password.
std::string WithoutUser(absl::string_view uri) {
  // Skips "scheme:" and any number of slashes and backslashes: a password in a misspelt URI is
  // still a password.
  std::size_t authority = 0;
  const std::size_t colon = uri.find(':');
  if (colon != absl::string_view::npos && uri.find_first_not_of(kSchemeCharacters) == colon) {
    authority = colon + 1;
  }
  authority = std::min(uri.find_first_not_of("/\\", authority), uri.size());

  std::string without(uri.substr(0, authority));
  uri.remove_prefix(authority);
  while (true) {
    const std::size_t path = std::min(uri.find_first_of("/\\"), uri.size());
    const std::size_t at = uri.substr(0, path).rfind('@');
    uri.remove_prefix(at == absl::string_view::npos ? 0 : at + 1);
    // A URI may contain another one in its path, as with proxies and archives.
    const std::size_t slashes = uri.find("//");
    if (slashes == absl::string_view::npos) return absl::StrCat(without, uri);
    const std::size_t next = std::min(uri.find_first_not_of("/\\", slashes), uri.size());
    absl::StrAppend(&without, uri.substr(0, next));
    uri.remove_prefix(next);
  }
}

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
  std::string redacted(uri.substr(0, end));
  // Where only a user was between two slashes, its removal forms another URI. A text that still
  // changes after several passes was built to do so, and is hidden altogether.
  int passes = 0;
  for (std::string without = WithoutUser(redacted); without != redacted;
       without = WithoutUser(redacted)) {
    if (++passes > 4) return "?…";
    redacted = std::move(without);
  }
  if (end != absl::string_view::npos) absl::StrAppend(&redacted, "?…");
  return redacted;
}

}  // namespace assetgate::base
