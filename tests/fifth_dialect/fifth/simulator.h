#ifndef ASSETGATE_PROVIDERS_FIFTH_SIMULATOR_H_
#define ASSETGATE_PROVIDERS_FIFTH_SIMULATOR_H_

#include <memory>

#include "tests/simulator/dialect.h"

namespace assetgate::providers::fifth {

std::unique_ptr<simulator::Dialect> MakeSimulator();

}  // namespace assetgate::providers::fifth

#endif  // ASSETGATE_PROVIDERS_FIFTH_SIMULATOR_H_
