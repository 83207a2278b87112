// The part of an HTTP/2 server that tests of misbehaving servers need.
#ifndef ASSETGATE_HTTP_TESTING_HTTP2_H_
#define ASSETGATE_HTTP_TESTING_HTTP2_H_

#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"
#include "http/testing/scripted_server.h"

namespace assetgate::http::testing {

// Speaks frames on a connection that negotiated "h2".
// Threading: for the script's thread only.
class Http2Peer {
 public:
  // RFC 9113, section 7.
  static constexpr std::uint32_t kNoError = 0x0;
  static constexpr std::uint32_t kInternalError = 0x2;
  static constexpr std::uint32_t kRefusedStream = 0x7;
  static constexpr std::uint32_t kHttp11Required = 0xd;

  // Exchanges the connection prefaces. `server` counts the requests.
  Http2Peer(ScriptedServer& server, Connection& connection);

  // Reads to the end of the next complete request and returns its stream; nothing once the peer has
  // closed. The header block is not decoded: the recorded request has only the body.
  std::optional<std::uint32_t> ReadRequest();
  // Status 200.
  void Respond(std::uint32_t stream, absl::string_view body);
  // Status 200 and the beginning of a body that is never completed.
  void RespondPartly(std::uint32_t stream, absl::string_view body);
  void ResetStream(std::uint32_t stream, std::uint32_t error);
  void GoAway(std::uint32_t last_stream, std::uint32_t error);

 private:
  void WriteFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                  absl::string_view payload);

  ScriptedServer& server_;
  Connection& connection_;
};

}  // namespace assetgate::http::testing

#endif  // ASSETGATE_HTTP_TESTING_HTTP2_H_
