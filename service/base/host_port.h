// HOST:PORT, as configs and flags write an address to listen on.
#ifndef ASSETGATE_BASE_HOST_PORT_H_
#define ASSETGATE_BASE_HOST_PORT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace assetgate::base {

struct HostPort {
  // Without brackets.
  std::string host;
  // 0: the system chooses.
  int port = 0;

  // With brackets where the host is an IPv6 address.
  std::string ToString() const;
};

// Reads HOST:PORT or [IPV6]:PORT. Absent for any other text.
std::optional<HostPort> ParseHostPort(absl::string_view text);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_HOST_PORT_H_
