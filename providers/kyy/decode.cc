#include "providers/kyy/decode.h"

#include <span>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "provider/answers/answer.h"
#include "provider/answers/facts.h"
#include "provider/answers/links.h"
#include "provider/answers/states.h"
#include "provider/answers/verdict.h"
#include "provider/rest.h"

namespace assetgate::providers::kyy {
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
using provider::Failure;
using provider::Observation;
using provider::PollResult;
using provider::SubmitResult;
using provider::UnitKind;
using Progress = provider::Observation::Progress;

// `code` of failures: -1 and 1001 are documented. -1 is an unknown id; in the answer to a request
// without an id, it is a failure like any other. 22001: see SpeaksOfALongUrl.
constexpr DocumentedCode kCodes[] = {
    {"1001", Meaning::kInvalid}, {"22001", Meaning::kInvalid}, {"-1", Meaning::kNotFound}};
constexpr FailureRules kRules = {.codes = kCodes};
constexpr FailureRules kCreateRules = {.codes = std::span(kCodes).first(2)};

constexpr absl::string_view kAssetIds[] = {"assetId", "id"};
constexpr IdNames kAssetNames = {.names = kAssetIds};
// `status` of an asset.
constexpr StateWord kAssetWords[] = {{"processing", Progress::kRunning},
                                     {"active", Progress::kSucceeded},
                                     {"failed", Progress::kFailed}};
constexpr StateNames kAsset = {UnitKind::kAsset, kAssetNames, kAssetWords};

bool IsTaskId(absl::string_view id) {
  return absl::StartsWith(id, "video_") || absl::StartsWith(id, "proj_");
}
constexpr absl::string_view kTaskIds[] = {"id",       "task_id", "projectId",
                                          "video_id", "job_id",  "generation_id"};
constexpr IdNames kTaskNames = {.names = kTaskIds, .has_form = &IsTaskId};
// `status` of a task. `cancelled` is documented for another model on the same path.
constexpr StateWord kTaskWords[] = {{"queued", Progress::kQueued},
                                    {"processing", Progress::kRunning},
                                    {"completed", Progress::kSucceeded},
                                    {"failed", Progress::kFailed},
                                    {"cancelled", Progress::kCancelled}};
constexpr StateNames kTask = {UnitKind::kVideo, kTaskNames, kTaskWords};

// {"status": "completed", "video_url": "https://…", "actualDuration": 6.04, "totalTokens": 131040}
Observation ReadTask(const Answer& answer, const State& state) {
  Observation seen = answers::ObservationOf(answer, state, kRules);
  const rapidjson::Value* const objects[] = {state.object, state.inner_object};
  seen.usage = answers::FindUsage(objects);
  if (seen.progress != Progress::kSucceeded) return seen;
  v1::Video video;
  if (const auto length = answers::FindSeconds(objects, {"actualDuration"}); length.has_value()) {
    *video.mutable_duration() = *length;
  }
  answers::SetResult(answer,
                     answers::FindVideo(answer, kTaskNames, objects, {"video_url", "result_url"}),
                     std::move(video), seen);
  if (seen.usage.has_value() && seen.usage->total_tokens() > 0) seen.billing = v1::Attempt::BILLED;
  return seen;
}

// Whether a message is the database's error for a URL that is too long for the account (field).
bool SpeaksOfALongUrl(absl::string_view message) {
  const std::string text = absl::AsciiStrToLower(message);
  return absl::StrContains(text, "22001") || absl::StrContains(text, "data too long") ||
         absl::StrContains(text, "value too long for type");
}

}  // namespace

// {"code": 0, "msg": null, "data": {"assetId": "asset-…"}}
SubmitResult DecodeUpload(const http::Response& response) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, kAssetNames);
  if (id.empty()) {
    answers::Words words = answers::WordsOf(answer);
    // With any code beside it.
    if (answer.ok() && SpeaksOfALongUrl(words.message)) words.code = "22001";
    return answers::WithoutId(
        answers::Judge(answer, words, kCreateRules, "the answer has no data.assetId"),
        /*replay=*/false);
  }
  Observation seen;
  seen.progress = Progress::kRunning;
  seen.provider_id = id;
  return answers::Accepted(provider::HandleOf(id), std::move(seen));
}

// {"code": 0, "msg": null, "data": {"name": "…", "assetId": "asset-…", "status": "Active",
//  "assetType": "Image", "url": "https://…", "createTime": "2026-04-02 09:15:00"}}
PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  const std::string asked = provider::IdOf(handle);
  const Answer answer(response, asked);
  const std::optional<State> state = answers::FindState(answer, kAsset, asked);
  if (!state.has_value()) {
    return answers::WithoutState(answer, kRules, "the answer about an asset has no data.status");
  }
  if (!state->id.empty() && !absl::EqualsIgnoreCase(state->id, asked)) {
    return answers::AboutAnother(answer, "asset");
  }
  Observation seen = answers::ObservationOf(answer, *state, kRules);
  seen.provider_uri = answers::FirstUrl(*state->object, {"url"});
  return answers::Observed(std::move(seen));
}

// {"code": "0", "msg": null, "data": …}
std::optional<Failure> DecodeDeleteAsset(const http::Response& response) {
  const Answer answer(response);
  const bool done = answer.ok() && answers::SaysSucceeded(answer);
  if (done || response.status == 204) return std::nullopt;
  return answers::WithoutDeletion(answer, kRules, "the answer is not a {code,msg,data} envelope");
}

// {"id": "video_…", "object": "video", "created": 1775121300, "model": "seedance_2_0_pro",
//  "status": "queued", "error": null}
// A mirror answers {"code": "0", "msg": null, "data": {"projectId": "proj_…"}}.
SubmitResult DecodeCreateVideo(const http::Response& response) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, kTaskNames);
  if (id.empty()) {
    return answers::WithoutId(answer, kCreateRules, "the answer has neither an id nor an error");
  }
  return answers::Accepted(provider::HandleOf(id),
                           answers::FirstObservation(answer, kTask, id, &ReadTask));
}

// {"id": "video_…", "object": "video", "created": 1775121300, "model": "seedance_2_0_pro",
//  "status": "completed", "video_url": "https://…", "actualDuration": 6.04, "totalTokens": 131040,
//  "error": null}
PollResult DecodeGetResult(const http::Response& response, const provider::Handle& handle) {
  const std::string asked = provider::IdOf(handle);
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

}  // namespace assetgate::providers::kyy
