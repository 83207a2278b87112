#include "cli/misspelt.h"

#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "base/spelling.h"

namespace assetgate::cli {
namespace {

using Words = std::vector<std::string>;

Words CommandsOf(const CLI::App& app) {
  Words names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

const CLI::App* CommandOf(const CLI::App& app, absl::string_view name) {
  for (const CLI::App* command : app.get_subcommands({})) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

// The options that may follow `app`: its own and, by CLI11's fallthrough, those of the commands
// above it.
std::vector<const CLI::Option*> OptionsOf(const CLI::App& app) {
  std::vector<const CLI::Option*> options;
  for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
    for (const CLI::Option* option : at->get_options()) options.push_back(option);
  }
  return options;
}

// "assetctl videos create".
std::string Called(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : absl::StrCat(Called(*parent), " ", app.get_name());
}

// Reads the words as CLI11 does, command by command.
class Walk {
 public:
  explicit Walk(const CLI::App& app) : app_(&app) {}

  enum class Found { kKnown, kUnknownCommand, kUnknownOption };

  // Classifies `word`, which can change how the next words are read.
  Found Read(absl::string_view word) {
    if (is_value_) {
      is_value_ = false;
      return Found::kKnown;
    }
    if (only_values_ || word == "-") return Found::kKnown;
    if (word == "--") {
      only_values_ = true;
      return Found::kKnown;
    }
    if (absl::StartsWith(word, "-")) return ReadOption(word);
    if (const CLI::App* command = CommandOf(*app_, word); command != nullptr) {
      app_ = command;
      return Found::kKnown;
    }
    return CommandsOf(*app_).empty() ? Found::kKnown : Found::kUnknownCommand;
  }

  const CLI::App& app() const { return *app_; }

 private:
  Found ReadOption(absl::string_view word) {
    const bool is_long = absl::StartsWith(word, "--");
    const absl::string_view name = is_long ? word.substr(2, word.find('=') - 2) : word.substr(1, 1);
    for (const CLI::Option* option : OptionsOf(*app_)) {
      const Words& names = is_long ? option->get_lnames() : option->get_snames();
      for (const std::string& known : names) {
        if (known != name) continue;
        const bool holds_value = is_long ? absl::StrContains(word, '=') : word.size() > 2;
        is_value_ = !holds_value && option->get_items_expected_max() > 0;
        return Found::kKnown;
      }
    }
    return Found::kUnknownOption;
  }

  const CLI::App* app_;
  bool is_value_ = false;
  bool only_values_ = false;
};

std::string UnknownCommand(const CLI::App& app, const std::string& word) {
  const Words known = CommandsOf(app);
  const std::string meant = base::DidYouMean(word, known);
  return absl::StrCat(Called(app), " has no command \"", word, "\"; ",
                      meant.empty() ? absl::StrCat("it has ", absl::StrJoin(known, ", "))
                                    : absl::StrCat("did you mean ", Called(app), " ", meant, "?"),
                      "\nSee ", Called(app), " --help");
}

std::string UnknownOption(const CLI::App& app, absl::string_view word) {
  const absl::string_view name = word.substr(0, word.find('='));
  Words known;
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& each : option->get_lnames()) known.push_back(absl::StrCat("--", each));
  }
  const std::string meant = base::DidYouMean(name, known);
  return absl::StrCat(Called(app), " has no option ", name,
                      meant.empty() ? "" : absl::StrCat("; did you mean ", meant, "?"), "\nSee ",
                      Called(app), " --help");
}

}  // namespace

std::optional<std::string> FindMisspelt(const CLI::App& app, const Words& words) {
  Walk walk(app);
  for (const std::string& word : words) {
    switch (walk.Read(word)) {
      case Walk::Found::kKnown:
        break;
      case Walk::Found::kUnknownCommand:
        return UnknownCommand(walk.app(), word);
      case Walk::Found::kUnknownOption:
        return UnknownOption(walk.app(), word);
    }
  }
  return std::nullopt;
}

Words WithHelpAsOption(const CLI::App& app, Words words) {
  Walk walk(app);
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (walk.Read(words[i]) != Walk::Found::kUnknownCommand) continue;
    if (words[i] == "help") {
      words.erase(words.begin() + static_cast<std::ptrdiff_t>(i));
      words.emplace_back("--help");
    } else if (words[i] == "version" && &walk.app() == &app) {
      words[i] = "--version";
    }
    break;
  }
  return words;
}

}  // namespace assetgate::cli
