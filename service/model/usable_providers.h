// The providers that a caller may use.
#ifndef ASSETGATE_MODEL_USABLE_PROVIDERS_H_
#define ASSETGATE_MODEL_USABLE_PROVIDERS_H_

#include <algorithm>
#include <memory>
#include <set>
#include <string>

namespace assetgate::model {

// The ids of the providers that a caller may use; null: all.
using UsableProviders = std::shared_ptr<const std::set<std::string>>;

// Whether all of a resource's parts (units of its record, or targets) are at providers that the
// caller may use.
template <typename Parts>
bool MayUseAll(const UsableProviders& usable, const Parts& parts) {
  return usable == nullptr || std::all_of(parts.begin(), parts.end(), [&](const auto& part) {
           return usable->contains(part.provider());
         });
}

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_USABLE_PROVIDERS_H_
