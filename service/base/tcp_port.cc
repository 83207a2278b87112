#include "base/tcp_port.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/status/status.h"

namespace assetgate::base {

absl::StatusOr<AddressList> AddressesOf(const char* host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host, nullptr, &hints, &found); error != 0) {
    return absl::UnavailableError(::gai_strerror(error));
  }
  return AddressList(found, &::freeaddrinfo);
}

void SetPort(addrinfo& address, int port) {
  const in_port_t in_order = htons(static_cast<in_port_t>(port));
  if (address.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address.ai_addr)->sin6_port = in_order;
  } else {
    reinterpret_cast<sockaddr_in*>(address.ai_addr)->sin_port = in_order;
  }
}

Descriptor ListenAt(const addrinfo& address, const ListenOptions& options) {
  Descriptor socket(
      ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (socket.get() < 0) return socket;
  const auto set = [&socket](int level, int option, int value) {
    ::setsockopt(socket.get(), level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_REUSEADDR, 1);
  if (address.ai_family == AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, options.both_families ? 0 : 1);
  if (options.no_delay) set(IPPROTO_TCP, TCP_NODELAY, 1);
  if (options.unacknowledged > absl::ZeroDuration()) {
    set(IPPROTO_TCP, TCP_USER_TIMEOUT,
        static_cast<int>(absl::ToInt64Milliseconds(options.unacknowledged)));
  }
  if (::bind(socket.get(), address.ai_addr, address.ai_addrlen) != 0 ||
      ::listen(socket.get(), SOMAXCONN) != 0) {
    const int error = errno;
    socket = Descriptor();
    errno = error;
  }
  return socket;
}

int PortOf(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

}  // namespace assetgate::base
