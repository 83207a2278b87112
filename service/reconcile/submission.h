// A submission: journalled before it is sent, sent once, and what its answer means, however late it
// comes.
#ifndef ASSETGATE_RECONCILE_SUBMISSION_H_
#define ASSETGATE_RECONCILE_SUBMISSION_H_

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/metrics.h"
#include "http/message.h"
#include "model/catalog.h"
#include "model/record.pb.h"
#include "provider/dialect.h"
#include "reconcile/item.h"
#include "reconcile/observed.h"
#include "reconcile/step.h"

namespace assetgate::reconcile {

// Writes a request into the journal as a new submission, and reads it back.
void Journal(const Environment& environment, const http::Request& request, absl::Time send_before,
             model::Submission& submission);
http::Request FromJournal(const model::Submission& submission);

// The outcome of a submission that the journal says was sent by a process that is gone.
provider::SubmitResult LostOutcome();

// What is sent: the draft's journalled submission of one unit.
struct Sending {
  std::size_t unit;
  const model::ProviderEntry& provider;
  provider::UnitKind kind;
  base::UpstreamOperation operation;
  // It repeats a submission whose outcome is unknown.
  bool replay = false;
  const provider::Credential& credential;
};
// Sends it once the draft is committed; the place at the gate is held by the unit's run or was
// taken for it. The answer is observed (see Environment::Observe).
void SubmitAfterCommit(Step& step, Item& item, const Sending& sending,
                       const model::Submission& submission);

// Takes in the answer to a submission: sets when the unit is due next. Returns what is to be
// applied to the item's draft.
std::optional<Said> Track(const Environment& environment, Item& item, std::size_t unit,
                          SubmitAnswer answer, const CallFacts& call);

// Whether an answer says anything of the unit that is not known yet. Another gateway may have
// called the submission lost in the meantime, and sent it again.
bool IsNews(const model::Unit& record, const SubmitAnswer& answer);

// Whether the submission that the journal says is open may still be in flight, or its answer on its
// way into the store, at another gateway. The item is planned again when it cannot be any more.
bool InFlightElsewhere(Step& step, const model::Unit& record, UnitRun& run);
// Until when that may be: by the journal, or, where another gateway's clock was ahead, by when it
// was first seen here. `run` may be null.
absl::Time InFlightElsewhereUntil(const Environment& environment, const model::Unit& record,
                                  const UnitRun* run);

// For a row that this gateway meant to create, whose commit the store could not confirm in time:
// the submissions that are open in it were never sent. Returns what to apply to record that.
std::vector<std::pair<std::size_t, SubmitAnswer>> NeverSent(const store::Row& row);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_SUBMISSION_H_
