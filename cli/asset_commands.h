// assetctl groups … and assetctl assets …
#ifndef ASSETGATE_CLI_ASSET_COMMANDS_H_
#define ASSETGATE_CLI_ASSET_COMMANDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/command_tree.h"
#include "cli/flags.h"

namespace assetgate::cli {

// Lifetime: holds the values of the flags, so it must outlive the tree.
class GroupCommands {
 public:
  void AddTo(CommandTree& tree);

 private:
  absl::StatusOr<Command> Create() const;
  absl::StatusOr<Command> List() const;

  std::string display_name_, description_;
  CreateFlags create_;
  ListFlags list_;
  FilterFlags filter_;
};

// Lifetime: as GroupCommands.
class AssetCommands {
 public:
  void AddTo(CommandTree& tree);

 private:
  void AddCreate(CommandTree& tree, CLI::App* assets);
  void AddBatchCreate(CommandTree& tree, CLI::App* assets);
  void AddWatch(CommandTree& tree, CLI::App* assets);
  // The flags that describe an asset, for one or for a batch.
  void AddAssetFlags(CLI::App* app);

  // All fields but the URI, and the media type where it is guessed from the URI.
  absl::StatusOr<v1::CreateAssetRequest> Defaults() const;
  absl::StatusOr<Command> Create() const;
  absl::StatusOr<Command> BatchCreate() const;
  absl::StatusOr<Command> List() const;
  absl::StatusOr<Command> Watch() const;

  std::string uri_, file_, media_type_, group_, display_name_;
  Words uris_;
  bool wait_ = false;
  CreateFlags create_;
  ListFlags list_;
  FilterFlags filter_;
  WatchFlags watch_;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_ASSET_COMMANDS_H_
