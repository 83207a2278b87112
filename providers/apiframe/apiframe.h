// The dialect "apiframe" (Apiframe v2): a flat asset library and jobs, in bare camelCase objects
// without an envelope, behind strict schemas. See README.md.
#ifndef ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_
#define ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_

#include "provider/dialect.h"

namespace assetgate::providers::apiframe {

// The dialect's entry in the table of dialects. Never destroyed.
const provider::DialectFactory& Factory();

}  // namespace assetgate::providers::apiframe

#endif  // ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_
