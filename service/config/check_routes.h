// The sections `routes` and `asset_providers`.
#ifndef ASSETGATE_CONFIG_CHECK_ROUTES_H_
#define ASSETGATE_CONFIG_CHECK_ROUTES_H_

#include "config/config.h"
#include "config/reading.h"

namespace assetgate::config {

// Fills in `routes` and `asset_providers`. Ordering: after CheckProviders.
void CheckRoutes(Reading& reading, Config& out);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_ROUTES_H_
