#include "providers/apiframe/decode.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "provider/json.h"
#include "provider/rest.h"
#include "provider/result.h"

namespace assetgate::providers::apiframe {
namespace {

using provider::Observation;
using provider::Outcome;
using provider::PollResult;
using provider::Refusal;
using provider::SubmitResult;

using Body = std::optional<rapidjson::Document>;

// A validation error names every faulty field; more than these help nobody.
constexpr std::size_t kMaxDetails = 8;

// How long the provider keeps the file of a job by default.
constexpr absl::Duration kRetention = absl::Hours(24);

// --- Failures -----------------------------------------------------------------------------------

// {"details": {"seedanceParams.duration": ["Too big", "Not whole"]}} as
// "seedanceParams.duration: Too big, Not whole"
std::string DetailsOf(const rapidjson::Value& body) {
  const rapidjson::Value* const details = provider::FindJson(body, "details");
  if (details == nullptr || !details->IsObject()) return "";
  std::vector<std::string> lines;
  for (const auto& [path, faults] : details->GetObject()) {
    if (lines.size() == kMaxDetails) break;
    std::vector<std::string> words;
    if (faults.IsString()) words.emplace_back(faults.GetString(), faults.GetStringLength());
    if (faults.IsArray()) {
      for (const rapidjson::Value& fault : faults.GetArray()) {
        if (words.size() == kMaxDetails) break;
        if (fault.IsString()) words.emplace_back(fault.GetString(), fault.GetStringLength());
      }
    }
    lines.push_back(absl::StrCat(absl::string_view(path.GetString(), path.GetStringLength()), ": ",
                                 absl::StrJoin(words, ", ")));
  }
  return absl::StrJoin(lines, "; ");
}

// {"error": "text", "details": {…}}, {"error": "Insufficient credits", "creditsRequired": 40,
// "creditsAvailable": 7}; to be on the safe side also {"error": {"message": "text"}} and
// {"message": "text"}.
std::string WordsOf(const Body& body) {
  if (!body.has_value()) return "";
  std::string words = provider::JsonText(*body, "error");
  if (words.empty()) words = provider::JsonText(*body, "error.message");
  if (words.empty()) words = provider::JsonText(*body, "message");
  if (const std::string details = DetailsOf(*body); !details.empty()) {
    absl::StrAppend(&words, words.empty() ? "" : ": ", details);
  }
  const auto required = provider::JsonInteger(*body, "creditsRequired");
  const auto available = provider::JsonInteger(*body, "creditsAvailable");
  if (required.has_value() && available.has_value()) {
    absl::StrAppend(&words, " (", *required, " required, ", *available, " available)");
  }
  return words;
}

// The refusal in an answer: by the HTTP status, which is honest here; inside HTTP 2xx, should that
// ever come, by `error` where what was asked for is not there. Absent where the answer cannot be
// understood.
std::optional<Refusal> RefusalOf(const http::Response& response, const Body& body) {
  const std::string words = WordsOf(body);
  if (!provider::IsSuccess(response)) return provider::RefusalByStatus(response, "", words);
  if (!body.has_value() || provider::FindJson(*body, "error") == nullptr || words.empty()) {
    return std::nullopt;
  }
  return provider::RefusalByCode(response, "", words);
}

PollResult Unreadable(const http::Response& response, absl::string_view message) {
  return provider::Trouble(provider::ProtocolFailure(response, message));
}

// An answer to a poll that does not have what was asked for.
PollResult PollRefused(const http::Response& response, const Body& body,
                       absl::string_view otherwise) {
  std::optional<Refusal> refusal = RefusalOf(response, body);
  if (!refusal.has_value()) return Unreadable(response, otherwise);
  return response.status == 404 ? provider::NotFound(std::move(refusal->failure))
                                : provider::Trouble(std::move(refusal->failure));
}

// --- Assets -------------------------------------------------------------------------------------

Observation::Progress AssetProgress(absl::string_view status) {
  if (absl::EqualsIgnoreCase(status, "Active")) return Observation::Progress::kSucceeded;
  if (absl::EqualsIgnoreCase(status, "Failed")) return Observation::Progress::kFailed;
  return Observation::Progress::kRunning;
}

// --- Jobs ---------------------------------------------------------------------------------------

Observation::Progress JobProgress(absl::string_view status) {
  const std::string word = absl::AsciiStrToUpper(status);
  if (word == "QUEUED") return Observation::Progress::kQueued;
  if (word == "COMPLETED") return Observation::Progress::kSucceeded;
  if (word == "FAILED") return Observation::Progress::kFailed;
  if (word == "CANCELLED" || word == "CANCELED") return Observation::Progress::kCancelled;
  return Observation::Progress::kRunning;
}

// {"result": {"videoUrl": "https://…"}}; in older texts {"result": "https://…"}; for some models
// {"result": {"videos": ["https://…"]}}. "" where there is none.
std::string LinkOf(const rapidjson::Value& job) {
  std::string link = provider::ReadUrl(job, "result.videoUrl");
  if (link.empty()) link = provider::ReadUrl(job, "result");
  if (!link.empty()) return link;
  const rapidjson::Value* const videos = provider::FindJson(job, "result.videos");
  if (videos == nullptr || !videos->IsArray() || videos->Empty()) return "";
  rapidjson::Document first;
  provider::SetJson(first, first, "url", rapidjson::Value((*videos)[0], first.GetAllocator()));
  return provider::ReadUrl(first, "url");
}

// When the job ended; absent while it has not.
std::optional<absl::Time> ReadEndTime(const rapidjson::Value& job) {
  absl::Time completed;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, provider::JsonText(job, "completedAt"), &completed,
                       &error) ||
      completed <= absl::UnixEpoch() || completed >= absl::FromUnixSeconds(253402300799)) {
    return std::nullopt;
  }
  return completed;
}

