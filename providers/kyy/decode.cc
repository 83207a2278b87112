#include "providers/kyy/decode.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "provider/json.h"
#include "provider/rest.h"
#include "providers/kyy/handle.h"

namespace assetgate::providers::kyy {
namespace {

using provider::Failure;
using provider::Observation;
using provider::Outcome;
using provider::PollResult;
using provider::SubmitResult;
using provider::UnitNews;

using Body = std::optional<rapidjson::Document>;

// `code` of what the provider does not know (second-hand).
constexpr int kNotFoundCode = -1;

// The answer as a JSON object; absent when it is anything else.
Body ObjectOf(const http::Response& response) {
  Body body = provider::ParseJson(response.body);
  if (body.has_value() && !body->IsObject()) body.reset();
  return body;
}

// Success is `code` 0 on some endpoints and "0" on others.
bool SaysZero(const rapidjson::Value& body) { return provider::JsonInteger(body, "code") == 0; }

// The failure of an answer, in the provider's words: `msg`, else `error.message`, else `error`.
Failure WordsOf(const http::Response& response, const Body& body) {
  if (!body.has_value()) return provider::FailureOf(response, "", "");
  std::string code = provider::JsonText(*body, "code");
  if (code.empty()) code = provider::JsonText(*body, "error.code");
  std::string message = provider::JsonText(*body, "msg");
  if (message.empty()) message = provider::JsonText(*body, "error.message");
  if (message.empty()) message = provider::JsonText(*body, "error");
  return provider::FailureOf(response, code, message);
}

// What a `code` inside HTTP 2xx means. No list is published: codes that look like HTTP statuses are
// taken for them where that says who can mend it, 1001 is a URL that cannot be fetched, and every
// other code is a refusal.
provider::StatusMeaning MeaningOfCode(std::int64_t code) {
  switch (code) {
    case 400:
    case 401:
    case 402:
    case 403:
    case 413:
    case 422:
    case 429:
      return provider::MeaningOfStatus(static_cast<int>(code));
    case 1001:
      return {Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT, std::nullopt};
    default:
      return {Outcome::kRefused, v1::PROVIDER_REJECTED, std::nullopt};
  }
}

// A clear no.
struct Refusal {
  Outcome outcome = Outcome::kRefused;
  Failure failure;
};

// The refusal in an answer: by the HTTP status, else by the failure envelope, which also comes
// inside HTTP 2xx. Absent where the answer is a success, or cannot be understood.
std::optional<Refusal> RefusalOf(const http::Response& response, const Body& body) {
  Refusal refusal;
  refusal.failure = WordsOf(response, body);
  if (!provider::IsSuccess(response)) {
    refusal.outcome = provider::MeaningOfStatus(response.status).outcome;
    return refusal;
  }
  if (!body.has_value() || SaysZero(*body)) return std::nullopt;
  const rapidjson::Value* const code = provider::FindJson(*body, "code");
  if (code != nullptr && !code->IsNumber() && !code->IsString()) return std::nullopt;
  if (code == nullptr && refusal.failure.message.empty()) return std::nullopt;
  const provider::StatusMeaning meaning =
      MeaningOfCode(provider::JsonInteger(*body, "code").value_or(1));
  refusal.outcome = meaning.outcome;
  refusal.failure.reason = meaning.reason;
  refusal.failure.act = meaning.act;
  return refusal;
}

SubmitResult Refused(Refusal refusal) {
  SubmitResult result;
  result.outcome = refusal.outcome;
  result.failure = std::move(refusal.failure);
  return result;
}

SubmitResult Unclear(const http::Response& response, absl::string_view message) {
  SubmitResult result;
  result.outcome = Outcome::kUnknown;
  result.failure = provider::ProtocolFailure(response, message);
  return result;
}

SubmitResult Accepted(absl::string_view id, Observation observation) {
  SubmitResult result;
  result.outcome = Outcome::kAccepted;
  result.handle = MakeHandle(id);
  result.observation = std::move(observation);
  return result;
}

PollResult Trouble(Failure failure) {
  PollResult result;
  result.trouble = std::move(failure);
  return result;
}

PollResult News(Observation observation) {
  PollResult result;
  UnitNews& news = result.news.emplace_back();
  news.kind = UnitNews::Kind::kObserved;
  news.observation = std::move(observation);
  return result;
}

PollResult NotFound(Failure failure) {
  PollResult result;
  UnitNews& news = result.news.emplace_back();
  news.kind = UnitNews::Kind::kNotFound;
  news.failure = std::move(failure);
  return result;
}

// An answer to a poll that is a failure as a whole: the unit is unknown, or the call did not work.
PollResult PollRefused(const http::Response& response, const Body& body, Refusal refusal) {
  const bool unknown_unit = response.status == 404 ||
                            (provider::IsSuccess(response) && body.has_value() &&
                             provider::JsonInteger(*body, "code") == std::int64_t{kNotFoundCode});
  return unknown_unit ? NotFound(std::move(refusal.failure)) : Trouble(std::move(refusal.failure));
}

// `status` of an asset. `rejected`, `error` and `deleted` are second-hand.
Observation::Progress AssetProgress(absl::string_view status) {
  const std::string word = absl::AsciiStrToLower(status);
  if (word == "active") return Observation::Progress::kSucceeded;
  if (word == "failed" || word == "rejected" || word == "error" || word == "deleted") {
    return Observation::Progress::kFailed;
  }
  return Observation::Progress::kRunning;
}

// `status` of a task. `cancelled` is documented for another model on the same path.
Observation::Progress TaskProgress(absl::string_view status) {
  const std::string word = absl::AsciiStrToLower(status);
  if (word == "queued") return Observation::Progress::kQueued;
  if (word == "completed") return Observation::Progress::kSucceeded;
  if (word == "failed") return Observation::Progress::kFailed;
  if (word == "cancelled" || word == "canceled") return Observation::Progress::kCancelled;
  return Observation::Progress::kRunning;
}

// A task object. Absent where it has no `status`, or is `completed` without `video_url`: neither
// says anything that may be believed.
std::optional<Observation> ReadTask(const http::Response& response, const rapidjson::Value& task) {
  Observation seen;
  seen.provider_id = provider::ReadId(task, "id");
  seen.provider_state = provider::ReadWord(task, "status");
  if (seen.provider_state.empty()) return std::nullopt;
  seen.progress = TaskProgress(seen.provider_state);

  if (const auto tokens = provider::JsonInteger(task, "totalTokens"); tokens.value_or(-1) >= 0) {
    seen.usage.emplace().set_total_tokens(*tokens);
  }
  switch (seen.progress) {
    case Observation::Progress::kSucceeded: {
      v1::Video video;
      video.set_uri(provider::ReadUrl(task, "video_url"));
      if (video.uri().empty()) return std::nullopt;
      if (const auto length = provider::ReadSeconds(task, "actualDuration"); length.has_value()) {
        *video.mutable_duration() = *length;
      }
      seen.video = std::move(video);
      if (seen.usage.has_value() && seen.usage->total_tokens() > 0) {
        seen.billing = v1::Attempt::BILLED;
      }
      break;
    }
    case Observation::Progress::kFailed:
    case Observation::Progress::kCancelled: {
      std::string message = provider::JsonText(task, "error.message");
      if (message.empty()) message = provider::JsonText(task, "error");
      seen.failure = provider::FailureOf(response, provider::JsonText(task, "error.code"), message);
      seen.failure->reason = seen.progress == Observation::Progress::kFailed
                                 ? v1::PROVIDER_WORK_FAILED
                                 : v1::TASK_CANCELLED;
      seen.failure->act.reset();
      break;
    }
    case Observation::Progress::kQueued:
    case Observation::Progress::kRunning:
      break;
  }
  return seen;
}

}  // namespace

// {"code": 0, "msg": null, "data": {"assetId": "asset-…"}}
SubmitResult DecodeUpload(const http::Response& response) {
  const Body body = ObjectOf(response);
  if (std::optional<Refusal> refusal = RefusalOf(response, body)) return Refused(*refusal);
  if (!body.has_value() || !SaysZero(*body)) {
    return Unclear(response, "the answer to an upload is no {code,msg,data} envelope");
  }
  const std::string id = provider::ReadId(*body, "data.assetId");
  if (id.empty()) return Unclear(response, "an upload was answered without data.assetId");
  Observation seen;
  seen.progress = Observation::Progress::kRunning;
  seen.provider_id = id;
  return Accepted(id, std::move(seen));
}

// {"code": 0, "msg": null, "data": {"name": "…", "assetId": "asset-…", "status": "Active",
//  "assetType": "Image", "url": "https://…", "createTime": "2026-04-02 09:15:00"}}
PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  const Body body = ObjectOf(response);
  if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
    return PollRefused(response, body, *std::move(refusal));
  }
  if (!body.has_value() || !SaysZero(*body)) {
    return Trouble(provider::ProtocolFailure(
        response, "the answer about an asset is no {code,msg,data} envelope"));
  }
  Observation seen;
  seen.provider_id = provider::ReadId(*body, "data.assetId");
  if (!seen.provider_id.empty() && !absl::EqualsIgnoreCase(seen.provider_id, IdOf(handle))) {
    return Trouble(provider::ProtocolFailure(response, "the answer is about another asset"));
  }
  seen.provider_state = provider::ReadWord(*body, "data.status");
  if (seen.provider_state.empty()) {
    return Trouble(provider::ProtocolFailure(response, "the answer about an asset has no status"));
  }
  seen.progress = AssetProgress(seen.provider_state);
  seen.provider_uri = provider::ReadUrl(*body, "data.url");
  if (seen.progress == Observation::Progress::kFailed) {
    // No field for the reason is documented: these are what sibling endpoints use.
    std::string message = provider::JsonText(*body, "data.errorMessage");
    if (message.empty()) message = provider::JsonText(*body, "data.error");
    if (message.empty())
      message = absl::StrCat("status ", seen.provider_state, ", no reason given");
    seen.failure = provider::FailureOf(response, "", message);
    seen.failure->reason = v1::PROVIDER_WORK_FAILED;
    seen.failure->act.reset();
  }
  return News(std::move(seen));
}

