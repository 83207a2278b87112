// The commands of assetctl, parsed: one type per command, ready to be sent.
#ifndef ASSETGATE_CLI_COMMAND_H_
#define ASSETGATE_CLI_COMMAND_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"

namespace assetgate::cli {

// A list: one page, or all of them.
template <typename Request>
struct List {
  Request request;
  bool all = false;
};

struct CreateAsset {
  v1::CreateAssetRequest request;
  // Watch the asset until it is settled.
  bool wait = false;
};

struct BatchCreateAssets {
  // One per URI of the command line.
  std::vector<v1::CreateAssetRequest> items;
  // A file of JSON lines with further items; "-" is standard input; empty for none.
  std::string file;
  // Fills in the fields that a line of `file` leaves out.
  v1::CreateAssetRequest defaults;
  std::string request_id;
  std::optional<absl::Duration> max_wait;
  bool wait = false;
};

struct CreateVideo {
  v1::CreateVideoTaskRequest request;
  bool wait = false;
};

// Watches assets, videos, both, or providers.
struct WatchCommand {
  std::optional<v1::WatchAssetsRequest> assets;
  std::optional<v1::WatchVideoTasksRequest> videos;
  std::optional<v1::WatchProvidersRequest> providers;
  std::string resume_token_file;
  // One line per event, even on a terminal.
  bool lines = false;
};

// Checks the gateway itself.
struct DoctorCommand {};

using Command = std::variant<
    v1::CreateAssetGroupRequest, v1::GetAssetGroupRequest, List<v1::ListAssetGroupsRequest>,
    v1::DeleteAssetGroupRequest, CreateAsset, BatchCreateAssets, v1::GetAssetRequest,
    List<v1::ListAssetsRequest>, v1::DeleteAssetRequest, CreateVideo, v1::GetVideoTaskRequest,
    List<v1::ListVideoTasksRequest>, v1::CancelVideoTaskRequest, v1::ResolveVideoTaskRequest,
    v1::ImportVideoTaskRequest, v1::DeleteVideoTaskRequest, WatchCommand,
    List<v1::ListProvidersRequest>, v1::GetProviderRequest, List<v1::ListModelsRequest>,
    v1::GetModelRequest, v1::ExplainRequest, DoctorCommand>;

// The end of a run without a command: help, the version, or a mistake in the command line.
struct EarlyExit {
  int code = 0;
  // For standard output when `code` is 0, else for standard error.
  std::string text;
};

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_COMMAND_H_
