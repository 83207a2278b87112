#include "provider/answers/failure_words.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"
#include "provider/answers/states.h"
#include "provider/dialect.h"
#include "provider/rest.h"

namespace assetgate::provider::answers {
namespace {

using rapidjson::Value;

// How many faults of a validation error are kept.
constexpr std::size_t kMaxDetails = 8;
// Relays behind relays wrap each other's errors; deeper nesting has not been observed.
constexpr int kMaxLayers = 4;
// Limits of a text that is not JSON.
constexpr std::size_t kMaxTextCharacters = 1024;
constexpr std::size_t kMaxPageBytes = 64 * 1024;

// --- Names --------------------------------------------------------------------------------------

constexpr absl::string_view kErrorPaths[] = {"error", "ResponseMetadata.Error"};
constexpr absl::string_view kCodePaths[] = {
    "code", "error_code", "err_code", "errno", "base_resp.status_code", "errors.0.code"};
constexpr absl::string_view kMessagePaths[] = {"message",
                                               "msg",
                                               "detail",
                                               "error_message",
                                               "error_msg",
                                               "err_msg",
                                               "error_description",
                                               "fail_reason",
                                               "reason",
                                               "info",
                                               "status_msg",
                                               "base_resp.status_msg"};
// Objects that describe no failure may have these too.
constexpr absl::string_view kTitleNames[] = {"description", "title"};
// Faults by field, beside a message or instead of it.
constexpr absl::string_view kDetailNames[] = {"errors", "details"};

// In a failed task or asset. The last ones may be about something else.
constexpr absl::string_view kFailurePaths[] = {
    "error",        "task_error",     "fail_reason",     "failure_reason", "failed_reason",
    "error_reason", "err_reason",     "error_message",   "error_msg",      "err_msg",
    "err",          "error_info",     "error_detail",    "failure",        "failure_message",
    "fail_msg",     "failed_msg",     "task_status_msg", "status_msg",     "status_message",
    "output.error", "output.message", "cause",           "reason",         "message",
    "msg",          "detail",         "remark",          "description"};
constexpr absl::string_view kFailureCodePaths[] = {"error_code", "err_code", "fail_code",
                                                   "output.code", "errors.0.code"};

// --- Texts that are not a reason ----------------------------------------------------------------

// A text in lower case, without blanks around it and full stops behind it.
std::string Plain(absl::string_view text) {
  std::string lower = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  absl::string_view said = lower;
  while (absl::ConsumeSuffix(&said, "!") || absl::ConsumeSuffix(&said, ".") ||
         absl::ConsumeSuffix(&said, "！") || absl::ConsumeSuffix(&said, "。")) {
  }
  return std::string(said);
}

// "success", "Request OK.", "操作成功"; but not "unsuccessful" or "扣费成功，任务失败".
bool IsSuccess(absl::string_view text) {
  constexpr absl::string_view kWords[] = {"success", "succeed", "成功"};
  constexpr absl::string_view kBut[] = {"not ", "unsucc", "fail", "error", "but",
                                        "失败", "未",     "不",   ",",     "，"};
  constexpr std::size_t kMaxBytes = 24;
  const std::string said = Plain(text);
  if (said.size() > kMaxBytes) return false;
  const auto has = [&](absl::string_view part) { return absl::StrContains(said, part); };
  if (std::any_of(std::begin(kBut), std::end(kBut), has)) return false;
  return said == "ok" || absl::EndsWith(said, " ok") ||
         std::any_of(std::begin(kWords), std::end(kWords), [&](absl::string_view word) {
           return absl::StartsWith(said, word) || absl::EndsWith(said, word);
         });
}

// Whether a text in the place of an error or a reason says that nothing failed.
bool IsNoFailure(absl::string_view text) {
  constexpr absl::string_view kWords[] = {"",     "0",   "200",  "true",      "false",
                                          "null", "nil", "none", "undefined", "no error"};
  return IsSuccess(text) ||
         std::find(std::begin(kWords), std::end(kWords), Plain(text)) != std::end(kWords);
}

// The code, or "" for a code of success: "0", "success".
std::string FailureCode(std::string code) {
  return MeaningOfCode(code, {}) == Meaning::kSuccess ? "" : code;
}

std::string FailureMessage(std::string message) { return IsNoFailure(message) ? "" : message; }

// The HTTP status whose reason phrase a text is; 0 for any other text.
int StatusOfPhrase(absl::string_view text) {
  struct Phrase {
    absl::string_view text;
    int status;
  };
  constexpr Phrase kPhrases[] = {
      {"Bad Request", 400},
      {"Unauthorized", 401},
      {"Payment Required", 402},
      {"Forbidden", 403},
      {"Not Found", 404},
      {"Method Not Allowed", 405},
      {"Not Acceptable", 406},
      {"Request Timeout", 408},
      {"Conflict", 409},
      {"Gone", 410},
      {"Payload Too Large", 413},
      {"Content Too Large", 413},
      {"Unsupported Media Type", 415},
      {"Unprocessable Entity", 422},
      {"Unprocessable Content", 422},
      {"Too Many Requests", 429},
      {"Internal Server Error", 500},
      {"Not Implemented", 501},
      {"Bad Gateway", 502},
      {"Service Unavailable", 503},
      {"Gateway Timeout", 504},
  };
  const auto it = std::find_if(std::begin(kPhrases), std::end(kPhrases), [&](const Phrase& phrase) {
    return absl::EqualsIgnoreCase(phrase.text, text);
  });
  return it == std::end(kPhrases) ? 0 : it->status;
}

// Whether a text only names a failure, which another text may explain: "invalid_request",
// "Bad Request", "1".
bool IsLabel(absl::string_view text) {
  const auto is_part = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("_-.:", c);
  };
  return (!text.empty() && std::all_of(text.begin(), text.end(), is_part)) ||
         StatusOfPhrase(text) != 0;
}

// Whether a word is a state without a reason.
bool IsFailedWord(absl::string_view word) {
  constexpr absl::string_view kWords[] = {"error", "fail", "failed", "failure", "失败"};
  return std::any_of(std::begin(kWords), std::end(kWords),
                     [&](absl::string_view known) { return absl::EqualsIgnoreCase(word, known); });
}

// Adds `label` to words that have a message: as their code, else in front of the message. A reason
// phrase adds nothing to its status, except for a server error, of which every word counts.
void AddLabel(const std::string& label, Words& words) {
  const int status = StatusOfPhrase(label);
  if (words.code.empty()) {
    words.code = status != 0 ? absl::StrCat(status) : label;
  } else if (status == 0 || status >= 500) {
    words.message = absl::StrCat(label, ": ", words.message);
  }
}

// --- Their places -------------------------------------------------------------------------------

// {"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"}
std::string LineOf(const Value& fault) {
  if (!fault.IsObject()) return TextOf(&fault);
  std::vector<std::string> steps;
  if (const Value* const loc = Member(fault, "loc"); loc != nullptr && loc->IsArray()) {
    for (const Value& step : loc->GetArray()) {
      if (std::string text = TextOf(&step); !text.empty()) steps.push_back(std::move(text));
    }
  }
  const std::string message = FirstText(fault, {"msg", "message", "error_message", "detail",
                                                "description", "title", "error", "code"});
  return absl::StrCat(absl::StrJoin(steps, "."), steps.empty() || message.empty() ? "" : ": ",
                      message);
}

// Faults as one text: "text", ["text", {"msg": "…"}], {"seed": "Not whole", "ratio": ["Unknown"]}.
std::string LinesOf(const Value& faults) {
  if (!faults.IsArray() && !faults.IsObject()) return TextOf(&faults);
  std::vector<std::string> lines;
  const auto add = [&](std::string line) {
    if (!line.empty() && lines.size() < kMaxDetails) lines.push_back(std::move(line));
  };
  if (faults.IsArray()) {
    for (const Value& fault : faults.GetArray()) add(LineOf(fault));
  } else {
    for (const auto& [name, fault] : faults.GetObject()) {
      std::vector<std::string> words;
      if (fault.IsArray()) {
        for (const Value& word : fault.GetArray()) {
          if (words.size() < kMaxDetails) words.push_back(LineOf(word));
        }
      } else if (fault.IsString()) {
        words.push_back(TextOf(&fault));
      }
      const std::string all = absl::StrJoin(words, ", ");
      if (all.empty()) continue;
      add(absl::StrCat(absl::string_view(name.GetString(), name.GetStringLength()), ": ", all));
    }
  }
  return absl::StrJoin(lines, "; ");
}

std::string CodeIn(const Value& object, std::span<const absl::string_view> paths) {
  for (const absl::string_view path : paths) {
    if (std::string code = FailureCode(TextAt(object, path)); !code.empty()) return code;
  }
  return "";
}

std::string MessageIn(const Value& object, std::span<const absl::string_view> paths) {
  for (const absl::string_view path : paths) {
    const Value* const value = At(object, path);
    // A list of texts or of faults; an object is something else.
    if (value == nullptr || value->IsObject()) continue;
    if (std::string message = FailureMessage(LinesOf(*value)); !message.empty()) return message;
  }
  return "";
}

void AddDetails(const Value& object, Words& words) {
  for (const absl::string_view name : kDetailNames) {
    const Value* const details = Member(object, name);
    if (details == nullptr) continue;
    const std::string lines = FailureMessage(LinesOf(*details));
    if (lines.empty() || absl::StrContains(words.message, lines)) continue;
    absl::StrAppend(&words.message, words.message.empty() ? "" : ": ", lines);
  }
}

// The words in the value of an "error".
Words WordsOfError(const Value& error) {
  Words words;
  if (!error.IsObject()) {
    if (!error.IsBool()) words.message = FailureMessage(LinesOf(error));
    return words;
  }
  words.code = CodeIn(error, kCodePaths);
  if (words.code.empty()) words.code = FailureCode(TextAt(error, "status"));
  words.type = TextAt(error, "type");
  // OpenAI writes the code there: "invalid_request_error".
  if (words.code.empty() && MeaningOfCode(words.type, {}) != Meaning::kNone) {
    words.code = FailureCode(words.type);
  }
  words.message = MessageIn(error, kMessagePaths);
  if (words.message.empty()) words.message = MessageIn(error, kTitleNames);
  if (words.message.empty()) words.message = MessageIn(error, kErrorPaths);
  AddDetails(error, words);
  return words;
}

// The words of the first error in an object that has any.
Words ErrorIn(const Value& object) {
  for (const absl::string_view path : kErrorPaths) {
    const Value* const error = At(object, path);
    if (error == nullptr) continue;
    if (Words words = WordsOfError(*error); !words.empty()) return words;
  }
  return {};
}

// {"success": true}: `told` is "true" and `as_number` "1".
bool Tells(const Value& object, absl::string_view told, absl::string_view as_number) {
  for (const absl::string_view name : {"success", "ok"}) {
    if (const std::string text = TextAt(object, name);
        absl::EqualsIgnoreCase(text, told) || text == as_number) {
      return true;
    }
  }
  return false;
}
bool TellsOfSuccess(const Value& object) { return Tells(object, "true", "1"); }
bool TellsOfFailure(const Value& object) { return Tells(object, "false", "0"); }

// The HTTP status that some frameworks repeat as a number; 0 where it is not that of a failure.
std::int64_t FailureStatusIn(const Value& object) {
  for (const absl::string_view name : {"status", "status_code"}) {
    const std::int64_t status = IntegerAt(object, name).value_or(0);
    if (status >= 400 && status < 600) return status;
  }
  return 0;
}

// The words of one object, without those of the objects that it wraps.
Words OneLayer(const Value& object) {
  Words words = ErrorIn(object);
  std::string label;
  if (words.code.empty() && IsLabel(words.message)) label = std::exchange(words.message, "");
  if (words.code.empty()) words.code = CodeIn(object, kCodePaths);
  if (words.message.empty()) words.message = MessageIn(object, kMessagePaths);
  const std::int64_t status = FailureStatusIn(object);
  if (words.message.empty() && (!words.code.empty() || status != 0 || TellsOfFailure(object))) {
    words.message = MessageIn(object, kTitleNames);
  }
  AddDetails(object, words);
  if (words.message.empty()) {
    words.message = std::move(label);
  } else if (!label.empty()) {
    AddLabel(label, words);
  }
  if (words.code.empty() && !words.message.empty() && status != 0) {
    words.code = absl::StrCat(status);
  }
  return words;
}

// {"prompt": ["This field is required."]}: "" for an object with any other member.
std::string FaultsByField(const Value& object) {
  const auto is_text = [](const Value& value) { return value.IsString(); };
  for (const auto& [name, faults] : object.GetObject()) {
    if (!faults.IsArray()) return "";
    const auto& list = faults.GetArray();
    if (!std::all_of(list.begin(), list.end(), is_text)) return "";
  }
  return LinesOf(object);
}

bool PassesOn(const Words& words) {
  return absl::EqualsIgnoreCase(words.code, "fail_to_fetch_task") ||
         absl::EqualsIgnoreCase(words.type, "upstream_error") ||
         absl::StartsWithIgnoreCase(words.code, "bad_response");
}

// Parses JSON in the message down to the innermost words.
Words Unwrap(Words words) {
  words.from_upstream = PassesOn(words);
  for (int layer = 1; layer < kMaxLayers; ++layer) {
    const std::size_t begin = words.message.find('{');
    if (begin == std::string::npos) break;
    // The parser ignores the text behind the JSON.
    const http::Response inside{.status = 0, .headers = {}, .body = words.message.substr(begin)};
    const Answer inner(inside);
    Words deeper;
    for (const Value* const object : inner.layers()) {
      deeper = OneLayer(*object);
      if (!deeper.empty()) break;
    }
    if (deeper.empty()) break;
    if (deeper.code.empty()) deeper.code = words.code;
    deeper.from_upstream = words.from_upstream || PassesOn(deeper);
    words = std::move(deeper);
  }
  return words;
}

// Whether a text is readable: UTF-8 with a letter in it, and no control characters other than tabs
// and line breaks.
bool IsReadable(absl::string_view text) {
  bool has_letter = false;
  while (!text.empty()) {
    const std::size_t length = base::Utf8CharacterLength(text);
    if (length == 0) return false;
    const absl::string_view character = text.substr(0, length);
    text.remove_prefix(length);
    const bool is_space = absl::StrContains("\t\r\n", character);
    if (base::IsControlCharacter(character) && !is_space) return false;
    has_letter |= length > 1 || absl::ascii_isalpha(static_cast<unsigned char>(character[0]));
  }
  return has_letter;
}

// The text of a body that is not JSON: its title where it is a page, else the text.
std::string PlainText(absl::string_view body) {
  body = body.substr(0, kMaxPageBytes);
  const std::string lower = absl::AsciiStrToLower(body);
  absl::string_view text = CutCharacters(absl::StripAsciiWhitespace(body), kMaxTextCharacters);
  if (const std::size_t title = lower.find("<title>"); title != std::string::npos) {
    const std::size_t begin = title + 7;
    const std::size_t end = std::min(lower.find('<', begin), body.size());
    text = absl::StripAsciiWhitespace(body.substr(begin, end - begin));
  } else if (absl::StrContains(lower, '<') || absl::StrContains(body, '{')) {
    return "";
  }
  return IsReadable(text) ? std::string(text) : "";
}

// {"code": 1, "description": "提交成功"}
bool HasSuccessMessage(const Value& object) {
  const auto is_success = [&](absl::string_view path) { return IsSuccess(TextAt(object, path)); };
  return std::any_of(std::begin(kMessagePaths), std::end(kMessagePaths), is_success) ||
         std::any_of(std::begin(kTitleNames), std::end(kTitleNames), is_success);
}

// Whether an object says that something failed, other than by its state. An unknown code can be one
// of success.
bool Fails(const Value& object) {
  if (TellsOfFailure(object) || !ErrorIn(object).empty()) return true;
  const Value* const errors = Member(object, "errors");
  if (errors != nullptr && !FailureMessage(LinesOf(*errors)).empty()) return true;
  const std::string code = CodeIn(object, kCodePaths);
  return !code.empty() && (MeaningOfCode(code, {}) != Meaning::kNone || !HasSuccessMessage(object));
}

// Whether a message says that the call succeeded. Relays have success codes of their own, which
// only the message distinguishes from codes of failure.
bool SaysItWentWell(absl::string_view message) {
  const std::string text = absl::AsciiStrToLower(message);
  const auto has = [&](absl::string_view part) { return absl::StrContains(text, part); };
  constexpr absl::string_view kBut[] = {"unsuccess", "not success", "fail",
                                        "失败",      "不成功",      "未成功"};
  return (has("success") || has("submitted") || has("成功")) &&
         std::none_of(std::begin(kBut), std::end(kBut), has);
}

// Whether a code, a message or a state in an object says that the work succeeded or is in progress.
bool Succeeds(const Value& object) {
  if (TellsOfSuccess(object) || HasSuccessMessage(object)) return true;
  for (const absl::string_view path : kCodePaths) {
    if (MeaningOfCode(TextAt(object, path), {}) == Meaning::kSuccess) return true;
  }
  for (const absl::string_view name : {"status", "state", "task_status"}) {
    const std::string word = TextAt(object, name);
    bool unknown = word.empty();
    const auto progress = unknown ? std::nullopt : ProgressOf(word, UnitKind::kVideo, {}, unknown);
    if (!unknown && (progress == Observation::Progress::kQueued ||
                     progress == Observation::Progress::kRunning ||
                     progress == Observation::Progress::kSucceeded)) {
      return true;
    }
  }
  return false;
}

}  // namespace

