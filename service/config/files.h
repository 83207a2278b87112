// The files that a config names beside those of secrets: certificates, and the keys, authorities
// and tokens of JWT issuers. They are read and checked together with the config; nothing reads them
// later.
#ifndef ASSETGATE_CONFIG_FILES_H_
#define ASSETGATE_CONFIG_FILES_H_

#include <string>

#include "auth/callers.h"
#include "config/config.pb.h"
#include "config/gateway_config.h"
#include "config/reading.h"

namespace assetgate::config {

// Reads the section `tls`. A certificate that has expired or is not valid yet is not a fault of the
// reading; Tls::time_fault holds it.
Tls ReadTls(const file::Tls& in, Reading& reading);

// Reads the files that `issuer`, at `path` in the config, names.
void ReadFilesOf(const std::string& path, Reading& reading, auth::JwtIssuer& issuer);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_FILES_H_
