// Media URLs, checked by the gateway and parsed again by libcurl, which has its own rules for
// hosts.
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "calls/media_uri.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/targets.h"

namespace assetgate::fuzz {
namespace {

bool IsInside4(std::uint32_t ip) {
  const std::uint32_t a = ip >> 24;
  const std::uint32_t b = (ip >> 16) & 0xFF;
  return a == 0 || a == 10 || a == 127 || a >= 224 || (a == 169 && b == 254) ||
         (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
         (a == 100 && b >= 64 && b < 128);
}

bool IsInside6(const in6_addr& address) {
  const std::uint8_t* const b = address.s6_addr;
  if (IN6_IS_ADDR_UNSPECIFIED(&address) || IN6_IS_ADDR_LOOPBACK(&address)) return true;
  if (IN6_IS_ADDR_LINKLOCAL(&address) || IN6_IS_ADDR_SITELOCAL(&address)) return true;
  if (IN6_IS_ADDR_MULTICAST(&address) || (b[0] & 0xFE) == 0xFC) return true;
  if (!IN6_IS_ADDR_V4MAPPED(&address) && !IN6_IS_ADDR_V4COMPAT(&address)) return false;
  return IsInside4((std::uint32_t{b[12]} << 24) | (std::uint32_t{b[13]} << 16) |
                   (std::uint32_t{b[14]} << 8) | b[15]);
}

// Whether `host`, in libcurl's spelling, is an internal address or name.
bool IsInside(std::string host) {
  if (absl::StartsWith(host, "[")) host = host.substr(1, host.find(']') - 1);
  host = host.substr(0, host.find('%'));
  while (absl::EndsWith(host, ".")) host.pop_back();
  in6_addr six;
  if (inet_pton(AF_INET6, host.c_str(), &six) == 1) return IsInside6(six);
  in_addr four;
  if (inet_aton(host.c_str(), &four) != 0) return IsInside4(ntohl(four.s_addr));
  return absl::EqualsIgnoreCase(host, "localhost");
}

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string PartOf(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK) return "";
  std::string copy(text);
  curl_free(text);
  return copy;
}

std::optional<std::string> Check(absl::string_view input) {
  Claims claims;
  const std::string uri(input);
  const std::optional<std::string> fault = calls::MediaUriFault(uri);
  if (fault.has_value()) {
    // Names are UTF-8 at this point: gRPC rejects others.
    if (IsUtf8(input)) claims.Plain("what is wrong with a URL", *fault, 400);
    return claims.broken();
  }
  claims.Hold(uri.size() <= 4096, "a URL has at most 4,096 bytes");
  const std::unique_ptr<CURLU, FreeUrl> url(curl_url());
  for (const unsigned flags : {0U, static_cast<unsigned>(CURLU_PATH_AS_IS | CURLU_URLENCODE),
                               static_cast<unsigned>(CURLU_NON_SUPPORT_SCHEME)}) {
    if (curl_url_set(url.get(), CURLUPART_URL, uri.c_str(), flags) != CURLUE_OK) continue;
    const std::string scheme = PartOf(url.get(), CURLUPART_SCHEME);
    claims.Hold(scheme == "http" || scheme == "https", "media are fetched by HTTP", uri);
    claims.Hold(
        PartOf(url.get(), CURLUPART_USER).empty() && PartOf(url.get(), CURLUPART_PASSWORD).empty(),
        "a URL has no user", uri);
    claims.Hold(!IsInside(PartOf(url.get(), CURLUPART_HOST)), "a URL points to an external host",
                uri);
  }
  return claims.broken();
}

}  // namespace

Target MediaUriTarget() {
  return {.name = "media_uri",
          .check = Check,
          .seeds =
              [] {
                std::vector<std::string> seeds;
                for (const char* const host :
                     {"example.com", "8.8.8.8", "127.0.0.1", "0x7f.1", "2130706433", "[::1]",
                      "[::ffff:169.254.169.254]", "[2001:4860:4860::8888]:443", "me:pw@example.com",
                      "example.com.:8080", "xn--bcher-kva.example", "metadata.google.internal",
                      "[fe80::1%25eth0]",
                      "127\xE3\x80\x82"
                      "1",
                      "%31%32%37.1"}) {
                  seeds.push_back(absl::StrCat("https://", host, "/a.png?k=v#f"));
                }
                return seeds;
              },
          .words =
              [] {
                return std::set<std::string>{
                    "https://", "http:", "//",           "@",        "[",    "]",
                    "::",       "%",     "\\",           "127.",     "0x7f", "0177",
                    "169.254",  ".",     "ffff:",        "a9fe:",    "#@",   "?@",
                    "&",        ";",     "\xE2\x91\xA0", "localhost"};
              }};
}

}  // namespace assetgate::fuzz
