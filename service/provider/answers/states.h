// State words: the meaning of a provider's word for the state of a group, an asset or a task.
#ifndef ASSETGATE_PROVIDER_ANSWERS_STATES_H_
#define ASSETGATE_PROVIDER_ANSWERS_STATES_H_

#include <optional>
#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "provider/answers/answer.h"
#include "provider/dialect.h"

namespace assetgate::provider::answers {

// A word that a dialect documents, in lower case. Words are compared without the blanks around
// them, ignoring case, with '-' and ' ' equal to '_'.
struct StateWord {
  absl::string_view word;
  // Absent: the word says that the provider does not know the state.
  std::optional<Observation::Progress> progress;
};

// The state of one unit, and where the answer holds it.
struct State {
  // The object that describes the unit: the one with the state word.
  const rapidjson::Value* object = nullptr;
  // The id in that object; empty where it has none.
  std::string id;
  // The word without the blanks around it; at most 64 bytes.
  std::string word;
  Observation::Progress progress = Observation::Progress::kRunning;
  // The word is one with an absent `progress`.
  bool no_news = false;
  // The word is in no table.
  bool unknown = false;
  // The object and the state of the provider behind a relay, where the answer holds them; else
  // nullptr.
  const rapidjson::Value* inner_object = nullptr;
  std::string inner_word;
  std::optional<Observation::Progress> inner_progress;

  // Whether the inner state is final but the outer one is not.
  bool lags() const;
  // The state by the inner object alone.
  State inner() const;
};

// How a dialect reads the state of one kind of unit.
struct StateNames {
  UnitKind kind = UnitKind::kVideo;
  // Distinguishes the unit's object from an envelope around it, which may have a "status" too.
  IdNames ids;
  std::span<const StateWord> words;
};

// The meaning of a word by the dialect's table, else by the shared table. For a word in neither
// table, `unknown` is set and the result is kRunning.
std::optional<Observation::Progress> ProgressOf(absl::string_view word, UnitKind kind,
                                                std::span<const StateWord> documented,
                                                bool& unknown);

// Whether the shared table has the word, for any kind of unit.
bool IsKnownStateWord(absl::string_view word);

// Whether any object of the answer has the state of failed work. "error" and "timeout" do not
// count: they may be about the call, and then say nothing about the work.
bool SaysWorkFailed(const Answer& answer);

// The state in an answer: a "status" (or "state", "taskStatus", …) in the outermost object or in an
// envelope. Absent where there is none, or only that of the call. A number is not a state word. In
// an answer that is not 2xx, only a state that is not a failure counts, beside the polled id
// `asked`.
std::optional<State> FindState(const Answer& answer, const StateNames& names,
                               absl::string_view asked = "");

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_STATES_H_
