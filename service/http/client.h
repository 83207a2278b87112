// The way out: HTTP to the providers.
#ifndef ASSETGATE_HTTP_CLIENT_H_
#define ASSETGATE_HTTP_CLIENT_H_

#include <cstddef>
#include <limits>
#include <string>
#include <variant>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "base/secret.h"
#include "http/message.h"

namespace assetgate::http {

using Result = std::variant<Response, TransportError>;
using Done = absl::AnyInvocable<void(Result) &&>;

// How one request is to be sent.
struct SendOptions {
  // Scheme, host, port and path prefix: "https://api.0-0.pro/v1".
  std::string base_url;
  // From the moment it is sent until the last byte of the answer; a day at most. An answer that
  // came in time is heard, however late this process is to look at it.
  absl::Duration timeout = absl::Seconds(30);
  // A submission is never sent twice, whatever happens to the connection, and uses only connections
  // that were idle for a short time. Anything else may be repeated once on a fresh connection when
  // a reused one turns out to be dead.
  bool submission = false;
  // Not begun after this: ends with kExpired and maybe_sent = false.
  absl::Time send_before = absl::InfiniteFuture();
  // In PEM, the only authorities that may have signed the server's certificate; empty: those of the
  // client.
  std::string ca;
  // Of the answer's body; where the client's own limit is lower, that.
  std::size_t max_response_bytes = std::numeric_limits<std::size_t>::max();
  // The proxy through which to reach the server: http://, https:// or socks5h://HOST:PORT; empty
  // for none. Requests are tunnelled (CONNECT), those to http:// servers too: what the proxy itself
  // answers is a TransportError that was surely not sent, and never taken for the server's answer.
  std::string proxy;
  // "user:password" for the proxy; empty for none.
  base::Secret proxy_credential;
  // Hosts to which the proxy is not used, as in the environment variable NO_PROXY.
  std::string no_proxy;
  // Tell until when the server's certificate is good, of a connection made for this request.
  bool tell_certificate = false;
};

// Sends requests. Thread-safe.
class Client {
 public:
  virtual ~Client() = default;

  // Calls `done` exactly once, on the client's thread, never inside Send. `done` must not block.
  virtual void Send(Request request, SendOptions options, Done done) = 0;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CLIENT_H_