// {"code": "0", "msg": null, "data": …}
std::optional<Failure> DecodeDeleteAsset(const http::Response& response) {
  const Body body = ObjectOf(response);
  if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
    const bool gone = !PollRefused(response, body, *refusal).trouble.has_value();
    return gone ? std::nullopt : std::optional<Failure>(std::move(refusal->failure));
  }
  if (response.status == 204 || (body.has_value() && SaysZero(*body))) return std::nullopt;
  return provider::ProtocolFailure(response,
                                   "the answer to a delete is no {code,msg,data} envelope");
}

// {"id": "video_…", "object": "video", "created": 1775121300, "model": "seedance_2_0_pro",
//  "status": "queued", "error": null}
SubmitResult DecodeCreateVideo(const http::Response& response) {
  const Body body = ObjectOf(response);
  const std::string id =
      provider::IsSuccess(response) && body.has_value() ? provider::ReadId(*body, "id") : "";
  if (id.empty()) {
    if (std::optional<Refusal> refusal = RefusalOf(response, body)) return Refused(*refusal);
    return Unclear(response, "a task was answered with neither id nor error");
  }
  // An id is an acceptance, whatever else the answer says: a task that failed at once is one, too.
  std::optional<Observation> seen = ReadTask(response, *body);
  if (!seen.has_value()) {
    seen.emplace();
    seen->progress = Observation::Progress::kQueued;
    seen->provider_id = id;
  }
  return Accepted(id, *std::move(seen));
}

// {"id": "video_…", "object": "video", "created": 1775121300, "model": "seedance_2_0_pro",
//  "status": "completed", "video_url": "https://…", "actualDuration": 6.04, "totalTokens": 131040,
//  "error": null}
PollResult DecodeGetResult(const http::Response& response, const provider::Handle& handle) {
  const Body body = ObjectOf(response);
  if (!provider::IsSuccess(response) || !body.has_value() ||
      provider::FindJson(*body, "status") == nullptr) {
    if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
      return PollRefused(response, body, *std::move(refusal));
    }
    return Trouble(
        provider::ProtocolFailure(response, "the answer about a task is no task object"));
  }
  std::optional<Observation> seen = ReadTask(response, *body);
  if (!seen.has_value()) {
    return Trouble(provider::ProtocolFailure(
        response, "the task is said to be completed, and there is no video_url"));
  }
  if (!seen->provider_id.empty() && seen->provider_id != IdOf(handle)) {
    return Trouble(provider::ProtocolFailure(response, "the answer is about another task"));
  }
  return News(*std::move(seen));
}

}  // namespace assetgate::providers::kyy
