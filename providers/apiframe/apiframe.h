// The dialect "apiframe" (Apiframe v2): a flat asset library and jobs, in bare camelCase objects
// without an envelope, behind strict schemas. See README.md.
#ifndef ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_
#define ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_

#include "provider/dialect.h"

namespace assetgate::providers::apiframe {

// The dialect as the table of dialects holds it. Lives for ever.
const provider::DialectFactory& Factory();

}  // namespace assetgate::providers::apiframe

#endif  // ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_
