#include "listener/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace assetgate::listener {
namespace {

ino_t InodeOf(int descriptor) {
  struct stat state {};
  return ::fstat(descriptor, &state) == 0 && S_ISSOCK(state.st_mode) ? state.st_ino : 0;
}

// Holds a second descriptor of the socket, so that the socket cannot be replaced by another file
// meanwhile.
class Held {
 public:
  Held(int descriptor, ino_t inode) : descriptor_(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {
    if (descriptor_ >= 0 && InodeOf(descriptor_) != inode) Release();
  }
  ~Held() { Release(); }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;

  // -1 where the descriptor already refers to another file.
  int get() const { return descriptor_; }

 private:
  void Release() {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
  }

  int descriptor_;
};

std::string Ipv4(const in_addr& address, in_port_t port) {
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &address, text, sizeof text);
  return absl::StrCat("ipv4:", text, ":", ntohs(port));
}

}  // namespace

Socket::Socket(int descriptor) : descriptor_(descriptor), inode_(InodeOf(descriptor)) {}

std::optional<std::int64_t> Socket::BytesReceived() const {
  const Held held(descriptor_, inode_);
  if (held.get() < 0) return std::nullopt;
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(held.get(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return static_cast<std::int64_t>(info.tcpi_bytes_received);
}

bool Socket::Abort() const {
  const Held held(descriptor_, inode_);
  if (held.get() < 0) return false;
  // Unlike shutdown(2), this discards the data in the socket's buffer.
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  return ::connect(held.get(), &nobody, sizeof nobody) == 0;
}

std::string PeerOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(address);
    return Ipv4(ipv4.sin_addr, ipv4.sin_port);
  }
  if (address.ss_family != AF_INET6) return "";
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(address);
  if (IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr)) {
    in_addr ipv4{};
    ipv4.s_addr = ipv6.sin6_addr.s6_addr32[3];
    return Ipv4(ipv4, ipv6.sin6_port);
  }
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, &ipv6.sin6_addr, text, sizeof text);
  const std::string scope = ipv6.sin6_scope_id == 0 ? "" : absl::StrCat("%", ipv6.sin6_scope_id);
  return absl::StrCat("ipv6:[", text, scope, "]:", ntohs(ipv6.sin6_port));
}

}  // namespace assetgate::listener
