#ifndef ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_
#define ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_

#include "provider/dialect.h"

namespace assetgate::providers::apiframe {

// The dialect "apiframe", as the table of dialects holds it. Lives for ever.
const provider::DialectFactory& Factory();

}  // namespace assetgate::providers::apiframe

#endif  // ASSETGATE_PROVIDERS_APIFRAME_APIFRAME_H_
