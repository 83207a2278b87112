// The sections `callers` and `jwt_issuers`.
#ifndef ASSETGATE_CONFIG_CHECK_CALLERS_H_
#define ASSETGATE_CONFIG_CHECK_CALLERS_H_

#include "config/gateway_config.h"
#include "config/reading.h"

namespace assetgate::config {

// Fills in `callers`.
void CheckCallers(Reading& reading, GatewayConfig& out);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_CALLERS_H_
