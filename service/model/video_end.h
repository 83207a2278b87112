// What metrics and usage accounting need to know about the end of a video task: the outcome, the
// provider and model, the duration and the usage.
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

// Provider and model are metric labels: a provider that is not in the config, and a model that none
// of its routes uses, is "other". A task that was never submitted has "none".
struct VideoEnd {
  std::string provider;
  std::string model;
  base::VideoOutcome outcome = base::VideoOutcome::kSucceeded;
  // From create to end; only for a task with a video, and not for an imported task, which was
  // created late.
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

// The end between two committed states of a task: `before` had not ended, or did not exist, and
// `after` has. Absent if the task did not end between them.
std::optional<VideoEnd> EndOf(const v1::VideoTask& before, const v1::VideoTask& after,
                              const Catalog& catalog);

// By how much the usage of attempts grew between the two states, one entry per attempt. A repeated
// report counts once; a lower report is not subtracted.
std::vector<VideoUsage> UsageBetween(const v1::VideoTask& before, const v1::VideoTask& after,
                                     const Catalog& catalog);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_VIDEO_END_H_
