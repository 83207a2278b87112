#include "cli/inspect_commands.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "cli/arguments.h"
#include "cli/status_macros.h"

namespace assetgate::cli {

void InspectCommands::AddTo(CommandTree& tree) {
  AddProviders(tree);
  AddModels(tree);
  AddWatch(tree);
  AddExplain(tree);
  AddDoctor(tree);
}

void InspectCommands::AddProviders(CommandTree& tree) {
  CLI::App* providers = tree.AddCollection("providers", "Providers and their health",
                                           "Examples:\n  assetctl providers\n"
                                           "  assetctl providers get kyy\n"
                                           "  assetctl providers watch");
  const CommandTree::Build list = [this]() -> absl::StatusOr<Command> {
    return Command(list_.ToList<v1::ListProvidersRequest>());
  };
  list_.AddTo(
      tree.AddCommand(providers, "list", "List the providers (also without `list`)", "", list));
  tree.AddNamedCommand<v1::GetProviderRequest>(providers, "get", "Show one provider", "",
                                               "providers");
  CLI::App* watch = tree.AddCommand(
      providers, "watch", "Watch the providers: a live table on a terminal, lines elsewhere",
      "The table is the view of the gateway that answers. With --output json, each line is a\n"
      "ProviderEvent: discard what you have received at a RESET.",
      [this] { return WatchProviders(); });
  watch_.AddLines(watch);
  tree.SetDefaultCommand(providers, list);
}

void InspectCommands::AddModels(CommandTree& tree) {
  CLI::App* models =
      tree.AddCollection("models", "Models, and what they can express",
                         "Examples:\n  assetctl models\n  assetctl models get seedance-2\n"
                         "  assetctl models get providers/kyy/models/seedance_2_0_pro");
  const CommandTree::Build list = [this]() -> absl::StatusOr<Command> {
    return Command(list_.ToList<v1::ListModelsRequest>());
  };
  list_.AddTo(tree.AddCommand(models, "list", "List the models (also without `list`)", "", list));
  tree.AddNamedCommand<v1::GetModelRequest>(models, "get", "Show one model", "", "models");
  tree.SetDefaultCommand(models, list);
}

void InspectCommands::AddWatch(CommandTree& tree) {
  CLI::App* watch =
      tree.AddCommand(tree.root(), "watch", "Watch assets and videos in one live table",
                      "Examples:\n"
                      "  assetctl watch\n"
                      "  assetctl watch --label project=summer --until-settled\n"
                      "With --output json, each line is {\"asset_event\": AssetEvent} or\n"
                      "{\"video_task_event\": VideoTaskEvent}.",
                      [this] { return WatchBoth(); });
  watch_.filter.AddCommon(watch, "At any of these providers");
  watch_.AddTo(watch);
}

void InspectCommands::AddExplain(CommandTree& tree) {
  CLI::App* explain = tree.AddCommand(
      tree.root(), "explain", "Explain why a video, an asset or a group is in its present state",
      "Examples:\n"
      "  assetctl explain videoTasks/my-video\n"
      "  assetctl explain my-video              # an ID alone is a video's\n"
      "  assetctl explain assets/hero --output json\n"
      "Shows what it waits for, how often each provider was polled and what it answered, when\n"
      "and why the next poll comes, and which providers were passed over. It changes nothing.",
      [this] { return Explain(); });
  explain->add_option("NAME", name_, "videoTasks/ID (or ID), assets/ID or assetGroups/ID")
      ->required();
  explain->add_flag("--json", json_, "The same as --output json");
}

void InspectCommands::AddDoctor(CommandTree& tree) {
  tree.AddCommand(
      tree.root(), "doctor", "Check that the gateway answers, and its health and its providers",
      "Examples:\n"
      "  assetctl doctor\n"
      "  assetctl --server gateway.internal:8080 doctor\n"
      "One line per check: ok, warning or FAILED, with what to do. The exit code is 0 when\n"
      "nothing has failed, else 1. To check a config, its keys, its store and the network path to\n"
      "its providers, run the gateway's own program where the gateway runs:\n"
      "  assetgate --doctor --config FILE",
      []() -> absl::StatusOr<Command> { return Command(DoctorCommand()); });
}

absl::StatusOr<Command> InspectCommands::WatchProviders() const {
  WatchCommand command = watch_.ToCommand();
  command.providers.emplace();
  return Command(std::move(command));
}

absl::StatusOr<Command> InspectCommands::WatchBoth() const {
  WatchCommand command = watch_.ToCommand();
  ASSIGN_OR_RETURN(command.assets, watch_.ForAssets());
  ASSIGN_OR_RETURN(command.videos, watch_.ForVideos());
  return Command(std::move(command));
}

absl::StatusOr<Command> InspectCommands::Explain() const {
  v1::ExplainRequest request;
  absl::string_view collection = "videoTasks";
  for (const absl::string_view other : {"assets", "assetGroups"}) {
    if (absl::StartsWith(name_, absl::StrCat(other, "/"))) collection = other;
  }
  ASSIGN_OR_RETURN(*request.mutable_name(), ResourceName(collection, name_));
  return Command(std::move(request));
}

}  // namespace assetgate::cli
