// The smallest dialect that passes the conformance suite. It has two planes: assets are registered
// at a control plane whose requests are signed, videos are made at a data plane that takes a Bearer
// key.
#ifndef ASSETGATE_PROVIDERS_FIFTH_FIFTH_H_
#define ASSETGATE_PROVIDERS_FIFTH_FIFTH_H_

#include "provider/dialect.h"

namespace assetgate::providers::fifth {

const provider::DialectFactory& Factory();

}  // namespace assetgate::providers::fifth

#endif  // ASSETGATE_PROVIDERS_FIFTH_FIFTH_H_
