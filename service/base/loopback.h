// Recognises hosts that are this machine.
#ifndef ASSETGATE_BASE_LOOPBACK_H_
#define ASSETGATE_BASE_LOOPBACK_H_

#include "absl/strings/string_view.h"

namespace assetgate::base {

// Whether `host`, in lower case and without brackets, is certainly this machine: "localhost",
// "::1", or an address that starts with "127.". A name such as "127.example.com" is not.
bool IsLoopback(absl::string_view host);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_LOOPBACK_H_
