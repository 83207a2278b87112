#include "http/egress.h"

#include <algorithm>

#include "absl/strings/match.h"

namespace assetgate::http {

void Egress::ApplyTo(Request& request, SendOptions& options) const {
  for (const Header& header : headers) {
    const bool own = std::any_of(
        request.headers.begin(), request.headers.end(),
        [&](const Header& each) { return absl::EqualsIgnoreCase(each.name, header.name); });
    if (!own) request.headers.push_back(header);
  }
  options.proxy = proxy;
  options.proxy_credential = proxy_credential;
  options.no_proxy = no_proxy;
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
