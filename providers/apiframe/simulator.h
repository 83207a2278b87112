// Apiframe v2 as its documentation describes it, for provider-simulator.
#ifndef ASSETGATE_PROVIDERS_APIFRAME_SIMULATOR_H_
#define ASSETGATE_PROVIDERS_APIFRAME_SIMULATOR_H_

#include <memory>

#include "tests/simulator/dialect.h"

namespace assetgate::providers::apiframe {

std::unique_ptr<simulator::Dialect> MakeSimulator();

}  // namespace assetgate::providers::apiframe

#endif  // ASSETGATE_PROVIDERS_APIFRAME_SIMULATOR_H_