Words WordsOf(const Answer& answer) {
  Words words;
  for (const Value* const object : answer.layers()) {
    words = OneLayer(*object);
    if (!words.empty()) break;
  }
  if (words.empty() && !answer.ok() && !answer.layers().empty()) {
    words.message = FaultsByField(*answer.layers().front());
  }
  if (!answer.is_json()) words.message = PlainText(answer.response().body);
  return Unwrap(std::move(words));
}

Words FailureWordsOf(const Value& object) {
  Words words;
  std::string label;
  for (const absl::string_view path : kFailurePaths) {
    const Value* const value = At(object, path);
    if (value == nullptr) continue;
    Words found = WordsOfError(*value);
    if (words.code.empty()) words.code = found.code;
    if (words.type.empty()) words.type = found.type;
    if (found.message.empty()) continue;
    // "TASK_FAILED", with the reason under another name. "failed" is not a reason.
    if (found.code.empty() && IsLabel(found.message)) {
      if (label.empty() || IsFailedWord(label)) {
        label = std::move(found.message);
        continue;
      }
      if (IsFailedWord(found.message)) continue;
    }
    words.message = std::move(found.message);
    break;
  }
  AddDetails(object, words);
  if (words.code.empty()) words.code = CodeIn(object, kFailureCodePaths);
  if (words.message.empty()) {
    words.message = std::move(label);
  } else if (!label.empty() && !IsFailedWord(label)) {
    AddLabel(label, words);
  }
  return Unwrap(std::move(words));
}

bool SaysFailed(const Answer& answer) {
  if (!answer.ok()) return true;
  if (answer.layers().empty()) return false;
  const Value& outermost = *answer.layers().front();
  const bool failed = Fails(outermost) ||
                      (outermost.HasMember("error") && IntegerAt(outermost, "state") == 0) ||
                      IsFailedWord(TextAt(outermost, "status"));
  return failed && !SaysItWentWell(WordsOf(answer).message);
}

bool SaysSucceeded(const Answer& answer) {
  const std::span<const Value* const> layers = answer.layers();
  const auto fails = [](const Value* object) {
    return Fails(*object) ||
           (IsFailedWord(TextAt(*object, "status")) && !FailureWordsOf(*object).empty());
  };
  return !layers.empty() && Succeeds(*layers.front()) &&
         std::none_of(layers.begin(), layers.end(), fails);
}

}  // namespace assetgate::provider::answers
