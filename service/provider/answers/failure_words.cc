#include "provider/answers/failure_words.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "provider/failure.h"

namespace assetgate::provider::answers {
namespace {

using rapidjson::Value;

// A validation error names every faulty field; more than these help nobody.
constexpr std::size_t kMaxDetails = 8;
// Relays behind relays wrap each other's errors; nobody has been seen to go deeper.
constexpr int kMaxLayers = 4;
// Of a text that is not JSON.
constexpr std::size_t kMaxTextBytes = 1024;

// --- Codes --------------------------------------------------------------------------------------

// In small letters; a prefix where it ends in '*'. The first that fits counts.
constexpr DocumentedCode kSharedCodes[] = {
    {"success*", Meaning::kSuccess},
    {"succeed*", Meaning::kSuccess},
    {"ok", Meaning::kSuccess},
    {"true", Meaning::kSuccess},
    // What relays say after they have asked somebody.
    {"do_request_failed", Meaning::kDoubt},
    {"bad_response*", Meaning::kDoubt},
    {"read_response_body_failed", Meaning::kDoubt},
    {"empty_response", Meaning::kDoubt},
    {"fail_to_fetch_task", Meaning::kDoubt},
    {"upstream*", Meaning::kDoubt},
    {"internal*", Meaning::kDoubt},
    {"server_error", Meaning::kDoubt},
    {"system_error", Meaning::kDoubt},
    {"unknown*", Meaning::kDoubt},
    {"timeout*", Meaning::kDoubt},
    {"request_timeout", Meaning::kDoubt},
    {"gateway*", Meaning::kDoubt},
    {"service_unavailable", Meaning::kDoubt},
    {"serviceunavailable", Meaning::kDoubt},
    // Keys and accounts, before "invalid*".
    {"invalid_api_key*", Meaning::kCredentials},
    {"invalidapikey*", Meaning::kCredentials},
    {"invalid_token", Meaning::kCredentials},
    {"invalidtoken", Meaning::kCredentials},
    {"invalidaccesskey*", Meaning::kCredentials},
    {"unauthorized", Meaning::kCredentials},
    {"authentication*", Meaning::kCredentials},
    {"signaturedoesnotmatch", Meaning::kCredentials},
    {"access_denied", Meaning::kCredentials},
    {"accessdenied*", Meaning::kCredentials},
    {"permission_denied", Meaning::kCredentials},
    {"forbidden", Meaning::kCredentials},
    {"insufficient*", Meaning::kOutOfCredit},
    {"pre_consume_token_quota_failed", Meaning::kOutOfCredit},
    {"accountoverdue*", Meaning::kOutOfCredit},
    {"billing_hard_limit*", Meaning::kOutOfCredit},
    {"rate_limit*", Meaning::kRateLimited},
    {"ratelimit*", Meaning::kRateLimited},
    {"too_many_requests", Meaning::kRateLimited},
    {"toomanyrequests", Meaning::kRateLimited},
    {"quotaexceeded*", Meaning::kRateLimited},
    {"setlimitexceeded*", Meaning::kOperator},
    {"modelnotopen*", Meaning::kOperator},
    {"invalidendpointormodel*", Meaning::kOperator},
    {"operationdenied*", Meaning::kOperator},
    {"content_policy*", Meaning::kContent},
    {"content_filter*", Meaning::kContent},
    {"contentrejected*", Meaning::kContent},
    {"content_rejected*", Meaning::kContent},
    {"moderation*", Meaning::kContent},
    {"task_not_exist", Meaning::kNotFound},
    {"notfound*", Meaning::kNotFound},
    {"not_found*", Meaning::kNotFound},
    {"model_not_found", Meaning::kOperator},
    {"invalid*", Meaning::kInvalid},
    {"missing*", Meaning::kInvalid},
    {"bad_request*", Meaning::kInvalid},
    {"badrequest*", Meaning::kInvalid},
    {"validation*", Meaning::kInvalid},
    {"param*", Meaning::kInvalid},
    {"unprocessable*", Meaning::kInvalid},
};

// Words inside of a code that tell of refused content wherever they stand:
// "InputImageSensitiveContentDetected.PrivacyInformation".
constexpr absl::string_view kContentCodes[] = {"sensitivecontent", "policyviolation",
                                               "privacyinformation", "copyrightrestriction",
                                               "riskdetection"};

bool Fits(absl::string_view code, absl::string_view pattern) {
  return absl::ConsumeSuffix(&pattern, "*") ? absl::StartsWithIgnoreCase(code, pattern)
                                            : absl::EqualsIgnoreCase(code, pattern);
}

Meaning MeaningOfNumber(int code) {
  switch (code) {
    case 0:
    case 200:
    case 201:
    case 202:
      return Meaning::kSuccess;
    case 400:
    case 413:
    case 422:
    case 451:
      return Meaning::kInvalid;
    case 401:
    case 403:
      return Meaning::kCredentials;
    case 402:
      return Meaning::kOutOfCredit;
    case 404:
      return Meaning::kNotFound;
    case 429:
      return Meaning::kRateLimited;
    case 408:
    case 409:
    case 425:
    case 499:
      return Meaning::kDoubt;
    default:
      return code >= 500 && code < 600 ? Meaning::kDoubt : Meaning::kNone;
  }
}

// --- Texts --------------------------------------------------------------------------------------

// In small letters.
constexpr absl::string_view kDoubtPhrases[] = {
    "timeout", "timed out", "time out", "deadline exceeded", "upstream", "gateway",
    "internal error", "internal server", "server error", "system error", "unknown error",
    "unexpected error", "unavailable", "try again", "retry", "reset by peer", "connection",
    "network", "broken pipe", "unexpected eof", "busy", "overload", "exception",
    "do request failed", "bad response", "超时", "繁忙", "稍后", "网络", "系统错误", "系统异常",
    "服务器", "服务异常", "内部错误", "未知错误", "请重试",
    // An answer was there, and could not be read or kept.
    "unmarshal", "beginning of value", "end of json", "response body", "in response", "no response",
    "invalid response", "unexpected response", "record not found", "duplicate entry"};
constexpr absl::string_view kContentPhrases[] = {"sensitive content",
                                                 "sensitive information",
                                                 "moderation",
                                                 "content policy",
                                                 "policy violation",
                                                 "violates our",
                                                 "violates the",
                                                 "violates content",
                                                 "violates policy",
                                                 "violates safety",
                                                 "copyright",
                                                 "real person",
                                                 "real people",
                                                 "human face",
                                                 "nsfw",
                                                 "inappropriate",
                                                 "违规",
                                                 "敏感",
                                                 "审核不通过",
                                                 "审核未通过",
                                                 "风控",
                                                 "真人",
                                                 "肖像",
                                                 "版权"};
constexpr absl::string_view kOutOfCreditPhrases[] = {"insufficient",
                                                     "not enough credit",
                                                     "not enough balance",
                                                     "quota is not enough",
                                                     "out of credit",
                                                     "no credit",
                                                     "arrears",
                                                     "overdue",
                                                     "余额不足",
                                                     "额度不足",
                                                     "积分不足",
                                                     "欠费"};
constexpr absl::string_view kCredentialsPhrases[] = {
    "invalid api key", "invalid key", "invalid token", "unauthorized", "api key is",
    "authentication",  "banned",      "令牌",          "密钥",         "未授权",
    "无权限"};
constexpr absl::string_view kRateLimitedPhrases[] = {"too many requests", "rate limit", "过于频繁",
                                                     "频率"};
constexpr absl::string_view kNotFoundPhrases[] = {"not found", "does not exist", "not exist",
                                                  "no such",   "不存在",         "未找到"};
constexpr absl::string_view kInvalidPhrases[] = {
    "invalid",     "required",    "must be",       "must not",       "missing",
    "not support", "unsupported", "too long",      "too large",      "too many",
    "too short",   "too small",   "exceed",        "out of range",   "malformed",
    "bad request", "unreachable", "not reachable", "not accessible", "22001",
    "validation",  "not allowed", "参数",          "不支持",         "不能为空",
    "格式",        "过长",        "超过",          "无效",           "非法",
    "必填"};
constexpr absl::string_view kRejectedPhrases[] = {
    "reject", "refus", "denied", "quota", "in use", "not permitted", "disabled", "拒绝", "禁用"};

struct Phrases {
  Meaning meaning;
  std::span<const absl::string_view> phrases;
};

// The most careful first.
constexpr Phrases kSharedPhrases[] = {
    {Meaning::kDoubt, kDoubtPhrases},
    {Meaning::kContent, kContentPhrases},
    {Meaning::kOutOfCredit, kOutOfCreditPhrases},
    {Meaning::kCredentials, kCredentialsPhrases},
    {Meaning::kRateLimited, kRateLimitedPhrases},
    {Meaning::kNotFound, kNotFoundPhrases},
    {Meaning::kInvalid, kInvalidPhrases},
    {Meaning::kRejected, kRejectedPhrases},
};

bool HasAny(absl::string_view text, std::span<const absl::string_view> phrases) {
  const std::string lower = absl::AsciiStrToLower(text);
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](absl::string_view phrase) { return absl::StrContains(lower, phrase); });
}

