// Follows one watch across disconnections.
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

// The types of each watch.
struct AssetWatch {
  using Resource = v1::Asset;
  using Event = v1::AssetEvent;
  using Request = v1::WatchAssetsRequest;
  // The collection in resource names.
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

// This watch has no resume tokens.
struct ProviderWatch {
  using Resource = v1::Provider;
  using Event = v1::ProviderEvent;
  using Request = v1::WatchProvidersRequest;
  static constexpr char kCollection[] = "providers";
  static const Resource& Of(const Event& event) { return event.provider(); }
};

struct FollowOptions {
  // The back-off after the first failure; each further one is 1.6 times as long, up to
  // `max_backoff`.
  absl::Duration initial_backoff = absl::Milliseconds(500);
  absl::Duration max_backoff = absl::Seconds(10);
  // Follow gives up on a gateway that it has never reached for this long: the address may be wrong.
  absl::Duration first_contact_timeout = absl::Seconds(10);
  // The gateway sends a bookmark at least every 30 s: a stream without an event for this long is
  // dead, even if its TCP connection is not.
  absl::Duration idle_timeout = absl::Seconds(95);
  // How long a stream that yields no more events may take to report its status.
  absl::Duration status_timeout = absl::Seconds(5);
  // A stream that has not failed by then counts as open, even if nothing has arrived yet.
  absl::Duration open_after = absl::Seconds(1);
};

// The back-off before try number `failures` + 1, spread between 80 % and 120 % by `spread` (0 to
// 1). Never less than `retry_after`, the delay that the gateway asked for (zero for none).
absl::Duration BackoffAfter(int failures, absl::Duration retry_after, double spread,
                            const FollowOptions& options);

// Whether a watch that ended with `status` is worth opening again. `was_open`: whether the gateway
// has been reached before.
bool IsWorthRepeating(const absl::Status& status, bool was_open);

// Receives the events of a watch.
//
// Threading: called on the thread that called Follow. A call that blocks stops the reading, so the
// gateway coalesces events meanwhile.
template <typename Watch>
class FollowListener {
 public:
  virtual ~FollowListener() = default;
  virtual void OnEvent(typename Watch::Event event) = 0;
  // The stream is open, for the first time or again.
  virtual void OnConnected() = 0;
  // The stream broke; the next try follows after `backoff`.
  virtual void OnDisconnected(const absl::Status& why, absl::Duration backoff) = 0;
};

// Opens the watch and passes its events to `listener`. Whenever the stream breaks, opens it again
// with the newest resume token, if the watch has tokens. Blocks until the watch ends.
//
// Errors: OK when the gateway ended the watch (`until_settled`), CANCELLED when `stop` was
// requested, otherwise an error that a new try does not resolve.
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
