// The gateway's numeric settings: time limits, back-off and bounds.
#ifndef ASSETGATE_MODEL_SETTINGS_H_
#define ASSETGATE_MODEL_SETTINGS_H_

#include "absl/time/time.h"

namespace assetgate::model {

struct Settings {
  // How long a task or a placement that no provider can accept is retried, from its creation.
  absl::Duration submit_timeout = absl::Minutes(15);
  // A journalled submission that has not started within this time is not started any more.
  absl::Duration submission_start_timeout = absl::Seconds(15);
  // A submission is not journalled unless its shard is held for at least this long: it could hardly
  // start in time.
  absl::Duration min_send_window = absl::Seconds(1);
  // The largest difference between the clocks of two gateways' hosts. A submission that another
  // gateway may have in flight is declared lost only this long after its deadline.
  absl::Duration clock_skew = absl::Seconds(5);
  // How often an asset or a group is submitted in all while the outcomes are unknown.
  int max_unknown_submissions = 3;
  // Older work is polled slowly...
  absl::Duration asset_tracking_period = absl::Hours(1);
  absl::Duration video_tracking_period = absl::Hours(6);
  absl::Duration slow_poll = absl::Minutes(5);
  // ...and given up at this age.
  absl::Duration tracking_horizon = absl::Hours(7 * 24);
  // "Not found" becomes final after this many polls in a row over this much time.
  int not_found_polls = 3;
  absl::Duration not_found_period = absl::Minutes(10);
  // A video that the provider reports as done, without a readable result, is polled this long
  // before RESULT_MISSING.
  absl::Duration missing_result_period = absl::Minutes(10);
  // An attempt that the gateway gave up is polled this long for a late result. The interval grows
  // from slow_poll to max_late_poll.
  absl::Duration late_result_period = absl::Hours(24);
  absl::Duration max_late_poll = absl::Hours(1);
  // A final inner state that a relay's own state does not follow becomes final after this many
  // polls in a row, or after this long.
  int inner_state_polls = 3;
  absl::Duration inner_state_period = absl::Minutes(5);
  // A unit whose answer takes longer counts as slow to answer: see CallClass::kSlowPoll.
  absl::Duration slow_answer = absl::Seconds(2);
  // Distance kept from the end of a dialect's idempotency window.
  absl::Duration idempotency_margin = absl::Hours(1);
  // Back-off between tries.
  absl::Duration initial_back_off = absl::Seconds(1);
  absl::Duration max_back_off = absl::Seconds(30);
  // Back-off between submissions that fail for a reason that only an operator can fix (a wrong
  // address or model, say), and between repetitions that are refused.
  absl::Duration initial_operator_back_off = absl::Minutes(1);
  absl::Duration max_operator_back_off = absl::Minutes(5);
  // How long a deletion at a provider is retried.
  absl::Duration deletion_period = absl::Hours(24);
  // How long a Create waits for verdicts if the caller does not set max_wait, and the upper limit
  // of max_wait.
  absl::Duration default_max_wait = absl::Seconds(10);
  absl::Duration max_wait_limit = absl::Seconds(60);
  // Limit on unfinished tasks, assets and groups together; beyond it, Create returns OVERLOADED.
  std::size_t max_unfinished = 500'000;

  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_SETTINGS_H_