// --- Where they stand ---------------------------------------------------------------------------

// {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "Field required"}]}
std::string LinesOf(const Value& faults) {
  std::vector<std::string> lines;
  for (const Value& fault : faults.GetArray()) {
    if (lines.size() == kMaxDetails) break;
    if (!fault.IsObject()) {
      if (std::string text = TextOf(&fault); !text.empty()) lines.push_back(std::move(text));
      continue;
    }
    std::vector<std::string> steps;
    if (const Value* const loc = Member(fault, "loc"); loc != nullptr && loc->IsArray()) {
      for (const Value& step : loc->GetArray()) {
        if (std::string text = TextOf(&step); !text.empty()) steps.push_back(std::move(text));
      }
    }
    const std::string message =
        FirstText(fault, {"msg", "message", "error_message", "detail", "error", "code"});
    if (steps.empty() && message.empty()) continue;
    lines.push_back(absl::StrCat(absl::StrJoin(steps, "."), steps.empty() ? "" : ": ", message));
  }
  return absl::StrJoin(lines, "; ");
}

// {"details": {"seedanceParams.duration": ["Too big", "Not whole"]}}
std::string DetailsOf(const Value& object) {
  const Value* const details = Member(object, "details");
  if (details == nullptr || !details->IsObject()) return "";
  std::vector<std::string> lines;
  for (const auto& [path, faults] : details->GetObject()) {
    if (lines.size() == kMaxDetails) break;
    std::vector<std::string> words;
    if (faults.IsString()) words.push_back(TextOf(&faults));
    if (faults.IsArray()) {
      for (const Value& fault : faults.GetArray()) {
        if (words.size() == kMaxDetails) break;
        if (fault.IsString()) words.push_back(TextOf(&fault));
      }
    }
    lines.push_back(absl::StrCat(absl::string_view(path.GetString(), path.GetStringLength()), ": ",
                                 absl::StrJoin(words, ", ")));
  }
  return absl::StrJoin(lines, "; ");
}

