// Pages over plain HTTP, for people and machines inside the same network.
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
  // "HOST:PORT", ":PORT" (every IPv4 address) or "[IPV6]:PORT". Port 0 takes a free one.
  std::string listen;
  // Paths of probes: pages that are made at once and never wait behind others. Making them must not
  // block.
  std::set<std::string> probes;
  // For a whole request to arrive, and for the client to take the answer and close. A client that
  // takes longer is cut off.
  absl::Duration request_timeout = absl::Seconds(1);
  absl::Duration answer_timeout = absl::Seconds(5);
  // Connections at the same time. When one more comes, the one that has been idle longest is cut
  // off.
  std::size_t max_connections = 256;
  // Pages other than probes that wait to be made; further ones are answered 503.
  std::size_t max_pending = 16;
};

// Answers GET and HEAD from one function, one request per connection. Other methods get 405,
// requests with a body 413, requests that are too large or garbled 431 or 400, and none of them
// reaches the function. Serves no files, and writes no log.
//
// Idle and slow clients hold no thread and little memory, and one descriptor is kept back: probes
// are answered whatever others do, also when the process has used up its descriptors.
//
// Threading: one thread serves all connections and makes the probes' pages; another one makes the
// other pages, one after another.
class PageServer {
 public:
  // Makes the page at `path` (decoded, without query). Runs on both threads at once. What it throws
  // becomes a 500.
  using Page = std::function<http::Response(absl::string_view path)>;

  // Listens from now on. INVALID_ARGUMENT for a `listen` that is none of the above; UNAVAILABLE
  // when the address cannot be had (it is in use, or not ours).
  static absl::StatusOr<std::unique_ptr<PageServer>> Start(PageServerOptions options, Page page);
  // Closes the port and all connections, and waits for the pages that are being made.
  ~PageServer();

  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  // Where it listens.
  int port() const { return port_; }

 private:
  class Loop;
  PageServer(std::unique_ptr<Loop> loop, int port);

  const std::unique_ptr<Loop> loop_;
  const int port_;
};

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_SERVER_H_
