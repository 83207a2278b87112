// The properties of this provider and the capabilities of its models. Immutable.
#ifndef ASSETGATE_PROVIDERS_KYY_CAPABILITIES_H_
#define ASSETGATE_PROVIDERS_KYY_CAPABILITIES_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "assetgate/v1/provider.pb.h"
#include "google/protobuf/struct.pb.h"
#include "provider/dialect.h"

namespace assetgate::providers::kyy {

const provider::Traits& KyyTraits();

std::vector<std::string> ModelNames();
// nullptr for a model that is not in ModelNames().
const v1::Capabilities* CapabilitiesOf(absl::string_view model);

// The faults of provider_options.
std::vector<provider::OptionFault> OptionFaults(provider::UnitKind kind,
                                                const google::protobuf::Struct& options);

}  // namespace assetgate::providers::kyy

#endif  // ASSETGATE_PROVIDERS_KYY_CAPABILITIES_H_
