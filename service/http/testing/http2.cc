#include "http/testing/http2.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assetgate::http::testing {
namespace {

constexpr std::uint8_t kData = 0x0;
constexpr std::uint8_t kHeaders = 0x1;
constexpr std::uint8_t kRstStream = 0x3;
constexpr std::uint8_t kSettings = 0x4;
constexpr std::uint8_t kPing = 0x6;
constexpr std::uint8_t kGoAway = 0x7;

constexpr std::uint8_t kEndStream = 0x1;
constexpr std::uint8_t kAck = 0x1;
constexpr std::uint8_t kEndHeaders = 0x4;

// ":status: 200", entry 8 of HPACK's static table.
constexpr absl::string_view kStatus200 = "\x88";

std::string BigEndian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((value >> shift) & 0xff));
  }
  return bytes;
}

std::uint32_t ReadBigEndian(absl::string_view bytes) {
  std::uint32_t value = 0;
  for (const char byte : bytes) value = (value << 8) | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

Http2Peer::Http2Peer(ScriptedServer& server, Connection& connection)
    : server_(server), connection_(connection) {
  connection_.Read(absl::string_view("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").size());
  WriteFrame(kSettings, 0, 0, "");
}

std::optional<std::uint32_t> Http2Peer::ReadRequest() {
  std::map<std::uint32_t, std::string> bodies;
  for (;;) {
    const std::optional<std::string> head = connection_.Read(9);
    if (!head.has_value()) return std::nullopt;
    const std::uint32_t size = ReadBigEndian(absl::string_view(*head).substr(0, 3));
    const auto type = static_cast<std::uint8_t>((*head)[3]);
    const auto flags = static_cast<std::uint8_t>((*head)[4]);
    const std::uint32_t stream = ReadBigEndian(absl::string_view(*head).substr(5)) & 0x7fffffff;
    std::optional<std::string> payload = connection_.Read(size);
    if (!payload.has_value()) return std::nullopt;

    if (type == kSettings && (flags & kAck) == 0) WriteFrame(kSettings, kAck, 0, "");
    if (type == kPing && (flags & kAck) == 0) WriteFrame(kPing, kAck, 0, *payload);
    if (type == kData) bodies[stream] += *payload;
    if ((type == kData || type == kHeaders) && (flags & kEndStream) != 0) {
      Request request;
      request.body = std::move(bodies[stream]);
      server_.RecordRequest(std::move(request));
      return stream;
    }
  }
}

void Http2Peer::Respond(std::uint32_t stream, absl::string_view body) {
  WriteFrame(kHeaders, kEndHeaders, stream, kStatus200);
  WriteFrame(kData, kEndStream, stream, body);
}

void Http2Peer::RespondPartly(std::uint32_t stream, absl::string_view body) {
  WriteFrame(kHeaders, kEndHeaders, stream, kStatus200);
  WriteFrame(kData, 0, stream, body);
}

void Http2Peer::ResetStream(std::uint32_t stream, std::uint32_t error) {
  WriteFrame(kRstStream, 0, stream, BigEndian(error));
}

void Http2Peer::GoAway(std::uint32_t last_stream, std::uint32_t error) {
  WriteFrame(kGoAway, 0, 0, absl::StrCat(BigEndian(last_stream), BigEndian(error)));
}

void Http2Peer::WriteFrame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                           absl::string_view payload) {
  connection_.Write(absl::StrCat(BigEndian(static_cast<std::uint32_t>(payload.size())).substr(1),
                                 std::string(1, static_cast<char>(type)),
                                 std::string(1, static_cast<char>(flags)), BigEndian(stream),
                                 payload));
}

}  // namespace assetgate::http::testing
