// The listening socket of a page server.
#ifndef ASSETGATE_ADMIN_PAGE_LISTENER_H_
#define ASSETGATE_ADMIN_PAGE_LISTENER_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/tcp_port.h"

namespace assetgate::admin {

// A non-blocking socket that listens. Errors: INVALID_ARGUMENT for a `listen` that is not
// HOST:PORT, :PORT or [IPV6]:PORT; UNAVAILABLE when the address cannot be bound.
absl::StatusOr<base::Descriptor> ListenForPages(absl::string_view listen);

}  // namespace assetgate::admin

#endif  // ASSETGATE_ADMIN_PAGE_LISTENER_H_
