#include "calls/page_token.h"

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace assetgate::calls {
namespace {

constexpr std::size_t kMaxToken = 256;

}  // namespace

std::uint64_t ListFingerprint(store::Kind kind, const store::TermFilter& filter) {
  std::string text = absl::StrCat(static_cast<int>(kind));
  for (const auto& clause : filter.clauses) {
    absl::StrAppend(&text, "\x1E", absl::StrJoin(clause, "\x1F"));
  }
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

std::string MakePageToken(std::uint64_t fingerprint, store::Revision after) {
  return absl::WebSafeBase64Escape(absl::StrCat("1 ", absl::Hex(fingerprint), " ", after));
}

std::optional<store::Revision> ReadPageToken(absl::string_view token, std::uint64_t fingerprint) {
  std::string text;
  if (token.size() > kMaxToken || !absl::WebSafeBase64Unescape(token, &text)) {
    return std::nullopt;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ' ');
  store::Revision after = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[2], &after) || after < 0) return std::nullopt;
  // Base64 and numbers have several spellings each; a token has one.
  if (token != MakePageToken(fingerprint, after)) return std::nullopt;
  return after;
}

}  // namespace assetgate::calls
