// The sections that concern the process as a whole: `log`, `limits`, `watch`, `debug`,
// `shutdown_timeout` and `drain_delay`.
#ifndef ASSETGATE_CONFIG_CHECK_PROCESS_H_
#define ASSETGATE_CONFIG_CHECK_PROCESS_H_

#include "config/gateway_config.h"
#include "config/reading.h"

namespace assetgate::config {

// Fills in these sections' fields. Ordering: after CheckStore, which decides the default of
// `drain_delay`.
void CheckProcess(Reading& reading, GatewayConfig& out);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_PROCESS_H_
