// The config's options of one provider, with the defaults filled in.
#ifndef ASSETGATE_PROVIDERS_ZEROZERO_SETTINGS_H_
#define ASSETGATE_PROVIDERS_ZEROZERO_SETTINGS_H_

#include <string>

namespace assetgate::providers::zerozero {

// As in options.proto.
struct Settings {
  std::string platform = "JIMENG";
  // Empty: not sent.
  std::string project_name = "default";
  // Empty: 0-0 chooses.
  std::string route;
};

}  // namespace assetgate::providers::zerozero

#endif  // ASSETGATE_PROVIDERS_ZEROZERO_SETTINGS_H_
