// Serves pages over plain HTTP, for people and machines inside the same network.
#ifndef ASSETGATE_ADMIN_PAGE_SERVER_H_
#define ASSETGATE_ADMIN_PAGE_SERVER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "http/message.h"

namespace assetgate::admin {

struct PageServerOptions {
  // "HOST:PORT", ":PORT" (every IPv4 address) or "[IPV6]:PORT". Port 0 chooses a free one.
  std::string listen;
  // Paths of probes: pages that are made at once and never wait for others. Making them must not
  // block.
  std::set<std::string> probes;
  // For a whole request to arrive, and for the client to read the response and close. The server
  // closes the connection of a slower client.
  absl::Duration request_timeout = absl::Seconds(1);
  absl::Duration answer_timeout = absl::Seconds(5);
  // Simultaneous connections. When one more arrives, the oldest one is closed.
  std::size_t max_connections = 256;
  // Pages other than probes that wait to be made; further ones are answered with 503.
  std::size_t max_pending = 16;
};

// Answers GET and HEAD with one function, one request per connection. Other methods get 405,
// requests with a body 413, requests that are too large or invalid 431 or 400; none of them reaches
// the function. Serves no files and writes no log.
//
// Idle and slow clients hold no thread and little memory, and the server reserves one descriptor:
// probes are answered regardless of other clients, even when the process has no descriptor left.
//
// Threading: one thread serves all connections and makes the probes' pages; another one makes the
// other pages, one at a time.
class PageServer {
 public:
  // Makes the page at `path` (decoded, without query). An exception becomes a 500. Threading: runs
  // on both threads at once.
  using Page = std::function<http::Response(absl::string_view path)>;

  // Begins to listen. Errors: INVALID_ARGUMENT for a `listen` of another form; UNAVAILABLE when the
  // address cannot be bound (it is in use, or not this machine's).
  static absl::StatusOr<std::unique_ptr<PageServer>> Start(PageServerOptions options, Page page);
  // Closes the port and all connections, and waits for pages that are being made.
  ~PageServer();

  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  // The port that it listens on.
  int port() const { return port_; }

 private:
  class Loop;
  PageServer(std::unique_ptr<Loop> loop, int port);

  const std::unique_ptr<Loop> loop_;
  const int port_;
};

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_SERVER_H_
