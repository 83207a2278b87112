// kyyReactApiServer (Xingchao, GlobalAiOpc, mingyan) as its documentation describes it, for
// provider-simulator.
#ifndef ASSETGATE_PROVIDERS_KYY_SIMULATOR_H_
#define ASSETGATE_PROVIDERS_KYY_SIMULATOR_H_

#include <memory>

#include "tests/simulator/dialect.h"

namespace assetgate::providers::kyy {

std::unique_ptr<simulator::Dialect> MakeSimulator();

}  // namespace assetgate::providers::kyy

#endif  // ASSETGATE_PROVIDERS_KYY_SIMULATOR_H_
