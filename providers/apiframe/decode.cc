#include "providers/apiframe/decode.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "base/proto_time.h"
#include "provider/answers/answer.h"
#include "provider/answers/facts.h"
#include "provider/answers/links.h"
#include "provider/answers/states.h"
#include "provider/answers/verdict.h"
#include "provider/rest.h"

namespace assetgate::providers::apiframe {
namespace {

namespace answers = provider::answers;

using answers::Answer;
using answers::FailureRules;
using answers::IdNames;
using answers::State;
using answers::StateNames;
using answers::StateWord;
using answers::Words;
using provider::Observation;
using provider::PollResult;
using provider::SubmitResult;
using provider::UnitKind;
using Progress = provider::Observation::Progress;

// How long the provider keeps the file of a job by default.
constexpr absl::Duration kRetention = absl::Hours(24);

// Errors have no codes; HTTP statuses are correct.
constexpr FailureRules kRules = {};

constexpr absl::string_view kAssetIds[] = {"assetId", "id"};
constexpr IdNames kAssetNames = {.names = kAssetIds};
constexpr StateWord kAssetWords[] = {{"processing", Progress::kRunning},
                                     {"active", Progress::kSucceeded},
                                     {"failed", Progress::kFailed}};
constexpr StateNames kAsset = {UnitKind::kAsset, kAssetNames, kAssetWords};

constexpr absl::string_view kJobIds[] = {"jobId", "id", "task_id", "video_id", "generation_id"};
constexpr IdNames kJobNames = {.names = kJobIds, .has_form = &IsJobId};
constexpr StateWord kJobWords[] = {{"queued", Progress::kQueued},
                                   {"processing", Progress::kRunning},
                                   {"completed", Progress::kSucceeded},
                                   {"failed", Progress::kFailed},
                                   {"cancelled", Progress::kCancelled}};
constexpr StateNames kJob = {UnitKind::kVideo, kJobNames, kJobWords};

// {"error": "text", "details": {…}}, {"error": "Insufficient credits", "creditsRequired": 40,
// "creditsAvailable": 7}
Words WordsAndCredits(const Answer& answer) {
  Words words = answers::WordsOf(answer);
  if (answer.layers().empty()) return words;
  const rapidjson::Value& body = *answer.layers().front();
  const auto required = answers::IntegerAt(body, "creditsRequired");
  const auto available = answers::IntegerAt(body, "creditsAvailable");
  if (required.has_value() && available.has_value()) {
    absl::StrAppend(&words.message, " (", *required, " required, ", *available, " available)");
  }
  return words;
}

SubmitResult WithoutId(const Answer& answer, absl::string_view missing, bool replay) {
  return answers::WithoutId(answers::Judge(answer, WordsAndCredits(answer), kRules, missing),
                            replay);
}

// {"id": "…", "status": "COMPLETED", "progress": 100, "result": {"videoUrl": "https://…"},
//  "error": null, "creditCost": 40, "completedAt": "…", "expired": false}
Observation ReadJob(const Answer& answer, const State& state) {
  Observation seen = answers::ObservationOf(answer, state, kRules);
  const rapidjson::Value& job = *state.object;
  const rapidjson::Value* const objects[] = {state.object, state.inner_object};
  seen.progress_percent = answers::PercentIn(answers::Member(job, "progress"));
  const auto cost = answers::NumberAt(job, "creditCost");
  const bool has_cost = cost.has_value() && *cost >= 0;
  if (has_cost) seen.usage.emplace().set_credits(*cost);
  switch (seen.progress) {
    case Progress::kSucceeded: {
      seen.billing = has_cost && *cost == 0 ? v1::Attempt::NOT_BILLED : v1::Attempt::BILLED;
      const bool expired = base::JsonBool(job, "expired").value_or(false);
      v1::Video video;
      video.set_last_frame_uri(answers::FindLastFrame(objects));
      // The file is gone; the answer does not say since when.
      if (expired && seen.end_time.has_value()) {
        *video.mutable_expire_time() = base::ToProto(*seen.end_time + kRetention);
        video.set_expire_time_source(v1::Video::PROVIDER);
      }
      const answers::Link link = answers::FindVideo(answer, kJobNames, objects,
                                                    {"result.videoUrl", "result.videos", "result"});
      if (link.url.empty() && expired) {
        seen.progress = Progress::kFailed;
        seen.failure = provider::FailureOf(answer.response(), "",
                                           "the video was made, but the provider has deleted it");
        seen.failure->reason = v1::PROVIDER_WORK_FAILED;
        break;
      }
      answers::SetResult(answer, link, std::move(video), seen);
      break;
    }
    // Credits are charged at submission and refunded on failure, when the cost is 0.
    case Progress::kFailed:
    case Progress::kGone:
    case Progress::kCancelled:
      seen.billing = has_cost && *cost == 0 ? v1::Attempt::REFUNDED : v1::Attempt::UNKNOWN;
      break;
    case Progress::kQueued:
    case Progress::kRunning:
      break;
  }
  return seen;
}

}  // namespace

bool IsJobId(absl::string_view id) {
  constexpr absl::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::equal(id.begin(), id.end(), kForm.begin(), kForm.end(), [](char c, char form) {
    return form == '-' ? c == '-' : absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
}

// HTTP 201
// {"assetId": "k3v9q0z7m2"}
SubmitResult DecodeCreateAsset(const http::Response& response) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, kAssetNames);
  if (id.empty()) {
    return WithoutId(answer, "the answer has neither an assetId nor an error",
                     /*replay=*/false);
  }
  Observation seen;
  seen.progress = Progress::kRunning;
  seen.provider_id = id;
  return answers::Accepted(provider::HandleOf(id), std::move(seen));
}

// {"status": "Active", "url": "https://…", "errorMsg": null}
PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  const std::string asked = provider::IdOf(handle);
  const Answer answer(response, asked);
  const std::optional<State> state = answers::FindState(answer, kAsset, asked);
  if (!state.has_value()) {
    return answers::WithoutState(answer, WordsAndCredits(answer), kRules,
                                 "the answer about an asset has no status");
  }
  // Not "id", which is undocumented.
  const std::string told = answers::IdIn(answers::Member(*state->object, "assetId"));
  if (!told.empty() && !absl::EqualsIgnoreCase(told, asked)) {
    return answers::AboutAnother(answer, "asset");
  }
  Observation seen = answers::ObservationOf(answer, *state, kRules);
  seen.provider_id.clear();
  seen.provider_uri = answers::FirstUrl(*state->object, {"url"});
  return answers::Observed(std::move(seen));
}