// A text, or the lines of a list of faults.
std::string TextOrLines(const Value* value) {
  if (value == nullptr) return "";
  return value->IsArray() ? LinesOf(*value) : TextOf(value);
}

// A code that is one, for whoever reads it: not "0", not "success".
std::string FailureCode(std::string code) {
  return MeaningOfCode(code, {}) == Meaning::kSuccess ? "" : code;
}

// A success is no reason why something failed.
std::string FailureMessage(std::string message) {
  return absl::EqualsIgnoreCase(message, "success") || absl::EqualsIgnoreCase(message, "ok") ||
                 absl::EqualsIgnoreCase(message, "null")
             ? ""
             : message;
}

// Of the value of an "error".
Words WordsOfError(const Value& error) {
  Words words;
  if (error.IsObject()) {
    words.code = FailureCode(FirstText(error, {"code", "error_code", "status"}));
    words.type = TextAt(error, "type");
    words.message = FailureMessage(
        FirstText(error, {"message", "msg", "detail", "error_message", "reason", "error"}));
    if (words.message.empty()) words.message = DetailsOf(error);
    // OpenAI's errors have their code there: "invalid_request_error".
    if (words.code.empty() && MeaningOfCode(words.type, {}) != Meaning::kNone) {
      words.code = FailureCode(words.type);
    }
  } else if (error.IsArray()) {
    words.message = LinesOf(error);
  } else if (!error.IsBool()) {
    const std::string text = TextOf(&error);
    if (FailureCode(text) == text) words.message = FailureMessage(text);
  }
  return words;
}

