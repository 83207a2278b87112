// The commands that show the gateway as a whole: providers, models, watch, explain and doctor.
#ifndef ASSETGATE_CLI_INSPECT_COMMANDS_H_
#define ASSETGATE_CLI_INSPECT_COMMANDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/command_tree.h"
#include "cli/flags.h"

namespace assetgate::cli {

// Lifetime: holds the values of the flags, so it must outlive the tree.
class InspectCommands {
 public:
  void AddTo(CommandTree& tree);

  // Whether `explain` was called with --json.
  bool wants_json() const { return json_; }

 private:
  void AddProviders(CommandTree& tree);
  void AddModels(CommandTree& tree);
  void AddWatch(CommandTree& tree);
  void AddExplain(CommandTree& tree);
  static void AddDoctor(CommandTree& tree);

  absl::StatusOr<Command> WatchProviders() const;
  absl::StatusOr<Command> WatchBoth() const;
  absl::StatusOr<Command> Explain() const;

  std::string name_;
  bool json_ = false;
  ListFlags list_;
  WatchFlags watch_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_INSPECT_COMMANDS_H_
