// What is kept of an asset or a job of this dialect to find it again: {"id": "…"}.
#ifndef ASSETGATE_PROVIDERS_APIFRAME_HANDLE_H_
#define ASSETGATE_PROVIDERS_APIFRAME_HANDLE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "provider/dialect.h"

namespace assetgate::providers::apiframe {

provider::Handle MakeHandle(absl::string_view id);

// The id in a handle; "" in one that was not made here.
std::string IdOf(const provider::Handle& handle);

}  // namespace assetgate::providers::apiframe

#endif  // ASSETGATE_PROVIDERS_APIFRAME_HANDLE_H_
