// How requests to one server are sent: the settings that they share.
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
  // Added to every request that does not have a header of that name.
  std::vector<Header> headers;
  // As in SendOptions.
  std::string proxy;
  base::Secret proxy_credential;
  std::string no_proxy;

  // Adds the shared settings to a request that is otherwise complete, and to its options. A server
  // on this machine (`options.base_url`) is reached without the proxy, because the proxy would look
  // for it on its own machine.
  void ApplyTo(Request& request, SendOptions& options) const;
};

// Whether a URL refers to this machine.
bool IsOfThisMachine(absl::string_view url);

// Whether requests are sent in the same way.
bool SameEgress(const Egress& a, const Egress& b);

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_EGRESS_H_
