// Answers of the software in front of a provider, which does not speak the provider's dialect:
// redirects, and the error pages of Cloudflare and of a reverse proxy.
#ifndef ASSETGATE_TESTS_SIMULATOR_EDGE_H_
#define ASSETGATE_TESTS_SIMULATOR_EDGE_H_

#include "absl/strings/string_view.h"
#include "tests/simulator/message.h"

namespace assetgate::simulator {

// 3xx with a Location and the small HTML page that servers send with it.
Response Redirect(int status, absl::string_view location);

// The error page of an edge for an HTTP status.
//   server  "cloudflare", or "nginx" for a plain reverse proxy
//   code    Cloudflare's own number, given as plain text: "error code: 1010"; the word "challenge"
//           for the page that demands a browser; empty for the usual page of the status (1010 for
//           403 and 1015 for 429, as clients other than browsers get them)
Response EdgePage(int status, absl::string_view server, absl::string_view code);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_EDGE_H_
