// Reading files that somebody else writes.
#ifndef ASSETGATE_BASE_FILE_H_
#define ASSETGATE_BASE_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace assetgate::base {

// The largest files that are read, by what they hold.
inline constexpr std::size_t kMaxConfigBytes = 1 << 20;
// A key, a token, a connection string.
inline constexpr std::size_t kMaxSecretBytes = 64 << 10;
// Certificates, private keys, key sets (JWKS).
inline constexpr std::size_t kMaxKeyFileBytes = 1 << 20;

// The content of the regular file at `path`, symbolic links followed. Anything else (a directory, a
// pipe, a device) is refused without being read, and opening it does not wait for anybody. A file
// system that does not answer still makes it wait.
//
// Errors: words that follow the file's name and do not repeat it, "does not exist". NOT_FOUND where
// there is no file; PERMISSION_DENIED; INVALID_ARGUMENT where it is not a regular file, or is
// larger than `max_bytes`; UNAVAILABLE where reading fails.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t max_bytes);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_FILE_H_
