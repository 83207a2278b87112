// The numbers that core goes by.
#ifndef ASSETGATE_MODEL_SETTINGS_H_
#define ASSETGATE_MODEL_SETTINGS_H_

#include "absl/time/time.h"

namespace assetgate::model {

struct Settings {
  // How long a task or a placement that nobody could accept is tried, from its creation.
  absl::Duration submit_timeout = absl::Minutes(15);
  // A journalled submission that has not begun after this is not begun any more.
  absl::Duration submission_start_timeout = absl::Seconds(15);
  // Nor is one journalled when its shard is not surely held for so long: it would hardly begin.
  absl::Duration shortest_send_window = absl::Seconds(1);
  // How far the clocks of two gateways' hosts may be apart. A submission that another gateway may
  // have under way is called lost only so long after its last moment.
  absl::Duration clock_skew = absl::Seconds(5);
  // How often an asset or a group whose submission's outcome is unknown is submitted in all.
  int most_unknown_submissions = 3;
  // Work that is older is polled slowly...
  absl::Duration asset_tracking_period = absl::Hours(1);
  absl::Duration video_tracking_period = absl::Hours(6);
  absl::Duration slow_poll = absl::Minutes(5);
  // ...and given up at the horizon.
  absl::Duration tracking_horizon = absl::Hours(7 * 24);
  // "Not found" on polls becomes a verdict after so many in a row, over so long.
  int not_found_polls = 3;
  absl::Duration not_found_period = absl::Minutes(10);
  // A video whose provider says that it is done, without a result that can be read, is asked for so
  // long before that counts.
  absl::Duration missing_result_period = absl::Minutes(10);
  // An attempt that the gateway gave up is asked for a late result for so long; between two polls
  // there is slow_poll at first, and at most longest_late_poll.
  absl::Duration late_result_period = absl::Hours(24);
  absl::Duration longest_late_poll = absl::Hours(1);
  // A final inner state that a relay's own state does not follow counts after so many polls in a
  // row, or after so long.
  int inner_state_polls = 3;
  absl::Duration inner_state_period = absl::Minutes(5);
  // Of an answer that comes later the unit is slow to answer: see CallClass::kSlowPoll.
  absl::Duration slow_answer = absl::Seconds(2);
  // Kept away from the end of a dialect's idempotency window.
  absl::Duration idempotency_margin = absl::Hours(1);
  // Back-off between tries.
  absl::Duration first_back_off = absl::Seconds(1);
  absl::Duration longest_back_off = absl::Seconds(30);
  // Between submissions that are turned away for a reason that only an operator can mend (a wrong
  // address or model, say), and between repetitions that are refused.
  absl::Duration first_operator_back_off = absl::Minutes(1);
  absl::Duration longest_operator_back_off = absl::Minutes(5);
  // A deletion at a provider is tried so long.
  absl::Duration deletion_period = absl::Hours(24);
  // What a Create waits for verdicts when the caller does not say, and at most.
  absl::Duration default_max_wait = absl::Seconds(10);
  absl::Duration longest_max_wait = absl::Seconds(60);
  // Most unfinished tasks, assets and groups together; Create answers OVERLOADED beyond.
  std::size_t most_unfinished = 500'000;

  friend bool operator==(const Settings&, const Settings&) = default;
};

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_SETTINGS_H_
