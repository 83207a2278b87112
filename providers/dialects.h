// Every dialect of this binary.
#ifndef ASSETGATE_PROVIDERS_DIALECTS_H_
#define ASSETGATE_PROVIDERS_DIALECTS_H_

#include <vector>

#include "provider/dialect.h"

namespace assetgate::providers {

// In the order of their names. Never destroyed.
const std::vector<const provider::DialectFactory*>& AllDialects();

}  // namespace assetgate::providers

#endif  // ASSETGATE_PROVIDERS_DIALECTS_H_