// Of one object, without looking into what it wraps.
Words OneLayer(const Value& object) {
  Words words;
  for (const absl::string_view path : {"error", "ResponseMetadata.Error", "errors"}) {
    const Value* const error = At(object, path);
    if (error == nullptr) continue;
    words = WordsOfError(*error);
    if (!words.empty()) break;
  }
  if (words.code.empty()) {
    for (const absl::string_view name : {"code", "error_code", "err_code", "errno"}) {
      if (words.code.empty()) words.code = FailureCode(TextAt(object, name));
    }
  }
  std::string message;
  for (const absl::string_view name : {"msg", "message", "detail", "error_message", "error_msg",
                                       "error_description", "fail_reason", "reason", "info"}) {
    if (message.empty()) message = FailureMessage(TextOrLines(Member(object, name)));
  }
  if (words.message.empty()) {
    words.message = std::move(message);
  } else if (words.code.empty() && !message.empty() && !absl::StrContains(words.message, ' ')) {
    // {"error": "invalid_request", "message": "prompt is required"}
    words.code = std::exchange(words.message, std::move(message));
  }
  if (std::string details = DetailsOf(object); !details.empty()) {
    absl::StrAppend(&words.message, words.message.empty() ? "" : ": ", details);
  }
  // Some frameworks repeat the HTTP status as a number.
  if (words.code.empty() && !words.message.empty()) {
    const std::optional<std::int64_t> status = IntegerAt(object, "status");
    if (status.has_value() && *status >= 400) words.code = absl::StrCat(*status);
  }
  return words;
}

bool PassesOn(const Words& words) {
  return absl::EqualsIgnoreCase(words.code, "fail_to_fetch_task") ||
         absl::EqualsIgnoreCase(words.type, "upstream_error") ||
         absl::StartsWithIgnoreCase(words.code, "bad_response");
}

