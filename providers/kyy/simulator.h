// kyyReactApiServer (Xingchao, GlobalAiOpc, mingyan) as its documentation describes it, for
// provider-simulator.
#ifndef ASSETGATE_PROVIDERS_KYY_SIMULATOR_H_
#define ASSETGATE_PROVIDERS_KYY_SIMULATOR_H_

#include <memory>

#include "tests/simulator/dialect.h"

namespace assetgate::simulator {

std::unique_ptr<Dialect> MakeKyy();

}  // namespace assetgate::simulator

#endif  // ASSETGATE_PROVIDERS_KYY_SIMULATOR_H_
