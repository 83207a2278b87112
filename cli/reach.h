// The network path to a gateway: whether it leaves this machine, and which TLS fault blocks it.
#ifndef ASSETGATE_CLI_REACH_H_
#define ASSETGATE_CLI_REACH_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/failure.h"

namespace assetgate::cli {

// Whether traffic to `server` (as in Endpoint) stays on this machine: each of its addresses is a
// loopback address or a socket in the file system.
bool IsLoopback(absl::string_view server);

// Diagnoses a call that could not reach the gateway: which TLS fault blocks it and what to do. It
// recognizes TLS on one side only, the certificate's signer, name or dates, and a client
// certificate that the gateway requires. Empty for any other fault. Connects to the first address
// of `endpoint` once more, without sending a token, and takes at most `timeout`.
std::string DiagnoseConnection(const Endpoint& endpoint, absl::Duration timeout);

// The context of a call to `endpoint` that failed with `status`. Diagnoses the connection where the
// call did not reach the gateway.
CallContext ContextOf(const Endpoint& endpoint, const absl::Status& status, absl::Duration timeout);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_REACH_H_
