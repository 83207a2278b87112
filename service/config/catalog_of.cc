#include "config/catalog_of.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace assetgate::config {

model::CatalogPtr CatalogOf(const Config& config) {
  std::vector<std::unique_ptr<const model::ProviderEntry>> providers;
  std::map<const model::ProviderEntry*, const model::ProviderEntry*> copies;
  for (const auto& from : config.providers) {
    providers.push_back(std::make_unique<const model::ProviderEntry>(*from));
    copies.emplace(from.get(), providers.back().get());
  }
  std::vector<model::ModelEntry> routes = config.routes;
  for (model::ModelEntry& route : routes) {
    for (model::Target& target : route.targets) target.provider = copies.at(target.provider);
  }
  return std::make_shared<const model::Catalog>(std::move(providers), std::move(routes),
                                                config.asset_providers, config.settings);
}

}  // namespace assetgate::config
