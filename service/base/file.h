// Reads files that an operator or another program writes.
#ifndef ASSETGATE_BASE_FILE_H_
#define ASSETGATE_BASE_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace assetgate::base {

// Size limits by content.
inline constexpr std::size_t kMaxConfigBytes = 1 << 20;
// A key, a token or a connection string.
inline constexpr std::size_t kMaxSecretBytes = 64 << 10;
// Certificates, private keys, key sets (JWKS).
inline constexpr std::size_t kMaxKeyFileBytes = 1 << 20;

// Returns the content of the regular file at `path`, following symbolic links. Anything else (a
// directory, a pipe, a device) is rejected without being read, and opening it does not block. A
// file system that does not respond still blocks the caller.
//
// Errors: messages continue the file's name: "does not exist". NOT_FOUND if there is no file;
// PERMISSION_DENIED; INVALID_ARGUMENT if it is not a regular file or is larger than `max_bytes`;
// UNAVAILABLE if reading fails.
absl::StatusOr<std::string> ReadFile(const std::string& path, std::size_t max_bytes);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_FILE_H_
