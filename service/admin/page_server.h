// Pages over plain HTTP, for people and machines inside the same network.
#ifndef ASSETGATE_ADMIN_PAGE_SERVER_H_
#define ASSETGATE_ADMIN_PAGE_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "http/message.h"

namespace assetgate::admin {

struct PageServerOptions {
  // "HOST:PORT", ":PORT" (every IPv4 address) or "[IPV6]:PORT". Port 0 takes a free one.
  std::string listen;
  // Requests that are answered at once; as many connections again wait, the rest is left to the
  // kernel's backlog.
  int threads = 4;
  // For a whole request to arrive. A client that takes longer is cut off, and holds a thread until
  // then.
  absl::Duration request_timeout = absl::Seconds(5);
};

// Answers GET and HEAD from one function, one request per connection. Other methods get 405,
// requests with a body 413, requests that are too large or garbled 400 or 414, and none of them
// reaches the function. Serves no files, and writes no log.
class PageServer {
 public:
  // Makes the page at `path` (decoded, without query). Runs on several threads at once. What it
  // throws becomes a 500.
  using Page = std::function<http::Response(absl::string_view path)>;

  // Listens from now on. INVALID_ARGUMENT for a `listen` that is none of the above; UNAVAILABLE
  // when the address cannot be had (it is in use, or not ours).
  static absl::StatusOr<std::unique_ptr<PageServer>> Start(const PageServerOptions& options,
                                                           Page page);
  // Closes the port, and waits for the pages that are being made.
  ~PageServer();

  PageServer(const PageServer&) = delete;
  PageServer& operator=(const PageServer&) = delete;

  // Where it listens.
  int port() const { return port_; }

 private:
  class Civetweb;
  explicit PageServer(std::unique_ptr<Civetweb> civetweb, int port);

  const std::unique_ptr<Civetweb> civetweb_;
  const int port_;
};

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_SERVER_H_
