// The dialect "kyy" (Xingchao, GlobalAiOpc, mingyan): a flat asset library with a {code,msg,data}
// envelope, and video tasks as bare objects. See README.md.
#ifndef ASSETGATE_PROVIDERS_KYY_KYY_H_
#define ASSETGATE_PROVIDERS_KYY_KYY_H_

#include "provider/dialect.h"

namespace assetgate::providers::kyy {

// The dialect's entry in the table of dialects. Never destroyed.
const provider::DialectFactory& Factory();

}  // namespace assetgate::providers::kyy

#endif  // ASSETGATE_PROVIDERS_KYY_KYY_H_
