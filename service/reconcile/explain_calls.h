// Why a call to a provider is made when it is, as Explain tells a person.
#ifndef ASSETGATE_RECONCILE_EXPLAIN_CALLS_H_
#define ASSETGATE_RECONCILE_EXPLAIN_CALLS_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/explanation.pb.h"
#include "model/record.pb.h"
#include "reconcile/item.h"
#include "reconcile/step.h"
#include "upstream/gate.h"

namespace assetgate::reconcile {

// An item as it is looked at between rounds. Nothing here changes it.
struct ItemView {
  const Environment& environment;
  const Item& item;
  // This gateway plans it.
  bool owned;
};

// Text from elsewhere, cleaned and cut.
std::string Words(absl::string_view text);
v1::Explanation::Next NextStep(v1::Explanation::Reason reason, std::string message);
// Leaves it unset where `due` is infinite.
void SetDue(absl::Time due, v1::Explanation::Next& next);

// What the calls of a unit have come to; nothing where that is not known here.
void ExplainCalls(const ItemView& view, std::size_t unit, bool settled, v1::Explanation::Unit& out);
// What holds every step of the item up here; absent where nothing does.
std::optional<v1::Explanation::Next> NoStepHere(const ItemView& view,
                                                const v1::Explanation& explanation);
// When a unit is called next, and why then. `step`: "the next poll of it". `waits_for`: what has to
// be ready before it can be submitted; empty for nothing.
v1::Explanation::Next NextCall(const ItemView& view, std::size_t unit, const model::Unit& record,
                               absl::string_view step, absl::string_view waits_for);
// What a place in the queue of a provider's gate waits for.
v1::Explanation::Next Queued(const ItemView& view, const std::string& provider_id,
                             upstream::CallClass call_class, absl::string_view step);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_EXPLAIN_CALLS_H_
