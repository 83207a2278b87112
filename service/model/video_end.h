// What the end of a video task says to whoever counts: how it ended, where, after how long, and for
// how much.
#ifndef ASSETGATE_MODEL_VIDEO_END_H_
#define ASSETGATE_MODEL_VIDEO_END_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "assetgate/v1/video_task.pb.h"
#include "base/metrics.h"
#include "model/catalog.h"

namespace assetgate::model {

// Providers and models are named as metrics may name them: a provider that is not in the config,
// and a model that no route of it has made there, is "other"; "none" stands for a task that was
// never submitted.
struct VideoEnd {
  std::string provider;
  std::string model;
  base::VideoOutcome outcome = base::VideoOutcome::kSucceeded;
  // From create to end, where there is a video; not of imported tasks, which were created late.
  std::optional<absl::Duration> took;

  friend bool operator==(const VideoEnd&, const VideoEnd&) = default;
};

struct VideoUsage {
  std::string provider;
  std::string model;
  std::int64_t tokens = 0;
  double credits = 0;

  friend bool operator==(const VideoUsage&, const VideoUsage&) = default;
};

// The end that lies between two committed states of a task, if one does: `before` had not ended, or
// did not exist, and `after` has.
std::optional<VideoEnd> EndOf(const v1::VideoTask& before, const v1::VideoTask& after,
                              const Catalog& catalog);

// By how much the usage of attempts has grown between the two, one entry per attempt. What a
// provider says again counts once, what it takes back is not subtracted.
std::vector<VideoUsage> UsageBetween(const v1::VideoTask& before, const v1::VideoTask& after,
                                     const Catalog& catalog);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_VIDEO_END_H_
