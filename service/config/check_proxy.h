// `proxy` and `proxy_credential`, of a provider and of an issuer of JWTs.
#ifndef ASSETGATE_CONFIG_CHECK_PROXY_H_
#define ASSETGATE_CONFIG_CHECK_PROXY_H_

#include <string>

#include "absl/strings/string_view.h"
#include "config/reading.h"
#include "http/egress.h"

namespace assetgate::config {

// Fills in the proxy of `out` from the entry at `path`. `url` is called through the proxy.
void CheckProxy(const file::Provider& in, const std::string& path, absl::string_view url,
                Reading& reading, http::Egress& out);
void CheckProxy(const file::JwtIssuer& in, const std::string& path, absl::string_view url,
                Reading& reading, http::Egress& out);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_CHECK_PROXY_H_
