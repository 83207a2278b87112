// Whether a URI can be a medium's source.
#ifndef ASSETGATE_CALLS_MEDIA_URI_H_
#define ASSETGATE_CALLS_MEDIA_URI_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace assetgate::calls {

// What is wrong with `uri` as the source of a medium, and what to do instead; absent where it is
// acceptable.
//
// It has to be an absolute http or https URL of at most 4,096 bytes, without user:password. Its
// host must not be a loopback, private, link-local or otherwise special address, in any spelling
// (decimal, octal, hex, short, IPv6-mapped), nor a name that is local by definition (localhost,
// *.local, *.internal). Names are not resolved: the provider fetches the URL, not the gateway.
std::optional<std::string> MediaUriFault(absl::string_view uri);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_MEDIA_URI_H_
