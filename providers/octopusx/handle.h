// The handle of a unit of this dialect.
#ifndef ASSETGATE_PROVIDERS_OCTOPUSX_HANDLE_H_
#define ASSETGATE_PROVIDERS_OCTOPUSX_HANDLE_H_

#include <string>

#include "provider/dialect.h"

namespace assetgate::providers::octopusx {

// {"id": "asset-…", "task_id": "task_…"}; empty members are left out.
struct Ids {
  // Of a group or an asset: the id by which requests refer to it.
  std::string id;
  // Of an asset's import or a video task: the id by which it is polled.
  std::string task_id;
};

provider::Handle MakeHandle(const Ids& ids);

// Empty ids for any other text.
Ids IdsOf(const provider::Handle& handle);

}  // namespace assetgate::providers::octopusx

#endif  // ASSETGATE_PROVIDERS_OCTOPUSX_HANDLE_H_
