// The settings of calls and of the reconciler.
#ifndef ASSETGATE_MODEL_SETTINGS_H_
#define ASSETGATE_MODEL_SETTINGS_H_

#include "absl/time/time.h"

namespace assetgate::model {

struct Settings {
  // How long a task or a placement that no provider could accept is retried, from its creation.
  absl::Duration submit_timeout = absl::Minutes(15);
  // A journalled submission that has not begun after this time is not begun.
  absl::Duration submission_start_timeout = absl::Seconds(15);
  // A submission is journalled only where the lease of its shard lasts at least this long.
  absl::Duration min_send_window = absl::Seconds(1);
  // The maximum difference between the clocks of two gateways' hosts. A submission that another
  // gateway may have under way counts as lost only this long after its time limit.
  absl::Duration clock_skew = absl::Seconds(5);
  // How many submissions with an unknown outcome an asset or a group may have.
  int max_unknown_submissions = 3;
  // Work that is older is polled at the interval slow_poll...
  absl::Duration asset_tracking_period = absl::Hours(1);
  absl::Duration video_tracking_period = absl::Hours(6);
  absl::Duration slow_poll = absl::Minutes(5);
  // ...and given up at this age.
  absl::Duration tracking_horizon = absl::Hours(7 * 24);
  // "Not found" becomes a verdict after this many polls in a row, over at least this time.
  int not_found_polls = 3;
  absl::Duration not_found_period = absl::Minutes(10);
  // How long a video that its provider reports as done, without a readable result, is polled before
  // it fails.
  absl::Duration missing_result_period = absl::Minutes(10);
  // How long an attempt that the gateway gave up is polled for a late result, at intervals that
  // grow from slow_poll to max_late_poll.
  absl::Duration late_result_period = absl::Hours(24);
  absl::Duration max_late_poll = absl::Hours(1);
  // A final inner state that a relay's own state does not follow counts after this many polls in a
  // row, or after this time.
  int inner_state_polls = 3;
  absl::Duration inner_state_period = absl::Minutes(5);
  // A unit whose answers take longer is polled as CallClass::kSlowPoll.
  absl::Duration slow_answer = absl::Seconds(2);
  // The distance to the end of a dialect's idempotency window at which submissions are no longer
  // repeated.
  absl::Duration idempotency_margin = absl::Hours(1);
  // Back-off between attempts.
  absl::Duration initial_back_off = absl::Seconds(1);
  absl::Duration max_back_off = absl::Seconds(30);
  // Back-off between submissions that are rejected for a reason that only an operator can fix (such
  // as a wrong address or model), and between repetitions that are rejected.
  absl::Duration initial_operator_back_off = absl::Minutes(1);
  absl::Duration max_operator_back_off = absl::Minutes(5);
  // How long a deletion at a provider is retried.
  absl::Duration deletion_period = absl::Hours(24);
  // How long a Create waits for verdicts: the default, and the limit of a caller's max_wait.
  absl::Duration default_max_wait = absl::Seconds(10);
  absl::Duration max_wait_limit = absl::Seconds(60);
  // Unfinished tasks, assets and groups together; beyond it, Create answers OVERLOADED.
  std::size_t max_unfinished = 500'000;

  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_SETTINGS_H_
