// The content of a config file, field by field, to find the differences between two configs.
#ifndef ASSETGATE_CONFIG_FIELDS_H_
#define ASSETGATE_CONFIG_FIELDS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/secret.h"
#include "config/config.pb.h"
#include "config/gateway_config.h"

namespace assetgate::config {

// The fields of `in`, and the secrets and files of `config`, which was made of it. Adds nothing for
// the credentials of providers; see AddSecret.
Fields FieldsOf(const file::Config& in, const GatewayConfig& config);

// Adds a secret at `path`: its source, where it is known, and a hash of its text.
void AddSecret(const std::string& path, const SecretSource* source, const base::Secret& secret,
               Fields& fields);

// The top-level key of a path: "providers".
absl::string_view TopOf(absl::string_view path);
// The list element that a path is in: "providers[kyy]"; empty where it is in none.
absl::string_view ElementOf(absl::string_view path);

// The paths in which `after` differs, sorted. An element that only one of the two has is named as a
// whole: "routes[old] (gone)", "routes[fast] (new)".
std::vector<std::string> Differences(const Fields& before, const Fields& after);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_FIELDS_H_
