// A connection that belongs to somebody else: to gRPC, which closes its descriptor whenever it
// likes.
#ifndef ASSETGATE_LISTENER_SOCKET_H_
#define ASSETGATE_LISTENER_SOCKET_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

namespace assetgate::listener {

// Names a socket for as long as there is one. A descriptor alone does not: once it is closed, the
// next thing that is opened has its number. All of it is safe on any thread, whatever the owner
// does meanwhile.
class Socket {
 public:
  // Of a descriptor that nobody closes just now.
  explicit Socket(int descriptor);

  // What the peer has sent that the kernel has acknowledged, in bytes. Absent where there is no
  // such socket any more.
  std::optional<std::int64_t> BytesReceived() const;
  // Ends the connection at once (RST). What the peer has sent and nobody has read is gone. False
  // where there was no such socket any more.
  bool Abort() const;

 private:
  const int descriptor_;
  ino_t inode_ = 0;
};

// As gRPC's ServerContext::peer() names the other end, without the escapes: "ipv4:192.0.2.1:4711",
// "ipv6:[2001:db8::1]:4711". Empty for other families. An IPv4 address that is written as an IPv6
// one is an IPv4 address.
std::string PeerOf(const sockaddr_storage& address);

}  // namespace assetgate::listener

#endif  // ASSETGATE_LISTENER_SOCKET_H_
