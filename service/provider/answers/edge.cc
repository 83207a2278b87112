#include "provider/answers/edge.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "http/message.h"

namespace assetgate::provider::answers {
namespace {

// A page identifies its server in its first bytes.
constexpr std::size_t kLookedAt = 16 * 1024;
constexpr std::size_t kMaxHostBytes = 255;

std::string BeginningOf(const Answer& answer) {
  return absl::AsciiStrToLower(answer.response().body.substr(0, kLookedAt));
}

bool HasAny(const std::string& text, std::initializer_list<absl::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(),
                     [&](absl::string_view part) { return absl::StrContains(text, part); });
}

bool IsFromCloudflare(const Answer& answer) {
  return absl::EqualsIgnoreCase(answer.response().HeaderValue("Server"), "cloudflare") ||
         !answer.response().HeaderValue("CF-RAY").empty();
}

// "error code: 1010", and 10xx alike.
bool HasBlockCode(absl::string_view text) {
  for (const absl::string_view before : {"error code: 10", "error 10"}) {
    for (std::size_t at = text.find(before); at != absl::string_view::npos;
         at = text.find(before, at + 1)) {
      const absl::string_view after = text.substr(at + before.size(), 3);
      const std::size_t digits =
          std::find_if_not(after.begin(), after.end(), absl::ascii_isdigit) - after.begin();
      if (digits == 2) return true;
    }
  }
  return false;
}

// The edge itself blocked the request or demands a browser. Pages that only name an edge are also
// shown for the origin's failures.
bool IsBlock(const Answer& answer, const std::string& text) {
  if (!answer.response().HeaderValue("cf-mitigated").empty() || HasBlockCode(text)) return true;
  return HasAny(text, {"just a moment", "cf-chl", "challenge-platform", "attention required!",
                       "sorry, you have been blocked", "checking your browser"});
}

// Cloudflare's answer to clients that accept JSON, instead of a page (RFC 9457).
bool IsPageInJson(const Answer& answer) {
  if (answer.layers().empty()) return false;
  const rapidjson::Value& body = *answer.layers().front();
  return TextAt(body, "cloudflare_error") == "true" ||
         absl::StrContains(TextAt(body, "type"), "://developers.cloudflare.com/");
}

}  // namespace

bool IsPage(const Answer& answer) {
  if (answer.is_json()) return false;
  return HasAny(BeginningOf(answer),
                {"<html", "<!doctype", "<head", "<body", "<title", "<h1", "<?xml", "<error>"});
}

Edge EdgeOf(const Answer& answer) {
  if (answer.is_json() && !IsPageInJson(answer)) return Edge::kNone;
  const std::string text = BeginningOf(answer);
  const bool told = !absl::StripAsciiWhitespace(text).empty() || IsFromCloudflare(answer);
  switch (answer.status()) {
    case 521:
    case 523:
    case 525:
    case 526:
    case 530:
      return told ? Edge::kNeverAsked : Edge::kNone;
    case 520:
    case 522:
    case 524:
    case 527:
    case 502:
    case 504:
      return told ? Edge::kMayHaveAsked : Edge::kNone;
    case 403:
    case 429:
    case 503: {
      if (IsBlock(answer, text)) return Edge::kBlocked;
      // A page, since providers answer in JSON. Only a 503 may come from behind the edge.
      return answer.status() != 503 && IsPage(answer) ? Edge::kBlocked : Edge::kNone;
    }
    default:
      return Edge::kNone;
  }
}

std::string RedirectHost(const Answer& answer) {
  absl::string_view location =
      absl::StripAsciiWhitespace(answer.response().HeaderValue("Location"));
  const std::size_t scheme = location.find("://");
  if (scheme == absl::string_view::npos) return "";
  const std::size_t end = location.find_first_of("/?#\\", scheme + 3);
  location = location.substr(0, end);
  // Without a user and a password.
  const std::size_t at = location.rfind('@');
  const absl::string_view host =
      location.substr(at == absl::string_view::npos ? scheme + 3 : at + 1);
  const bool plain = std::all_of(host.begin(), host.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view(".-:[]").find(c) != absl::string_view::npos;
  });
  if (host.empty() || host.size() > kMaxHostBytes || !plain) return "";
  return std::string(location.substr(0, scheme)) + "://" + std::string(host);
}

}  // namespace assetgate::provider::answers
