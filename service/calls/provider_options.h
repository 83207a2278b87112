// provider_options: JSON that a caller adds to what the gateway sends to one provider.
#ifndef ASSETGATE_CALLS_PROVIDER_OPTIONS_H_
#define ASSETGATE_CALLS_PROVIDER_OPTIONS_H_

#include <string>

#include "base/faults.h"
#include "google/protobuf/map.h"
#include "google/protobuf/struct.pb.h"
#include "model/catalog.h"
#include "provider/dialect.h"

namespace assetgate::calls {

// Adds what is wrong with `options`, by provider id, of a unit of this kind: unknown providers,
// options that are too large or that the dialect refuses, numbers that JSON cannot hold, and URLs
// that a provider must not be sent to.
void CheckProviderOptions(
    const std::string& field,
    const google::protobuf::Map<std::string, google::protobuf::Struct>& options,
    provider::UnitKind kind, const model::Catalog& catalog, base::Faults& faults);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_PROVIDER_OPTIONS_H_
