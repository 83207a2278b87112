#include "cli/flags.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assetgate::cli {

void AddRepeated(CLI::App* app, const std::string& flag, Words& words, const std::string& text,
                 const std::string& description) {
  app->add_option(flag, words, description)->option_text(text + " ...")->allow_extra_args(false);
}

void AddSwitch(CLI::App* app, const std::string& name, std::optional<bool>& value,
               const std::string& description) {
  app->add_flag_function(
      absl::StrCat("--", name, ",!--no-", name),
      [&value, name](std::int64_t count) {
        if (count == 0) {
          throw CLI::ValidationError(absl::StrCat("--", name),
                                     absl::StrCat("contradicts --no-", name, "; leave one out"));
        }
        value = count > 0;
      },
      description);
}

absl::Status AddNames(absl::string_view collection, const Words& words,
                      google::protobuf::RepeatedPtrField<std::string>* names) {
  for (const std::string& word : words) {
    std::string name;
    ASSIGN_OR_RETURN(name, ResourceName(collection, word));
    *names->Add() = std::move(name);
  }
  return absl::OkStatus();
}

void CreateFlags::AddId(CLI::App* app) {
  app->add_option("--id", id,
                  "The id to give it: a-z, 0-9 and -, at most 63; generated when absent")
      ->option_text("ID");
}

void CreateFlags::AddRequestFlags(CLI::App* app, const std::string& provider_description) {
  AddRepeated(app, "--provider", providers, "PROVIDER", provider_description);
  AddRepeated(app, "--label", labels, "KEY=VALUE", "A label; may be repeated");
  AddRepeated(app, "--option", options, "PROVIDER=JSON",
              "Extra wire fields for one provider, sent unchanged; may be repeated");
  app->add_option("--request-id", request_id,
                  "Repeating a call with the same id never creates a second one; generated when "
                  "absent")
      ->option_text("TEXT");
  app->add_option("--max-wait", max_wait,
                  "How long the gateway waits for the providers to accept or refuse before it "
                  "replies, at most 60s")
      ->option_text("DURATION [10s]");
}

std::string CreateFlags::RequestId() const {
  return request_id.empty() ? MakeRequestId() : request_id;
}

absl::StatusOr<std::optional<absl::Duration>> CreateFlags::MaxWait() const {
  if (max_wait.empty()) return std::optional<absl::Duration>();
  absl::Duration wait;
  ASSIGN_OR_RETURN(wait, ParseDuration(max_wait));
  return std::optional<absl::Duration>(wait);
}

void ListFlags::AddTo(CLI::App* app) {
  app->add_option("--page-size", page_size, "The largest page to return, up to 1000")
      ->option_text("N [50]")
      ->check(CLI::Range(1, 1000));
  app->add_option("--page-token", page_token, "Continue where the previous page ended")
      ->option_text("TOKEN");
  app->add_flag("--all", all, "All pages");
}

void FilterFlags::AddCommon(CLI::App* app, const std::string& provider_description) {
  AddRepeated(app, "--provider", providers, "PROVIDER", provider_description);
  AddRepeated(app, "--label", labels, "KEY=VALUE", "With all of these labels");
}

void FilterFlags::AddForGroups(CLI::App* app) {
  AddCommon(app, "At any of these providers");
  AddRepeated(app, "--provider-id", provider_ids, "ID", "Known to a provider by any of these ids");
}

void FilterFlags::AddForAssets(CLI::App* app) {
  AddRepeated(app, "--group", groups, "GROUP", "In any of these groups");
  AddRepeated(app, "--state", states, "STATE",
              "In any of these states: registered, processing, active, failed");
  AddRepeated(app, "--media-type", media_types, "TYPE",
              "Any of these: image, video, audio, document");
  AddCommon(app, "At any of these providers");
  AddRepeated(app, "--provider-id", provider_ids, "ID", "Known to a provider by any of these ids");
}

