#include "providers/octopusx/decode.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/text.h"
#include "provider/answers/answer.h"
#include "provider/answers/facts.h"
#include "provider/answers/links.h"
#include "provider/answers/states.h"
#include "provider/answers/verdict.h"
#include "providers/octopusx/handle.h"

namespace assetgate::providers::octopusx {
namespace {

namespace answers = provider::answers;

using answers::Answer;
using answers::DocumentedCode;
using answers::FailureRules;
using answers::IdNames;
using answers::Meaning;
using answers::State;
using answers::StateNames;
using answers::StateWord;
using provider::Observation;
using provider::PollResult;
using provider::SubmitResult;
using provider::UnitKind;
using Progress = provider::Observation::Progress;

// --- Failures -----------------------------------------------------------------------------------

// With HTTP 503: the relay itself found no key or no channel for the model, and did not forward the
// call. Its answers after it has forwarded a call have other codes.
constexpr DocumentedCode kUnavailableCodes[] = {{"model_not_found", Meaning::kNothingDone},
                                                {"get_channel_failed", Meaning::kNothingDone},
                                                {"channel:no_available_key", Meaning::kNothingDone},
                                                {"no_available_channel*", Meaning::kNothingDone}};

// {"state": 0, "data": null, "error": …}, and a refusal of the material service behind the relay:
// {"state": 1, "data": {"Code": "…", "Message": "…", "Data": null}, "error": null}
bool IsAssetRefusal(const Answer& answer) {
  if (answer.layers().empty()) return false;
  const rapidjson::Value& body = *answer.layers().front();
  if (answers::IntegerAt(body, "state") == 0) return true;
  const rapidjson::Value* const data = answers::Member(body, "data");
  const std::string code = data == nullptr ? "" : answers::TextAt(*data, "Code");
  return !code.empty() && answers::MeaningOfCode(code, {}) != Meaning::kSuccess;
}

constexpr FailureRules kAssetRules = {.codes = {}, .is_refusal = &IsAssetRefusal};
constexpr FailureRules kTaskRules = {};
constexpr FailureRules kUnavailableRules = {.codes = kUnavailableCodes};

// --- Names --------------------------------------------------------------------------------------

bool IsNumber(absl::string_view id) {
  return id.size() >= 12 && std::all_of(id.begin(), id.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c));
         });
}
bool IsGroupId(absl::string_view id) { return absl::StartsWith(id, "group-") || IsNumber(id); }
bool IsAssetId(absl::string_view id) { return absl::StartsWith(id, "asset-") || IsNumber(id); }
bool IsTaskId(absl::string_view id) {
  return absl::StartsWith(id, "cgt-") || absl::StartsWith(id, "task_");
}

constexpr absl::string_view kGroupIds[] = {"Id", "GroupId"};
constexpr absl::string_view kAssetIds[] = {"Id", "AssetId"};
// The ids of an asset's import and of a video task.
constexpr absl::string_view kImportIds[] = {"task_id"};
constexpr absl::string_view kTaskIds[] = {"task_id", "id", "video_id", "job_id", "generation_id"};
constexpr IdNames kGroupNames = {.names = kGroupIds, .has_form = &IsGroupId};
constexpr IdNames kAssetNames = {.names = kAssetIds, .has_form = &IsAssetId};
constexpr IdNames kImportNames = {.names = kImportIds};
constexpr IdNames kTaskNames = {.names = kTaskIds, .has_form = &IsTaskId};

constexpr StateWord kAssetWords[] = {{"processing", Progress::kRunning},
                                     {"active", Progress::kSucceeded},
                                     {"failed", Progress::kFailed}};
// The words of the relay, of its older form, of OpenAI's form, and of Ark. UNKNOWN says that the
// relay does not know the state.
constexpr StateWord kTaskWords[] = {
    {"submitted", Progress::kQueued},    {"not_start", Progress::kQueued},
    {"queued", Progress::kQueued},       {"pending", Progress::kQueued},
    {"in_progress", Progress::kRunning}, {"processing", Progress::kRunning},
    {"running", Progress::kRunning},     {"success", Progress::kSucceeded},
    {"succeeded", Progress::kSucceeded}, {"completed", Progress::kSucceeded},
    {"failure", Progress::kFailed},      {"failed", Progress::kFailed},
    {"expired", Progress::kFailed},      {"cancelled", Progress::kCancelled},
    {"unknown", std::nullopt},
};
constexpr StateNames kAsset = {UnitKind::kAsset, kAssetNames, kAssetWords};
constexpr StateNames kTask = {UnitKind::kVideo, kTaskNames, kTaskWords};

// --- Tasks --------------------------------------------------------------------------------------

v1::Video ReadVideo(answers::Objects objects, const rapidjson::Value& inner) {
  v1::Video video;
  if (const auto length = answers::FindSeconds(objects, {"duration"}); length.has_value()) {
    *video.mutable_duration() = *length;
  }
  video.set_resolution(base::CleanText(answers::TextAt(inner, "resolution"), 64));
  video.set_aspect_ratio(base::CleanText(answers::TextAt(inner, "ratio"), 64));
  if (const auto fps = answers::NumberAt(inner, "framespersecond");
      fps.has_value() && *fps > 0 && *fps <= 1000) {
    video.set_fps(*fps);
  }
  if (const auto seed = answers::IntegerAt(inner, "seed"); seed.has_value()) video.set_seed(*seed);
  video.set_last_frame_uri(answers::FindLastFrame(objects));
  return video;
}

