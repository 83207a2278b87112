// The 0-0 gateway as its documentation describes it, for provider-simulator.
#ifndef ASSETGATE_PROVIDERS_ZEROZERO_SIMULATOR_H_
#define ASSETGATE_PROVIDERS_ZEROZERO_SIMULATOR_H_

#include <memory>

#include "tests/simulator/dialect.h"

namespace assetgate::providers::zerozero {

std::unique_ptr<simulator::Dialect> MakeSimulator();

}  // namespace assetgate::providers::zerozero

#endif  // ASSETGATE_PROVIDERS_ZEROZERO_SIMULATOR_H_
