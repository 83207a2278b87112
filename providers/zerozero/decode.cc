#include "providers/zerozero/decode.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/text.h"
#include "provider/answers/answer.h"
#include "provider/answers/facts.h"
#include "provider/answers/links.h"
#include "provider/answers/states.h"
#include "provider/answers/verdict.h"
#include "providers/zerozero/handle.h"

namespace assetgate::providers::zerozero {
namespace {

namespace answers = provider::answers;

using answers::Answer;
using answers::FailureRules;
using answers::IdNames;
using answers::State;
using answers::StateNames;
using answers::StateWord;
using provider::Observation;
using provider::PollResult;
using provider::SubmitResult;
using provider::UnitKind;
using Progress = provider::Observation::Progress;

// No codes of failures are documented.
constexpr FailureRules kRules = {};

bool IsGroupId(absl::string_view id) { return absl::StartsWith(id, "group-"); }
bool IsAssetId(absl::string_view id) { return absl::StartsWith(id, "Asset-"); }
bool IsTaskId(absl::string_view id) { return absl::StartsWith(id, "vt-"); }

constexpr absl::string_view kGroupIds[] = {"group_id", "id"};
constexpr absl::string_view kAssetIds[] = {"asset_id", "id"};
constexpr absl::string_view kTaskIds[] = {"id", "task_id", "job_id", "video_id", "generation_id"};
constexpr IdNames kGroupNames = {.names = kGroupIds, .has_form = &IsGroupId};
constexpr IdNames kAssetNames = {.names = kAssetIds, .has_form = &IsAssetId};
constexpr IdNames kTaskNames = {.names = kTaskIds, .has_form = &IsTaskId};

// `status` of a group or an asset.
constexpr StateWord kRegisteredWords[] = {{"processing", Progress::kRunning},
                                          {"active", Progress::kSucceeded},
                                          {"failed", Progress::kFailed}};
// `status` of a task; `expired` and words after it are inferred.
constexpr StateWord kTaskWords[] = {
    {"queued", Progress::kQueued},       {"running", Progress::kRunning},
    {"succeeded", Progress::kSucceeded}, {"failed", Progress::kFailed},
    {"cancelled", Progress::kCancelled}, {"expired", Progress::kFailed}};
constexpr StateNames kGroup = {UnitKind::kAssetGroup, kGroupNames, kRegisteredWords};
constexpr StateNames kAsset = {UnitKind::kAsset, kAssetNames, kRegisteredWords};
constexpr StateNames kTask = {UnitKind::kVideo, kTaskNames, kTaskWords};

// The sent value of `key`.
std::string Sent(const http::Request& request, absl::string_view key) {
  const std::optional<rapidjson::Document> body = base::ParseJson(request.body);
  return body.has_value() ? base::JsonText(*body, key) : "";
}

// --- Groups and assets --------------------------------------------------------------------------

SubmitResult DecodeRegister(const http::Request& request, const http::Response& response,
                            const StateNames& names) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, names.ids);
  if (id.empty()) {
    return answers::WithoutId(answer, kRules,
                              absl::StrCat("the answer has no data.", names.ids.names.front()));
  }
  provider::Handle handle = MakeRegisteredHandle(id, Sent(request, "platform"));
  const std::optional<State> state = answers::FirstState(answer, names, id);
  Observation seen;
  if (state.has_value()) seen = answers::ObservationOf(answer, *state, kRules);
  seen.provider_id = id;
  return answers::Accepted(std::move(handle), std::move(seen));
}

PollResult DecodeRegistered(const http::Response& response, const provider::Handle& handle,
                            const StateNames& names) {
  const std::string asked = ReadHandle(handle).id;
  const Answer answer(response, asked);
  const std::optional<State> state = answers::FindState(answer, names, asked);
  if (!state.has_value()) {
    return answers::WithoutState(answer, kRules, "the answer has no data.status");
  }
  if (!state->id.empty() && !absl::EqualsIgnoreCase(state->id, asked)) {
    return answers::AboutAnother(answer, names.ids.names.front());
  }
  Observation seen = answers::ObservationOf(answer, *state, kRules);
  seen.provider_uri = answers::FirstUrl(*state->object, {"url"});
  return answers::Observed(std::move(seen));
}

// --- Videos -------------------------------------------------------------------------------------

