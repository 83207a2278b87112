#include "provider/answers/verdict.h"

#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "provider/answers/edge.h"
#include "provider/answers/facts.h"

namespace assetgate::provider::answers {
namespace {

using Progress = Observation::Progress;

Verdict Make(const Answer& answer, const Words& words, StatusMeaning meaning) {
  Verdict verdict;
  verdict.outcome = meaning.outcome;
  verdict.failure = FailureOf(answer.response(), words.code, words.message);
  verdict.failure.reason = meaning.reason;
  verdict.failure.act = meaning.act;
  return verdict;
}

// Neither yes nor no; `message` is ours.
Verdict Unreadable(const Answer& answer, absl::string_view message) {
  Verdict verdict;
  verdict.failure = FailureOf(answer.response(), "", message);
  verdict.failure.reason = v1::PROVIDER_PROTOCOL_ERROR;
  verdict.failure.act.reset();
  verdict.failure.unreadable = answer.ok() && answer.is_json();
  return verdict;
}

constexpr StatusMeaning kInDoubt = {Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE, std::nullopt};

StatusMeaning SubmissionMeaning(Meaning meaning) {
  switch (meaning) {
    case Meaning::kInvalid:
      return {Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT, std::nullopt};
    case Meaning::kContent:
      return {Outcome::kRefused, v1::CONTENT_REJECTED, std::nullopt};
    case Meaning::kOutOfCredit:
      return {Outcome::kRefused, v1::PROVIDER_OUT_OF_CREDIT, base::Act::kOperator};
    case Meaning::kCredentials:
      return {Outcome::kNotAccepted, v1::PROVIDER_CREDENTIALS_REJECTED, std::nullopt};
    case Meaning::kRateLimited:
      return {Outcome::kNotAccepted, v1::PROVIDER_RATE_LIMITED, std::nullopt};
    case Meaning::kNotFound:
    case Meaning::kOperator:
      return {Outcome::kRefused, v1::PROVIDER_REJECTED, base::Act::kOperator};
    case Meaning::kRejected:
      return {Outcome::kRefused, v1::PROVIDER_REJECTED, std::nullopt};
    case Meaning::kNothingDone:
      return {Outcome::kNotAccepted, v1::PROVIDER_UNAVAILABLE, std::nullopt};
    case Meaning::kNone:
    case Meaning::kSuccess:
    case Meaning::kDoubt:
      break;
  }
  return kInDoubt;
}

Verdict Redirected(const Answer& answer) {
  const std::string host = RedirectHost(answer);
  Verdict verdict = Make(answer, Words(), MeaningOfStatus(answer.status()));
  verdict.failure.act = base::Act::kOperator;
  verdict.failure.message =
      absl::StrCat("the provider redirects", host.empty() ? "" : " to ", host,
                   "; redirects are not followed. If it has moved, set base_url of this provider "
                   "in the config");
  return verdict;
}

Verdict FromEdge(const Answer& answer, const Words& words, Edge edge) {
  Verdict verdict = Make(answer, words, kInDoubt);
  verdict.failure.from_edge = true;
  std::string& message = verdict.failure.message;
  switch (edge) {
    case Edge::kNeverAsked:
      verdict.outcome = Outcome::kNotAccepted;
      message = absl::StrCat("the provider's edge could not reach the provider",
                             message.empty() ? "" : ": ", message);
      break;
    case Edge::kBlocked:
      verdict.outcome = Outcome::kNotAccepted;
      message = absl::StrCat("blocked at the provider's edge", message.empty() ? "" : ": ", message,
                             " (some edges refuse certain User-Agents: see headers of this "
                             "provider in the config)");
      break;
    case Edge::kMayHaveAsked:
    case Edge::kNone:
      break;
  }
  return verdict;
}

bool IsNumber(absl::string_view code) {
  int number = 0;
  return absl::SimpleAtoi(code, &number);
}

// Whether words take back what a code says: a relay may give the code of a refusal to an answer
// that it lost. Codes that name what is wrong stand against a time that ran out.
bool TakenBack(const Words& words, Meaning meaning) {
  if (meaning == Meaning::kContent) return false;
  if (SpeaksOfLostCall(words.message)) return true;
  const bool named = meaning == Meaning::kInvalid && !IsNumber(words.code);
  return !named && SpeaksOfTimeout(words.message);
}

// Content that is refused under the code of any faulty request, or under none.
Meaning ContentByWords(const Words& words, Meaning meaning) {
  const bool general = meaning == Meaning::kNone || meaning == Meaning::kInvalid;
  return general && MeaningOfText(words.message) == Meaning::kContent ? Meaning::kContent : meaning;
}

Verdict JudgeStatus(const Answer& answer, const Words& words, const FailureRules& rules) {
  const int status = answer.status();
  const bool turned_away = status == 401 || status == 403 || status == 429;
  Meaning meaning = MeaningOfCode(words.code, rules.codes);
  if (answer.is_json() && (status == 400 || status == 403 || status == 422 || status == 451)) {
    meaning = ContentByWords(words, meaning);
  }
  switch (meaning) {
    case Meaning::kContent:
      if (status < 500) return Make(answer, words, SubmissionMeaning(meaning));
      break;
    case Meaning::kInvalid:
      // At statuses that are no sure refusal, only a code as Ark's, which names what is wrong.
      if ((status == 400 || status == 413 || status == 422 || status == 451 ||
           (status < 500 && !turned_away && status != 402 && status != 404 &&
            absl::ascii_isupper(static_cast<unsigned char>(words.code[0])))) &&
          !TakenBack(words, meaning)) {
        return Make(answer, words, SubmissionMeaning(meaning));
      }
      break;
    case Meaning::kOutOfCredit:
      if (status < 500 && !words.from_upstream) {
        return Make(answer, words, SubmissionMeaning(meaning));
      }
      break;
    case Meaning::kOperator:
      if (turned_away || status == 404) return Make(answer, words, SubmissionMeaning(meaning));
      break;
    case Meaning::kNothingDone:
      return Make(answer, words, SubmissionMeaning(meaning));
    case Meaning::kDoubt:
      if (!turned_away && status != 402) return Make(answer, words, kInDoubt);
      break;
    default:
      break;
  }
  // The relay's key or account somewhere behind it, not ours.
  if (words.from_upstream && (status == 401 || status == 402 || status == 403)) {
    return Make(answer, words, {Outcome::kNotAccepted, v1::PROVIDER_UNAVAILABLE, std::nullopt});
  }
  const StatusMeaning by_status = MeaningOfStatus(status);
  if (by_status.outcome == Outcome::kRefused && status != 413) {
    const bool own = answer.is_json() || (!IsPage(answer) && !words.message.empty());
    if (!own) {
      Verdict verdict = Make(answer, words, by_status);
      verdict.outcome = Outcome::kUnknown;
      verdict.failure.reason = v1::PROVIDER_PROTOCOL_ERROR;
      if (words.empty()) {
        verdict.failure.message = "a refusal without any word of the provider's own";
      }
      return verdict;
    }
    if (TakenBack(words, meaning)) return Make(answer, words, kInDoubt);
  }
  return Make(answer, words, by_status);
}

Verdict JudgeEnvelope(const Answer& answer, const Words& words, const FailureRules& rules,
                      absl::string_view missing) {
  // The second: a thing that failed at once, and has no id to follow it by.
  const bool documented = (rules.is_refusal != nullptr && rules.is_refusal(answer)) ||
                          (words.code.empty() && SaysWorkFailed(answer));
  if (!answer.is_json() || (words.empty() && !documented)) return Unreadable(answer, missing);
  Meaning meaning = MeaningOfCode(words.code, rules.codes);
  if (meaning == Meaning::kSuccess) return Unreadable(answer, missing);
  const bool in_table = MeaningOfCode(words.code, {}) != meaning;
  if (!in_table) meaning = ContentByWords(words, meaning);
  if (meaning != Meaning::kNone && !in_table && TakenBack(words, meaning)) {
    meaning = Meaning::kDoubt;
  }
  if (meaning == Meaning::kNone) {
    meaning = MeaningOfText(words.message);
    if (meaning == Meaning::kNone && documented) meaning = Meaning::kRejected;
  }
  if (meaning == Meaning::kNone) {
    Verdict verdict = Make(answer, words, kInDoubt);
    verdict.failure.reason = v1::PROVIDER_PROTOCOL_ERROR;
    verdict.failure.unreadable = true;
    if (words.message.empty()) {
      verdict.failure.message = absl::StrCat("code ", words.code, ", and no words");
    }
    return verdict;
  }
  return Make(answer, words, SubmissionMeaning(meaning));
}

PollResult Trouble(Failure failure) {
  PollResult result;
  result.trouble = std::move(failure);
  return result;
}

// Whether the provider itself says that it does not know the unit.
bool SaysUnknownUnit(const Answer& answer, const Words& words, const FailureRules& rules) {
  const Meaning meaning = MeaningOfCode(words.code, rules.codes);
  if (answer.ok() || answer.status() == 400) {
    return meaning == Meaning::kNotFound && MeaningOfText(words.message) != Meaning::kDoubt;
  }
  if (answer.status() != 404) return false;
  return (answer.is_json() || (!words.empty() && !IsPage(answer))) && meaning != Meaning::kDoubt;
}

v1::ErrorReason ReasonOfEnd(Progress progress, const Words& words, const FailureRules& rules) {
  if (MeaningOfCode(words.code, rules.codes) == Meaning::kContent ||
      SpeaksOfContent(words.message)) {
    return v1::CONTENT_REJECTED;
  }
  return progress == Progress::kCancelled ? v1::TASK_CANCELLED : v1::PROVIDER_WORK_FAILED;
}

}  // namespace

Verdict Judge(const Answer& answer, const FailureRules& rules, absl::string_view missing) {
  return Judge(answer, WordsOf(answer), rules, missing);
}

Verdict Judge(const Answer& answer, const Words& words, const FailureRules& rules,
              absl::string_view missing) {
  if (answer.status() >= 300 && answer.status() < 400) return Redirected(answer);
  if (const Edge edge = EdgeOf(answer); edge != Edge::kNone) return FromEdge(answer, words, edge);
  if (answer.ok()) return JudgeEnvelope(answer, words, rules, missing);
  return JudgeStatus(answer, words, rules);
}

SubmitResult WithoutId(const Answer& answer, const FailureRules& rules, absl::string_view missing,
                       bool replay) {
  return WithoutId(Judge(answer, rules, missing), replay);
}

SubmitResult WithoutId(Verdict verdict, bool replay) {
  SubmitResult result;
  result.outcome = replay ? Outcome::kUnknown : verdict.outcome;
  result.failure = std::move(verdict.failure);
  return result;
}

SubmitResult Accepted(Handle handle, Observation observation) {
  SubmitResult result;
  result.outcome = Outcome::kAccepted;
  result.handle = std::move(handle);
  result.observation = std::move(observation);
  return result;
}

PollResult WithoutState(const Answer& answer, const FailureRules& rules,
                        absl::string_view missing) {
  return WithoutState(answer, WordsOf(answer), rules, missing);
}

PollResult WithoutState(const Answer& answer, const Words& words, const FailureRules& rules,
                        absl::string_view missing) {
  Failure failure = Judge(answer, words, rules, missing).failure;
  if (!SaysUnknownUnit(answer, words, rules)) return Trouble(std::move(failure));
  PollResult result;
  UnitNews& news = result.news.emplace_back();
  news.kind = UnitNews::Kind::kNotFound;
  news.failure = std::move(failure);
  return result;
}

PollResult AboutAnother(const Answer& answer, absl::string_view what) {
  return Trouble(Unreadable(answer, absl::StrCat("the answer is about another ", what)).failure);
}

PollResult Observed(Observation observation) {
  PollResult result;
  UnitNews& news = result.news.emplace_back();
  news.kind = UnitNews::Kind::kObserved;
  news.observation = std::move(observation);
  return result;
}

PollResult NoNews() {
  PollResult result;
  result.news.emplace_back();
  return result;
}

std::optional<Failure> WithoutDeletion(const Answer& answer, const FailureRules& rules,
                                       absl::string_view missing) {
  const Words words = WordsOf(answer);
  if (SaysUnknownUnit(answer, words, rules)) return std::nullopt;
  return Judge(answer, words, rules, missing).failure;
}

Observation ObservationOf(const Answer& answer, const State& state, const FailureRules& rules) {
  Observation seen;
  seen.progress = state.progress;
  seen.provider_state = state.word;
  seen.provider_id = state.id;
  seen.unknown_state = state.unknown;
  if (state.unknown) seen.answer = answer.Excerpt();
  if (state.progress == Progress::kQueued || state.progress == Progress::kRunning) return seen;
  const rapidjson::Value* const objects[] = {state.object, state.inner_object};
  seen.end_time = FindEndTime(objects);
  if (state.progress == Progress::kSucceeded) return seen;
  Words words;
  for (const rapidjson::Value* const object : objects) {
    if (object == nullptr) continue;
    const Words more = FailureWordsOf(*object);
    if (words.code.empty()) words.code = more.code;
    if (words.message.empty()) words.message = more.message;
  }
  if (words.empty()) words = WordsOf(answer);
  if (words.empty()) {
    words.message = absl::StrCat(
        "status ", state.inner_word.empty() ? state.word : state.inner_word, ", no reason given");
  }
  Failure failure = FailureOf(answer.response(), words.code, words.message);
  failure.reason = ReasonOfEnd(state.progress, words, rules);
  failure.act.reset();
  failure.retry_after.reset();
  seen.failure = std::move(failure);
  return seen;
}

Observation FirstObservation(const Answer& answer, const StateNames& names, absl::string_view id,
                             ReadTask read) {
  Observation seen;
  seen.progress = Progress::kQueued;
  const std::optional<State> state = FindState(answer, names);
  if (state.has_value() && !state->no_news) {
    seen = read(answer, *state);
    if (seen.progress == Progress::kSucceeded && seen.result != Observation::Result::kLinked) {
      seen = Observation();
      seen.provider_state = state->word;
    }
  }
  seen.provider_id = std::string(id);
  return seen;
}

PollResult TaskNews(const Answer& answer, const State& state, ReadTask read) {
  if (state.no_news && !state.lags()) return NoNews();
  Observation seen = read(answer, state);
  if (state.lags()) seen.inner = std::make_shared<const Observation>(read(answer, state.inner()));
  return Observed(std::move(seen));
}

void SetResult(const Answer& answer, const Link& link, v1::Video video, Observation& seen) {
  if (link.url.empty()) {
    seen.result = link.is_inline ? Observation::Result::kInline : Observation::Result::kMissing;
    seen.answer = answer.Excerpt();
    return;
  }
  video.set_uri(link.url);
  seen.video = std::move(video);
}

}  // namespace assetgate::provider::answers
