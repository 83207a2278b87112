// What reading a config needs from outside.
#ifndef ASSETGATE_CONFIG_ENVIRONMENT_H_
#define ASSETGATE_CONFIG_ENVIRONMENT_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/file.h"

namespace assetgate::provider {
struct DialectFactory;
}  // namespace assetgate::provider

namespace assetgate::config {

struct Environment {
  // The dialects that a provider can name.
  std::vector<const provider::DialectFactory*> dialects;
  // The value of an environment variable; absent when it is not set. Default: the process's own.
  std::function<std::optional<std::string>(const std::string& name)> getenv = ProcessVariable;
  // Like base::ReadFile, which is the default.
  std::function<absl::StatusOr<std::string>(const std::string& path, std::size_t max_bytes)>
      read_file = base::ReadFile;
  // The time at which certificates must be valid.
  std::function<absl::Time()> now = absl::Now;

  static std::optional<std::string> ProcessVariable(const std::string& name);
};

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_ENVIRONMENT_H_
