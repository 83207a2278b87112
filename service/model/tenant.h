// The tenant of resources.
#ifndef ASSETGATE_MODEL_TENANT_H_
#define ASSETGATE_MODEL_TENANT_H_

namespace assetgate::model {

// Of callers for which the config names no tenant, and of callers that are not authenticated.
inline constexpr char kDefaultTenant[] = "default";

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_TENANT_H_
