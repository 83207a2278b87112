#include "provider/answers/meaning.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace assetgate::provider::answers {
namespace {

// --- Codes --------------------------------------------------------------------------------------

// The first match counts.
constexpr DocumentedCode kSharedCodes[] = {
    {"success*", Meaning::kSuccess},
    {"succeed*", Meaning::kSuccess},
    {"ok", Meaning::kSuccess},
    {"true", Meaning::kSuccess},

    // A relay writes these after it has forwarded the call. They come before "invalid*" and
    // "missing*": "invalid_response", "missing_task_id".
    {"do_request_failed", Meaning::kDoubt},
    {"fail_to_fetch_task", Meaning::kDoubt},
    {"insert_task*", Meaning::kDoubt},
    {"*save_failed*", Meaning::kDoubt},
    {"*unmarshal*", Meaning::kDoubt},
    {"*response*", Meaning::kDoubt},
    {"*upstream*", Meaning::kDoubt},
    {"provider_err*", Meaning::kDoubt},
    {"missing_task_id", Meaning::kDoubt},
    {"invalid_task_id", Meaning::kDoubt},
    {"empty_task_id", Meaning::kDoubt},
    // Failures of servers.
    {"internal*", Meaning::kDoubt},
    {"*server_err*", Meaning::kDoubt},
    {"system_err*", Meaning::kDoubt},
    {"system_busy*", Meaning::kDoubt},
    {"*database*", Meaning::kDoubt},
    {"unknown*", Meaning::kDoubt},
    {"*timeout*", Meaning::kDoubt},
    {"deadline_exceeded", Meaning::kDoubt},
    {"*gateway*", Meaning::kDoubt},
    {"*service_unavailable*", Meaning::kDoubt},
    {"unavailable", Meaning::kDoubt},

    // "InputImageSensitiveContentDetected.PrivacyInformation"
    {"*sensitive_content*", Meaning::kContent},
    {"*sensitive_word*", Meaning::kContent},
    {"*policy_violation*", Meaning::kContent},
    {"*privacy_information*", Meaning::kContent},
    {"*copyright_restriction*", Meaning::kContent},
    {"*risk_detection*", Meaning::kContent},
    {"*moderation*", Meaning::kContent},
    {"*safety*", Meaning::kContent},
    {"content_policy*", Meaning::kContent},
    {"content_filter*", Meaning::kContent},
    {"content_rejected*", Meaning::kContent},
    {"content_restricted*", Meaning::kContent},
    {"content_violation*", Meaning::kContent},
    {"prohibited_content*", Meaning::kContent},
    {"data_inspection_failed*", Meaning::kContent},
    {"prompt_blocked*", Meaning::kContent},
    {"risk_control*", Meaning::kContent},

    {"invalid_api_key*", Meaning::kCredentials},
    {"invalid_token", Meaning::kCredentials},
    {"invalid_access_key*", Meaning::kCredentials},
    {"unauthorized", Meaning::kCredentials},
    {"authentication*", Meaning::kCredentials},
    {"signature_does_not_match", Meaning::kCredentials},
    {"access_denied*", Meaning::kCredentials},
    {"permission_denied", Meaning::kCredentials},
    {"insufficient_permission*", Meaning::kCredentials},
    {"forbidden", Meaning::kCredentials},

    {"insufficient_quota*", Meaning::kOutOfCredit},
    {"insufficient_user_quota*", Meaning::kOutOfCredit},
    {"insufficient_balance*", Meaning::kOutOfCredit},
    {"insufficient_credit*", Meaning::kOutOfCredit},
    {"insufficient_fund*", Meaning::kOutOfCredit},
    {"pre_consume_token_quota_failed", Meaning::kOutOfCredit},
    {"account_overdue*", Meaning::kOutOfCredit},
    {"arrear*", Meaning::kOutOfCredit},
    {"billing_hard_limit*", Meaning::kOutOfCredit},

    {"rate_limit*", Meaning::kRateLimited},
    {"too_many_requests", Meaning::kRateLimited},
    {"quota_exceeded*", Meaning::kRateLimited},
    {"throttling*", Meaning::kRateLimited},
    {"concurrency*", Meaning::kRateLimited},
    {"*slots*", Meaning::kRateLimited},

    {"set_limit_exceeded*", Meaning::kOperator},
    {"model_not_open*", Meaning::kOperator},
    {"model_not_found", Meaning::kOperator},
    {"invalid_endpoint_or_model*", Meaning::kOperator},
    {"operation_denied*", Meaning::kOperator},

    {"task_not_exist", Meaning::kNotFound},
    {"not_found*", Meaning::kNotFound},

    {"invalid*", Meaning::kInvalid},
    {"missing*", Meaning::kInvalid},
    {"bad_request*", Meaning::kInvalid},
    {"validation*", Meaning::kInvalid},
    {"param*", Meaning::kInvalid},
    {"unprocessable*", Meaning::kInvalid},
};

constexpr absl::string_view kKeyCodes[] = {"invalid_api_key*",    "invalid_token",
                                           "invalid_access_key*", "unauthorized",
                                           "authentication*",     "signature_does_not_match"};

std::string NormalCode(absl::string_view code) {
  std::string normal = absl::AsciiStrToLower(absl::StripAsciiWhitespace(code));
  normal.erase(
      std::remove_if(normal.begin(), normal.end(), [](char c) { return c == '_' || c == ' '; }),
      normal.end());
  return normal;
}

bool Fits(absl::string_view normal_code, absl::string_view pattern) {
  const bool any_begin = absl::ConsumePrefix(&pattern, "*");
  const bool any_end = absl::ConsumeSuffix(&pattern, "*");
  const std::string part = NormalCode(pattern);
  if (any_begin && any_end) return absl::StrContains(normal_code, part);
  if (any_begin) return absl::EndsWith(normal_code, part);
  return any_end ? absl::StartsWith(normal_code, part) : normal_code == part;
}

// Whether a number is a server error: a 5xx, alone or followed by further digits.
bool IsServerError(int code) {
  return (code >= 500 && code < 600) || (code >= 5000 && code < 6000) ||
         (code >= 50000 && code < 60000);
}

// The first number in a code: 502 in "http502". -1 where there is none.
int NumberIn(absl::string_view code) {
  constexpr char kDigits[] = "0123456789";
  const std::size_t begin = code.find_first_of(kDigits);
  if (begin == absl::string_view::npos) return -1;
  const std::size_t end = code.find_first_not_of(kDigits, begin);
  int number = 0;
  return absl::SimpleAtoi(code.substr(begin, end - begin), &number) ? number : -1;
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
      return IsServerError(code) ? Meaning::kDoubt : Meaning::kNone;
  }
}

