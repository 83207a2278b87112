#include "provider/testing/fake_dialect.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "provider/rest.h"

namespace assetgate::provider {
namespace {

using Progress = provider::Observation::Progress;

std::map<std::string, std::string> Words(const std::string& body) {
  std::map<std::string, std::string> words;
  for (absl::string_view word : absl::StrSplit(body, ' ', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(word, absl::MaxSplits('=', 1));
    words.insert(pair);
  }
  return words;
}

provider::Observation Observe(provider::UnitKind kind,
                              const std::map<std::string, std::string>& words) {
  const auto word = [&](const char* key) {
    const auto it = words.find(key);
    return it == words.end() ? std::string() : it->second;
  };
  provider::Observation observation;
  observation.provider_id = word("id");
  observation.provider_state = word("state");
  if (std::int64_t ended = 0; absl::SimpleAtoi(word("ended"), &ended)) {
    observation.end_time = absl::FromUnixSeconds(ended);
  }
  observation.provider_uri = word("uri");
  const std::string& state = observation.provider_state;
  observation.progress = state == "queued"      ? Progress::kQueued
                         : state == "done"      ? Progress::kSucceeded
                         : state == "failed"    ? Progress::kFailed
                         : state == "cancelled" ? Progress::kCancelled
                         : state == "gone"      ? Progress::kGone
                                                : Progress::kRunning;
  observation.unknown_state =
      observation.progress == Progress::kRunning && !state.empty() && state != "running";
  int percent = 0;
  if (absl::SimpleAtoi(word("progress"), &percent)) observation.progress_percent = percent;
  if (double credits = 0; absl::SimpleAtod(word("credits"), &credits)) {
    observation.usage.emplace().set_credits(credits);
  }
  if (state == "failed" || word("reason") != "") {
    provider::Failure failure;
    failure.message = word("why");
    if (word("reason") == "content") failure.reason = v1::CONTENT_REJECTED;
    if (word("reason") == "cancelled") failure.reason = v1::TASK_CANCELLED;
    observation.failure = std::move(failure);
  }
  if (kind == provider::UnitKind::kVideo && state == "done") {
    const std::string result = word("result");
    observation.result = result == "missing"  ? provider::Observation::Result::kMissing
                         : result == "inline" ? provider::Observation::Result::kInline
                                              : provider::Observation::Result::kLinked;
    if (result.empty()) {
      observation.video.emplace();
      observation.video->set_uri(words.contains("link")
                                     ? word("link")
                                     : absl::StrCat("https://example.com/", word("id"), ".mp4"));
    } else {
      observation.answer = absl::StrJoin(words, " ", absl::PairFormatter("="));
    }
  }
  if (words.contains("inner")) {
    std::map<std::string, std::string> inside = words;
    inside["state"] = word("inner");
    inside.erase("inner");
    observation.inner = std::make_shared<const provider::Observation>(Observe(kind, inside));
  }
  return observation;
}

const char* Collection(provider::UnitKind kind) {
  switch (kind) {
    case provider::UnitKind::kAssetGroup:
      return "/groups";
    case provider::UnitKind::kAsset:
      return "/assets";
    case provider::UnitKind::kVideo:
      break;
  }
  return "/videos";
}

bool IsSuccess(const http::Response& response) {
  return response.status >= 200 && response.status < 300;
}

}  // namespace

FakeDialect::FakeDialect(FakeDialectOptions options) : options_(std::move(options)) {
  traits_.name = "fake";
  traits_.default_base_url = "https://fake.example";
  traits_.secrets = {"api_key"};
  for (const v1::MediaType type : options_.media_types) {
    traits_.asset_capabilities.add_media_types(type);
  }
  traits_.asset_capabilities.set_groups(options_.native_groups
                                            ? v1::AssetCapabilities::NATIVE
                                            : v1::AssetCapabilities::KEPT_BY_GATEWAY);
  traits_.asset_capabilities.set_https_only(options_.https_only);
  traits_.asset_capabilities.set_can_delete(options_.can_delete);
  traits_.group_polling = {absl::Seconds(2), absl::Seconds(5), absl::Seconds(10)};
  traits_.asset_polling = {absl::Seconds(2), absl::Seconds(5), absl::Seconds(20)};
  traits_.video_polling = {absl::Seconds(2), absl::Seconds(5), absl::Seconds(20)};
  traits_.idempotency_window = options_.idempotency_window;
  traits_.max_asset_submissions = options_.max_asset_submissions;
  traits_.video_lifetime = absl::Hours(24);
  for (const auto mode : {v1::Capabilities::TEXT, v1::Capabilities::FIRST_FRAME,
                          v1::Capabilities::FIRST_AND_LAST_FRAME, v1::Capabilities::REFERENCES}) {
    capabilities_.add_modes(mode);
  }
  capabilities_.set_max_prompt_length(2000);
  capabilities_.mutable_duration()->set_expressible(true);
  capabilities_.mutable_duration()->set_min(4);
  capabilities_.mutable_duration()->set_max(12);
  capabilities_.mutable_seed()->set_expressible(options_.seed);
  capabilities_.mutable_seed()->add_implied(-1);
  capabilities_.mutable_watermark()->add_implied(false);
  capabilities_.mutable_resolution()->set_expressible(options_.any_resolution ||
                                                      !options_.resolutions.empty());
  if (!options_.any_resolution) {
    for (const std::string& each : options_.resolutions) {
      capabilities_.mutable_resolution()->add_allowed(each);
    }
  }
  capabilities_.set_max_reference_images(9);
  capabilities_.set_max_reference_videos(3);
  capabilities_.set_max_reference_audios(3);
  capabilities_.set_https_only(options_.https_only);
  capabilities_.set_first_frame_sets_aspect_ratio(options_.first_frame_sets_aspect_ratio);
  capabilities_.mutable_aspect_ratio()->set_expressible(options_.first_frame_sets_aspect_ratio);
}

const v1::Capabilities* FakeDialect::FindModel(absl::string_view model) const {
  return model == "video-1" ? &capabilities_ : nullptr;
}

std::vector<provider::OptionFault> FakeDialect::CheckOptions(
    provider::UnitKind, const google::protobuf::Struct& options) const {
  std::vector<provider::OptionFault> faults;
  if (options.fields().count("model") > 0) faults.push_back({"model", "is the gateway's to send"});
  return faults;
}

absl::StatusOr<http::Request> FakeDialect::EncodeSubmitGroup(
    const provider::GroupSubmission& group) const {
  return http::Request{"POST", "/groups", {}, absl::StrCat("name=", group.group.name())};
}

absl::StatusOr<http::Request> FakeDialect::EncodeSubmitAsset(
    const provider::AssetSubmission& asset) const {
  http::Request request{"POST", "/assets", {}, absl::StrCat("source=", asset.source_uri)};
  if (!asset.group.empty()) absl::StrAppend(&request.body, " group=", asset.group);
  return request;
}

absl::StatusOr<http::Request> FakeDialect::EncodeSubmitVideo(
    const provider::VideoSubmission& video) const {
  std::vector<std::string> references;
  references.reserve(video.references.size());
  for (const auto& reference : video.references) {
    references.push_back(reference.provider_asset_id.empty() ? reference.uri
                                                             : reference.provider_asset_id);
  }
  http::Request request{"POST",
                        "/videos",
                        {},
                        absl::StrCat("model=", video.provider_model, " prompt=",
                                     absl::StrJoin(absl::StrSplit(video.task.prompt(), ' '), "_"),
                                     " references=", absl::StrJoin(references, ","))};
  if (options_.idempotency_window > absl::ZeroDuration()) {
    request.headers.push_back({"Idempotency-Key", video.idempotency_key});
  }
  return request;
}

provider::SubmitResult FakeDialect::DecodeSubmit(provider::UnitKind kind, const http::Request&,
                                                 const http::Response& response,
                                                 bool replay) const {
  provider::SubmitResult result;
  const auto words = Words(response.body);
  if (IsSuccess(response)) {
    if (words.count("id") > 0) {
      result.outcome = provider::Outcome::kAccepted;
      result.handle = words.at("id");
      result.observation = Observe(kind, words);
    } else if (words.count("refused") > 0) {
      result.outcome = provider::Outcome::kRefused;
      result.failure.message = words.at("refused");
      result.failure.reason = absl::StartsWith(result.failure.message, "content")
                                  ? v1::CONTENT_REJECTED
                                  : v1::PROVIDER_REJECTED;
    } else {
      result.failure = provider::FailureOf(response, "", "no id");
    }
    return result;
  }
  result.outcome = provider::MeaningOfStatus(response.status).outcome;
  if (replay && response.status == 409) result.outcome = provider::Outcome::kUnknown;
  result.failure = provider::FailureOf(response, "", response.body);
  result.failure.from_edge = absl::StrContains(response.body, "edge");
  return result;
}

absl::StatusOr<provider::Handle> FakeDialect::AdoptVideo(absl::string_view id,
                                                         absl::string_view /*model*/) const {
  std::string own = CanonicalVideoId(id);
  if (!provider::IsId(id) || !absl::StartsWith(own, "up-")) return provider::NotAnId(id, "up-…");
  return own;
}

std::string FakeDialect::CanonicalVideoId(absl::string_view id) const {
  return options_.ids_in_any_case ? absl::AsciiStrToLower(id) : std::string(id);
}

std::vector<provider::PollCall> FakeDialect::EncodePoll(
    provider::UnitKind kind, std::span<const provider::Handle> handles) const {
  std::vector<provider::PollCall> calls;
  calls.reserve(handles.size());
  for (std::size_t i = 0; i < handles.size(); ++i) {
    calls.push_back({{"GET", absl::StrCat(Collection(kind), "/", handles[i]), {}, ""}, {i}});
  }
  return calls;
}

provider::PollResult FakeDialect::DecodePoll(provider::UnitKind kind,
                                             const http::Response& response,
                                             std::span<const provider::Handle> handles) const {
  provider::PollResult result;
  provider::UnitNews news;
  if (IsSuccess(response) && response.body == "unreadable") {
    result.trouble = provider::FailureOf(response, "", "it has no state");
    result.trouble->unreadable = true;
    return result;
  }
  if (IsSuccess(response)) {
    news.kind = provider::UnitNews::Kind::kObserved;
    news.observation = Observe(kind, Words(response.body));
  } else if (response.status == 404) {
    news.kind = provider::UnitNews::Kind::kNotFound;
    news.failure = provider::FailureOf(response, "", response.body);
  } else {
    result.trouble = provider::FailureOf(response, "", response.body);
    result.trouble->from_edge = absl::StrContains(response.body, "edge");
    return result;
  }
  result.news.assign(handles.size(), news);
  return result;
}

std::optional<http::Request> FakeDialect::EncodeDeleteAsset(const provider::Handle& handle) const {
  if (!options_.can_delete) return std::nullopt;
  return http::Request{"DELETE", absl::StrCat("/assets/", handle), {}, ""};
}

std::optional<provider::Failure> FakeDialect::DecodeDeleteAsset(
    const http::Response& response) const {
  if (IsSuccess(response) || response.status == 404) return std::nullopt;
  return provider::FailureOf(response, "", response.body);
}

void FakeDialect::Authorize(http::Request& request, const provider::Destination&,
                            const provider::Credential& credential, absl::Time) const {
  request.headers.push_back(
      {"Authorization", absl::StrCat("Bearer ", credential.secrets.at("api_key").Reveal())});
}

}  // namespace assetgate::provider
