// Suggestions for misspelt commands and options.
#ifndef ASSETGATE_CLI_MISSPELT_H_
#define ASSETGATE_CLI_MISSPELT_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace assetgate::cli {

// A message about the first command or option among `words` that `app` does not have: the one that
// the user may have meant, and whose help to read. nullopt where `app` has all of them. Does not
// check values.
std::optional<std::string> FindMisspelt(const CLI::App& app, const std::vector<std::string>& words);

// Rewrites `help` and `version` in place of a command into the options of the same name: "help
// videos create" and "videos help create" become "videos create --help".
std::vector<std::string> WithHelpAsOption(const CLI::App& app, std::vector<std::string> words);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_MISSPELT_H_
