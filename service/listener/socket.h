// A connection that gRPC owns, and whose descriptor gRPC may close at any time.
#ifndef ASSETGATE_LISTENER_SOCKET_H_
#define ASSETGATE_LISTENER_SOCKET_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace assetgate::listener {

// Identifies a socket for as long as it exists. A descriptor alone does not: once it is closed, the
// next file that is opened gets its number.
//
// Threading: any thread, whatever the owner does meanwhile.
class Socket {
 public:
  // Lifetime: the descriptor must not be closed during the call.
  explicit Socket(int descriptor);

  // The bytes from the peer that the kernel has acknowledged. Absent where the socket no longer
  // exists.
  std::optional<std::int64_t> BytesReceived() const;
  // Ends the connection at once (RST) and discards unread bytes. False where the socket no longer
  // exists.
  bool Abort() const;

 private:
  const int descriptor_;
  ino_t inode_ = 0;
};

// The name of the peer as in gRPC's ServerContext::peer(), without the escapes:
// "ipv4:192.0.2.1:4711", "ipv6:[2001:db8::1]:4711". Empty for other families. An IPv4-mapped IPv6
// address is named as an IPv4 address.
std::string PeerOf(const sockaddr_storage& address);

}  // namespace assetgate::listener

#endif  // ASSETGATE_LISTENER_SOCKET_H_
