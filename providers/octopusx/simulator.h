// octopusx as its documentation describes it, for provider-simulator.
#ifndef ASSETGATE_PROVIDERS_OCTOPUSX_SIMULATOR_H_
#define ASSETGATE_PROVIDERS_OCTOPUSX_SIMULATOR_H_

#include <memory>

#include "tests/simulator/dialect.h"

namespace assetgate::providers::octopusx {

std::unique_ptr<simulator::Dialect> MakeSimulator();

}  // namespace assetgate::providers::octopusx

#endif  // ASSETGATE_PROVIDERS_OCTOPUSX_SIMULATOR_H_
