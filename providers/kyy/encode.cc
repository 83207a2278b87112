#include "providers/kyy/encode.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/uri.h"
#include "provider/rest.h"

namespace assetgate::providers::kyy {
namespace {

using provider::ResolvedReference;

// The words of `assetType`, in exactly this case; nullptr for a media type without one.
const char* AssetType(v1::MediaType type) {
  switch (type) {
    case v1::IMAGE:
      return "Image";
    case v1::VIDEO:
      return "Video";
    case v1::AUDIO:
      return "Audio";
    case v1::DOCUMENT:
      return "Document";
    default:
      return nullptr;
  }
}

// The field of a reference; nullptr where there is none. The plural fields are arrays.
const char* FieldOf(const ResolvedReference& reference) {
  switch (reference.role) {
    case v1::Reference::FIRST_FRAME:
      return reference.media_type == v1::IMAGE ? "first_image" : nullptr;
    case v1::Reference::LAST_FRAME:
      return reference.media_type == v1::IMAGE ? "last_image" : nullptr;
    case v1::Reference::REFERENCE:
      switch (reference.media_type) {
        case v1::IMAGE:
          return "referenceImages";
        case v1::VIDEO:
          return "referenceVideos";
        case v1::AUDIO:
          return "referenceAudios";
        default:
          return nullptr;
      }
    default:
      return nullptr;
  }
}

void AddToArray(rapidjson::Document& body, const char* field, rapidjson::Value element) {
  if (!body.HasMember(field)) {
    base::SetJson(body, body, field, rapidjson::Value(rapidjson::kArrayType));
  }
  body[field].PushBack(element, body.GetAllocator());
}

}  // namespace

// POST /kyyVideo2/asset/upload
// {"assetType": "Image", "url": "https://…", "name": "…"}
absl::StatusOr<http::Request> EncodeUpload(const provider::AssetSubmission& submission) {
  const char* const type = AssetType(submission.asset.media_type());
  if (type == nullptr) {
    return absl::InternalError(
        absl::StrCat("kyy has no assetType for media type ", submission.asset.media_type()));
  }
  rapidjson::Document body(rapidjson::kObjectType);
  base::SetJson(body, body, "assetType", type);
  base::SetJson(body, body, "url", provider::UriOf(submission.source_uri));
  if (!submission.asset.display_name().empty()) {
    base::SetJson(body, body, "name", submission.asset.display_name());
  }
  base::MergeOptions(body, body, submission.options);
  return provider::JsonRequest("POST", "/kyyVideo2/asset/upload", body);
}

// GET /kyyVideo2/asset/{assetId}
http::Request EncodeGetAsset(const provider::Handle& handle) {
  return provider::JsonRequest(
      "GET", absl::StrCat("/kyyVideo2/asset/", base::PercentEncode(provider::IdOf(handle))));
}

// DELETE /kyyVideo2/asset/{assetId}
http::Request EncodeDeleteAsset(const provider::Handle& handle) {
  return provider::JsonRequest(
      "DELETE", absl::StrCat("/kyyVideo2/asset/", base::PercentEncode(provider::IdOf(handle))));
}

// POST /v1/kyyvideo2/videos
// {"model": "seedance_2_0_pro", "prompt": "…", "duration": 6, "aspect_ratio": "9:16",
//  "generateAudio": true, "referenceImages": ["asset://…", "https://…"]}
absl::StatusOr<http::Request> EncodeCreateVideo(const provider::VideoSubmission& submission) {
  const v1::VideoTask& task = submission.task;
  rapidjson::Document body(rapidjson::kObjectType);
  base::SetJson(body, body, "model", submission.provider_model);
  base::SetJson(body, body, "prompt", task.prompt());
  if (task.has_duration()) {
    base::SetJson(body, body, "duration", rapidjson::Value(task.duration().seconds()));
  }
  if (task.has_aspect_ratio()) {
    base::SetJson(body, body, "aspect_ratio", task.aspect_ratio());
  }
  if (task.has_generate_audio()) {
    base::SetJson(body, body, "generateAudio", rapidjson::Value(task.generate_audio()));
  }
  for (const ResolvedReference& reference : submission.references) {
    const char* const field = FieldOf(reference);
    if (field == nullptr) {
      return absl::InternalError(absl::StrCat("kyy has no field for a reference of role ",
                                              reference.role, " and media type ",
                                              reference.media_type));
    }
    rapidjson::Value media(provider::MediaText(reference), body.GetAllocator());
    if (reference.role == v1::Reference::REFERENCE) {
      AddToArray(body, field, std::move(media));
    } else {
      base::SetJson(body, body, field, std::move(media));
    }
  }
  base::MergeOptions(body, body, submission.options);
  return provider::JsonRequest("POST", "/v1/kyyvideo2/videos", body);
}

// GET /v1/result/{id}
http::Request EncodeGetResult(const provider::Handle& handle) {
  return provider::JsonRequest(
      "GET", absl::StrCat("/v1/result/", base::PercentEncode(provider::IdOf(handle))));
}

}  // namespace assetgate::providers::kyy
