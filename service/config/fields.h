// What a config file says, field by field: to tell in what two configs differ.
#ifndef ASSETGATE_CONFIG_FIELDS_H_
#define ASSETGATE_CONFIG_FIELDS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config/config.h"
#include "config/config.pb.h"

namespace assetgate::config {

// By field path ("providers[kyy].limits.max_in_flight"), what stands there: to be compared, and not
// to be shown. Providers, routes, callers and issuers are told by their names, so that their order
// in the file is no difference. A secret is its source and a hash of its text.
using Fields = std::map<std::string, std::string>;

// `config`: what was made of `in`, with its secrets.
Fields FieldsOf(const file::Config& in, const Config& config);

// The key at the top of the file that a path begins with: "providers".
absl::string_view TopOf(absl::string_view path);
// The element of a list that a path leads into: "providers[kyy]"; empty where it leads into none.
absl::string_view ElementOf(absl::string_view path);

// The paths in which `after` differs, in their order. An element that only one has is named as a
// whole: "routes[old] (gone)", "routes[fast] (new)".
std::vector<std::string> Differences(const Fields& before, const Fields& after);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_FIELDS_H_