// Absent without a link.
std::optional<v1::Video> ReadVideo(const rapidjson::Value& job) {
  v1::Video video;
  video.set_uri(LinkOf(job));
  if (video.uri().empty()) return std::nullopt;
  // Where `return_last_frame` puts its picture is documented nowhere.
  for (const char* const path : {"result.lastFrameUrl", "result.last_frame_url"}) {
    if (video.last_frame_uri().empty()) video.set_last_frame_uri(provider::ReadUrl(job, path));
  }
  // `expired`: the file is gone. When it went is not said.
  const std::optional<absl::Time> completed = ReadEndTime(job);
  if (provider::JsonBool(job, "expired").value_or(false) && completed.has_value()) {
    *video.mutable_expire_time() = base::ToProto(*completed + kRetention);
    video.set_expire_time_source(v1::Video::PROVIDER);
  }
  return video;
}

// A job. Absent where it has no `status`, or is completed without a link: neither says anything
// that may be believed.
std::optional<Observation> ReadJob(const http::Response& response, const rapidjson::Value& job) {
  Observation seen;
  seen.provider_id = provider::ReadId(job, "id");
  seen.provider_state = provider::ReadWord(job, "status");
  if (seen.provider_state.empty()) return std::nullopt;
  seen.progress = JobProgress(seen.provider_state);
  const auto percent = provider::JsonInteger(job, "progress");
  if (percent.has_value() && *percent >= 0 && *percent <= 100) {
    seen.progress_percent = static_cast<int>(*percent);
  }
  const auto cost = provider::JsonNumber(job, "creditCost");
  const bool has_cost = cost.has_value() && *cost >= 0;
  if (has_cost) seen.usage.emplace().set_credits(*cost);
  // Credits are taken at submission and given back on failure, when the cost reads 0.
  const v1::Attempt::Billing unmade =
      has_cost && *cost == 0 ? v1::Attempt::REFUNDED : v1::Attempt::UNKNOWN;
  std::string message = provider::JsonText(job, "error");
  if (message.empty()) message = provider::JsonText(job, "error.message");
  switch (seen.progress) {
    case Observation::Progress::kSucceeded:
      seen.billing = has_cost && *cost == 0 ? v1::Attempt::NOT_BILLED : v1::Attempt::BILLED;
      seen.video = ReadVideo(job);
      if (seen.video.has_value()) break;
      if (!provider::JsonBool(job, "expired").value_or(false)) return std::nullopt;
      seen.progress = Observation::Progress::kFailed;
      seen.failure = provider::WorkFailed(
          response, "", "the video was made, and the provider has deleted it since");
      break;
    case Observation::Progress::kFailed:
      seen.failure = provider::WorkFailed(response, "", message);
      seen.billing = unmade;
      break;
    case Observation::Progress::kGone:
    case Observation::Progress::kCancelled:
      seen.failure = provider::WorkCancelled(response, "", message);
      seen.billing = unmade;
      break;
    case Observation::Progress::kQueued:
    case Observation::Progress::kRunning:
      return seen;
  }
  seen.end_time = ReadEndTime(job);
  return seen;
}

