// A config that was read and checked, with its defaults filled in. config.proto is the reference of
// the file and of every default; load.h reads it.
#ifndef ASSETGATE_CONFIG_CONFIG_H_
#define ASSETGATE_CONFIG_CONFIG_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/gateway_config.h"
#include "model/catalog.h"

namespace assetgate::config {

// Lifetime: the targets of `routes` point into `providers`, which copies of a config share.
struct Config : GatewayConfig {
  // In the order of the file. Never empty.
  std::vector<std::shared_ptr<model::ProviderEntry>> providers;
  // Ids of providers.
  std::vector<std::string> asset_providers;
  // The targets of each: by priority, then in the order of the file; never empty.
  std::vector<model::ModelEntry> routes;
  // Where each secret of a provider came from, by field path
  // ("providers[kyy].credential.api_key").
  std::map<std::string, SecretSource> secret_sources;
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CONFIG_H_
