// TCP ports that this process listens on.
#ifndef ASSETGATE_BASE_TCP_PORT_H_
#define ASSETGATE_BASE_TCP_PORT_H_

#include <netdb.h>
#include <unistd.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace assetgate::base {

// Owns a file descriptor and closes it.
class Descriptor {
 public:
  // Owns none.
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    Descriptor former(std::exchange(other.fd_, -1));
    return *this;
  }

  // Negative where it owns none.
  int get() const { return fd_; }
  // Gives the descriptor up without closing it.
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

using AddressList = std::unique_ptr<addrinfo, void (*)(addrinfo*)>;

// The addresses of `host` to listen on, with port 0, in the resolver's order; never empty.
// Errors: UNAVAILABLE with the resolver's words alone.
absl::StatusOr<AddressList> AddressesOf(const char* host);
// Sets the port of an IPv4 or IPv6 address.
void SetPort(addrinfo& address, int port);

struct ListenOptions {
  // An IPv6 socket accepts IPv4 connections too.
  bool both_families = false;
  // What accepted connections inherit: no delay of small segments (TCP_NODELAY), and the end of a
  // connection whose peer has acknowledged nothing for so long (0: as the system does).
  bool no_delay = false;
  absl::Duration unacknowledged = absl::ZeroDuration();
};
// A socket that listens on `address`, does not block, and is closed on exec. Owns none on failure;
// errno then says why.
Descriptor ListenAt(const addrinfo& address, const ListenOptions& options = {});

// The port that a socket listens on; 0 where the system does not say.
int PortOf(int socket);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_TCP_PORT_H_