// What an answer other than an acceptance says on a replay. Only a 400 settles it: the same bytes
// cannot have been fit the first time. A key or an account that is refused now, a rate limit, an
// empty purse (perhaps emptied by the first send), or a 409 say nothing of what became of the
// first.
SubmitResult AfterReplay(SubmitResult result) {
  if (result.failure.http_status == 400) return result;
  result.outcome = Outcome::kUnknown;
  return result;
}

}  // namespace

// HTTP 201
// {"assetId": "k3v9q0z7m2"}
SubmitResult DecodeCreateAsset(const http::Response& response) {
  const Body body = provider::ObjectOf(response);
  const std::string id =
      provider::IsSuccess(response) && body.has_value() ? provider::ReadId(*body, "assetId") : "";
  if (id.empty()) {
    if (std::optional<Refusal> refusal = RefusalOf(response, body)) {
      return provider::Refused(*std::move(refusal));
    }
    return provider::Unclear(response, "an asset was answered with neither assetId nor error");
  }
  Observation seen;
  seen.progress = Observation::Progress::kRunning;
  seen.provider_id = id;
  return provider::Accepted(provider::HandleOf(id), std::move(seen));
}

// {"status": "Active", "url": "https://…", "errorMsg": null}
PollResult DecodeGetAsset(const http::Response& response) {
  const Body body = provider::ObjectOf(response);
  Observation seen;
  if (provider::IsSuccess(response) && body.has_value()) {
    seen.provider_state = provider::ReadWord(*body, "status");
  }
  if (seen.provider_state.empty()) {
    return PollRefused(response, body, "the answer about an asset has no status");
  }
  seen.progress = AssetProgress(seen.provider_state);
  seen.provider_uri = provider::ReadUrl(*body, "url");
  if (seen.progress == Observation::Progress::kFailed) {
    std::string message = provider::JsonText(*body, "errorMsg");
    if (message.empty()) message = provider::JsonText(*body, "error");
    seen.failure = provider::WorkFailed(response, "", message);
  }
  return provider::Observed(std::move(seen));
}

// HTTP 202
// {"jobId": "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5", "status": "QUEUED"}
SubmitResult DecodeGenerateVideo(const http::Response& response, bool replay) {
  const Body body = provider::ObjectOf(response);
  const std::string id =
      provider::IsSuccess(response) && body.has_value() ? provider::ReadId(*body, "jobId") : "";
  if (id.empty()) {
    std::optional<Refusal> refusal = RefusalOf(response, body);
    SubmitResult result =
        refusal.has_value()
            ? provider::Refused(*std::move(refusal))
            : provider::Unclear(response, "a video was answered with neither jobId nor error");
    return replay ? AfterReplay(std::move(result)) : result;
  }
  Observation seen;
  seen.provider_id = id;
  seen.provider_state = provider::ReadWord(*body, "status");
  // A replay may find its job finished. The result and the bill stand in the job itself, which is
  // asked for next.
  seen.progress =
      seen.provider_state.empty() || absl::EqualsIgnoreCase(seen.provider_state, "QUEUED")
          ? Observation::Progress::kQueued
          : Observation::Progress::kRunning;
  return provider::Accepted(provider::HandleOf(id), std::move(seen));
}

// {"id": "5f0c1d2e-…", "status": "COMPLETED", "model": "seedance-2", "progress": 100,
//  "result": {"videoUrl": "https://…"}, "error": null, "creditCost": 40, "webhookStatus": null,
//  "createdAt": "2026-07-01T10:00:00.000Z", "completedAt": "2026-07-01T10:02:10.000Z"}
PollResult DecodeGetJob(const http::Response& response, const provider::Handle& handle) {
  const Body body = provider::ObjectOf(response);
  if (!provider::IsSuccess(response) || !body.has_value() ||
      provider::FindJson(*body, "status") == nullptr) {
    return PollRefused(response, body, "the answer about a job is no job");
  }
  std::optional<Observation> seen = ReadJob(response, *body);
  if (!seen.has_value()) {
    return Unreadable(response, "the job has no state word, or is completed without a link");
  }
  if (!seen->provider_id.empty() &&
      !absl::EqualsIgnoreCase(seen->provider_id, provider::IdOf(handle))) {
    return Unreadable(response, "the answer is about another job");
  }
  return provider::Observed(*std::move(seen));
}

}  // namespace assetgate::providers::apiframe
