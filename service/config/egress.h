// Checks of how calls leave: fixed headers and a proxy. Pure functions. No fault repeats a value,
// which may be a secret in the wrong place.
#ifndef ASSETGATE_CONFIG_EGRESS_H_
#define ASSETGATE_CONFIG_EGRESS_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace assetgate::config {

// Bounds of one provider's headers.
inline constexpr std::size_t kMaxHeaders = 16;
inline constexpr std::size_t kMaxHeaderNameBytes = 64;
inline constexpr std::size_t kMaxHeaderValueBytes = 1024;

// The fault of a header's name, with its remedy; empty where the name is valid. `own`: headers that
// the dialect writes itself.
std::string FaultOfHeaderName(absl::string_view name, const std::vector<std::string>& own);
// The fault of a header's value (RFC 9110, section 5.5), likewise.
std::string FaultOfHeaderValue(absl::string_view value);

// The fault of a proxy's URL, likewise.
std::string FaultOfProxy(absl::string_view url);

// The proxy that environment variables name.
struct EnvironmentProxy {
  // Empty: no proxy.
  std::string url;
  // "user:password"; empty for none.
  std::string credential;
  std::string no_proxy;
};
using GetEnvironment = std::function<std::optional<std::string>(const std::string& name)>;
// The proxy for calls to `base_url`; none for a URL of this machine. Errors: name the variable and
// its fault.
absl::StatusOr<EnvironmentProxy> ProxyOfEnvironment(absl::string_view base_url,
                                                    const GetEnvironment& getenv);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_EGRESS_H_
