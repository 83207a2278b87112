// Reads and checks configs.
#ifndef ASSETGATE_CONFIG_LOAD_H_
#define ASSETGATE_CONFIG_LOAD_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config/config.h"
#include "config/environment.h"

namespace assetgate::config {

// Reads and checks the file at `path`, and the files that it names: secrets, certificates, keys.
// Opens nothing else.
//
// Errors: one line per fault, in the order of the file:
//   assetgate.yaml:12: providers[1].base_url: "https://h?a=1" has a query or a fragment; end it
//   with the path
// No line holds a secret, or text that was written where a secret belongs.
absl::StatusOr<Config> Load(const std::string& path, const Environment& environment);

// The same for the text of a file called `name`.
absl::StatusOr<Config> Parse(absl::string_view text, const std::string& name,
                             const Environment& environment);

// Whether the certificate was valid when the config was read. A gateway does not start otherwise.
// Load does not check this, because a gateway that serves must accept other changes although its
// certificate has expired.
absl::Status CheckTimes(const Config& config);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_LOAD_H_
