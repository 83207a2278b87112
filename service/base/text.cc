#include "base/text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/uri.h"
#include "base/utf8.h"

namespace assetgate::base {
namespace {

// Whether a URL in running text ends before `c`.
bool EndsUrl(char c) {
  return absl::ascii_isspace(static_cast<unsigned char>(c)) ||
         absl::ascii_iscntrl(static_cast<unsigned char>(c)) ||
         absl::string_view("\"'<>`|\\^{}").find(c) != absl::string_view::npos;
}

// `text` with every URL in it redacted.
std::string RedactUrls(absl::string_view text) {
  std::string out;
  while (true) {
    const std::size_t separator = text.find("://");
    if (separator == absl::string_view::npos) break;
    std::size_t begin = separator;
    while (begin > 0 && absl::ascii_isalnum(static_cast<unsigned char>(text[begin - 1]))) --begin;
    std::size_t end = separator + 3;
    while (end < text.size() && !EndsUrl(text[end])) ++end;
    absl::StrAppend(&out, text.substr(0, begin), RedactUri(text.substr(begin, end - begin)));
    text.remove_prefix(end);
  }
  absl::StrAppend(&out, text);
  return out;
}

// The first `max_bytes` of `text`, without a URL that continues after them: half a URL cannot be
// redacted, because the '@' that ends its user may be in the other half.
absl::string_view WithoutHalfUrl(absl::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  text = text.substr(0, max_bytes);
  std::size_t run = text.size();
  while (run > 0 && !EndsUrl(text[run - 1])) --run;
  const std::size_t separator = text.find("://", run);
  return separator == absl::string_view::npos ? text : text.substr(0, separator);
}

}  // namespace

std::string CleanText(absl::string_view text, std::size_t max_bytes) {
  constexpr absl::string_view kCut = "…";
  constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";
  // URLs are redacted before the text is cut, so that no part of a query remains. A text of
  // megabytes is cut first, far beyond anything that can reach the result.
  text = WithoutHalfUrl(text, 64 * max_bytes + 4096);
  const std::string redacted = RedactUrls(text);
  absl::string_view rest = absl::StripAsciiWhitespace(redacted);
  std::string out;
  // The length of `out` up to which a cut leaves room for the mark.
  std::size_t room = 0;
  while (!rest.empty()) {
    const std::size_t length = Utf8CharacterLength(rest);
    absl::string_view piece = length == 0 ? kReplacement : rest.substr(0, length);
    if (IsControlCharacter(piece)) piece = " ";
    if (out.size() + piece.size() > max_bytes) {
      out.resize(room);
      if (max_bytes >= kCut.size()) absl::StrAppend(&out, kCut);
      return out;
    }
    absl::StrAppend(&out, piece);
    if (out.size() + kCut.size() <= max_bytes) room = out.size();
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string Quoted(absl::string_view value, std::size_t max_bytes) {
  return absl::StrCat("\"", CleanText(value, max_bytes), "\"");
}

std::string FormatTime(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace assetgate::base
