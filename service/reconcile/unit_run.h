// What this process knows of one unit beyond what is committed; a restart loses it.
#ifndef ASSETGATE_RECONCILE_UNIT_RUN_H_
#define ASSETGATE_RECONCILE_UNIT_RUN_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "assetgate/v1/explanation.pb.h"
#include "provider/dialect.h"
#include "upstream/place.h"

namespace assetgate::reconcile {

struct UnitRun {
  upstream::Place place;
  // A call is in flight.
  bool in_flight = false;
  // The next step is not taken before, and what decided that.
  absl::Time due = absl::InfinitePast();
  v1::Explanation::Reason due_because = v1::Explanation::DUE;
  // The submission of another gateway that was last seen to be open, by its number, and since when.
  int open_elsewhere = 0;
  absl::Time open_elsewhere_since;
  // In a row.
  int failures = 0;
  // Of the last submission or the last poll.
  std::optional<provider::Failure> failure;
  bool polled = false;
  // When the newest poll was sent that found it unfinished; the acceptance counts as one.
  absl::Time unfinished_at = absl::InfinitePast();
  // The last poll was answered late, or not at all.
  bool slow = false;
  // Polls in a row that said "not found", and since when.
  int not_found = 0;
  absl::Time not_found_since;
  // Polls in a row whose inner state was final while the outer one lagged, which it was, and since
  // when.
  int lagging = 0;
  provider::Observation::Progress inner_progress = provider::Observation::Progress::kRunning;
  absl::Time lagging_since;
  // For Explain: how often it was polled, and the last answer. The words of a failed one are in
  // `failure`.
  std::int64_t polls = 0;
  absl::Time last_poll;
  std::optional<absl::Time> answered;
  int answered_status = 0;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_UNIT_RUN_H_