// --- Texts --------------------------------------------------------------------------------------

// Phrases are in lower case, with blanks for '_': see Read.

// An answer existed but could not be read or stored; or a program or its database failed.
constexpr absl::string_view kLostCallPhrases[] = {
    // Interrupted calls.
    "do request failed",
    "bad response",
    "bad gateway",
    "upstream connect",
    "upstream request",
    "upstream closed",
    "upstream unavailable",
    "upstream response",
    "upstream returned",
    "upstream service",
    "上游",
    "reset by peer",
    "broken pipe",
    "disconnected",
    "socket hang up",
    "econnreset",
    "econnrefused",
    "econnaborted",
    "fetch failed",
    "closed connection",
    "max retries exceeded",
    "i/o error",
    "context canceled",
    "request canceled",
    "request cancelled",
    "operation was aborted",
    "operation was canceled",
    "operation was cancelled",
    "status code 5",
    // Unreadable answers.
    "unmarshal",
    "beginning of value",
    "end of json",
    "expecting value",
    "unexpected token",
    "unexpected end",
    "response body",
    "in response",
    "no response",
    "empty response",
    "invalid response",
    "unexpected response",
    "did not return a task",
    "did not return task",
    "missing id",
    "returned an invalid",
    "returned an empty",
    "no task id",
    "missing task id",
    "获取任务id",
    // Work that was begun, paid for, or not stored.
    "task created",
    "task was created",
    "been created",
    "created but",
    "submitted but",
    "been submitted",
    "已提交",
    "已创建",
    "创建成功",
    "failed to save",
    "could not save",
    "could not be saved",
    "保存失败",
    "扣费",
    "扣除",
    "预扣成功",
    // Programs.
    "internal error",
    "internal server",
    "server error",
    "system error",
    "unknown error",
    "unexpected error",
    "系统错误",
    "系统异常",
    "繁忙",
    "服务异常",
    "内部错误",
    "未知错误",
    "runtime error",
    "nil pointer",
    "null pointer",
    "nullpointer",
    "index out of range",
    "maximum call stack",
    "cannot read propert",
    "nonetype",
    "not subscriptable",
    "keyerror",
    "typeerror",
    "attributeerror",
    "traceback",
    "undefined array key",
    "undefined index",
    "undefined offset",
    "undefined property",
    "undefined variable",
    "array offset",
    // Databases.
    "sqlstate",
    "mysql",
    "database",
    "数据库",
    "deadlock",
    "gone away",
    "too many clients",
    "too many connections",
    "record not found",
    "duplicate entry",
};
// The same, as whole words only.
constexpr absl::string_view kLostCallWords[] = {"eof", "charged"};

