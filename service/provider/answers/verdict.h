// What an answer comes to that does not tell of the thing it should tell of.
//
// Money first: a refusal must be sure. Whatever may have been said after the work was begun is
// kUnknown, and never "nothing was made".
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

// What a dialect's page says of failures.
struct FailureRules {
  std::span<const DocumentedCode> codes;
  // Whether an answer of status 2xx is an envelope that the page documents for refusals, whatever
  // its words; nullptr where there is none.
  bool (*is_refusal)(const Answer& answer) = nullptr;
};

struct Verdict {
  Outcome outcome = Outcome::kUnknown;
  Failure failure;
};

// What an answer without the id of what was to be made means:
//
//   3xx                  POST → 301 307 308: kNotAccepted, names the new host; else kUnknown
//   an edge's page       521 523 525 526 530, or a block (403 429 503): kNotAccepted; else kUnknown
//   400 402 404 451 422  kRefused, where the provider itself says so (JSON, or a line of text)
//   413                  kRefused
//   401 403 429          kNotAccepted
//   other 4xx, 5xx       kUnknown, unless the dialect documents the code otherwise
//   2xx                  by the code, else by the words of its failure envelope; kUnknown where
//                        neither is surely a refusal. `missing` says what was expected.
//
// Codes and words that tell of a server error, a timeout or somebody behind the provider make every
// one of these kUnknown but those of an edge.
Verdict Judge(const Answer& answer, const FailureRules& rules, absl::string_view missing);
// Likewise with words that the dialect has completed.
Verdict Judge(const Answer& answer, const Words& words, const FailureRules& rules,
              absl::string_view missing);

// The result of a submission whose answer has no id. `replay`: see Dialect::DecodeSubmit; then it
// is always kUnknown.
SubmitResult WithoutId(const Answer& answer, const FailureRules& rules, absl::string_view missing,
                       bool replay = false);
SubmitResult WithoutId(Verdict verdict, bool replay);
SubmitResult Accepted(Handle handle, Observation observation);

// The result of a poll whose answer has no state of the unit: the unit is unknown there
// (kNotFound), or the call came to nothing.
PollResult WithoutState(const Answer& answer, const FailureRules& rules, absl::string_view missing);
PollResult WithoutState(const Answer& answer, const Words& words, const FailureRules& rules,
                        absl::string_view missing);
// The answer tells of another unit than was asked for.
PollResult AboutAnother(const Answer& answer, absl::string_view what);
PollResult Observed(Observation observation);
PollResult NoNews();

// Why a deletion came to nothing; absent where the thing is gone.
std::optional<Failure> WithoutDeletion(const Answer& answer, const FailureRules& rules,
                                       absl::string_view missing);

// An observation by the state of a unit, with what every dialect tells alike: the word, the id,
// when it ended, and where it failed, why: PROVIDER_WORK_FAILED, TASK_CANCELLED or
// CONTENT_REJECTED.
Observation ObservationOf(const Answer& answer, const State& state, const FailureRules& rules);

// The state in the answer to a submission of what it accepted as `id`. A failure that names no
// thing may be that of the call, whose thing has an id all the same: absent.
std::optional<State> FirstState(const Answer& answer, const StateNames& names,
                                absl::string_view id);

// How a dialect reads a task whose state was found.
using ReadTask = Observation (*)(const Answer& answer, const State& state);
// What the answer to a submission says of the task that it accepted as `id`: in a queue where it
// says nothing. A success without a link is that of the call.
Observation FirstObservation(const Answer& answer, const StateNames& names, absl::string_view id,
                             ReadTask read);
// What a poll says of a task.
PollResult TaskNews(const Answer& answer, const State& state, ReadTask read);

// Puts the result into the observation of a task that succeeded: `video`, complete but for its
// link, with the link, or what is there in the place of one.
void SetResult(const Answer& answer, const Link& link, v1::Video video, Observation& seen);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_VERDICT_H_
