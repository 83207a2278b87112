#include "providers/zerozero/decode.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "provider/json.h"
#include "provider/rest.h"
#include "provider/result.h"
#include "providers/zerozero/handle.h"

namespace assetgate::providers::zerozero {
namespace {

using provider::Observation;
using provider::PollResult;
using provider::Refusal;
using provider::SubmitResult;

using Body = std::optional<rapidjson::Document>;

// A validation error names every faulty field; more than these help nobody.
constexpr std::size_t kMaxDetails = 8;

// --- Failures -----------------------------------------------------------------------------------

// {"detail": "text"}, or {"detail": [{"type": "missing", "loc": ["body", "prompt"], "msg": "…"}]}
std::string DetailOf(const rapidjson::Value& body) {
  const rapidjson::Value* const detail = provider::FindJson(body, "detail");
  if (detail == nullptr || !detail->IsArray()) return provider::JsonText(body, "detail");
  std::vector<std::string> lines;
  for (const rapidjson::Value& fault : detail->GetArray()) {
    if (lines.size() == kMaxDetails) break;
    std::vector<std::string> steps;
    if (const rapidjson::Value* const loc = provider::FindJson(fault, "loc");
        loc != nullptr && loc->IsArray()) {
      for (const rapidjson::Value& step : loc->GetArray()) {
        if (step.IsString()) {
          steps.emplace_back(step.GetString(), step.GetStringLength());
        } else if (step.IsInt64()) {
          steps.push_back(absl::StrCat(step.GetInt64()));
        }
      }
    }
    const std::string message = provider::JsonText(fault, "msg");
    if (steps.empty() && message.empty()) continue;
    lines.push_back(absl::StrCat(absl::StrJoin(steps, "."), steps.empty() ? "" : ": ", message));
  }
  return absl::StrJoin(lines, "; ");
}

struct Words {
  std::string code;
  std::string message;
};

// {"message": "text"}, {"error": "text"} or {"error": {"message": "text", "code": "…"}}, a detail
// as above, or {"code": 400, "msg": "text", "data": null}
Words WordsOf(const Body& body) {
  if (!body.has_value()) return {};
  Words words{.code = provider::JsonText(*body, "code"),
              .message = provider::JsonText(*body, "msg")};
  if (words.code.empty()) words.code = provider::JsonText(*body, "error.code");
  if (words.message.empty()) words.message = DetailOf(*body);
  if (words.message.empty()) words.message = provider::JsonText(*body, "error.message");
  if (words.message.empty()) words.message = provider::JsonText(*body, "error");
  if (words.message.empty()) words.message = provider::JsonText(*body, "message");
  return words;
}

// Whether an answer of status 2xx is recognizably a failure: it has a `code` that is not the one of
// a success (200; 0 is what some upstreams behind 0-0 say), or one of the fields that only failures
// have.
bool IsFailureEnvelope(const rapidjson::Value& body) {
  if (const rapidjson::Value* const code = provider::FindJson(body, "code"); code != nullptr) {
    if (const auto number = provider::JsonInteger(body, "code"); number.has_value()) {
      return *number != 200 && *number != 0;
    }
    return code->IsString() && code->GetStringLength() > 0;
  }
  return !DetailOf(body).empty() || !provider::JsonText(body, "error").empty() ||
         !provider::JsonText(body, "error.message").empty();
}

// The refusal in an answer: by the HTTP status, else by the failure envelope inside HTTP 2xx.
// Absent where the answer is a success, or cannot be understood.
std::optional<Refusal> RefusalOf(const http::Response& response, const Body& body) {
  const Words words = WordsOf(body);
  if (!provider::IsSuccess(response)) {
    return provider::RefusalByStatus(response, words.code, words.message);
  }
  if (!body.has_value() || !IsFailureEnvelope(*body)) return std::nullopt;
  return provider::RefusalByCode(response, words.code, words.message);
}

// An answer to a poll that is a failure as a whole: the unit is unknown, or the call did not work.
PollResult PollRefused(const http::Response& response, const Body& body, Refusal refusal) {
  const bool unknown_unit =
      response.status == 404 || (provider::IsSuccess(response) && body.has_value() &&
                                 provider::JsonInteger(*body, "code") == std::int64_t{404});
  return unknown_unit ? provider::NotFound(std::move(refusal.failure))
                      : provider::Trouble(std::move(refusal.failure));
}

PollResult Unreadable(const http::Response& response, absl::string_view message) {
  return provider::Trouble(provider::ProtocolFailure(response, message));
}

// What was sent under `key`.
std::string Sent(const http::Request& request, absl::string_view key) {
  const Body body = provider::ParseJson(request.body);
  return body.has_value() ? provider::JsonText(*body, key) : "";
}

// --- Groups and assets --------------------------------------------------------------------------

// Success is 2xx and `code` 200 and a `data` object.
const rapidjson::Value* DataOf(const http::Response& response, const Body& body) {
  if (!provider::IsSuccess(response) || !body.has_value()) return nullptr;
  if (provider::JsonInteger(*body, "code") != std::int64_t{200}) return nullptr;
  const rapidjson::Value* const data = provider::FindJson(*body, "data");
  return data != nullptr && data->IsObject() ? data : nullptr;
}

// `status` of a group or an asset.
Observation::Progress RegisteredProgress(absl::string_view status) {
  if (absl::EqualsIgnoreCase(status, "Active")) return Observation::Progress::kSucceeded;
  if (absl::EqualsIgnoreCase(status, "Failed")) return Observation::Progress::kFailed;
  return Observation::Progress::kRunning;
}

// Why a group or an asset failed. No field is documented; these are what its siblings use.
std::string ReasonOf(const rapidjson::Value& data) {
  for (const char* const path : {"error.message", "error", "error_message", "error_msg",
                                 "fail_reason", "reason", "message", "msg"}) {
    if (std::string text = provider::JsonText(data, path); !text.empty()) return text;
  }
  return "";
}

Observation ReadRegistered(const http::Response& response, const rapidjson::Value& data,
                           absl::string_view id_key) {
  Observation seen;
  seen.provider_id = provider::ReadId(data, id_key);
  seen.provider_state = provider::ReadWord(data, "status");
  seen.progress = RegisteredProgress(seen.provider_state);
  if (seen.progress == Observation::Progress::kFailed) {
    seen.failure = provider::WorkFailed(response, "", ReasonOf(data));
  }
  return seen;
}

SubmitResult DecodeRegister(const http::Request& request, const http::Response& response,
                            absl::string_view id_key) {
  const Body body = provider::ObjectOf(response);
  if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
    return provider::Refused(*std::move(refusal));
  }
  const rapidjson::Value* const data = DataOf(response, body);
  if (data == nullptr) {
    return provider::Unclear(response, "the answer is no {code:200,msg,data} envelope");
  }
  Observation seen = ReadRegistered(response, *data, id_key);
  if (seen.provider_id.empty()) {
    return provider::Unclear(response, absl::StrCat("the answer has no data.", id_key));
  }
  provider::Handle handle = MakeRegisteredHandle(seen.provider_id, Sent(request, "platform"));
  return provider::Accepted(std::move(handle), std::move(seen));
}

PollResult DecodeRegistered(const http::Response& response, const provider::Handle& handle,
                            absl::string_view id_key) {
  const Body body = provider::ObjectOf(response);
  if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
    return PollRefused(response, body, *std::move(refusal));
  }
  const rapidjson::Value* const data = DataOf(response, body);
  if (data == nullptr) {
    return Unreadable(response, "the answer is no {code:200,msg,data} envelope");
  }
  Observation seen = ReadRegistered(response, *data, id_key);
  if (!seen.provider_id.empty() &&
      !absl::EqualsIgnoreCase(seen.provider_id, ReadHandle(handle).id)) {
    return Unreadable(response, absl::StrCat("the answer is about another ", id_key));
  }
  if (seen.provider_state.empty()) return Unreadable(response, "the answer has no data.status");
  seen.provider_uri = provider::ReadUrl(*data, "url");
  return provider::Observed(std::move(seen));
}

