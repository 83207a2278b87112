#include "calls/media_uri.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace assetgate::calls {
namespace {

constexpr std::size_t kMaxBytes = 4096;

struct Range4 {
  std::uint32_t network;
  int bits;
};
// IANA's special-purpose addresses that no public server has.
constexpr std::array<Range4, 14> kSpecial4 = {{
    {0x00000000, 8},   // this network
    {0x0A000000, 8},   // private
    {0x64400000, 10},  // shared (carrier NAT)
    {0x7F000000, 8},   // loopback
    {0xA9FE0000, 16},  // link-local, metadata services
    {0xAC100000, 12},  // private
    {0xC0000000, 24},  // protocol assignments
    {0xC0000200, 24},  // documentation
    {0xC0A80000, 16},  // private
    {0xC6120000, 15},  // benchmarks
    {0xC6336400, 24},  // documentation
    {0xCB007100, 24},  // documentation
    {0xE0000000, 4},   // multicast
    {0xF0000000, 4},   // reserved, broadcast
}};

bool IsSpecial4(std::uint32_t address) {
  return std::any_of(kSpecial4.begin(), kSpecial4.end(), [&](const Range4& range) {
    return (address >> (32 - range.bits)) == (range.network >> (32 - range.bits));
  });
}

std::uint32_t Word(const std::uint8_t* bytes) {
  std::uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return ntohl(word);
}

bool BeginsWith(const in6_addr& address, std::initializer_list<std::uint8_t> prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.s6_addr);
}

bool IsSpecial6(const in6_addr& address) {
  const std::uint8_t* b = address.s6_addr;
  // IPv4-mapped, and NAT64's well-known prefix: whatever IPv4 reaches.
  if (BeginsWith(address, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}) ||
      BeginsWith(address, {0x00, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) {
    return IsSpecial4(Word(b + 12));
  }
  // Public addresses are in 2000::/3. Outside of it: ::, ::1, IPv4-compatible and -translated,
  // NAT64 of a network's own, discard, unique local, link-local, site-local, multicast.
  if ((b[0] & 0xE0) != 0x20) return true;
  if (BeginsWith(address, {0x20, 0x02})) return IsSpecial4(Word(b + 2));  // 6to4
  // Protocol assignments (2001::/23, Teredo among them), documentation.
  if (BeginsWith(address, {0x20, 0x01}) && b[2] < 0x02) return true;
  if (BeginsWith(address, {0x20, 0x01, 0x0D, 0xB8})) return true;
  return BeginsWith(address, {0x3F, 0xFF}) && b[2] < 0x10;
}

// The text before "://" where it can be a scheme (RFC 3986); "" otherwise, also for a "://" that is
// part of something else, such as a query.
absl::string_view SchemeOf(absl::string_view uri) {
  const std::size_t end = uri.find("://");
  if (end == absl::string_view::npos || end == 0) return "";
  const absl::string_view scheme = uri.substr(0, end);
  const bool fits = absl::ascii_isalpha(static_cast<unsigned char>(scheme[0])) &&
                    std::all_of(scheme.begin(), scheme.end(), [](char c) {
                      return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' ||
                             c == '-' || c == '.';
                    });
  return fits ? scheme : "";
}

bool IsLocalName(absl::string_view host) {
  for (const absl::string_view suffix :
       {"localhost", "local", "localdomain", "internal", "intranet", "home.arpa", "lan"}) {
    if (host == suffix || absl::EndsWith(host, absl::StrCat(".", suffix))) return true;
  }
  return false;
}

std::string SpecialHost(absl::string_view host) {
  return absl::StrCat("its host \"", host.substr(0, 100),
                      "\" is a loopback, private, link-local or otherwise special address, which "
                      "providers cannot fetch from; use a public http(s) URL");
}

// The fault of a reference that is not a URL of the web, and what to give instead.
std::optional<std::string> OtherReferenceFault(absl::string_view uri, absl::string_view lower) {
  if (absl::StartsWith(lower, "asset://") || absl::StartsWith(lower, "assetid://")) {
    return "is a provider's asset reference; to use an asset of this gateway, set `asset` to its "
           "name (assets/{id}) instead, and to register media give its public http(s) URL";
  }
  if (absl::StartsWith(lower, "assets/")) {
    return "is the name of an asset, not a URL; set `asset` to it instead";
  }
  if (absl::StartsWith(lower, "data:")) {
    return "is a data: URI; upload the medium somewhere public and give its http(s) URL";
  }
  if (absl::StartsWith(lower, "file:") || uri.front() == '/' || uri.front() == '.' ||
      uri.front() == '~' || uri.front() == '\\' || (uri.size() > 2 && uri[1] == ':')) {
    return "is a local path, which providers cannot read; upload the file somewhere public and "
           "give its http(s) URL";
  }
  return std::nullopt;
}

std::optional<std::string> Ipv6HostFault(absl::string_view host) {
  const std::string without_zone(host.substr(0, host.find('%')));
  in6_addr address;
  if (inet_pton(AF_INET6, without_zone.c_str(), &address) != 1) {
    return "has a malformed IPv6 address as its host";
  }
  if (IsSpecial6(address)) return SpecialHost(without_zone);
  return std::nullopt;
}

// Of a name or an IPv4 address.
std::optional<std::string> HostFault(absl::string_view text) {
  std::string host = absl::AsciiStrToLower(text);
  while (!host.empty() && host.back() == '.') host.pop_back();
  if (host.empty()) return "has no host";
  if (absl::StrContains(host, '%')) {
    return "has percent-encoding in its host; write the host plainly";
  }
  for (const char c : host) {
    // Some resolvers fold other characters into digits and dots.
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '.' && c != '_') {
      return "has a host that is not plain ASCII; write an internationalized name in its xn-- form";
    }
  }
  // inet_aton reads every historical spelling: 127.1, 0x7f000001, 2130706433, 0177.0.0.1.
  in_addr address;
  if (inet_aton(host.c_str(), &address) != 0) {
    if (IsSpecial4(ntohl(address.s_addr))) return SpecialHost(host);
  } else if (IsLocalName(host) || !absl::StrContains(host, '.')) {
    return absl::StrCat("its host \"", host.substr(0, 100),
                        "\" is a local name, which providers cannot resolve; use a public http(s) "
                        "URL");
  } else if (absl::ascii_isdigit(static_cast<unsigned char>(host[host.rfind('.') + 1]))) {
    return "has a malformed IPv4 address as its host";
  }
  return std::nullopt;
}

