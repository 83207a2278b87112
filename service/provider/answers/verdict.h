// The outcome of an answer that lacks the id or the state that it should hold.
//
// To avoid double billing, a refusal must be certain: an answer that the provider can have written
// after the work had begun is kUnknown, and never "nothing was created".
#ifndef ASSETGATE_PROVIDER_ANSWERS_VERDICT_H_
#define ASSETGATE_PROVIDER_ANSWERS_VERDICT_H_

#include <optional>
#include <span>

#include "absl/strings/string_view.h"
#include "http/message.h"
#include "provider/answers/answer.h"
#include "provider/answers/failure_words.h"
#include "provider/answers/links.h"
#include "provider/answers/states.h"
#include "provider/dialect.h"
#include "provider/failure.h"

namespace assetgate::provider::answers {

// What a dialect's documentation says about failures.
struct FailureRules {
  std::span<const DocumentedCode> codes;
  // Whether an answer with status 2xx is an envelope that is documented for refusals, whatever its
  // words; nullptr where no such envelope is documented.
  bool (*is_refusal)(const Answer& answer) = nullptr;
};

struct Verdict {
  Outcome outcome = Outcome::kUnknown;
  Failure failure;
};

// The verdict on an answer to a submission that has no id:
//
//   3xx                  POST → 301 307 308: kNotAccepted, names the new host; else kUnknown
//   an edge's page       521 523 525 526 530, or a block (403 429 503): kNotAccepted; else kUnknown
//   400 402 404 451 422  kRefused, where the provider itself answered (JSON, or a line of text)
//   413                  kRefused
//   401 403 429          kNotAccepted
//   other 4xx, 5xx       kUnknown, unless the dialect documents the code as something else
//   2xx                  by the code, else by the words of its failure envelope; kUnknown where
//                        neither is certainly a refusal. `missing` says what was expected.
//
// Codes and words of a server error, a timeout or a failure behind the provider make all of these
// kUnknown, except those of an edge.
Verdict Judge(const Answer& answer, const FailureRules& rules, absl::string_view missing);
// As above, with words that the dialect has completed.
Verdict Judge(const Answer& answer, const Words& words, const FailureRules& rules,
              absl::string_view missing);

// The result of a submission whose answer has no id. With `replay` (see Dialect::DecodeSubmit) it
// is always kUnknown.
SubmitResult WithoutId(const Answer& answer, const FailureRules& rules, absl::string_view missing,
                       bool replay = false);
SubmitResult WithoutId(Verdict verdict, bool replay);
SubmitResult Accepted(Handle handle, Observation observation);

// The result of a poll whose answer has no state of the unit: the provider does not know the unit
// (kNotFound), or the call failed.
PollResult WithoutState(const Answer& answer, const FailureRules& rules, absl::string_view missing);
PollResult WithoutState(const Answer& answer, const Words& words, const FailureRules& rules,
                        absl::string_view missing);
// The result of a poll whose answer describes another unit than the polled one.
PollResult AboutAnother(const Answer& answer, absl::string_view what);
PollResult Observed(Observation observation);
PollResult NoNews();

// Why a deletion failed; absent where the unit is gone.
std::optional<Failure> WithoutDeletion(const Answer& answer, const FailureRules& rules,
                                       absl::string_view missing);

// The observation by the state of a unit, with the parts that all dialects share: the word, the id,
// the end time, and the reason of a failure: PROVIDER_WORK_FAILED, TASK_CANCELLED or
// CONTENT_REJECTED.
Observation ObservationOf(const Answer& answer, const State& state, const FailureRules& rules);

// The state of the accepted unit `id` in the answer to its submission. Absent for a failure that
// names no unit: it may be about the call, while the unit exists.
std::optional<State> FirstState(const Answer& answer, const StateNames& names,
                                absl::string_view id);

// Decodes a task whose state was found.
using ReadTask = Observation (*)(const Answer& answer, const State& state);
// The observation of the accepted task `id` in the answer to its submission: kQueued where it holds
// no state. A success without a link is about the call.
Observation FirstObservation(const Answer& answer, const StateNames& names, absl::string_view id,
                             ReadTask read);
// The result of a poll of a task whose state was found.
PollResult TaskNews(const Answer& answer, const State& state, ReadTask read);

// Completes the observation of a task that succeeded: `video` with its link, or, without a link,
// the kind of result that the answer holds instead.
void SetResult(const Answer& answer, const Link& link, v1::Video video, Observation& seen);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_VERDICT_H_
