// The listening socket of a page server.
#ifndef ASSETGATE_ADMIN_PAGE_LISTENER_H_
#define ASSETGATE_ADMIN_PAGE_LISTENER_H_

#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assetgate::admin {

// Owns a file descriptor.
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

 private:
  int fd_ = -1;
};

// A non-blocking socket that listens. Errors: INVALID_ARGUMENT for a `listen` that is not
// HOST:PORT, :PORT or [IPV6]:PORT; UNAVAILABLE when the address cannot be bound.
absl::StatusOr<Descriptor> ListenForPages(absl::string_view listen);

// The port that it listens on; 0 on failure.
int PortOf(const Descriptor& listener);

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_LISTENER_H_
