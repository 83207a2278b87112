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

// An unknown outcome; `message` is the gateway's.
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

// "InvalidParameter.Url": a code of Ark, passed on by any relay.
bool IsArkCode(absl::string_view code) {
  return !code.empty() && absl::ascii_isupper(static_cast<unsigned char>(code.front()));
}

bool IsNumber(absl::string_view code) {
  int number = 0;
  return absl::SimpleAtoi(code, &number);
}

// Whether the words contradict the code: a relay may use the code of a refusal for an answer that
// it lost. A code that names what is wrong outweighs words about a timeout.
bool TakenBack(const Words& words, Meaning meaning) {
  if (meaning == Meaning::kContent) return false;
  if (SpeaksOfLostCall(words.message)) return true;
  const bool named = meaning == Meaning::kInvalid && !IsNumber(words.code);
  return !named && SpeaksOfTimeout(words.message);
}

// Refused content or missing credit, under a code that only says that the request was rejected.
Meaning RefinedByWords(const Words& words, Meaning meaning) {
  const bool general = meaning == Meaning::kNone || meaning == Meaning::kInvalid ||
                       (meaning == Meaning::kCredentials && !NamesTheKey(words.code));
  if (!general) return meaning;
  const Meaning said = MeaningOfText(words.message);
  return said == Meaning::kContent || said == Meaning::kOutOfCredit ? said : meaning;
}

Verdict JudgeStatus(const Answer& answer, const Words& words, const FailureRules& rules) {
  const int status = answer.status();
  const bool turned_away = status == 401 || status == 403 || status == 429;
  const bool faulty = status == 400 || status == 422;
  Meaning meaning = MeaningOfCode(words.code, rules.codes);
  if (answer.is_json() && (faulty || status == 401 || status == 403 || status == 451)) {
    meaning = RefinedByWords(words, meaning);
  }
  switch (meaning) {
    case Meaning::kContent:
      if (status < 500) return Make(answer, words, SubmissionMeaning(meaning));
      break;
    case Meaning::kInvalid:
      // With a status that is not a certain refusal, only a code like Ark's, which names what is
      // wrong.
      if ((status == 400 || status == 413 || status == 422 || status == 451 ||
           (status < 500 && !turned_away && status != 402 && status != 404 &&
            IsArkCode(words.code))) &&
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
      if (turned_away || status == 404 || (faulty && IsArkCode(words.code))) {
        return Make(answer, words, SubmissionMeaning(meaning));
      }
      break;
    case Meaning::kCredentials:
    case Meaning::kRateLimited:
      if (faulty && !words.from_upstream && !IsNumber(words.code)) {
        return Make(answer, words, SubmissionMeaning(meaning));
      }
      break;
    case Meaning::kNothingDone:
      return Make(answer, words, SubmissionMeaning(meaning));
    case Meaning::kDoubt:
      if (!turned_away && status != 402) return Make(answer, words, kInDoubt);
      break;
    default:
      break;
  }
  // The relay's key or account at its provider, not the gateway's.
  if (words.from_upstream &&
      (status == 401 || status == 402 || status == 403 ||
       (faulty && (meaning == Meaning::kCredentials || meaning == Meaning::kOutOfCredit)))) {
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
        verdict.failure.message = "the provider refused without a message";
      }
      return verdict;
    }
    if (TakenBack(words, meaning)) return Make(answer, words, kInDoubt);
  }
  return Make(answer, words, by_status);
}

Verdict JudgeEnvelope(const Answer& answer, const Words& words, const FailureRules& rules,
                      absl::string_view missing) {
  // The second: a unit that failed at once, and has no id to poll it by.
  const bool documented = (rules.is_refusal != nullptr && rules.is_refusal(answer)) ||
                          (words.code.empty() && SaysWorkFailed(answer));
  if (!answer.is_json() || (words.empty() && !documented)) return Unreadable(answer, missing);
  Meaning meaning = MeaningOfCode(words.code, rules.codes);
  if (meaning == Meaning::kSuccess || SaysSucceeded(answer)) return Unreadable(answer, missing);
  const bool in_table = MeaningOfCode(words.code, {}) != meaning;
  meaning = RefinedByWords(words, meaning);
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
      verdict.failure.message = absl::StrCat("code ", words.code, ", without a message");
    }
    return verdict;
  }
  return Make(answer, words, SubmissionMeaning(meaning));
}

// Whether a 404 is about the URL: a gateway in front has no such route, or the provider no such
// call.
bool SpeaksOfRoute(absl::string_view message) {
  const std::string text = absl::AsciiStrToLower(message);
  return absl::StrContains(text, "no route matched") ||
         absl::StrContains(text, "route not found") || absl::StrContains(text, "invalid url (");
}

// Whether the words say only that it failed.
bool SaysFailure(absl::string_view message) {
  return absl::StrContains(absl::AsciiStrToLower(message), "fail") ||
         absl::StrContains(message, "失败");
}

PollResult Trouble(Failure failure) {
  PollResult result;
  result.trouble = std::move(failure);
  return result;
}

// Whether the provider itself says that the unit is unknown.
bool SaysUnknownUnit(const Answer& answer, const Words& words, const FailureRules& rules) {
  // The provider behind the relay answered, which may use another id for the unit.
  if (words.from_upstream) return false;
  const Meaning meaning = MeaningOfCode(words.code, rules.codes);
  const Meaning said = MeaningOfText(words.message);
  if (answer.ok() || answer.status() == 400) {
    if (meaning != Meaning::kNotFound) return false;
    // The documented number is also the code of other failures.
    const bool in_table = MeaningOfCode(words.code, {}) != meaning;
    if (!in_table || !IsNumber(words.code)) return said != Meaning::kDoubt;
    return said == Meaning::kNotFound || (said == Meaning::kNone && !SaysFailure(words.message));
  }
  if (answer.status() != 404 || SpeaksOfRoute(words.message)) return false;
  return (answer.is_json() || (!words.empty() && !IsPage(answer))) && meaning != Meaning::kDoubt &&
         meaning != Meaning::kOperator;
}

v1::ErrorReason ReasonOfEnd(Progress progress, const Words& words, const FailureRules& rules) {
  if (MeaningOfCode(words.code, rules.codes) == Meaning::kContent ||
      MeaningOfText(words.message) == Meaning::kContent) {
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

std::optional<State> FirstState(const Answer& answer, const StateNames& names,
                                absl::string_view id) {
  std::optional<State> state = FindState(answer, names, id);
  if (state.has_value() && state->progress == Progress::kFailed && state->id.empty()) return {};
  return state;
}

Observation FirstObservation(const Answer& answer, const StateNames& names, absl::string_view id,
                             ReadTask read) {
  Observation seen;
  seen.progress = Progress::kQueued;
  const std::optional<State> state = FirstState(answer, names, id);
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
