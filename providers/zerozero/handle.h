// The handle of a unit of this dialect:
//   groups and assets  {"id": "Asset-…", "platform": "JIMENG"}
//   videos             {"id": "vt-…", "model": "seedance-2-0"}
#ifndef ASSETGATE_PROVIDERS_ZEROZERO_HANDLE_H_
#define ASSETGATE_PROVIDERS_ZEROZERO_HANDLE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "provider/dialect.h"

namespace assetgate::providers::zerozero {

provider::Handle MakeRegisteredHandle(absl::string_view id, absl::string_view platform);
provider::Handle MakeVideoHandle(absl::string_view id, absl::string_view model);

// The parts of a handle; empty for any other text.
struct HandleParts {
  std::string id;
  std::string platform;
  std::string model;
};
HandleParts ReadHandle(const provider::Handle& handle);

}  // namespace assetgate::providers::zerozero

#endif  // ASSETGATE_PROVIDERS_ZEROZERO_HANDLE_H_
