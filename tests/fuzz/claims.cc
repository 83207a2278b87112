#include "tests/fuzz/claims.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace assetgate::fuzz {
namespace {

// The code point at the start of `text`, and its length. Computed arithmetically, because the code
// under test uses tables of bytes.
struct CodePoint {
  std::size_t length = 0;  // 0: none
  char32_t value = 0;
};
CodePoint First(absl::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return {1, lead};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0;
  if (length == 0 || lead >= 0xF8 || text.size() < length) return {};
  char32_t value = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xC0) != 0x80) return {};
    value = (value << 6) | (byte & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kSmallest[length] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
    return {};
  }
  return {length, value};
}

template <typename Predicate>
bool AllCharacters(absl::string_view text, Predicate predicate) {
  while (!text.empty()) {
    const CodePoint first = First(text);
    if (first.length == 0 || !predicate(first.value)) return false;
    text.remove_prefix(first.length);
  }
  return true;
}

}  // namespace

bool IsUtf8(absl::string_view text) {
  return AllCharacters(text, [](char32_t) { return true; });
}

bool IsPlain(absl::string_view text) {
  return AllCharacters(text, [](char32_t c) { return c >= 0x20 && (c < 0x7F || c > 0x9F); });
}

bool ShowsUrlSecrets(absl::string_view text) {
  static constexpr absl::string_view kCut = "?…";
  for (std::size_t at = text.find("://"); at != absl::string_view::npos; at = text.find("://")) {
    text.remove_prefix(at + 3);
    absl::string_view url = text.substr(0, text.find_first_of(" \"'<>`|\\^{}"));
    const std::size_t end = url.find_first_of("?#");
    if (end != absl::string_view::npos && url.substr(end) != kCut) return true;
    url = url.substr(0, end);
    if (absl::StrContains(url.substr(0, url.find('/')), '@')) return true;
  }
  return false;
}

void Claims::Hold(bool holds, absl::string_view what, absl::string_view shown) {
  if (holds || broken_.has_value()) return;
  broken_ = absl::StrCat(what, shown.empty() ? "" : ": ", absl::CHexEscape(shown.substr(0, 500)));
}

void Claims::Plain(absl::string_view what, absl::string_view text, std::size_t max_bytes) {
  Hold(IsPlain(text), absl::StrCat(what, " is UTF-8 without control characters"), text);
  Hold(text.size() <= max_bytes, absl::StrCat(what, " has at most ", max_bytes, " bytes"), text);
}

void Claims::PlainMessage(absl::string_view what, const google::protobuf::Message& message,
                          std::size_t max_bytes) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string name = absl::StrCat(what, ".", field->name());
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
          field->type() == FieldDescriptor::TYPE_STRING) {
        Plain(name,
              field->is_repeated() ? reflection.GetRepeatedString(message, field, i)
                                   : reflection.GetString(message, field),
              max_bytes);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        PlainMessage(name,
                     field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                          : reflection.GetMessage(message, field),
                     max_bytes);
      }
    }
  }
}

void Claims::Sendable(const http::Request& request) {
  Hold(absl::StartsWith(request.path, "/"), "a path begins with a slash", request.path);
  Hold(std::all_of(
           request.path.begin(), request.path.end(),
           [](char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)) && c != '#'; }),
       "a path is encoded", request.path);
  const absl::string_view path = absl::string_view(request.path).substr(0, request.path.find('?'));
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    Hold(segment != "." && segment != "..", "a path has no dots as a segment", request.path);
  }
  for (const http::Header& header : request.headers) {
    Hold(std::none_of(header.value.begin(), header.value.end(),
                      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); }),
         "a header is one line", header.value);
  }
}

}  // namespace assetgate::fuzz
