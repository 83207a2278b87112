// The dialect "octopusx": Ark's assets and content[] behind a relay, with an envelope of its own
// for each kind of call. See README.md.
#ifndef ASSETGATE_PROVIDERS_OCTOPUSX_OCTOPUSX_H_
#define ASSETGATE_PROVIDERS_OCTOPUSX_OCTOPUSX_H_

#include "provider/dialect.h"

namespace assetgate::providers::octopusx {

// The dialect's entry in the table of dialects. Never destroyed.
const provider::DialectFactory& Factory();

}  // namespace assetgate::providers::octopusx

#endif  // ASSETGATE_PROVIDERS_OCTOPUSX_OCTOPUSX_H_
