// When a unit is asked for, and what its answers amount to: intervals, back-off, when "not found"
// becomes a verdict.
#ifndef ASSETGATE_RECONCILE_TRACKING_H_
#define ASSETGATE_RECONCILE_TRACKING_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "base/metrics.h"
#include "model/catalog.h"
#include "model/record.pb.h"
#include "provider/dialect.h"
#include "reconcile/item.h"
#include "reconcile/observed.h"
#include "reconcile/step.h"
#include "reconcile/unit_run.h"

namespace assetgate::reconcile {

// What the intervals between polls depend on.
struct Pace {
  // They grow with the time since then: since the unit was accepted, or given up.
  absl::Time since;
  // It was given up: only a late result is asked for.
  bool late = false;
};

absl::Duration PollInterval(const Environment& environment, const model::ProviderEntry& provider,
                            provider::UnitKind kind, Pace pace);
// Makes the first poll of a unit that was taken over due within one interval.
void SpreadPoll(const Environment& environment, const model::ProviderEntry& provider,
                provider::UnitKind kind, Pace pace, UnitRun& run);
// See Item::Reconsider; of one unit.
bool ReconsiderPoll(const Environment& environment, const std::string& provider_id,
                    provider::UnitKind kind, Pace pace, const model::ProviderChanges& changes,
                    UnitRun& run);

// How long to wait after so many failures in a row.
absl::Duration BackOff(const Environment& environment, const UnitRun& run);
// Sets when a unit is due after a call that has failed: at least `min` from now.
void SetDueAfterFailure(const Environment& environment, absl::Duration min, UnitRun& run);

// One unit of an item and how its provider is asked for it.
struct PollTarget {
  std::size_t unit;
  const model::ProviderEntry& provider;
  provider::UnitKind kind;
  base::UpstreamOperation operation;
  const model::Unit& record;
  Pace pace;
};
// Polls the unit when it is due. The answer is observed (see Environment::Observe).
void PlanPoll(Step& step, Item& item, const PollTarget& target);

// Takes in the answer to a poll: sets when the unit is due next. Returns what is to be applied to
// the item's draft; nothing where the answer changes nothing.
std::optional<Said> Track(const Environment& environment, Item& item, std::size_t unit,
                          provider::UnitNews news, const CallFacts& call);
std::optional<Said> Track(const Environment& environment, Item& item, std::size_t unit,
                          provider::Failure failure, const CallFacts& call);

// Whether the provider has said so often that it does not know the unit that this is worth saying.
bool IsDisowned(const UnitRun* run);
// "the provider accepted it and says since … that it does not know it; unless that changes until …,
// "
std::string DisownedMessage(const Environment& environment, const UnitRun& run);
// In a round in which `said` has ended the draft's unit: once that is committed, reports how long
// it took to be detected.
void ReportDetected(Step& step, const UnitRun& run, const std::string& provider_id,
                    base::MetricKind kind, const provider::Observation& said);
// Counts and logs what is odd about an answer.
void ReportOddities(const Environment& environment, const Item& item,
                    const model::ProviderEntry& provider, provider::UnitKind kind,
                    const provider::Observation* said, const provider::Failure* failure);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_TRACKING_H_