// HTTP 202
// {"jobId": "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5", "status": "QUEUED"}
SubmitResult DecodeGenerateVideo(const http::Response& response, bool replay) {
  const Answer answer(response);
  const std::string id = answers::FindId(answer, kJobNames);
  if (id.empty()) {
    return WithoutId(answer, "the answer has neither a jobId nor an error", replay);
  }
  Observation seen;
  seen.provider_id = id;
  // A replay may find its job finished. The result and the cost are in the job itself, which is
  // polled next.
  const std::optional<State> state = answers::FirstState(answer, kJob, id);
  if (state.has_value()) seen.provider_state = state->word;
  seen.progress = !state.has_value() || state->progress == Progress::kQueued ? Progress::kQueued
                                                                             : Progress::kRunning;
  return answers::Accepted(provider::HandleOf(id), std::move(seen));
}

// {"id": "5f0c1d2e-…", "status": "COMPLETED", "model": "seedance-2", "progress": 100,
//  "result": {"videoUrl": "https://…"}, "error": null, "creditCost": 40, "webhookStatus": null,
//  "createdAt": "2026-07-01T10:00:00.000Z", "completedAt": "2026-07-01T10:02:10.000Z"}
PollResult DecodeGetJob(const http::Response& response, const provider::Handle& handle) {
  const std::string asked = provider::IdOf(handle);
  const Answer answer(response, asked);
  const std::optional<State> state = answers::FindState(answer, kJob, asked);
  if (!state.has_value()) {
    return answers::WithoutState(answer, WordsAndCredits(answer), kRules,
                                 "the answer is not a job");
  }
  if (!state->id.empty() && !absl::EqualsIgnoreCase(state->id, asked)) {
    return answers::AboutAnother(answer, "job");
  }
  return answers::TaskNews(answer, *state, &ReadJob);
}

}  // namespace assetgate::providers::apiframe
