// The flags that several commands share. Each struct adds its flags to a command, and turns the
// values that the user gave into a part of a request.
//
// Lifetime: CLI11 writes to the members while it parses, so a struct must outlive the CommandTree.
#ifndef ASSETGATE_CLI_FLAGS_H_
#define ASSETGATE_CLI_FLAGS_H_

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/status_macros.h"
#include "google/protobuf/repeated_field.h"

namespace assetgate::cli {

using Words = std::vector<std::string>;

// An option that may be given several times, with one word each time: the next word may be a
// positional argument.
void AddRepeated(CLI::App* app, const std::string& flag, Words& words, const std::string& text,
                 const std::string& description);

// --name and --no-name; `value` stays empty when neither is given.
void AddSwitch(CLI::App* app, const std::string& name, std::optional<bool>& value,
               const std::string& description);

// Adds `words` to `names` as names of resources in `collection`.
absl::Status AddNames(absl::string_view collection, const Words& words,
                      google::protobuf::RepeatedPtrField<std::string>* names);

// The flags of the commands that create a resource.
struct CreateFlags {
  void AddId(CLI::App* app);
  // All but --id.
  void AddRequestFlags(CLI::App* app, const std::string& provider_description);

  // `request_id`, or a new one where the user gave none.
  std::string RequestId() const;
  absl::StatusOr<std::optional<absl::Duration>> MaxWait() const;

  // Sets the providers, the request id and max_wait.
  template <typename Request>
  absl::Status FillRequest(Request& request) const {
    RETURN_IF_ERROR(AddNames("providers", providers, request.mutable_providers()));
    request.set_request_id(RequestId());
    std::optional<absl::Duration> wait;
    ASSIGN_OR_RETURN(wait, MaxWait());
    if (wait.has_value()) *request.mutable_max_wait() = base::ToProto(*wait);
    return absl::OkStatus();
  }
  // Sets the labels and the provider options.
  template <typename Resource>
  absl::Status FillResource(Resource& resource) const {
    RETURN_IF_ERROR(AddLabels(labels, resource.mutable_labels()));
    return AddOptions(options, resource.mutable_provider_options());
  }

  std::string id, request_id, max_wait;
  Words providers, labels, options;
};

// The flags of the commands that list resources.
struct ListFlags {
  void AddTo(CLI::App* app);

  template <typename Request>
  List<Request> ToList() const {
    List<Request> list;
    list.request.set_page_size(page_size);
    list.request.set_page_token(page_token);
    list.all = all;
    return list;
  }

  int page_size = 0;
  std::string page_token;
  bool all = false;
};

// The flags that select resources.
struct FilterFlags {
  // --provider and --label, which every filter has.
  void AddCommon(CLI::App* app, const std::string& provider_description);
  void AddForGroups(CLI::App* app);
  void AddForAssets(CLI::App* app);
  void AddForVideos(CLI::App* app);

  absl::StatusOr<v1::AssetGroupFilter> ForGroups() const;
  absl::StatusOr<v1::AssetFilter> ForAssets() const;
  absl::StatusOr<v1::VideoTaskFilter> ForVideos() const;

  Words groups, providers, states, media_types, labels, provider_ids, models, assets;
};

// The flags of the commands that watch.
struct WatchFlags {
  void AddTo(CLI::App* app);
  void AddLines(CLI::App* app);

  absl::StatusOr<v1::WatchAssetsRequest> ForAssets() const;
  absl::StatusOr<v1::WatchVideoTasksRequest> ForVideos() const;
  // A command that watches nothing yet.
  WatchCommand ToCommand() const;

  Words names;
  FilterFlags filter;
  bool until_settled = false;
  std::string resume_token_file;
  bool lines = false;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_FLAGS_H_
