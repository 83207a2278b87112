#include "admin/page_listener.h"

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/host_port.h"

namespace assetgate::admin {

absl::StatusOr<base::Descriptor> ListenForPages(absl::string_view listen) {
  const std::optional<base::HostPort> where = base::ParseHostPort(
      absl::StartsWith(listen, ":") ? absl::StrCat("0.0.0.0", listen) : std::string(listen));
  if (!where.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", listen, "\" is not HOST:PORT, :PORT or [IPV6]:PORT"));
  }
  const absl::StatusOr<base::AddressList> addresses = base::AddressesOf(where->host.c_str());
  if (!addresses.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", listen, ": ", addresses.status().message()));
  }
  for (addrinfo* each = addresses->get(); each != nullptr; each = each->ai_next) {
    base::SetPort(*each, where->port);
    base::Descriptor socket = base::ListenAt(*each);
    if (socket.get() >= 0) return socket;
  }
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", listen, ": ", std::strerror(errno),
                   "; check that the port is free and that the address is this machine's"));
}

}  // namespace assetgate::admin
