// State words: what a provider's word for a group, an asset or a task means.
#ifndef ASSETGATE_PROVIDER_ANSWERS_STATES_H_
#define ASSETGATE_PROVIDER_ANSWERS_STATES_H_

#include <optional>
#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "provider/answers/answer.h"
#include "provider/dialect.h"

namespace assetgate::provider::answers {

// A word that a dialect documents, in small letters; words are compared without blanks around them,
// in any case, with '-' and ' ' for '_'.
struct StateWord {
  absl::string_view word;
  // Absent: the provider has no news itself.
  std::optional<Observation::Progress> progress;
};

// What is said of one unit, and where.
struct State {
  // The object that tells of the unit: the one with the state word.
  const rapidjson::Value* object = nullptr;
  // The id of the unit in that object; empty where it has none.
  std::string id;
  // As it came, without the blanks around it; at most 64 bytes.
  std::string word;
  Observation::Progress progress = Observation::Progress::kRunning;
  // The word says that there is no news.
  bool no_news = false;
  // The word is in no table.
  bool unknown = false;
  // Where a relay tells of the work of somebody behind it: that one's object and state. nullptr
  // where it does not.
  const rapidjson::Value* inner_object = nullptr;
  std::string inner_word;
  std::optional<Observation::Progress> inner_progress;

  // Whether the inner state is final and the outer one is not.
  bool lags() const;
  // What is said by the inner state alone.
  State inner() const;
};

// How a dialect reads the state of one kind of unit.
struct StateNames {
  UnitKind kind = UnitKind::kVideo;
  // Tells the object of the unit from an envelope around it, which may have a "status" as well.
  IdNames ids;
  std::span<const StateWord> words;
};

// The meaning of a word: by the dialect's table, then by the table that all share. Sets `unknown`
// where it is in neither; kRunning then.
std::optional<Observation::Progress> ProgressOf(absl::string_view word, UnitKind kind,
                                                std::span<const StateWord> documented,
                                                bool& unknown);

// Whether the shared table has the word, for any kind of unit.
bool IsKnownStateWord(absl::string_view word);

// Whether the answer tells of something that failed, in any of its objects. Not an "error" or a
// "timeout": these may be the call's, and say nothing of what was done.
bool SaysWorkFailed(const Answer& answer);

// The state in an answer: a "status" (or "state", "taskStatus", …) at the top or in an envelope.
// Absent where there is none, and where it is only that of the call. A number is no state word. In
// an answer that is not 2xx, only a state that is no failure, beside the id that was `asked` for.
std::optional<State> FindState(const Answer& answer, const StateNames& names,
                               absl::string_view asked = "");

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_STATES_H_
