// Apiframe v2 as its documentation describes it, for provider-simulator.
#ifndef ASSETGATE_PROVIDERS_APIFRAME_SIMULATOR_H_
#define ASSETGATE_PROVIDERS_APIFRAME_SIMULATOR_H_

#include <memory>

#include "tests/simulator/dialect.h"

namespace assetgate::simulator {

std::unique_ptr<Dialect> MakeApiframe();

}  // namespace assetgate::simulator

#endif  // ASSETGATE_PROVIDERS_APIFRAME_SIMULATOR_H_
