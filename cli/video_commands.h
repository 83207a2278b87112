// assetctl videos …
#ifndef ASSETGATE_CLI_VIDEO_COMMANDS_H_
#define ASSETGATE_CLI_VIDEO_COMMANDS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "cli/command_tree.h"
#include "cli/flags.h"

namespace assetgate::cli {

// Lifetime: holds the values of the flags, so it must outlive the tree.
class VideoCommands {
 public:
  void AddTo(CommandTree& tree);

 private:
  void AddCreate(CommandTree& tree, CLI::App* videos);
  // The flags of `create` that describe the video.
  void AddVideoFlags(CLI::App* create);
  void AddResolve(CommandTree& tree, CLI::App* videos);
  void AddImport(CommandTree& tree, CLI::App* videos);
  void AddWatch(CommandTree& tree, CLI::App* videos);

  absl::StatusOr<Command> Create() const;
  absl::Status FillReferences(v1::VideoTask& task) const;
  absl::StatusOr<Command> Resolve() const;
  absl::StatusOr<Command> Import() const;
  absl::StatusOr<Command> List() const;
  absl::StatusOr<Command> Watch() const;

  // create
  std::string model_, prompt_, first_frame_, last_frame_, duration_;
  Words references_;
  std::optional<std::string> resolution_, aspect_ratio_;
  std::optional<bool> generate_audio_, watermark_, camera_fixed_, return_last_frame_;
  std::optional<std::int64_t> seed_;
  bool validate_only_ = false;
  bool wait_ = false;
  CreateFlags create_;
  // resolve
  std::string resolved_name_;
  std::optional<std::string> provider_task_id_;
  bool not_accepted_ = false;
  bool resubmit_ = false;
  std::optional<int> attempt_;
  // import
  std::string imported_id_, import_provider_;
  // list, watch
  ListFlags list_;
  FilterFlags filter_;
  WatchFlags watch_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_VIDEO_COMMANDS_H_
