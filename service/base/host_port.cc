#include "base/host_port.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace assetgate::base {
namespace {

constexpr int kMaxPort = 65535;
constexpr std::size_t kMaxPortDigits = 5;

bool IsHostCharacter(char c, bool bracketed) {
  if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.') return true;
  return bracketed ? c == ':' || c == '%' : c == '-' || c == '_';
}

}  // namespace

std::string HostPort::ToString() const {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

std::optional<HostPort> ParseHostPort(absl::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  HostPort result;
  absl::string_view host = text.substr(0, colon);
  const absl::string_view port = text.substr(colon + 1);
  if (port.empty() || port.size() > kMaxPortDigits ||
      !std::all_of(port.begin(), port.end(),
                   [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); }) ||
      !absl::SimpleAtoi(port, &result.port) || result.port > kMaxPort) {
    return std::nullopt;
  }
  const bool bracketed = absl::ConsumePrefix(&host, "[");
  if (bracketed != absl::ConsumeSuffix(&host, "]") || host.empty()) return std::nullopt;
  if (!std::all_of(host.begin(), host.end(),
                   [bracketed](char c) { return IsHostCharacter(c, bracketed); })) {
    return std::nullopt;
  }
  result.host = std::string(host);
  return result;
}

}  // namespace assetgate::base