// --- Videos -------------------------------------------------------------------------------------

// `status` of a task. `expired` and the words after it are inferred.
Observation::Progress TaskProgress(absl::string_view status) {
  const std::string word = absl::AsciiStrToLower(status);
  if (word == "queued") return Observation::Progress::kQueued;
  if (word == "succeeded") return Observation::Progress::kSucceeded;
  if (word == "cancelled" || word == "canceled") return Observation::Progress::kCancelled;
  if (word == "failed" || word == "expired" || word == "timeout" || word == "rejected") {
    return Observation::Progress::kFailed;
  }
  return Observation::Progress::kRunning;
}

// {"url": "https://…", "duration": 5, "resolution": "720p", "ratio": "16:9"}, and on some routes
// `fps` and `seed`, inside or beside it. Absent without a link.
std::optional<v1::Video> ReadVideo(const rapidjson::Value& task) {
  v1::Video video;
  video.set_uri(provider::ReadUrl(task, "video.url"));
  if (video.uri().empty()) return std::nullopt;
  if (const auto length = provider::ReadSeconds(task, "video.duration"); length.has_value()) {
    *video.mutable_duration() = *length;
  }
  video.set_resolution(provider::ReadWord(task, "video.resolution"));
  video.set_aspect_ratio(provider::ReadWord(task, "video.ratio"));
  for (const char* const path : {"video.fps", "fps"}) {
    const auto fps = provider::JsonNumber(task, path);
    if (!video.has_fps() && fps.value_or(0) > 0) video.set_fps(*fps);
  }
  for (const char* const path : {"video.seed", "seed"}) {
    const auto seed = provider::JsonInteger(task, path);
    if (!video.has_seed() && seed.has_value()) video.set_seed(*seed);
  }
  return video;
}

