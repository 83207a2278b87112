#include "admin/page_request.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace assetgate::admin {
namespace {

absl::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "Unknown";
  }
}

// The bytes before the empty line that ends the head; absent where it has not arrived yet.
std::optional<absl::string_view> HeadOf(absl::string_view bytes) {
  const std::size_t crlf = bytes.find("\r\n\r\n");
  const std::size_t lf = bytes.find("\n\n");
  const std::size_t end = std::min(crlf, lf);
  if (end == absl::string_view::npos) return std::nullopt;
  return bytes.substr(0, end);
}

// Absent where a % is not followed by two hexadecimal digits.
std::optional<std::string> PercentDecode(absl::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const absl::string_view digits = text.substr(i + 1, 2);
    if (digits.size() != 2 || !absl::ascii_isxdigit(static_cast<unsigned char>(digits[0])) ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(digits[1]))) {
      return std::nullopt;
    }
    decoded += absl::HexStringToBytes(digits);
    i += 2;
  }
  return decoded;
}

bool HasBody(const std::vector<absl::string_view>& lines) {
  for (const absl::string_view line : lines) {
    const std::size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    const absl::string_view name = line.substr(0, colon);
    const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
    if (absl::EqualsIgnoreCase(name, "Transfer-Encoding")) return true;
    if (absl::EqualsIgnoreCase(name, "Content-Length") && value != "0") return true;
  }
  return false;
}

}  // namespace

std::variant<Incomplete, PageRequest, http::Response> ParsePageRequest(absl::string_view bytes) {
  const std::optional<absl::string_view> head = HeadOf(bytes.substr(0, kMaxRequestBytes));
  if (!head.has_value()) {
    if (bytes.size() < kMaxRequestBytes) return Incomplete{};
    return TextPage(431, "the head of the request is larger than 8 KiB");
  }
  const std::vector<absl::string_view> lines = absl::StrSplit(*head, '\n');
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::StripSuffix(lines[0], "\r"), ' ');
  if (words.size() != 3 || !absl::StartsWith(words[2], "HTTP/1.")) {
    return TextPage(400, "not an HTTP/1.1 request");
  }
  const absl::string_view method = words[0];
  if (method != "GET" && method != "HEAD") {
    http::Response refusal = TextPage(405, "only GET and HEAD are served here");
    refusal.headers.push_back({"Allow", "GET, HEAD"});
    return refusal;
  }
  if (HasBody(lines)) return TextPage(413, "requests with a body are not served here");
  const std::optional<std::string> path = PercentDecode(words[1].substr(0, words[1].find('?')));
  if (!path.has_value() || !absl::StartsWith(*path, "/")) {
    return TextPage(400, "not a path of this server");
  }
  return PageRequest{*path, method == "HEAD"};
}

http::Response TextPage(int status, absl::string_view line) {
  return {.status = status,
          .headers = {{"Content-Type", "text/plain; charset=utf-8"}},
          .body = absl::StrCat(line, "\n")};
}

std::string Serialize(const http::Response& response, bool with_body) {
  std::string text =
      absl::StrCat("HTTP/1.1 ", response.status, " ", ReasonPhrase(response.status), "\r\n");
  for (const http::Header& header : response.headers) {
    absl::StrAppend(&text, header.name, ": ", header.value, "\r\n");
  }
  absl::StrAppend(&text, "Content-Length: ", response.body.size(), "\r\n",
                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
                  "Connection: close\r\n\r\n");
  if (with_body) text += response.body;
  return text;
}

}  // namespace assetgate::admin
