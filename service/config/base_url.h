// The base URL of a provider.
#ifndef ASSETGATE_CONFIG_BASE_URL_H_
#define ASSETGATE_CONFIG_BASE_URL_H_

#include <string>

namespace assetgate::config {

// The fault of a base URL, with its remedy; empty where it is valid. Removes slashes at its end.
// `allow_insecure`: http:// is valid for hosts other than this machine.
std::string CheckBaseUrl(bool allow_insecure, std::string& url);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_BASE_URL_H_
