#include "providers/octopusx/decode.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "provider/json.h"
#include "provider/rest.h"
#include "providers/octopusx/handle.h"
#include "providers/octopusx/words.h"

namespace assetgate::providers::octopusx {
namespace {

using provider::Failure;
using provider::FindJson;
using provider::JsonText;
using provider::Observation;
using provider::Outcome;
using provider::PollResult;
using provider::ProtocolFailure;
using provider::SubmitResult;
using provider::UnitNews;
using Progress = provider::Observation::Progress;

using Body = std::optional<rapidjson::Document>;

// The answer as a JSON object; absent when it is anything else.
Body ObjectOf(const http::Response& response) {
  Body body = provider::ParseJson(response.body);
  if (body.has_value() && !body->IsObject()) body.reset();
  return body;
}

// --- Results ------------------------------------------------------------------------------------

SubmitResult Accepted(const Ids& ids, Observation observation) {
  SubmitResult result;
  result.outcome = Outcome::kAccepted;
  result.handle = MakeHandle(ids);
  result.observation = std::move(observation);
  return result;
}

SubmitResult Refused(const http::Response& response, const Words& words) {
  SubmitResult result;
  result.outcome = MeaningOf(response, words).outcome;
  result.failure = FailureOf(response, words);
  return result;
}

SubmitResult Unclear(const http::Response& response, absl::string_view message) {
  SubmitResult result;
  result.outcome = Outcome::kUnknown;
  result.failure = ProtocolFailure(response, message);
  return result;
}

PollResult Trouble(Failure failure) {
  PollResult result;
  result.trouble = std::move(failure);
  return result;
}

PollResult News(UnitNews::Kind kind, Observation observation = {}, Failure failure = {}) {
  PollResult result;
  UnitNews& news = result.news.emplace_back();
  news.kind = kind;
  news.observation = std::move(observation);
  news.failure = std::move(failure);
  return result;
}

// An answer to a poll that is a failure as a whole: the unit is unknown, or the call did not work.
PollResult PollRefused(const http::Response& response, const Words& words) {
  const bool asked = provider::IsSuccess(response) || response.status == 400;
  if (response.status == 404 || (asked && SaysNotFound(words))) {
    return News(UnitNews::Kind::kNotFound, {}, FailureOf(response, words));
  }
  return Trouble(FailureOf(response, words));
}

// --- Refusals -----------------------------------------------------------------------------------

// Whether there is an `error` that says something: not null, and not empty.
bool HasError(const rapidjson::Value& body) {
  const rapidjson::Value* const error = FindJson(body, "error");
  if (error == nullptr) return false;
  if (error->IsString()) return error->GetStringLength() > 0;
  return error->IsObject() && !error->ObjectEmpty();
}

Words WordsOfAnswer(const Body& body) { return body.has_value() ? WordsOf(*body) : Words(); }

// The refusal of an asset call. Checked in this order: HTTP status, `error`, `state`. Absent where
// the answer is a success, or cannot be understood.
std::optional<Words> AssetRefusal(const http::Response& response, const Body& body) {
  if (!provider::IsSuccess(response)) return WordsOfAnswer(body);
  if (!body.has_value()) return std::nullopt;
  if (HasError(*body)) return WordsOfAnswer(body);
  const std::optional<std::int64_t> state = provider::JsonInteger(*body, "state");
  if (state.has_value() && *state != 1) return WordsOfAnswer(body);
  return std::nullopt;
}

// Whether `state` is 1, or not there: it is documented as "usually 1".
bool SaysDone(const Body& body) {
  return body.has_value() &&
         (FindJson(*body, "state") == nullptr || provider::JsonInteger(*body, "state") == 1);
}

// The refusal of a task call: an HTTP status, an `error`, or a `code` that is not "success".
std::optional<Words> TaskRefusal(const http::Response& response, const Body& body) {
  if (!provider::IsSuccess(response)) return WordsOfAnswer(body);
  if (!body.has_value()) return std::nullopt;
  const std::string code = JsonText(*body, "code");
  if (!code.empty() && !absl::EqualsIgnoreCase(code, "success")) return WordsOfAnswer(body);
  if (HasError(*body) && FindJson(*body, "status") == nullptr) return WordsOfAnswer(body);
  return std::nullopt;
}

// --- Assets -------------------------------------------------------------------------------------

Progress AssetProgress(absl::string_view status) {
  if (absl::EqualsIgnoreCase(status, "Active")) return Progress::kSucceeded;
  if (absl::EqualsIgnoreCase(status, "Failed")) return Progress::kFailed;
  return Progress::kRunning;
}

Failure WorkFailure(const http::Response& response, v1::ErrorReason reason, const Words& words,
                    absl::string_view status) {
  Failure failure = provider::FailureOf(response, words.code, words.message);
  failure.reason = reason;
  failure.act.reset();
  if (words.empty()) failure.message = absl::StrCat("status ", status, ", no reason given");
  return failure;
}

// --- Tasks --------------------------------------------------------------------------------------

// The status words of the relay, of its older form, of OpenAI's form, and of Ark. Absent for
// UNKNOWN, which says that the relay has no news itself.
std::optional<Progress> TaskProgress(absl::string_view status) {
  const std::string word = absl::AsciiStrToLower(status);
  if (word == "unknown") return std::nullopt;
  if (word == "submitted" || word == "not_start" || word == "queued" || word == "pending") {
    return Progress::kQueued;
  }
  if (word == "success" || word == "succeeded" || word == "completed") return Progress::kSucceeded;
  if (word == "failure" || word == "failed" || word == "expired") return Progress::kFailed;
  if (word == "cancelled" || word == "canceled") return Progress::kCancelled;
  return Progress::kRunning;
}

// "10%", "10" or 10.
std::optional<int> ReadPercent(const rapidjson::Value& task) {
  const std::string text = JsonText(task, "progress");
  double percent = 0;
  if (!absl::SimpleAtod(absl::StripSuffix(text, "%"), &percent) || !std::isfinite(percent)) {
    return std::nullopt;
  }
  return static_cast<int>(std::clamp(percent, 0.0, 100.0));
}

// A task as it is told: by the relay (`outer`), and by Ark inside of it (`inner`; an empty object
// where there is none).
struct Task {
  const rapidjson::Value& outer;
  const rapidjson::Value& inner;
};

std::string ReadVideoUrl(const Task& task) {
  std::string url = provider::ReadUrl(task.inner, "content.video_url");
  for (const char* const path : {"url", "result_url", "video_url"}) {
    if (url.empty()) url = provider::ReadUrl(task.outer, path);
  }
  return url;
}

v1::Video ReadVideo(const Task& task) {
  v1::Video video;
  video.set_uri(ReadVideoUrl(task));
  if (const auto length = provider::ReadSeconds(task.inner, "duration"); length.has_value()) {
    *video.mutable_duration() = *length;
  }
  video.set_resolution(provider::ReadWord(task.inner, "resolution"));
  video.set_aspect_ratio(provider::ReadWord(task.inner, "ratio"));
  if (const auto fps = provider::JsonNumber(task.inner, "framespersecond");
      fps.has_value() && *fps > 0 && *fps <= 1000) {
    video.set_fps(*fps);
  }
  if (const auto seed = provider::JsonInteger(task.inner, "seed"); seed.has_value()) {
    video.set_seed(*seed);
  }
  video.set_last_frame_uri(provider::ReadUrl(task.inner, "content.last_frame_url"));
  return video;
}

std::optional<v1::Usage> ReadUsage(const Task& task) {
  const rapidjson::Value& root = FindJson(task.inner, "usage") != nullptr ? task.inner : task.outer;
  const auto total = provider::JsonInteger(root, "usage.total_tokens");
  const auto completion = provider::JsonInteger(root, "usage.completion_tokens");
  v1::Usage usage;
  if (total.value_or(-1) >= 0) usage.set_total_tokens(*total);
  if (completion.value_or(-1) >= 0) usage.set_completion_tokens(*completion);
  if (!usage.has_total_tokens() && !usage.has_completion_tokens()) return std::nullopt;
  return usage;
}

// `fail_reason`, else the relay's `error`, else Ark's.
Words FailureWords(const Task& task) {
  Words words = WordsInText(JsonText(task.outer, "fail_reason"));
  for (const rapidjson::Value* root : {&task.outer, &task.inner}) {
    if (!HasError(*root)) continue;
    const Words more = WordsOf(*root);
    if (words.code.empty()) words.code = more.code;
    if (words.message.empty()) words.message = more.message;
  }
  return words;
}

// Unix seconds; 0 where it has not ended.
std::optional<absl::Time> ReadEndTime(const Task& task) {
  const auto seconds = provider::JsonInteger(task.outer, "finish_time");
  // To the year 9999.
  if (!seconds.has_value() || *seconds <= 0 || *seconds >= 253402300799) return std::nullopt;
  return absl::FromUnixSeconds(*seconds);
}

// What a task object says; `status` is its status word. Absent where it is said to be done and has
// no link: that may not be believed.
std::optional<Observation> ReadTask(const http::Response& response, const Task& task,
                                    Progress progress) {
  Observation seen;
  seen.progress = progress;
  seen.provider_state = provider::ReadWord(task.outer, "status");
  seen.provider_id = provider::ReadId(task.outer, "task_id");
  if (seen.provider_id.empty()) seen.provider_id = provider::ReadId(task.outer, "id");

  // The relay decides; Ark's word only tells apart what the relay has one word for.
  const std::string inner_state = provider::ReadWord(task.inner, "status");
  const std::optional<Progress> inner = TaskProgress(inner_state);
  if (progress == Progress::kFailed && inner == Progress::kCancelled) {
    seen.progress = Progress::kCancelled;
  } else if (progress == Progress::kRunning && inner == Progress::kQueued) {
    seen.progress = Progress::kQueued;
  }

  seen.progress_percent = ReadPercent(task.outer);
  seen.usage = ReadUsage(task);
  switch (seen.progress) {
    case Progress::kSucceeded: {
      v1::Video video = ReadVideo(task);
      if (video.uri().empty()) return std::nullopt;
      seen.video = std::move(video);
      if (seen.usage.has_value() && seen.usage->total_tokens() > 0) {
        seen.billing = v1::Attempt::BILLED;
      }
      break;
    }
    case Progress::kFailed:
    case Progress::kGone:
    case Progress::kCancelled:
      seen.failure = WorkFailure(
          response,
          seen.progress == Progress::kFailed ? v1::PROVIDER_WORK_FAILED : v1::TASK_CANCELLED,
          FailureWords(task), inner_state.empty() ? seen.provider_state : inner_state);
      break;
    case Progress::kQueued:
    case Progress::kRunning:
      return seen;
  }
  seen.end_time = ReadEndTime(task);
  return seen;
}

}  // namespace

// {"state": 1, "data": {"Id": "group-…"}, "error": null}
SubmitResult DecodeCreateGroup(const http::Response& response) {
  const Body body = ObjectOf(response);
  if (const std::optional<Words> refusal = AssetRefusal(response, body)) {
    return Refused(response, *refusal);
  }
  if (!SaysDone(body)) return Unclear(response, "the answer is no {state,data,error} envelope");
  const std::string id = provider::ReadId(*body, "data.Id");
  if (id.empty()) return Unclear(response, "a group was answered without data.Id");
  Observation seen;
  seen.progress = Progress::kSucceeded;
  seen.provider_id = id;
  return Accepted({.id = id, .task_id = ""}, std::move(seen));
}

// {"state": 1, "data": {"Id": "asset-…", "task_id": "task_…"}, "error": null}
SubmitResult DecodeCreateAsset(const http::Response& response) {
  const Body body = ObjectOf(response);
  if (const std::optional<Words> refusal = AssetRefusal(response, body)) {
    return Refused(response, *refusal);
  }
  if (!SaysDone(body)) return Unclear(response, "the answer is no {state,data,error} envelope");
  const Ids ids = {provider::ReadId(*body, "data.Id"), provider::ReadId(*body, "data.task_id")};
  if (ids.id.empty() && ids.task_id.empty()) {
    return Unclear(response, "an asset was answered without data.Id and data.task_id");
  }
  Observation seen;
  seen.progress = Progress::kRunning;
  seen.provider_id = ids.id;
  seen.provider_tracking_id = ids.task_id;
  return Accepted(ids, std::move(seen));
}

// {"state": 1, "data": {"Id": "asset-…", "Name": "hero", "URL": "https://…", "AssetType": "Image",
//  "GroupId": "group-…", "Status": "Active", "CreateTime": "…", "UpdateTime": "…", "Error": null},
//  "error": null}
PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  const Body body = ObjectOf(response);
  if (const std::optional<Words> refusal = AssetRefusal(response, body)) {
    return PollRefused(response, *refusal);
  }
  if (!SaysDone(body)) {
    return Trouble(ProtocolFailure(response, "the answer is no {state,data,error} envelope"));
  }
  Observation seen;
  seen.provider_id = provider::ReadId(*body, "data.Id");
  const std::string asked = IdsOf(handle).id;
  if (!seen.provider_id.empty() && !asked.empty() &&
      !absl::EqualsIgnoreCase(seen.provider_id, asked)) {
    return Trouble(ProtocolFailure(response, "the answer is about another asset"));
  }
  seen.provider_state = provider::ReadWord(*body, "data.Status");
  if (seen.provider_state.empty()) {
    return Trouble(ProtocolFailure(response, "the answer about an asset has no Status"));
  }
  seen.progress = AssetProgress(seen.provider_state);
  seen.provider_uri = provider::ReadUrl(*body, "data.URL");
  if (seen.progress == Progress::kFailed) {
    // Documented as text; upstream it is {"Code": "…", "Message": "…"}.
    const rapidjson::Value* const error = FindJson(*body, "data.Error");
    const Words words = error != nullptr && error->IsObject()
                            ? WordsOf(*error)
                            : WordsInText(JsonText(*body, "data.Error"));
    seen.failure = WorkFailure(response, v1::PROVIDER_WORK_FAILED, words, seen.provider_state);
  }
  return News(UnitNews::Kind::kObserved, std::move(seen));
}

