// The dialect "zerozero" (0-0): asset groups and assets with a {code,msg,data} envelope, and video
// tasks as bare objects. See README.md.
#ifndef ASSETGATE_PROVIDERS_ZEROZERO_ZEROZERO_H_
#define ASSETGATE_PROVIDERS_ZEROZERO_ZEROZERO_H_

#include "provider/dialect.h"

namespace assetgate::providers::zerozero {

// The dialect's entry in the table of dialects. Never destroyed.
const provider::DialectFactory& Factory();

}  // namespace assetgate::providers::zerozero

#endif  // ASSETGATE_PROVIDERS_ZEROZERO_ZEROZERO_H_
