// The section `store`.
#ifndef ASSETGATE_CONFIG_CHECK_STORE_H_
#define ASSETGATE_CONFIG_CHECK_STORE_H_

#include "config/gateway_config.h"
#include "config/reading.h"

namespace assetgate::config {

// Fills in `store` and `purge_video_tasks_after`.
void CheckStore(Reading& reading, GatewayConfig& out);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_STORE_H_