// {"task_id": "cgt-…"}
// {"id": "…", "task_id": "…", "object": "video", "model": "…", "status": "queued", "progress": 0,
//  "created_at": 1775122200}
SubmitResult DecodeCreateVideo(const http::Response& response) {
  const Body body = ObjectOf(response);
  if (const std::optional<Words> refusal = TaskRefusal(response, body)) {
    return Refused(response, *refusal);
  }
  std::string id;
  if (body.has_value()) {
    for (const char* const path : {"task_id", "id", "data.task_id"}) {
      if (id.empty()) id = provider::ReadId(*body, path);
    }
  }
  if (id.empty()) return Unclear(response, "a task was answered with neither task_id nor error");
  const rapidjson::Value none(rapidjson::kObjectType);
  const std::string status = JsonText(*body, "status");
  std::optional<Observation> seen = ReadTask(
      response, {*body, none},
      status.empty() ? Progress::kQueued : TaskProgress(status).value_or(Progress::kQueued));
  if (!seen.has_value()) {
    // Said to be done, without a link: the polls will tell.
    seen.emplace();
    seen->progress = Progress::kRunning;
  }
  seen->provider_id = id;
  return Accepted({.id = "", .task_id = id}, *std::move(seen));
}

// {"code": "success", "data": {"task_id": "cgt-…", "status": "SUCCESS", "progress": "100%",
//  "submit_time": 1775122200, "start_time": 1775122204, "finish_time": 1775122391,
//  "data": {"status": "succeeded", "duration": 5, "resolution": "720p", "ratio": "16:9",
//   "content": {"video_url": "https://…"}, "usage": {"total_tokens": 108900}}}}
//
// Older: {"code": "success", "message": "", "data": {"task_id": "…", "status": "succeeded",
//  "url": "https://…", "format": "mp4", "metadata": {}, "error": null}}
// OpenAI's form: {"id": "…", "status": "completed", "video_url": "https://…", "progress": 100,
//  "error": {"code": "…", "message": "…"}}
PollResult DecodeQueryVideo(const http::Response& response, const provider::Handle& handle) {
  const Body body = ObjectOf(response);
  if (const std::optional<Words> refusal = TaskRefusal(response, body)) {
    return PollRefused(response, *refusal);
  }
  if (!body.has_value()) {
    return Trouble(ProtocolFailure(response, "the answer about a task is no JSON object"));
  }
  const rapidjson::Value none(rapidjson::kObjectType);
  const auto object_or = [](const rapidjson::Value* value,
                            const rapidjson::Value& otherwise) -> const rapidjson::Value& {
    return value != nullptr && value->IsObject() ? *value : otherwise;
  };
  const rapidjson::Value& outer = object_or(FindJson(*body, "data"), *body);
  const Task task = {outer, &outer == &*body ? none : object_or(FindJson(outer, "data"), none)};
  const std::string status = JsonText(task.outer, "status");
  if (status.empty()) {
    return Trouble(ProtocolFailure(response, "the answer about a task has no status"));
  }
  const std::optional<Progress> progress = TaskProgress(status);
  if (!progress.has_value()) return News(UnitNews::Kind::kNone);
  std::optional<Observation> seen = ReadTask(response, task, *progress);
  if (!seen.has_value()) {
    return Trouble(ProtocolFailure(
        response, "the task is said to be done, and there is no link to its video"));
  }
  // Answers name the task by one of several ids; what was asked for is the one that polls go to.
  seen->provider_id = IdsOf(handle).task_id;
  return News(UnitNews::Kind::kObserved, *std::move(seen));
}

}  // namespace assetgate::providers::octopusx
