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
  // Of one answer's body, after decompression.
  std::size_t max_response_bytes = 8 << 20;
  // Of one answer's headers, interim (1xx) answers and trailers included.
  std::size_t max_header_bytes = 64 << 10;
  std::size_t max_headers = 128;
  // Connections that are kept, to all hosts together, in use or idle.
  long max_connections = 1024;
  // Connections to one host; requests beyond it (and beyond what HTTP/2 lets them share) wait for
  // one, their timeout running.
  long max_connections_per_host = 256;
  // A submission does not use a connection that was idle for longer: the server may be about to
  // close it. Whole seconds.
  absl::Duration submission_idle_limit = absl::Seconds(3);
  // For name, connection and TLS together.
  absl::Duration connect_timeout = absl::Seconds(10);
  // A connection on which the peer confirms nothing for this long is dead.
  absl::Duration unacknowledged_limit = absl::Seconds(30);
  // PEM file of the certificate authorities to trust; empty: the system's.
  std::string ca_file;
  // For requests that do not bring their own.
  std::string user_agent = "assetgate";
};

// One thread that drives one curl multi handle.
//
// Speaks HTTP/1.1, and HTTP/2 where a TLS server offers it; reuses connections; decompresses.
// Checks certificates, always. Follows no redirect, keeps no cookies, and uses a proxy only where
// SendOptions names one; .netrc and other settings of the environment are not read.
//
// What is under way has no bound of its own: whoever sends keeps to one (core does, per provider).
//
// Refused as kMalformed, unsent: a method, path or header that could change the shape of the
// request (control characters, blanks, '#'), and headers that frame it (Content-Length and the
// like).
class CurlClient final : public Client {
 public:
  // `clock` is what `send_before` is compared with. It must outlive the client.
  CurlClient(CurlClientOptions options, const base::Clock& clock);
  // Stops, and ends the thread. Not to be called from a `done`.
  ~CurlClient() override;

  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  void Send(Request request, SendOptions options, Done done) override;

  // Fails with kStopped what is under way and whatever is sent from now on. Returns when all that
  // was under way has been told. Idempotent. Not to be called from a `done`.
  void Stop();

 private:
  class Loop;
  const std::unique_ptr<Loop> loop_;
};

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CURL_CLIENT_H_
