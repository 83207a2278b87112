// The HTTP client for calls to providers.
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

// How one request is sent.
struct SendOptions {
  // Scheme, host, port and path prefix: "https://api.0-0.pro/v1".
  std::string base_url;
  // From sending the request to the last byte of the answer; at most a day. An answer that arrived
  // in time counts, even if this process reads it late.
  absl::Duration timeout = absl::Seconds(30);
  // A submission is never sent twice, whatever happens to the connection, and uses only connections
  // that were idle for a short time. Any other request may be repeated once on a new connection if
  // a reused one turns out to be dead.
  bool submission = false;
  // Not started after this: ends with kExpired and maybe_sent = false.
  absl::Time send_before = absl::InfiniteFuture();
  // The only authorities, in PEM, that may have signed the server's certificate; empty: those of
  // the client.
  std::string ca;
  // Limits the answer's body; the client's own limit also applies.
  std::size_t max_response_bytes = std::numeric_limits<std::size_t>::max();
  // The proxy for this request: http://, https:// or socks5h://HOST:PORT; empty for none. Requests
  // are tunnelled (CONNECT), also to http:// servers. A proxy's own answer is a TransportError with
  // maybe_sent = false, and never counts as the server's answer.
  std::string proxy;
  // "user:password" for the proxy; empty for none.
  base::Secret proxy_credential;
  // Hosts to which the proxy is not used, as in the environment variable NO_PROXY.
  std::string no_proxy;
  // Whether to report the expiry of the server's certificate, if a connection is made for this
  // request.
  bool report_certificate = false;
};

// Threading: thread-safe.
class Client {
 public:
  virtual ~Client() = default;

  // Sends a request. `done` must not block.
  // Threading: `done` is called exactly once, on the client's thread, never inside Send.
  virtual void Send(Request request, SendOptions options, Done done) = 0;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CLIENT_H_
