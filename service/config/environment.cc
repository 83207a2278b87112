#include "config/environment.h"

#include <cstdlib>

namespace assetgate::config {

std::optional<std::string> Environment::ProcessVariable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

}  // namespace assetgate::config
