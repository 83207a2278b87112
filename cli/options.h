// Parses the command line: words in, one command out.
#ifndef ASSETGATE_CLI_OPTIONS_H_
#define ASSETGATE_CLI_OPTIONS_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/command.h"

namespace assetgate::cli {

enum class Output { kTable, kJson, kName };
enum class ColorMode { kAuto, kAlways, kNever };

struct Options {
  Endpoint endpoint;
  Output output = Output::kTable;
  ColorMode color = ColorMode::kAuto;
  // Limits one call, or a watch or a wait as a whole. Unset: 20 s over max_wait for a call, no
  // limit for a watch or a wait.
  std::optional<absl::Duration> timeout;
  Command command;
};

// Parses the words after the program's name. Also reads the environment: ASSETCTL_SERVER,
// ASSETCTL_TOKEN_FILE, ASSETCTL_CA, ASSETCTL_CERTIFICATE, ASSETCTL_KEY and ASSETCTL_INSECURE.
std::variant<Options, EarlyExit> ParseCommandLine(const std::vector<std::string>& words);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_OPTIONS_H_