// {"status": "succeeded", "provider": "lingjing", "video": {"url": "https://…", "duration": 5,
//  "resolution": "720p", "ratio": "16:9"}, "usage": {"video_tokens": 108900, …}}; on some routes
// with `fps` and `seed`, inside of `video` or beside it.
Observation ReadTask(const Answer& answer, const State& state) {
  Observation seen = answers::ObservationOf(answer, state, kRules);
  const rapidjson::Value& task = *state.object;
  const rapidjson::Value* const objects[] = {state.object, state.inner_object};
  seen.upstream_provider = base::CleanText(answers::TextAt(task, "provider"), 64);
  seen.usage = answers::FindUsage(objects);
  switch (seen.progress) {
    case Progress::kSucceeded: {
      v1::Video video;
      if (const auto length = answers::FindSeconds(objects, {"video.duration", "duration"})) {
        *video.mutable_duration() = *length;
      }
      video.set_resolution(
          base::CleanText(answers::FirstText(task, {"video.resolution", "resolution"}), 64));
      video.set_aspect_ratio(
          base::CleanText(answers::FirstText(task, {"video.ratio", "ratio"}), 64));
      for (const absl::string_view path : {"video.fps", "fps"}) {
        const auto fps = answers::NumberAt(task, path);
        if (!video.has_fps() && fps.value_or(0) > 0) video.set_fps(*fps);
      }
      for (const absl::string_view path : {"video.seed", "seed"}) {
        const auto seed = answers::IntegerAt(task, path);
        if (!video.has_seed() && seed.has_value()) video.set_seed(*seed);
      }
      video.set_last_frame_uri(answers::FindLastFrame(objects));
      answers::SetResult(answer,
                         answers::FindVideo(answer, kTaskNames, objects,
                                            {"video.url", "video_url", "content.video_url"}),
                         std::move(video), seen);
      seen.billing = v1::Attempt::BILLED;
      break;
    }
    // Whether these are refunded is undocumented.
    case Progress::kFailed:
    case Progress::kGone:
    case Progress::kCancelled:
      seen.billing = v1::Attempt::UNKNOWN;
      break;
    case Progress::kQueued:
    case Progress::kRunning:
      break;
  }
  return seen;
}

}  // namespace

// {"code": 200, "msg": "OK", "data": {"group_id": "group-…", "name": "Heroes", "description": "…",
//  "project_name": "default", "status": "Active", "created_at": 1714500000}}
SubmitResult DecodeCreateGroup(const http::Request& request, const http::Response& response) {
  return DecodeRegister(request, response, kGroup);
}

PollResult DecodeGetGroup(const http::Response& response, const provider::Handle& handle) {
  return DecodeRegistered(response, handle, kGroup);
}

// {"code": 200, "msg": "OK", "data": {"asset_id": "Asset-…", "name": "front",
//  "group_id": "group-…", "asset_type": "Image", "status": "Processing", "url": "https://…",
//  "created_at": 1714500012}}
SubmitResult DecodeCreateAsset(const http::Request& request, const http::Response& response) {
  return DecodeRegister(request, response, kAsset);
}

PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  return DecodeRegistered(response, handle, kAsset);
}

// {"id": "vt-…", "model": "seedance-2-0", "provider": "lingjing", "status": "queued",
//  "created_at": 1714500100}
// Some routes wrap it: {"code": 200, "msg": "OK", "data": {"task_id": "vt-…"}}. Where the upstream
// gave no task id, its own answer is relayed with HTTP 200; an `id` in it can belong to anything.
SubmitResult DecodeCreateVideo(const http::Request& request, const http::Response& response) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, kTaskNames);
  if (id.empty()) {
    return answers::WithoutId(answer, kRules, "the answer has neither an id nor an error");
  }
  return answers::Accepted(MakeVideoHandle(id, Sent(request, "model")),
                           answers::FirstObservation(answer, kTask, id, &ReadTask));
}

// {"id": "vt-…", "model": "seedance-2-0", "provider": "lingjing", "status": "succeeded",
//  "video": {"url": "https://…", "duration": 5, "resolution": "720p", "ratio": "16:9"},
//  "usage": {"video_tokens": 108900, "completion_tokens": 108900, "total_tokens": 108900}}
PollResult DecodeGetVideo(const http::Response& response, const provider::Handle& handle) {
  const std::string asked = ReadHandle(handle).id;
  const Answer answer(response, asked);
  const std::optional<State> state = answers::FindState(answer, kTask, asked);
  if (!state.has_value()) {
    return answers::WithoutState(answer, kRules, "the answer is not a task object");
  }
  if (!state->id.empty() && state->id != asked) {
    return answers::AboutAnother(answer, "task");
  }
  return answers::TaskNews(answer, *state, &ReadTask);
}

}  // namespace assetgate::providers::zerozero
