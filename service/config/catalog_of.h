// From a config to the catalog that calls and the reconciler use.
#ifndef ASSETGATE_CONFIG_CATALOG_OF_H_
#define ASSETGATE_CONFIG_CATALOG_OF_H_

#include "config/config.h"
#include "model/catalog.h"

namespace assetgate::config {

// The catalog of a config's providers, routes and settings. It shares nothing with the config.
model::CatalogPtr CatalogOf(const Config& config);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CATALOG_OF_H_
