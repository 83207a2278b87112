// What the config may say of how calls to a provider leave: fixed headers, and a proxy. Pure
// functions; no fault repeats a value, which may be a secret in the wrong place.
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

// What is wrong with a header's name, in words with a remedy; empty when nothing is. `own`: names
// that the dialect writes itself.
std::string FaultOfHeaderName(absl::string_view name, const std::vector<std::string>& own);
// Likewise with a value (RFC 9110, section 5.5).
std::string FaultOfHeaderValue(absl::string_view value);

// What is wrong with the URL of a proxy; empty when nothing is.
std::string FaultOfProxy(absl::string_view url);

// The proxy that the environment names for a URL.
struct EnvironmentProxy {
  // Empty: there is none.
  std::string url;
  // "user:password"; empty for none.
  std::string credential;
  std::string no_proxy;
};
using GetEnvironment = std::function<std::optional<std::string>(const std::string& name)>;
// None for a URL of this machine. An error names the variable and what is wrong with it.
absl::StatusOr<EnvironmentProxy> ProxyOfEnvironment(absl::string_view base_url,
                                                    const GetEnvironment& getenv);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_EGRESS_H_
