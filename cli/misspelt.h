// Words of a command line that it does not know: what may have been meant.
#ifndef ASSETGATE_CLI_MISSPELT_H_
#define ASSETGATE_CLI_MISSPELT_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace assetgate::cli {

// What is wrong with the first command or option among `words` that `app` does not have, which one
// may have been meant, and whose help to read; nullopt where it has all of them. Values are not
// looked at.
std::optional<std::string> FindMisspelt(const CLI::App& app, const std::vector<std::string>& words);

// `words` with `help` and `version`, where a command may stand, as the options that they mean:
// "help videos create" and "videos help create" are "videos create --help".
std::vector<std::string> WithHelpAsOption(const CLI::App& app, std::vector<std::string> words);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_MISSPELT_H_
