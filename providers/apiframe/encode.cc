#include "providers/apiframe/encode.h"

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/uri.h"
#include "provider/rest.h"
#include "providers/apiframe/capabilities.h"

namespace assetgate::providers::apiframe {
namespace {

using base::SetJson;
using provider::ResolvedReference;

// The words of `type`; nullptr for a media type without one.
const char* AssetType(v1::MediaType type) {
  switch (type) {
    case v1::IMAGE:
      return "image";
    case v1::VIDEO:
      return "video";
    case v1::AUDIO:
      return "audio";
    default:
      return nullptr;
  }
}

// The field of a reference; nullptr where there is none. The reference_* fields are arrays.
const char* FieldOf(const ResolvedReference& reference) {
  switch (reference.role) {
    case v1::Reference::FIRST_FRAME:
      return reference.media_type == v1::IMAGE ? "start_image" : nullptr;
    case v1::Reference::LAST_FRAME:
      return reference.media_type == v1::IMAGE ? "end_image" : nullptr;
    case v1::Reference::REFERENCE:
      switch (reference.media_type) {
        case v1::IMAGE:
          return "reference_image_urls";
        case v1::VIDEO:
          return "reference_video_urls";
        case v1::AUDIO:
          return "reference_audio_urls";
        default:
          return nullptr;
      }
    default:
      return nullptr;
  }
}

}  // namespace

// POST /v2/assets/create
// {"url": "https://…", "type": "video"}
absl::StatusOr<http::Request> EncodeCreateAsset(const provider::AssetSubmission& submission) {
  const char* const type = AssetType(submission.asset.media_type());
  if (type == nullptr) {
    return absl::InternalError(
        absl::StrCat("apiframe has no type for media type ", submission.asset.media_type()));
  }
  rapidjson::Document body(rapidjson::kObjectType);
  SetJson(body, body, "url", provider::UriOf(submission.source_uri));
  SetJson(body, body, "type", type);
  return provider::JsonRequest("POST", "/assets/create", body);
}

// GET /v2/assets/{assetId}
http::Request EncodeGetAsset(const provider::Handle& handle) {
  return provider::JsonRequest(
      "GET", absl::StrCat("/assets/", base::PercentEncode(provider::IdOf(handle))));
}

// POST /v2/videos/generate
// Idempotency-Key: {the attempt's key}
// {"model": "seedance-2", "prompt": "…", "seedanceParams": {"duration": 5, "resolution": "720p",
//  "aspect_ratio": "9:16", "reference_image_urls": ["asset://…", "https://…"]}}
absl::StatusOr<http::Request> EncodeGenerateVideo(const provider::VideoSubmission& submission) {
  const v1::VideoTask& task = submission.task;
  rapidjson::Document body(rapidjson::kObjectType);
  SetJson(body, body, "model", submission.provider_model);
  SetJson(body, body, "prompt", task.prompt());
  rapidjson::Value params(rapidjson::kObjectType);
  if (task.has_duration()) {
    SetJson(body, params, "duration", rapidjson::Value(std::int64_t{task.duration().seconds()}));
  }
  if (task.has_resolution()) SetJson(body, params, "resolution", task.resolution());
  if (task.has_aspect_ratio()) SetJson(body, params, "aspect_ratio", task.aspect_ratio());
  if (task.has_generate_audio()) {
    SetJson(body, params, "generate_audio", rapidjson::Value(task.generate_audio()));
  }
  // Callers request a random seed with -1, which is the behaviour without the key; the key's own
  // range is undocumented.
  if (task.has_seed() && task.seed() != -1) {
    SetJson(body, params, "seed", rapidjson::Value(std::int64_t{task.seed()}));
  }
  if (task.has_camera_fixed()) {
    SetJson(body, params, "camera_fixed", rapidjson::Value(task.camera_fixed()));
  }
  // The older models reject the key, and behave as with `false`.
  const v1::Capabilities* const can = CapabilitiesOf(submission.provider_model);
  if (task.has_return_last_frame() && can != nullptr && can->return_last_frame().expressible()) {
    SetJson(body, params, "return_last_frame", rapidjson::Value(task.return_last_frame()));
  }
  for (const ResolvedReference& reference : submission.references) {
    const char* const field = FieldOf(reference);
    if (field == nullptr) {
      return absl::InternalError(absl::StrCat("apiframe has no field for a reference of role ",
                                              reference.role, " and media type ",
                                              reference.media_type));
    }
    rapidjson::Value media(provider::MediaText(reference), body.GetAllocator());
    if (reference.role != v1::Reference::REFERENCE) {
      SetJson(body, params, field, std::move(media));
      continue;
    }
    if (!params.HasMember(field)) {
      SetJson(body, params, field, rapidjson::Value(rapidjson::kArrayType));
    }
    params[field].PushBack(media, body.GetAllocator());
  }
  if (!params.ObjectEmpty()) SetJson(body, body, "seedanceParams", std::move(params));
  base::MergeOptions(body, body, submission.options);
  http::Request request = provider::JsonRequest("POST", "/videos/generate", body);
  if (!submission.idempotency_key.empty()) {
    request.headers.push_back({"Idempotency-Key", submission.idempotency_key});
  }
  return request;
}

// GET /v2/jobs/{id}
http::Request EncodeGetJob(const provider::Handle& handle) {
  return provider::JsonRequest("GET",
                               absl::StrCat("/jobs/", base::PercentEncode(provider::IdOf(handle))));
}

void AuthorizeRequest(http::Request& request, const provider::Credential& credential) {
  const auto key = credential.secrets.find("api_key");
  if (key == credential.secrets.end()) return;
  request.headers.push_back({"X-API-Key", key->second.Reveal()});
}

}  // namespace assetgate::providers::apiframe
