// Texts from callers and providers that become part of errors, and their trace ids.
#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "base/trace_context.h"
#include "base/uri.h"
#include "http/message.h"
#include "provider/failure.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/targets.h"

namespace assetgate::fuzz {
namespace {

// The first byte is the limit.
std::optional<std::string> CheckText(absl::string_view input) {
  Claims claims;
  const std::string redacted = base::RedactUri(input);
  claims.Hold(redacted.size() <= input.size() + absl::string_view("?…").size(),
              "a redacted URI does not grow", redacted);
  claims.Hold(!ShowsUrlSecrets(redacted.substr(0, redacted.find_first_of(" \"'<>`|\\^{}"))),
              "a redacted URI shows no query and no user", redacted);

  const std::size_t limit =
      input.empty() ? 0 : static_cast<std::size_t>(static_cast<unsigned char>(input[0])) * 4;
  input.remove_prefix(std::min<std::size_t>(1, input.size()));
  const std::string clean = base::CleanText(input, limit);
  claims.Plain("clean text", clean, limit);
  claims.Hold(!ShowsUrlSecrets(clean) || clean.size() + 4 > limit,
              "clean text shows no query of a URL", clean);
  return claims.broken();
}

std::optional<std::string> CheckTraceparent(absl::string_view input) {
  Claims claims;
  const std::string id = base::ParseTraceContext(input, "").trace_id;
  if (id.empty()) return claims.broken();
  claims.Hold(id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string::npos,
              "a trace id has 32 hex digits", id);
  claims.Hold(id != std::string(32, '0'), "a trace id is not zero");
  claims.Hold(input.substr(3, 32) == id && input[2] == '-' && input[35] == '-' && input[52] == '-',
              "a trace id is at the position that W3C specifies", input);
  claims.Hold(
      base::ParseTraceContext(absl::StrCat("00-", id, "-00f067aa0ba902b7-01"), "").trace_id == id,
      "a trace id is read back", id);
  return claims.broken();
}

}  // namespace

Target TextTarget() {
  return {.name = "text",
          .check = CheckText,
          .seeds =
              [] {
                return std::vector<std::string>{
                    "\x20"
                    "cannot fetch https://me:pw@cdn.example/a.png?X-Sig=abc#d, retry",
                    "\x20\x1b[31m\xC2\x9B"
                    "0m \xE2\x80\xA8\xFF end\r\n"};
              },
          .words =
              [] {
                return std::set<std::string>{"://", "https://", "http:\\\\", "?",
                                             "#",   "@",        "…",         "\xC2"};
              }};
}

Target TraceparentTarget() {
  return {.name = "traceparent", .check = CheckTraceparent, .seeds = [] {
            return std::vector<std::string>{
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-later",
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01"};
          }};
}

}  // namespace assetgate::fuzz
