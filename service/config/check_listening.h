// The sections `listen`, `allow_insecure_listen`, `tls`, `admin` and `connections`.
#ifndef ASSETGATE_CONFIG_CHECK_LISTENING_H_
#define ASSETGATE_CONFIG_CHECK_LISTENING_H_

#include "config/gateway_config.h"
#include "config/reading.h"

namespace assetgate::config {

// Fills in `listen`, `admin_listen`, `tls` and `connections`.
void CheckListening(Reading& reading, GatewayConfig& out);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_LISTENING_H_
