#include "providers/kyy/decode.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "provider/json.h"
#include "provider/rest.h"
#include "provider/result.h"

namespace assetgate::providers::kyy {
namespace {

using provider::Failure;
using provider::Observation;
using provider::PollResult;
using provider::Refusal;
using provider::SubmitResult;

using Body = std::optional<rapidjson::Document>;

// `code` of what the provider does not know (second-hand).
constexpr int kNotFoundCode = -1;
constexpr int kUnreachableUrlCode = 1001;

// Success is `code` 0 on some endpoints and "0" on others.
bool SaysZero(const rapidjson::Value& body) { return provider::JsonInteger(body, "code") == 0; }

// Where the provider's words stand in a failure: `msg`, else `error.message`, else `error`.
struct Words {
  std::string code;
  std::string message;
};
Words WordsOf(const Body& body) {
  Words words;
  if (!body.has_value()) return words;
  words.code = provider::JsonText(*body, "code");
  if (words.code.empty()) words.code = provider::JsonText(*body, "error.code");
  words.message = provider::JsonText(*body, "msg");
  if (words.message.empty()) words.message = provider::JsonText(*body, "error.message");
  if (words.message.empty()) words.message = provider::JsonText(*body, "error");
  return words;
}

// The refusal in an answer: by the HTTP status, else by the failure envelope, which also comes
// inside HTTP 2xx. Absent where the answer is a success, or cannot be understood.
std::optional<Refusal> RefusalOf(const http::Response& response, const Body& body) {
  const Words words = WordsOf(body);
  if (!provider::IsSuccess(response)) {
    return provider::RefusalByStatus(response, words.code, words.message);
  }
  if (!body.has_value() || SaysZero(*body)) return std::nullopt;
  const rapidjson::Value* const code = provider::FindJson(*body, "code");
  if (code != nullptr && !code->IsNumber() && !code->IsString()) return std::nullopt;
  if (code == nullptr && words.message.empty()) return std::nullopt;
  Refusal refusal = provider::RefusalByCode(response, code == nullptr ? std::string() : words.code,
                                            words.message);
  if (refusal.failure.code.empty()) refusal.failure.code = words.code;
  // No list of codes is published; this one is a URL that cannot be fetched (second-hand).
  if (provider::JsonInteger(*body, "code") == kUnreachableUrlCode) {
    refusal.failure.reason = v1::PROVIDER_INVALID_ARGUMENT;
  }
  return refusal;
}

// An answer to a poll that is a failure as a whole: the unit is unknown, or the call did not work.
PollResult PollRefused(const http::Response& response, const Body& body, Refusal refusal) {
  const bool unknown_unit = response.status == 404 ||
                            (provider::IsSuccess(response) && body.has_value() &&
                             provider::JsonInteger(*body, "code") == std::int64_t{kNotFoundCode});
  return unknown_unit ? provider::NotFound(std::move(refusal.failure))
                      : provider::Trouble(std::move(refusal.failure));
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
    case Observation::Progress::kGone:
    case Observation::Progress::kCancelled: {
      std::string message = provider::JsonText(task, "error.message");
      if (message.empty()) message = provider::JsonText(task, "error");
      const std::string code = provider::JsonText(task, "error.code");
      seen.failure = seen.progress == Observation::Progress::kFailed
                         ? provider::WorkFailed(response, code, message)
                         : provider::WorkCancelled(response, code, message);
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
  const Body body = provider::ObjectOf(response);
  if (std::optional<Refusal> refusal = RefusalOf(response, body))
    return provider::Refused(*std::move(refusal));
  if (!body.has_value() || !SaysZero(*body)) {
    return provider::Unclear(response, "the answer to an upload is no {code,msg,data} envelope");
  }
  const std::string id = provider::ReadId(*body, "data.assetId");
  if (id.empty()) return provider::Unclear(response, "an upload was answered without data.assetId");
  Observation seen;
  seen.progress = Observation::Progress::kRunning;
  seen.provider_id = id;
  return provider::Accepted(provider::HandleOf(id), std::move(seen));
}

// {"code": 0, "msg": null, "data": {"name": "…", "assetId": "asset-…", "status": "Active",
//  "assetType": "Image", "url": "https://…", "createTime": "2026-04-02 09:15:00"}}
PollResult DecodeGetAsset(const http::Response& response, const provider::Handle& handle) {
  const Body body = provider::ObjectOf(response);
  if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
    return PollRefused(response, body, *std::move(refusal));
  }
  if (!body.has_value() || !SaysZero(*body)) {
    return provider::Trouble(provider::ProtocolFailure(
        response, "the answer about an asset is no {code,msg,data} envelope"));
  }
  Observation seen;
  seen.provider_id = provider::ReadId(*body, "data.assetId");
  if (!seen.provider_id.empty() &&
      !absl::EqualsIgnoreCase(seen.provider_id, provider::IdOf(handle))) {
    return provider::Trouble(
        provider::ProtocolFailure(response, "the answer is about another asset"));
  }
  seen.provider_state = provider::ReadWord(*body, "data.status");
  if (seen.provider_state.empty()) {
    return provider::Trouble(
        provider::ProtocolFailure(response, "the answer about an asset has no status"));
  }
  seen.progress = AssetProgress(seen.provider_state);
  seen.provider_uri = provider::ReadUrl(*body, "data.url");
  if (seen.progress == Observation::Progress::kFailed) {
    // No field for the reason is documented: these are what sibling endpoints use.
    std::string message = provider::JsonText(*body, "data.errorMessage");
    if (message.empty()) message = provider::JsonText(*body, "data.error");
    if (message.empty())
      message = absl::StrCat("status ", seen.provider_state, ", no reason given");
    seen.failure = provider::WorkFailed(response, "", message);
  }
  return provider::Observed(std::move(seen));
}

// {"code": "0", "msg": null, "data": …}
std::optional<Failure> DecodeDeleteAsset(const http::Response& response) {
  const Body body = provider::ObjectOf(response);
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
  const Body body = provider::ObjectOf(response);
  const std::string id =
      provider::IsSuccess(response) && body.has_value() ? provider::ReadId(*body, "id") : "";
  if (id.empty()) {
    if (std::optional<Refusal> refusal = RefusalOf(response, body))
      return provider::Refused(*std::move(refusal));
    return provider::Unclear(response, "a task was answered with neither id nor error");
  }
  // An id is an acceptance, whatever else the answer says: a task that failed at once is one, too.
  std::optional<Observation> seen = ReadTask(response, *body);
  if (!seen.has_value()) {
    seen.emplace();
    seen->progress = Observation::Progress::kQueued;
    seen->provider_id = id;
  }
  return provider::Accepted(provider::HandleOf(id), *std::move(seen));
}

// {"id": "video_…", "object": "video", "created": 1775121300, "model": "seedance_2_0_pro",
//  "status": "completed", "video_url": "https://…", "actualDuration": 6.04, "totalTokens": 131040,
//  "error": null}
PollResult DecodeGetResult(const http::Response& response, const provider::Handle& handle) {
  const Body body = provider::ObjectOf(response);
  if (!provider::IsSuccess(response) || !body.has_value() ||
      provider::FindJson(*body, "status") == nullptr) {
    if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
      return PollRefused(response, body, *std::move(refusal));
    }
    return provider::Trouble(
        provider::ProtocolFailure(response, "the answer about a task is no task object"));
  }
  std::optional<Observation> seen = ReadTask(response, *body);
  if (!seen.has_value()) {
    return provider::Trouble(provider::ProtocolFailure(
        response, "the task is said to be completed, and there is no video_url"));
  }
  if (!seen->provider_id.empty() && seen->provider_id != provider::IdOf(handle)) {
    return provider::Trouble(
        provider::ProtocolFailure(response, "the answer is about another task"));
  }
  return provider::Observed(*std::move(seen));
}

}  // namespace assetgate::providers::kyy
