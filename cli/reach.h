// The way to a gateway: whether it leaves this machine, and what is wrong with it where TLS is.
#ifndef ASSETGATE_CLI_REACH_H_
#define ASSETGATE_CLI_REACH_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/failure.h"

namespace assetgate::cli {

// Whether what is sent to `server` (as in Endpoint) stays on this machine: each of its addresses is
// a loopback one, or a socket in the file system.
bool IsLoopback(absl::string_view server);

// After a call that could not reach the gateway: what to do, where TLS is in the way (one side
// speaks it and the other does not, the certificate's signer, name or dates, a certificate that the
// gateway asks for). Empty where it is something else. Connects to the first address of `endpoint`
// once more to find out, sends no token there, and takes `timeout` at most.
std::string ExplainUnreachable(const Endpoint& endpoint, absl::Duration timeout);

// What can be said of a call to `endpoint` that failed with `status`: looks at the way there, where
// it did not reach the gateway.
CallContext ContextOf(const Endpoint& endpoint, const absl::Status& status, absl::Duration timeout);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_REACH_H_
