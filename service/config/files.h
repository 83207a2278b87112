// The files that a config names beside those of secrets: certificates, and what an issuer of JWTs
// is known by. They are read and checked with the config, so that whoever uses them reads nothing.
#ifndef ASSETGATE_CONFIG_FILES_H_
#define ASSETGATE_CONFIG_FILES_H_

#include <string>

#include "auth/callers.h"
#include "config/config.h"
#include "config/config.pb.h"
#include "config/yaml.h"

namespace assetgate::config {

// The section `tls`. Faults of the files go to `yaml`; what is wrong with the time alone goes to
// Tls::time_fault.
Tls ReadTls(const file::Tls& in, const Environment& environment, YamlFile& yaml);

// Fills in what the files of `issuer` hold: those that are named there. `path` is where the issuer
// stands in the config.
void ReadFilesOf(const std::string& path, const Environment& environment, YamlFile& yaml,
                 auth::JwtIssuer& issuer);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_FILES_H_