// Follows JSON in the message down to the innermost words.
Words Unwrap(Words words) {
  words.from_upstream = PassesOn(words);
  for (int layer = 1; layer < kMaxLayers; ++layer) {
    const std::size_t begin = words.message.find('{');
    if (begin == std::string::npos) break;
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

// What a body says that is not JSON: its title where it is a page, else the text.
std::string PlainText(absl::string_view body) {
  if (body.size() > 64 * kMaxTextBytes) body = body.substr(0, 64 * kMaxTextBytes);
  const std::string lower = absl::AsciiStrToLower(body);
  const std::size_t title = lower.find("<title>");
  if (title != std::string::npos) {
    const std::size_t begin = title + 7;
    const std::size_t end = std::min(lower.find('<', begin), body.size());
    return std::string(absl::StripAsciiWhitespace(body.substr(begin, end - begin)));
  }
  if (absl::StrContains(lower, '<') || absl::StrContains(body, '{')) return "";
  return std::string(absl::StripAsciiWhitespace(body).substr(0, kMaxTextBytes));
}

}  // namespace

Words WordsOf(const Answer& answer) {
  Words words;
  for (const Value* const object : answer.layers()) {
    words = OneLayer(*object);
    if (!words.empty()) break;
  }
  if (!answer.is_json()) words.message = PlainText(answer.response().body);
  return Unwrap(std::move(words));
}

Words FailureWordsOf(const Value& object) {
  Words words;
  for (const absl::string_view name :
       {"error", "fail_reason", "failure_reason", "error_message", "error_msg", "err_msg",
        "failed_reason", "reason", "message", "msg", "detail"}) {
    const Value* const value = Member(object, name);
    if (value == nullptr) continue;
    const Words found = WordsOfError(*value);
    if (words.code.empty()) words.code = found.code;
    if (words.type.empty()) words.type = found.type;
    if (words.message.empty()) words.message = found.message;
    if (!words.message.empty()) break;
  }
  if (words.code.empty()) {
    for (const absl::string_view name : {"error_code", "err_code", "fail_code"}) {
      if (words.code.empty()) words.code = FailureCode(TextAt(object, name));
    }
  }
  return Unwrap(std::move(words));
}

Meaning MeaningOfCode(absl::string_view code, std::span<const DocumentedCode> documented) {
  code = absl::StripAsciiWhitespace(code);
  if (code.empty()) return Meaning::kNone;
  for (const DocumentedCode& known : documented) {
    if (Fits(code, known.code)) return known.meaning;
  }
  if (int number = 0; absl::SimpleAtoi(code, &number)) return MeaningOfNumber(number);
  const std::string lower = absl::AsciiStrToLower(code);
  for (const absl::string_view part : kContentCodes) {
    if (absl::StrContains(lower, part)) return Meaning::kContent;
  }
  for (const DocumentedCode& known : kSharedCodes) {
    if (Fits(code, known.code)) return known.meaning;
  }
  return Meaning::kNone;
}

bool NamesTheKey(absl::string_view code) {
  constexpr absl::string_view kCodes[] = {
      "invalid_api_key*", "invalidapikey*",    "invalid_token",   "invalidtoken",
      "unauthorized",     "invalidaccesskey*", "authentication*", "signaturedoesnotmatch"};
  return std::any_of(std::begin(kCodes), std::end(kCodes),
                     [code = absl::StripAsciiWhitespace(code)](absl::string_view known) {
                       return Fits(code, known);
                     });
}

Meaning MeaningOfText(absl::string_view text) {
  for (const Phrases& list : kSharedPhrases) {
    if (HasAny(text, list.phrases)) return list.meaning;
  }
  return Meaning::kNone;
}

bool SpeaksOfLostCall(absl::string_view text) {
  constexpr absl::string_view kPhrases[] = {
      "do request failed", "do_request_failed",  "bad response",        "bad_response",
      "unmarshal",         "beginning of value", "end of json",         "response body",
      "unexpected eof",    "reset by peer",      "broken pipe",         "upstream connect",
      "upstream request",  "upstream closed",    "upstream unavailable"};
  return HasAny(text, kPhrases);
}

bool SpeaksOfTimeout(absl::string_view text) {
  constexpr absl::string_view kPhrases[] = {"timeout", "timed out", "time out", "deadline exceeded",
                                            "超时"};
  return HasAny(text, kPhrases);
}

bool SpeaksOfContent(absl::string_view text) { return HasAny(text, kContentPhrases); }

bool SaysFailed(const Answer& answer) {
  if (!answer.ok()) return true;
  if (answer.layers().empty()) return false;
  const Value& outermost = *answer.layers().front();
  for (const absl::string_view path : {"error", "ResponseMetadata.Error"}) {
    const Value* const error = At(outermost, path);
    if (error != nullptr && !WordsOfError(*error).empty()) return true;
  }
  return !FailureCode(TextAt(outermost, "code")).empty();
}

}  // namespace assetgate::provider::answers