// {"video_tokens": 108900, "completion_tokens": 108900, "total_tokens": 108900}
std::optional<v1::Usage> ReadUsage(const rapidjson::Value& task) {
  v1::Usage usage;
  const auto total = provider::JsonInteger(task, "usage.total_tokens");
  if (total.value_or(-1) >= 0) usage.set_total_tokens(*total);
  auto completion = provider::JsonInteger(task, "usage.completion_tokens");
  if (!completion.has_value()) completion = provider::JsonInteger(task, "usage.video_tokens");
  if (completion.value_or(-1) >= 0) usage.set_completion_tokens(*completion);
  if (!usage.has_total_tokens() && !usage.has_completion_tokens()) return std::nullopt;
  return usage;
}

// A task object. Absent where it has no `status`, or has succeeded without a link: neither says
// anything that may be believed.
std::optional<Observation> ReadTask(const http::Response& response, const rapidjson::Value& task) {
  Observation seen;
  seen.provider_id = provider::ReadId(task, "id");
  seen.upstream_provider = provider::ReadWord(task, "provider");
  seen.provider_state = provider::ReadWord(task, "status");
  if (seen.provider_state.empty()) return std::nullopt;
  seen.progress = TaskProgress(seen.provider_state);
  seen.usage = ReadUsage(task);
  std::string message = provider::JsonText(task, "error.message");
  if (message.empty()) message = provider::JsonText(task, "error");
  const std::string code = provider::JsonText(task, "error.code");
  switch (seen.progress) {
    case Observation::Progress::kSucceeded:
      seen.video = ReadVideo(task);
      if (!seen.video.has_value()) return std::nullopt;
      seen.billing = v1::Attempt::BILLED;
      break;
    // Whether these are paid back is documented nowhere.
    case Observation::Progress::kFailed:
      seen.failure = provider::WorkFailed(response, code, message);
      seen.billing = v1::Attempt::UNKNOWN;
      break;
    case Observation::Progress::kGone:
    case Observation::Progress::kCancelled:
      seen.failure = provider::WorkCancelled(response, code, message);
      seen.billing = v1::Attempt::UNKNOWN;
      break;
    case Observation::Progress::kQueued:
    case Observation::Progress::kRunning:
      break;
  }
  return seen;
}

}  // namespace

