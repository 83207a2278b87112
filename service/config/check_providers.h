// The section `providers`.
#ifndef ASSETGATE_CONFIG_CHECK_PROVIDERS_H_
#define ASSETGATE_CONFIG_CHECK_PROVIDERS_H_

#include "config/config.h"
#include "config/reading.h"

namespace assetgate::config {

// Fills in `providers` and `secret_sources`.
void CheckProviders(Reading& reading, Config& out);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_PROVIDERS_H_
