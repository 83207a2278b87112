// The sections `tracking`, of all providers and of one, and `submit_timeout`.
#ifndef ASSETGATE_CONFIG_CHECK_TRACKING_H_
#define ASSETGATE_CONFIG_CHECK_TRACKING_H_

#include <string>

#include "config/gateway_config.h"
#include "config/reading.h"

namespace assetgate::config {

// Fills in `settings`.
void CheckTracking(Reading& reading, GatewayConfig& out);

// Checks the poll intervals of one provider, which stand at `path`.
void CheckPolling(const std::string& path, const file::Polling& in, Reading& reading);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_TRACKING_H_