constexpr absl::string_view kTimeoutPhrases[] = {"timeout",  "timed out",         "time out",
                                                 "timedout", "deadline exceeded", "超时"};

// These may be about another call, or none: they mean kDoubt where nothing else in the text
// decides.
constexpr absl::string_view kDoubtPhrases[] = {
    "upstream", "gateway",  "unavailable", "try again", "retry", "connection", "network",
    "busy",     "overload", "exception",   "稍后",      "网络",  "服务器",     "请重试"};

constexpr absl::string_view kContentPhrases[] = {"sensitive content",
                                                 "sensitive information",
                                                 "sensitive word",
                                                 "new sensitive",
                                                 "banned word",
                                                 "banned prompt",
                                                 "prohibited content",
                                                 "unsafe content",
                                                 "harmful",
                                                 "inappropriate",
                                                 "nsfw",
                                                 "moderation",
                                                 "safety system",
                                                 "content filter",
                                                 "content policy",
                                                 "policy violation",
                                                 "usage guidelines",
                                                 "violates our",
                                                 "violates content",
                                                 "violates policy",
                                                 "violates safety",
                                                 "violates the content",
                                                 "violates the policy",
                                                 "violates the safety",
                                                 "violates the terms",
                                                 "violates the usage",
                                                 "risk control",
                                                 "risk not pass",
                                                 "copyright",
                                                 "real person",
                                                 "real-person",
                                                 "real people",
                                                 "human face",
                                                 "违规",
                                                 "違規",
                                                 "违禁",
                                                 "不合规",
                                                 "敏感",
                                                 "涉黄",
                                                 "内容安全",
                                                 "审核不通过",
                                                 "审核未通过",
                                                 "风控",
                                                 "真人",
                                                 "人脸",
                                                 "名人",
                                                 "肖像",
                                                 "版权",
                                                 "不適切"};
constexpr absl::string_view kOutOfCreditPhrases[] = {"insufficient balance",
                                                     "insufficient account balance",
                                                     "insufficient credit",
                                                     "insufficient fund",
                                                     "insufficient quota",
                                                     "insufficient user quota",
                                                     "balance is insufficient",
                                                     "balance insufficient",
                                                     "not enough credit",
                                                     "not enough balance",
                                                     "quota is not enough",
                                                     "out of credit",
                                                     "no credit",
                                                     "arrears",
                                                     "overdue",
                                                     "余额不足",
                                                     "余额不够",
                                                     "餘額不足",
                                                     "额度不足",
                                                     "剩余额度",
                                                     "预扣额度失败",
                                                     "积分不足",
                                                     "点数不足",
                                                     "欠费"};
constexpr absl::string_view kCredentialsPhrases[] = {
    "invalid api key", "invalid key",    "invalid token", "unauthorized",
    "api key is",      "authentication", "banned",        "token expired",
    "key expired",     "expired token",  "令牌",          "密钥",
    "未授权",          "无权限"};
constexpr absl::string_view kRateLimitedPhrases[] = {
    "too many requests", "rate limit", "concurrency limit", "过于频繁", "频率", "并发"};
// Values that the caller names by a link, and those that the operator sets up.
constexpr absl::string_view kMissingInputPhrases[] = {
    "url not found",  "image not found",     "file not found", "url does not exist",
    "image does not", "file does not exist", "图片不存在",     "文件不存在"};
constexpr absl::string_view kMissingModelPhrases[] = {"model not found", "model does not exist",
                                                      "no such model", "模型不存在"};
constexpr absl::string_view kNotFoundPhrases[] = {"not found", "does not exist", "not exist",
                                                  "no such",   "不存在",         "未找到"};
constexpr absl::string_view kInvalidPhrases[] = {
    "invalid",        "required",     "must be",    "must not",    "missing",     "not support",
    "unsupported",    "too long",     "too large",  "too many",    "too short",   "too small",
    "exceed",         "out of range", "malformed",  "bad request", "unreachable", "not reachable",
    "not accessible", "22001",        "validation", "not allowed", "参数",        "不支持",
    "仅支持",         "不能为空",     "格式",       "过长",        "超过",        "超出",
    "无效",           "非法",         "必填"};
