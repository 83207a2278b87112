// Every call to a provider leaves here, with its credential, the caller's trace and a time limit;
// the answer comes back without secrets.
#ifndef ASSETGATE_UPSTREAM_UPSTREAM_H_
#define ASSETGATE_UPSTREAM_UPSTREAM_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/metrics.h"
#include "http/client.h"
#include "model/catalog.h"
#include "provider/dialect.h"
#include "upstream/gates.h"
#include "upstream/telemetry.h"
#include "upstream/waited_call.h"

namespace assetgate::upstream {

// The work that a call is made for: how log lines, metrics and traces name it.
struct Purpose {
  // The resource: "assets/hero".
  std::string resource;
  base::LogContext context;
  // The RPC on whose behalf the call is made, while its caller waits.
  std::weak_ptr<WaitedCall> waited;
};

// The account that a call is made with. `catalog` owns `provider` and `credential`, and is kept
// until the call ends.
struct Access {
  model::CatalogPtr catalog;
  const model::ProviderEntry& provider;
  const provider::Credential& credential;
};

// Threading: the thread of `loop`.
class Upstream {
 public:
  // `latency`: from sending to the whole answer.
  using Done = absl::AnyInvocable<void(http::Result, absl::Duration latency) &&>;

  Upstream(base::EventLoop& loop, http::Client& http, Gates& gates)
      : loop_(loop), http_(http), gates_(gates) {}

  // The record of a call that is about to be made. While a caller waits for it, `request` carries
  // their trace from now on, and the call is counted as theirs. Background work, such as polling,
  // carries no trace.
  UpstreamCall Begin(const Purpose& purpose, const model::ProviderEntry& provider,
                     base::UpstreamOperation operation, http::Request& request);

  // Sends it; `done` runs on the loop, never inside this call. A request whose `send_before` has
  // passed is not sent: kExpired.
  void Send(Access to, http::Request request, http::SendOptions options, Done done);

 private:
  base::EventLoop& loop_;
  http::Client& http_;
  Gates& gates_;
  absl::BitGen random_;
};

}  // namespace assetgate::upstream

#endif  // ASSETGATE_UPSTREAM_UPSTREAM_H_
