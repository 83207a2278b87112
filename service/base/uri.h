// Encodes URIs, and redacts them for display.
#ifndef ASSETGATE_BASE_URI_H_
#define ASSETGATE_BASE_URI_H_

#include <string>

#include "absl/strings/string_view.h"

namespace assetgate::base {

// Percent-encodes everything but unreserved characters (RFC 3986), for one path segment or one
// query value.
std::string PercentEncode(absl::string_view text);

// `uri` with its query and fragment replaced by "?…", and without user:password, also of a URI in
// its path: safe for logs, metrics and errors.
std::string RedactUri(absl::string_view uri);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_URI_H_