// A task as the relay describes it, and Ark inside of it. The relay's state decides; Ark's only
// distinguishes states for which the relay has one word.
Observation ReadTask(const Answer& answer, const State& told) {
  State state = told;
  const Progress inner_progress = state.inner_progress.value_or(Progress::kRunning);
  if (state.progress == Progress::kFailed && inner_progress == Progress::kCancelled) {
    state.progress = Progress::kCancelled;
  } else if (state.progress == Progress::kRunning && inner_progress == Progress::kQueued &&
             state.inner_object != nullptr) {
    state.progress = Progress::kQueued;
  }
  Observation seen = answers::ObservationOf(answer, state, kTaskRules);
  const rapidjson::Value* const inside = answers::Member(*state.object, "data");
  const rapidjson::Value& inner = state.inner_object != nullptr ? *state.inner_object
                                  : inside != nullptr           ? *inside
                                                                : *state.object;
  const rapidjson::Value* const objects[] = {&inner, state.object};
  seen.progress_percent = answers::PercentIn(answers::Member(*state.object, "progress"));
  seen.usage = answers::FindUsage(objects);
  if (seen.progress == Progress::kSucceeded) {
    const answers::Link link =
        answers::FindVideo(answer, kTaskNames, objects, {"content.video_url", "result_url"});
    if (link.url.empty() && !link.is_inline && state.inner_object != nullptr &&
        inner_progress == Progress::kFailed) {
      return answers::ObservationOf(answer, told.inner(), kTaskRules);
    }
    answers::SetResult(answer, link, ReadVideo(objects, inner), seen);
    if (seen.usage.has_value() && seen.usage->total_tokens() > 0) {
      seen.billing = v1::Attempt::BILLED;
    }
  }
  return seen;
}

// Whether an answer is about another task: none of its ids is the polled one, and one of them has
// the same form. The relay and Ark behind it each have an id for a task.
bool IsAnothers(const Answer& answer, absl::string_view asked) {
  const absl::string_view form = absl::StartsWith(asked, "task_") ? "task_" : "cgt-";
  bool another = false;
  for (const rapidjson::Value* const object : answer.layers()) {
    for (const absl::string_view name : kTaskIds) {
      const std::string id = answers::IdIn(answers::Member(*object, name));
      if (absl::EqualsIgnoreCase(id, asked)) return false;
      another = another || absl::StartsWith(id, form);
    }
  }
  return another && absl::StartsWith(asked, form);
}

}  // namespace

// {"state": 1, "data": {"Id": "group-…"}, "error": null}
SubmitResult DecodeCreateGroup(const http::Response& response) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, kGroupNames);
  if (id.empty()) {
    return answers::WithoutId(answer, kAssetRules, "the answer has no data.Id");
  }
  Observation seen;
  seen.progress = Progress::kSucceeded;
  seen.provider_id = id;
  return answers::Accepted(MakeHandle({.id = id, .task_id = ""}), std::move(seen));
}

// {"state": 1, "data": {"Id": "asset-…", "task_id": "task_…"}, "error": null}
SubmitResult DecodeCreateAsset(const http::Response& response) {
  const Answer answer(response);
  const Ids ids = {answers::FindId(answer, kAssetNames), answers::FindId(answer, kImportNames)};
  if (ids.id.empty() && ids.task_id.empty()) {
    return answers::WithoutId(answer, kAssetRules,
                              "the answer has neither data.Id nor data.task_id");
  }
  Observation seen;
  seen.progress = Progress::kRunning;
  seen.provider_id = ids.id;
  seen.provider_tracking_id = ids.task_id;
  return answers::Accepted(MakeHandle(ids), std::move(seen));
}

// {"state": 1, "data": {"Id": "asset-…", "Name": "hero", "URL": "https://…", "AssetType": "Image",
//  "GroupId": "group-…", "Status": "Active", "CreateTime": "…", "UpdateTime": "…", "Error": null},
//  "error": null}
PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  const std::string asked = IdsOf(handle).id;
  const Answer answer(response, asked);
  const std::optional<State> state = answers::FindState(answer, kAsset, asked);
  if (!state.has_value()) {
    return answers::WithoutState(answer, kAssetRules, "the answer about an asset has no Status");
  }
  if (!state->id.empty() && !asked.empty() && !absl::EqualsIgnoreCase(state->id, asked)) {
    return answers::AboutAnother(answer, "asset");
  }
  Observation seen = answers::ObservationOf(answer, *state, kAssetRules);
  seen.provider_uri = answers::FirstUrl(*state->object, {"URL"});
  return answers::Observed(std::move(seen));
}

// {"task_id": "cgt-…"}
// {"id": "…", "task_id": "…", "object": "video", "model": "…", "status": "queued", "progress": 0,
//  "created_at": 1775122200}
SubmitResult DecodeCreateVideo(const http::Response& response) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, kTaskNames);
  if (id.empty()) {
    return answers::WithoutId(answer, answer.status() == 503 ? kUnavailableRules : kTaskRules,
                              "the answer has neither a task_id nor an error");
  }
  return answers::Accepted(MakeHandle({.id = "", .task_id = id}),
                           answers::FirstObservation(answer, kTask, id, &ReadTask));
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
  const std::string asked = IdsOf(handle).task_id;
  const Answer answer(response, asked);
  const std::optional<State> state = answers::FindState(answer, kTask, asked);
  if (!state.has_value()) {
    return answers::WithoutState(answer, kTaskRules, "the answer about a task has no status");
  }
  if (IsAnothers(answer, asked)) return answers::AboutAnother(answer, "task");
  PollResult result = answers::TaskNews(answer, *state, &ReadTask);
  // Answers name the task by one of several ids; the observation keeps the polled one.
  for (provider::UnitNews& news : result.news) {
    if (news.kind == provider::UnitNews::Kind::kObserved) {
      news.observation.provider_id = asked;
    }
  }
  return result;
}

}  // namespace assetgate::providers::octopusx