// {"code": 200, "msg": "OK", "data": {"group_id": "group-…", "name": "Heroes", "description": "…",
//  "project_name": "default", "status": "Active", "created_at": 1714500000}}
SubmitResult DecodeCreateGroup(const http::Request& request, const http::Response& response) {
  return DecodeRegister(request, response, "group_id");
}

PollResult DecodeGetGroup(const http::Response& response, const provider::Handle& handle) {
  return DecodeRegistered(response, handle, "group_id");
}

// {"code": 200, "msg": "OK", "data": {"asset_id": "Asset-…", "name": "front",
//  "group_id": "group-…", "asset_type": "Image", "status": "Processing", "url": "https://…",
//  "created_at": 1714500012}}
SubmitResult DecodeCreateAsset(const http::Request& request, const http::Response& response) {
  return DecodeRegister(request, response, "asset_id");
}

PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  return DecodeRegistered(response, handle, "asset_id");
}

// {"id": "vt-…", "model": "seedance-2-0", "provider": "lingjing", "status": "queued",
//  "created_at": 1714500100}
SubmitResult DecodeCreateVideo(const http::Request& request, const http::Response& response) {
  const Body body = provider::ObjectOf(response);
  const std::string id =
      provider::IsSuccess(response) && body.has_value() ? provider::ReadId(*body, "id") : "";
  // Where the upstream gave no task id, its own answer is relayed with HTTP 200; an `id` in that
  // may be anything's.
  const bool relayed = body.has_value() && IsFailureEnvelope(*body) && !body->HasMember("status");
  if (id.empty() || relayed) {
    if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
      return provider::Refused(*std::move(refusal));
    }
    return provider::Unclear(response, "a task was answered with neither id nor error");
  }
  // An id is an acceptance, whatever else the answer says: a task that failed at once is one, too.
  std::optional<Observation> seen = ReadTask(response, *body);
  if (!seen.has_value()) {
    seen.emplace();
    seen->progress = Observation::Progress::kQueued;
    seen->provider_id = id;
  }
  return provider::Accepted(MakeVideoHandle(id, Sent(request, "model")), *std::move(seen));
}

// {"id": "vt-…", "model": "seedance-2-0", "provider": "lingjing", "status": "succeeded",
//  "video": {"url": "https://…", "duration": 5, "resolution": "720p", "ratio": "16:9"},
//  "usage": {"video_tokens": 108900, "completion_tokens": 108900, "total_tokens": 108900}}
PollResult DecodeGetVideo(const http::Response& response, const provider::Handle& handle) {
  const Body body = provider::ObjectOf(response);
  if (!provider::IsSuccess(response) || !body.has_value() ||
      provider::FindJson(*body, "status") == nullptr) {
    if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
      return PollRefused(response, body, *std::move(refusal));
    }
    return Unreadable(response, "the answer about a task is no task object");
  }
  std::optional<Observation> seen = ReadTask(response, *body);
  if (!seen.has_value()) {
    return Unreadable(response, "the task has no state word, or has succeeded without video.url");
  }
  if (!seen->provider_id.empty() && seen->provider_id != ReadHandle(handle).id) {
    return Unreadable(response, "the answer is about another task");
  }
  return provider::Observed(*std::move(seen));
}

}  // namespace assetgate::providers::zerozero
