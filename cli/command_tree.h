// The tree of assetctl's commands, on top of CLI11: help, mistakes, and the command that was
// called.
#ifndef ASSETGATE_CLI_COMMAND_TREE_H_
#define ASSETGATE_CLI_COMMAND_TREE_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/status_macros.h"

namespace assetgate::cli {

// Threading: one thread. Lifetime: variables that options are bound to, and objects that a Build
// refers to, must outlive the tree.
class CommandTree {
 public:
  // Turns the flags of a command into the command. Runs after the whole command line was parsed.
  using Build = std::function<absl::StatusOr<Command>()>;

  CommandTree(const std::string& description, const std::string& footer);
  CommandTree(const CommandTree&) = delete;
  CommandTree& operator=(const CommandTree&) = delete;

  // The program itself, for the options that every command takes.
  CLI::App* root() { return &app_; }

  // A collection of resources, which has commands of its own.
  CLI::App* AddCollection(const std::string& name, const std::string& description,
                          const std::string& examples);

  // A command. `more` stands below its options in the help.
  CLI::App* AddCommand(CLI::App* parent, const std::string& name, const std::string& description,
                       const std::string& more, Build build);

  // A command on one resource of `collection`, whose request holds nothing but the name.
  template <typename Request>
  CLI::App* AddNamedCommand(CLI::App* parent, const std::string& name,
                            const std::string& description, const std::string& more,
                            const std::string& collection) {
    const auto word = std::make_shared<std::string>();
    CLI::App* app = AddCommand(
        parent, name, description, more, [collection, word]() -> absl::StatusOr<Command> {
          Request request;
          ASSIGN_OR_RETURN(*request.mutable_name(), collection == "models"
                                                        ? ModelName(*word)
                                                        : ResourceName(collection, *word));
          return Command(std::move(request));
        });
    app->add_option("NAME", *word, absl::StrCat("ID or ", collection, "/ID"))->required();
    return app;
  }

  // The command of a collection that is called without one.
  void SetDefaultCommand(CLI::App* collection, const Build& build);

  // Parses `words` and writes the values to the variables that the options are bound to. Returns
  // the text to exit with where there is no command to run.
  std::optional<EarlyExit> Parse(const std::vector<std::string>& words);

  // The command that was parsed.
  absl::StatusOr<Command> BuildCommand() const { return build_(); }

  // The exit for a mistake in the command line: says what is wrong and whose help to read.
  EarlyExit Mistake(absl::string_view what) const;

 private:
  // The command that was called, for instance "assetctl assets create".
  std::string Called() const;

  CLI::App app_;
  Build build_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_COMMAND_TREE_H_
