// One watch, followed across disconnections.
#ifndef ASSETGATE_CLI_FOLLOW_H_
#define ASSETGATE_CLI_FOLLOW_H_

#include <stop_token>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "cli/client.h"

namespace assetgate::cli {

// What differs between the watches.
struct AssetWatch {
  using Resource = v1::Asset;
  using Event = v1::AssetEvent;
  using Request = v1::WatchAssetsRequest;
  // As in resource names.
  static constexpr char kCollection[] = "assets";
  static const Resource& Of(const Event& event) { return event.asset(); }
};
struct VideoWatch {
  using Resource = v1::VideoTask;
  using Event = v1::VideoTaskEvent;
  using Request = v1::WatchVideoTasksRequest;
  static constexpr char kCollection[] = "videoTasks";
  static const Resource& Of(const Event& event) { return event.video_task(); }
};

// Has no resume tokens.
struct ProviderWatch {
  using Resource = v1::Provider;
  using Event = v1::ProviderEvent;
  using Request = v1::WatchProvidersRequest;
  static constexpr char kCollection[] = "providers";
  static const Resource& Of(const Event& event) { return event.provider(); }
};

struct FollowOptions {
  // The first pause after a failure; each further one is 1.6 times as long, up to `longest_pause`.
  absl::Duration first_pause = absl::Milliseconds(500);
  absl::Duration longest_pause = absl::Seconds(10);
  // A gateway that could not be reached at all for this long is a mistyped address.
  absl::Duration first_contact = absl::Seconds(10);
  // The gateway sends a bookmark every 30 s at least: a stream that is silent for this long is
  // dead, whatever TCP thinks of it.
  absl::Duration silence = absl::Seconds(95);
  // How long a stream that gives no more events may take to say why.
  absl::Duration unparsed = absl::Seconds(5);
  // A stream that has not failed by then counts as open, though nothing has arrived yet.
  absl::Duration grace = absl::Seconds(1);
};

// The pause before try number `failures` + 1: the back-off, between 80 % and 120 % of it by
// `spread` (0 to 1), but never less than `asked_for` by the gateway (zero where it asked for
// nothing).
absl::Duration PauseAfter(int failures, absl::Duration asked_for, double spread,
                          const FollowOptions& options);

// Whether a watch that ended with `status` is worth opening again; `was_open`, whether the gateway
// has been reached before.
bool IsWorthRepeating(const absl::Status& status, bool was_open);

// Hears what Follow has to say, on Follow's thread. A call that blocks stops the reading: the
// gateway notices and coalesces.
template <typename Watch>
class FollowListener {
 public:
  virtual ~FollowListener() = default;
  virtual void OnEvent(typename Watch::Event event) = 0;
  // The stream is open (again).
  virtual void OnConnected() = 0;
  // The stream broke; the next try is in `pause`.
  virtual void OnDisconnected(const absl::Status& why, absl::Duration pause) = 0;
};

// Opens the watch and passes its events to `listener`, opening it again with the newest resume
// token, if the watch has such, whenever it breaks, until it ends: OK when the gateway ended it
// (`until_settled`), CANCELLED when `stop` was requested, or an error that trying again does not
// mend. Blocks.
template <typename Watch>
absl::Status Follow(Client& client, typename Watch::Request request, const FollowOptions& options,
                    const std::stop_token& stop, FollowListener<Watch>& listener);

extern template absl::Status Follow<AssetWatch>(Client&, AssetWatch::Request, const FollowOptions&,
                                                const std::stop_token&,
                                                FollowListener<AssetWatch>&);
extern template absl::Status Follow<VideoWatch>(Client&, VideoWatch::Request, const FollowOptions&,
                                                const std::stop_token&,
                                                FollowListener<VideoWatch>&);
extern template absl::Status Follow<ProviderWatch>(Client&, ProviderWatch::Request,
                                                   const FollowOptions&, const std::stop_token&,
                                                   FollowListener<ProviderWatch>&);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_FOLLOW_H_
