#include "http/egress.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "base/loopback.h"

namespace assetgate::http {

void Egress::ApplyTo(Request& request, SendOptions& options) const {
  for (const Header& header : headers) {
    const bool own = std::any_of(
        request.headers.begin(), request.headers.end(),
        [&](const Header& each) { return absl::EqualsIgnoreCase(each.name, header.name); });
    if (!own) request.headers.push_back(header);
  }
  if (IsOfThisMachine(options.base_url)) return;
  options.proxy = proxy;
  options.proxy_credential = proxy_credential;
  options.no_proxy = no_proxy;
}

bool IsOfThisMachine(absl::string_view url) {
  const std::size_t slashes = url.find("//");
  if (slashes == absl::string_view::npos) return false;
  absl::string_view host = url.substr(slashes + 2);
  host = host.substr(0, host.find_first_of("/?#"));
  if (absl::ConsumePrefix(&host, "[")) {
    host = host.substr(0, host.find(']'));
  } else {
    host = host.substr(0, host.rfind(':'));
  }
  return base::IsLoopback(absl::AsciiStrToLower(host));
}

bool SameEgress(const Egress& a, const Egress& b) {
  return a.proxy == b.proxy && a.no_proxy == b.no_proxy &&
         a.proxy_credential.Reveal() == b.proxy_credential.Reveal() &&
         std::equal(a.headers.begin(), a.headers.end(), b.headers.begin(), b.headers.end(),
                    [](const Header& one, const Header& other) {
                      return one.name == other.name && one.value == other.value;
                    });
}

}  // namespace assetgate::http
