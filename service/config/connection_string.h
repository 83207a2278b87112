// PostgreSQL connection strings, checked without libpq: a config is checked on machines that have
// no database driver.
#ifndef ASSETGATE_CONFIG_CONNECTION_STRING_H_
#define ASSETGATE_CONFIG_CONNECTION_STRING_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assetgate::config {

// Whether a connection string or URI (PostgreSQL's documentation, "Connection Strings") holds a
// password or another secret. INVALID_ARGUMENT where libpq could not read it; the message does not
// quote it.
//
// Keywords of libpq 13 to 18 are known. An older libpq rejects the newer ones when the store is
// opened.
absl::StatusOr<bool> HoldsPassword(absl::string_view text);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CONNECTION_STRING_H_
