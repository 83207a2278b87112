// The Client over libcurl.
#ifndef ASSETGATE_HTTP_CURL_CLIENT_H_
#define ASSETGATE_HTTP_CURL_CLIENT_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/time/time.h"
#include "base/clock.h"
#include "http/client.h"

namespace assetgate::http {

struct CurlClientOptions {
  // For one answer's body, after decompression.
  std::size_t max_response_bytes = 8 << 20;
  // For one answer's headers, including interim (1xx) answers and trailers.
  std::size_t max_header_bytes = 64 << 10;
  std::size_t max_headers = 128;
  // Connections to all hosts together, in use or idle.
  long max_connections = 1024;
  // Connections to one host. More requests (beyond those that share HTTP/2 connections) wait for
  // one, while their timeouts run.
  long max_connections_per_host = 256;
  // A submission does not use a connection that was idle for longer, because the server may be
  // about to close it. Whole seconds.
  absl::Duration submission_idle_limit = absl::Seconds(3);
  // For name resolution, connection and TLS together.
  absl::Duration connect_timeout = absl::Seconds(10);
  // A connection on which the peer acknowledges nothing for this long is dead.
  absl::Duration unacknowledged_limit = absl::Seconds(30);
  // PEM file with the trusted certificate authorities; empty: the system's.
  std::string ca_file;
  // For requests without their own User-Agent.
  std::string user_agent = "assetgate";
};

// One thread that drives one curl multi handle.
//
// Speaks HTTP/1.1, and HTTP/2 if a TLS server offers it; reuses connections; decompresses. Always
// verifies certificates. Follows no redirects, keeps no cookies, and uses a proxy only if
// SendOptions names one; .netrc and other settings of the environment are ignored.
//
// The number of requests in flight is not bounded here; callers must bound it (the gate does, per
// provider).
//
// Errors: kMalformed, unsent, for a method, path or header that could change the structure of the
// request (control characters, blanks, '#'), and for headers that frame it (such as
// Content-Length).
class CurlClient final : public Client {
 public:
  // `clock` is compared with `send_before`.
  // Lifetime: it must outlive the client.
  CurlClient(CurlClientOptions options, const base::Clock& clock);
  // Stops and ends the thread. Must not be called from a `done`.
  ~CurlClient() override;

  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  void Send(Request request, SendOptions options, Done done) override;

  // Fails requests in flight, and all later ones, with kStopped. Returns once every `done` in
  // flight was called. Idempotent. Must not be called from a `done`.
  void Stop();

 private:
  class Loop;
  const std::unique_ptr<Loop> loop_;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CURL_CLIENT_H_
