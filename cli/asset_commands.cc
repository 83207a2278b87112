#include "cli/asset_commands.h"

#include <utility>

#include "cli/arguments.h"
#include "cli/client.h"
#include "cli/status_macros.h"

namespace assetgate::cli {

void GroupCommands::AddTo(CommandTree& tree) {
  CLI::App* groups = tree.AddCollection(
      "groups", "Asset groups: containers for related assets",
      "Example:\n  assetctl groups create --id summer --display-name \"Summer campaign\"");
  CLI::App* create =
      tree.AddCommand(groups, "create", "Create a group",
                      "Example:\n  assetctl groups create --id summer --provider zerozero",
                      [this] { return Create(); });
  create->add_option("--display-name", display_name_, "A name for people")->option_text("TEXT");
  create->add_option("--description", description_, "The purpose of the group")
      ->option_text("TEXT");
  create_.AddId(create);
  create_.AddRequestFlags(create, "Create it at this provider immediately; may be repeated");
  tree.AddNamedCommand<v1::GetAssetGroupRequest>(groups, "get", "Show one group", "",
                                                 "assetGroups");
  CLI::App* list =
      tree.AddCommand(groups, "list", "List groups, newest first", "", [this] { return List(); });
  list_.AddTo(list);
  filter_.AddForGroups(list);
  tree.AddNamedCommand<v1::DeleteAssetGroupRequest>(
      groups, "delete", "Remove a group that has no assets", "", "assetGroups");
}

absl::StatusOr<Command> GroupCommands::Create() const {
  v1::CreateAssetGroupRequest request;
  request.set_asset_group_id(create_.id);
  auto* group = request.mutable_asset_group();
  group->set_display_name(display_name_);
  group->set_description(description_);
  RETURN_IF_ERROR(create_.FillResource(*group));
  RETURN_IF_ERROR(create_.FillRequest(request));
  return Command(std::move(request));
}

absl::StatusOr<Command> GroupCommands::List() const {
  auto list = list_.ToList<v1::ListAssetGroupsRequest>();
  ASSIGN_OR_RETURN(*list.request.mutable_filter(), filter_.ForGroups());
  return Command(std::move(list));
}

void AssetCommands::AddTo(CommandTree& tree) {
  CLI::App* assets =
      tree.AddCollection("assets", "Assets: media registered for reuse at every provider",
                         "Examples:\n"
                         "  assetctl assets create https://example.com/hero.png --id hero --wait\n"
                         "  assetctl assets list --state processing\n"
                         "  assetctl assets watch hero --until-settled");
  AddCreate(tree, assets);
  AddBatchCreate(tree, assets);
  tree.AddNamedCommand<v1::GetAssetRequest>(assets, "get", "Show one asset", "", "assets");
  CLI::App* list =
      tree.AddCommand(assets, "list", "List assets, newest first",
                      "Example:\n  assetctl assets list --group summer --state failed --all",
                      [this] { return List(); });
  filter_.AddForAssets(list);
  list_.AddTo(list);
  tree.AddNamedCommand<v1::DeleteAssetRequest>(
      assets, "delete", "Remove an asset, also from the providers that can delete it", "",
      "assets");
  AddWatch(tree, assets);
}

void AssetCommands::AddCreate(CommandTree& tree, CLI::App* assets) {
  CLI::App* create = tree.AddCommand(
      assets, "create", "Register an image, a video, a sound or a document",
      "Examples:\n"
      "  assetctl assets create https://example.com/hero.png --id hero --provider kyy\n"
      "  assetctl assets create \"https://example.com/get?id=7\" --media-type image --wait\n"
      "Without --provider, the asset goes to the providers in the gateway's config or, where\n"
      "there are none, to the provider of the first video that uses it.",
      [this] { return Create(); });
  create->add_option("URI", uri_, "The http or https URL to fetch it from")->required();
  AddAssetFlags(create);
  create_.AddId(create);
  create_.AddRequestFlags(create, "Submit it to this provider; may be repeated");
  create->add_flag("--wait", wait_, "Watch it until every provider has accepted or refused it");
}

void AssetCommands::AddBatchCreate(CommandTree& tree, CLI::App* assets) {
  CLI::App* batch = tree.AddCommand(
      assets, "batch-create", "Register many assets; one that fails does not stop the others",
      "Examples:\n"
      "  assetctl assets batch-create https://example.com/a.png https://example.com/b.mp4\n"
      "  assetctl assets batch-create --file assets.jsonl --group summer --wait\n"
      "A line of the file is a CreateAssetRequest, or just its asset, in JSON:\n"
      "  {\"asset_id\": \"hero\", \"asset\": {\"source_uri\": \"https://example.com/a.png\"}}\n"
      "  {\"source_uri\": \"https://example.com/b.mp4\", \"media_type\": \"VIDEO\"}\n"
      "The flags apply to every item that does not set the field itself. Each call to the\n"
      "gateway carries up to 100 items.",
      [this] { return BatchCreate(); });
  batch->add_option("URI", uris_, "The http or https URLs to fetch them from");
  batch->add_option("--file", file_, "JSON lines with further items; - is standard input")
      ->option_text("PATH");
  AddAssetFlags(batch);
  create_.AddRequestFlags(batch, "Submit them to this provider; may be repeated");
  batch->add_flag("--wait", wait_, "Watch them until every provider has accepted or refused them");
}

void AssetCommands::AddWatch(CommandTree& tree, CLI::App* assets) {
  CLI::App* watch = tree.AddCommand(
      assets, "watch", "Watch assets: a live table on a terminal, lines elsewhere",
      "Examples:\n"
      "  assetctl assets watch --group summer\n"
      "  assetctl assets watch hero voice --until-settled\n"
      "  assetctl assets watch --output json --resume-token-file token >>events.jsonl\n"
      "TIME is the time in the present state; once finished, the time from start to end.\n"
      "With --output json, each line is an AssetEvent: discard what you have received at a\n"
      "RESET; a BOOKMARK carries a resume token.",
      [this] { return Watch(); });
  watch->add_option("NAME", watch_.names, "Watch only these assets");
  watch_.filter.AddForAssets(watch);
  watch_.AddTo(watch);
}

void AssetCommands::AddAssetFlags(CLI::App* app) {
  app->add_option("--media-type", media_type_,
                  "The media type; guessed from the URI's extension when absent")
      ->option_text("image|video|audio|document");
  app->add_option("--group", group_, "The group it belongs to")->option_text("GROUP");
  app->add_option("--display-name", display_name_, "A name for people")->option_text("TEXT");
}

absl::StatusOr<v1::CreateAssetRequest> AssetCommands::Defaults() const {
  v1::CreateAssetRequest request;
  auto* asset = request.mutable_asset();
  asset->set_display_name(display_name_);
  if (!group_.empty()) {
    ASSIGN_OR_RETURN(*asset->mutable_asset_group(), ResourceName("assetGroups", group_));
  }
  if (!media_type_.empty()) {
    v1::MediaType type;
    ASSIGN_OR_RETURN(type, ParseMediaType(media_type_));
    asset->set_media_type(type);
  }
  RETURN_IF_ERROR(create_.FillResource(*asset));
  RETURN_IF_ERROR(AddNames("providers", create_.providers, request.mutable_providers()));
  return request;
}

absl::StatusOr<Command> AssetCommands::Create() const {
  CreateAsset command;
  command.wait = wait_;
  ASSIGN_OR_RETURN(command.request, Defaults());
  command.request.clear_providers();
  command.request.set_asset_id(create_.id);
  command.request.mutable_asset()->set_source_uri(uri_);
  RETURN_IF_ERROR(FillMediaType(*command.request.mutable_asset()));
  RETURN_IF_ERROR(create_.FillRequest(command.request));
  return Command(std::move(command));
}

absl::StatusOr<Command> AssetCommands::BatchCreate() const {
  BatchCreateAssets command;
  command.wait = wait_;
  command.file = file_;
  if (uris_.empty() && file_.empty()) {
    return PlainError(absl::StatusCode::kInvalidArgument,
                      "no assets given: pass their URIs, or --file PATH");
  }
  ASSIGN_OR_RETURN(command.defaults, Defaults());
  for (const std::string& uri : uris_) {
    v1::CreateAssetRequest item = command.defaults;
    item.mutable_asset()->set_source_uri(uri);
    RETURN_IF_ERROR(FillMediaType(*item.mutable_asset()));
    command.items.push_back(std::move(item));
  }
  command.request_id = create_.RequestId();
  ASSIGN_OR_RETURN(command.max_wait, create_.MaxWait());
  return Command(std::move(command));
}

absl::StatusOr<Command> AssetCommands::List() const {
  auto list = list_.ToList<v1::ListAssetsRequest>();
  ASSIGN_OR_RETURN(*list.request.mutable_filter(), filter_.ForAssets());
  return Command(std::move(list));
}

absl::StatusOr<Command> AssetCommands::Watch() const {
  WatchCommand command = watch_.ToCommand();
  ASSIGN_OR_RETURN(command.assets, watch_.ForAssets());
  return Command(std::move(command));
}

}  // namespace assetgate::cli