void FilterFlags::AddForVideos(CLI::App* app) {
  AddRepeated(app, "--model", models, "MODEL", "For any of these models");
  AddRepeated(app, "--state", states, "STATE",
              "In any of these states: pending, queued, running, succeeded, failed, cancelled, "
              "unconfirmed");
  AddCommon(app, "Tried at any of these providers");
  AddRepeated(app, "--asset", assets, "ASSET", "Made from any of these assets");
  AddRepeated(app, "--provider-id", provider_ids, "ID", "Known to a provider by any of these ids");
}

absl::StatusOr<v1::AssetGroupFilter> FilterFlags::ForGroups() const {
  v1::AssetGroupFilter filter;
  RETURN_IF_ERROR(AddNames("providers", providers, filter.mutable_providers()));
  RETURN_IF_ERROR(AddLabels(labels, filter.mutable_labels()));
  filter.mutable_provider_group_ids()->Add(provider_ids.begin(), provider_ids.end());
  return filter;
}

absl::StatusOr<v1::AssetFilter> FilterFlags::ForAssets() const {
  v1::AssetFilter filter;
  RETURN_IF_ERROR(AddNames("assetGroups", groups, filter.mutable_asset_groups()));
  RETURN_IF_ERROR(AddNames("providers", providers, filter.mutable_providers()));
  for (const std::string& word : states) {
    v1::Asset::State state;
    ASSIGN_OR_RETURN(state, ParseState<v1::Asset>(word));
    filter.add_states(state);
  }
  for (const std::string& word : media_types) {
    v1::MediaType type;
    ASSIGN_OR_RETURN(type, ParseMediaType(word));
    filter.add_media_types(type);
  }
  RETURN_IF_ERROR(AddLabels(labels, filter.mutable_labels()));
  filter.mutable_provider_asset_ids()->Add(provider_ids.begin(), provider_ids.end());
  return filter;
}

absl::StatusOr<v1::VideoTaskFilter> FilterFlags::ForVideos() const {
  v1::VideoTaskFilter filter;
  filter.mutable_models()->Add(models.begin(), models.end());
  RETURN_IF_ERROR(AddNames("providers", providers, filter.mutable_providers()));
  for (const std::string& word : states) {
    v1::VideoTask::State state;
    ASSIGN_OR_RETURN(state, ParseState<v1::VideoTask>(word));
    filter.add_states(state);
  }
  RETURN_IF_ERROR(AddLabels(labels, filter.mutable_labels()));
  RETURN_IF_ERROR(AddNames("assets", assets, filter.mutable_assets()));
  filter.mutable_provider_task_ids()->Add(provider_ids.begin(), provider_ids.end());
  return filter;
}

void WatchFlags::AddTo(CLI::App* app) {
  app->add_flag("--until-settled", until_settled,
                "End when every resource that exists now is finished; exit code 9 if any failed");
  app->add_option("--resume-token-file", resume_token_file,
                  "Keep the newest bookmark in this file, and continue from it next time")
      ->option_text("PATH");
  AddLines(app);
}

void WatchFlags::AddLines(CLI::App* app) {
  app->add_flag("--lines", lines,
                "One line per event, also on a terminal: time, name, state, progress, provider and "
                "details; - for a value that is not known");
}

absl::StatusOr<v1::WatchAssetsRequest> WatchFlags::ForAssets() const {
  v1::WatchAssetsRequest request;
  RETURN_IF_ERROR(AddNames("assets", names, request.mutable_names()));
  ASSIGN_OR_RETURN(*request.mutable_filter(), filter.ForAssets());
  request.set_until_settled(until_settled);
  return request;
}

absl::StatusOr<v1::WatchVideoTasksRequest> WatchFlags::ForVideos() const {
  v1::WatchVideoTasksRequest request;
  RETURN_IF_ERROR(AddNames("videoTasks", names, request.mutable_names()));
  ASSIGN_OR_RETURN(*request.mutable_filter(), filter.ForVideos());
  request.set_until_settled(until_settled);
  return request;
}

WatchCommand WatchFlags::ToCommand() const {
  WatchCommand command;
  command.resume_token_file = resume_token_file;
  command.lines = lines;
  return command;
}

}  // namespace assetgate::cli
