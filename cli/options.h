// The command line: words in, one command out.
#ifndef ASSETGATE_CLI_OPTIONS_H_
#define ASSETGATE_CLI_OPTIONS_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "cli/client.h"

namespace assetgate::cli {

// A list: one page, or all of them.
template <typename Request>
struct List {
  Request request;
  bool all = false;
};

struct CreateAsset {
  v1::CreateAssetRequest request;
  // Watch it until it is settled.
  bool wait = false;
};

struct BatchCreateAssets {
  // One per URI of the command line.
  std::vector<v1::CreateAssetRequest> items;
  // JSON lines with further ones; "-" is standard input; empty for none.
  std::string file;
  // What the lines of `file` leave out.
  v1::CreateAssetRequest defaults;
  std::string request_id;
  std::optional<absl::Duration> max_wait;
  bool wait = false;
};

struct CreateVideo {
  v1::CreateVideoTaskRequest request;
  bool wait = false;
};

struct WatchCommand {
  // One of them, or assets and videos.
  std::optional<v1::WatchAssetsRequest> assets;
  std::optional<v1::WatchVideoTasksRequest> videos;
  std::optional<v1::WatchProvidersRequest> providers;
  std::string resume_token_file;
  // One line per event even on a terminal.
  bool lines = false;
};

// Looks at the gateway itself.
struct DoctorCommand {};

using Command = std::variant<
    v1::CreateAssetGroupRequest, v1::GetAssetGroupRequest, List<v1::ListAssetGroupsRequest>,
    v1::DeleteAssetGroupRequest, CreateAsset, BatchCreateAssets, v1::GetAssetRequest,
    List<v1::ListAssetsRequest>, v1::DeleteAssetRequest, CreateVideo, v1::GetVideoTaskRequest,
    List<v1::ListVideoTasksRequest>, v1::CancelVideoTaskRequest, v1::ResolveVideoTaskRequest,
    v1::ImportVideoTaskRequest, v1::DeleteVideoTaskRequest, WatchCommand,
    List<v1::ListProvidersRequest>, v1::GetProviderRequest, List<v1::ListModelsRequest>,
    v1::GetModelRequest, v1::ExplainRequest, DoctorCommand>;

enum class Output { kTable, kJson, kName };
enum class ColorMode { kAuto, kAlways, kNever };

struct Options {
  Endpoint endpoint;
  Output output = Output::kTable;
  ColorMode color = ColorMode::kAuto;
  // Of one call; of a watch or a wait, in all. Unset: 30 s over max_wait for a call, else none.
  std::optional<absl::Duration> timeout;
  Command command;
};

// Nothing to do, or nothing that can be done: help, version, or a mistake.
struct EarlyExit {
  int code = 0;
  // For standard output when `code` is 0, else for standard error.
  std::string text;
};

// Reads the words after the program's name. The environment counts: ASSETCTL_SERVER,
// ASSETCTL_TOKEN_FILE, ASSETCTL_CA, ASSETCTL_CERTIFICATE, ASSETCTL_KEY and ASSETCTL_INSECURE.
std::variant<Options, EarlyExit> ParseCommandLine(const std::vector<std::string>& words);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_OPTIONS_H_