constexpr absl::string_view kRejectedPhrases[] = {"reject", "refus",         "denied",   "quota",
                                                  "in use", "not permitted", "disabled", "拒绝",
                                                  "禁用",   "使用中",        "被引用"};

struct Phrases {
  Meaning meaning;
  std::span<const absl::string_view> phrases;
};

// The most cautious first.
constexpr Phrases kSharedPhrases[] = {
    {Meaning::kDoubt, kTimeoutPhrases},           {Meaning::kDoubt, kDoubtPhrases},
    {Meaning::kContent, kContentPhrases},         {Meaning::kOutOfCredit, kOutOfCreditPhrases},
    {Meaning::kCredentials, kCredentialsPhrases}, {Meaning::kRateLimited, kRateLimitedPhrases},
    {Meaning::kInvalid, kMissingInputPhrases},    {Meaning::kOperator, kMissingModelPhrases},
    {Meaning::kNotFound, kNotFoundPhrases},       {Meaning::kInvalid, kInvalidPhrases},
    {Meaning::kRejected, kRejectedPhrases},
};

// A text, prepared for the search for phrases: in lower case, with blanks for '_', and without
// texts that only look like a phrase of doubt: a parameter named "timeout", advice about the
// request, an object that the database does not have, money that was not charged.
std::string Read(absl::string_view text) {
  std::string lower = absl::AsciiStrToLower(text);
  std::replace(lower.begin(), lower.end(), '_', ' ');
  return absl::StrReplaceAll(lower, {{"timeout must", "must"},
                                     {"timeout should", "should"},
                                     {"timeout is invalid", "is invalid"},
                                     {"invalid timeout", "invalid"},
                                     {"try again with", "use"},
                                     {"found in the database", "found"},
                                     {"found in database", "found"},
                                     {"not charged", "free"},
                                     {"not be charged", "free"},
                                     {"not been charged", "free"},
                                     {"未扣费", ""},
                                     {"未扣除", ""},
                                     {"预扣费", "预扣"}});
}

bool HasAny(absl::string_view read, std::span<const absl::string_view> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](absl::string_view phrase) { return absl::StrContains(read, phrase); });
}

bool HasWord(absl::string_view read, absl::string_view word) {
  const auto is_letter = [&](std::size_t at) {
    return at < read.size() && absl::ascii_isalnum(static_cast<unsigned char>(read[at]));
  };
  for (std::size_t at = read.find(word); at != absl::string_view::npos;
       at = read.find(word, at + 1)) {
    if ((at == 0 || !is_letter(at - 1)) && !is_letter(at + word.size())) return true;
  }
  return false;
}

bool TellsOfLostCall(absl::string_view read) {
  return HasAny(read, kLostCallPhrases) ||
         std::any_of(std::begin(kLostCallWords), std::end(kLostCallWords),
                     [&](absl::string_view word) { return HasWord(read, word); });
}

}  // namespace

Meaning MeaningOfCode(absl::string_view code, std::span<const DocumentedCode> documented) {
  const std::string normal = NormalCode(code);
  if (normal.empty()) return Meaning::kNone;
  for (const DocumentedCode& known : documented) {
    if (Fits(normal, known.code)) return known.meaning;
  }
  if (int number = 0; absl::SimpleAtoi(normal, &number)) return MeaningOfNumber(number);
  if (IsServerError(NumberIn(normal))) return Meaning::kDoubt;
  for (const DocumentedCode& known : kSharedCodes) {
    if (Fits(normal, known.code)) return known.meaning;
  }
  return Meaning::kNone;
}

bool NamesTheKey(absl::string_view code) {
  const std::string normal = NormalCode(code);
  return std::any_of(std::begin(kKeyCodes), std::end(kKeyCodes),
                     [&](absl::string_view known) { return Fits(normal, known); });
}

Meaning MeaningOfText(absl::string_view text) {
  const std::string read = Read(text);
  if (TellsOfLostCall(read)) return Meaning::kDoubt;
  for (const Phrases& list : kSharedPhrases) {
    if (HasAny(read, list.phrases)) return list.meaning;
  }
  return Meaning::kNone;
}

bool SpeaksOfLostCall(absl::string_view text) { return TellsOfLostCall(Read(text)); }

bool SpeaksOfTimeout(absl::string_view text) { return HasAny(Read(text), kTimeoutPhrases); }

}  // namespace assetgate::provider::answers
