// Secrets: a config says where each one is, and never what it is.
#ifndef ASSETGATE_CONFIG_SECRETS_H_
#define ASSETGATE_CONFIG_SECRETS_H_

#include <string>

#include "base/secret.h"
#include "config/config.pb.h"
#include "config/reading.h"

namespace assetgate::config {

// The secret to which `source`, at `path`, points; empty where a fault was added. No fault shows a
// value, or a name that may be the secret itself.
base::Secret ReadSecret(const std::string& path, const file::Secret& source, Reading& reading);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_SECRETS_H_