std::optional<std::string> PortFault(absl::string_view port) {
  int number = 0;
  if (port.empty() || (absl::SimpleAtoi(port, &number) && number >= 1 && number <= 65535)) {
    return std::nullopt;
  }
  return "has a malformed port";
}

std::optional<std::string> AuthorityFault(absl::string_view authority) {
  if (absl::StrContains(authority, '@')) {
    return "has a user name or password in it; use a pre-signed URL instead, and keep credentials "
           "out";
  }
  if (absl::ConsumePrefix(&authority, "[")) {
    const std::size_t end = authority.find(']');
    if (end == absl::string_view::npos) return "has an IPv6 address without a closing bracket";
    absl::string_view port = authority.substr(end + 1);
    if (!port.empty() && !absl::ConsumePrefix(&port, ":")) return "has text after its IPv6 address";
    if (auto fault = Ipv6HostFault(authority.substr(0, end))) return fault;
    return PortFault(port);
  }
  const std::size_t colon = authority.find(':');
  if (auto fault = HostFault(authority.substr(0, colon))) return fault;
  return colon == absl::string_view::npos ? std::nullopt : PortFault(authority.substr(colon + 1));
}

}  // namespace

std::optional<std::string> MediaUriFault(absl::string_view uri) {
  if (uri.empty()) return "is required; give a public http(s) URL of the medium";
  if (uri.size() > kMaxBytes) {
    return absl::StrCat("is ", uri.size(), " bytes long; at most ", kMaxBytes, " are accepted");
  }
  const std::string lower = absl::AsciiStrToLower(uri.substr(0, 16));
  if (auto fault = OtherReferenceFault(uri, lower)) return fault;
  for (const char c : uri) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F || c == '\\' || c == '"' || c == '<' ||
        c == '>') {
      return "has a space, a control character or one of \\ \" < >; percent-encode it";
    }
  }
  absl::string_view rest = uri;
  if (absl::StartsWith(lower, "https://")) {
    rest.remove_prefix(8);
  } else if (absl::StartsWith(lower, "http://")) {
    rest.remove_prefix(7);
  } else if (const absl::string_view scheme = SchemeOf(uri); !scheme.empty()) {
    return absl::StrCat("has the scheme \"", scheme.substr(0, 20),
                        "\"; providers fetch http and https URLs only");
  } else {
    return "has no scheme; begin it with https:// or http://";
  }
  return AuthorityFault(rest.substr(0, rest.find_first_of("/?#")));
}

}  // namespace assetgate::calls
