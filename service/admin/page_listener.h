// The port of a page server.
#ifndef ASSETGATE_ADMIN_PAGE_LISTENER_H_
#define ASSETGATE_ADMIN_PAGE_LISTENER_H_

#include <unistd.h>

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assetgate::admin {

// A file descriptor that is closed at the end.
class Descriptor {
 public:
  // None.
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

  // Negative where there is none.
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

// A socket that listens and does not block. INVALID_ARGUMENT for a `listen` that is not HOST:PORT,
// :PORT or [IPV6]:PORT; UNAVAILABLE when the address cannot be had.
absl::StatusOr<Descriptor> ListenForPages(absl::string_view listen);

// Where it listens; 0 where that cannot be told.
int PortOf(const Descriptor& listener);

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_LISTENER_H_
