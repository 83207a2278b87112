// How requests leave for one server: what all of them have in common.
#ifndef ASSETGATE_HTTP_EGRESS_H_
#define ASSETGATE_HTTP_EGRESS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/secret.h"
#include "http/client.h"
#include "http/message.h"

namespace assetgate::http {

struct Egress {
  // Sent with every request that does not have a header of that name itself.
  std::vector<Header> headers;
  // As in SendOptions.
  std::string proxy;
  base::Secret proxy_credential;
  std::string no_proxy;

  // Completes a request that has all that its sender writes, and how it is sent. A server on this
  // machine
  // (`options.base_url`) is reached without the proxy, which would look for it on its own.
  void ApplyTo(Request& request, SendOptions& options) const;
};

// Whether a URL is of this machine.
bool IsOfThisMachine(absl::string_view url);

// Whether requests leave in the same way.
bool SameEgress(const Egress& a, const Egress& b);

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_EGRESS_H_
