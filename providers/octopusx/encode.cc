#include "providers/octopusx/encode.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/uri.h"
#include "provider/rest.h"
#include "providers/octopusx/handle.h"

namespace assetgate::providers::octopusx {
namespace {

using provider::ResolvedReference;

constexpr std::size_t kMaxNameCharacters = 64;
constexpr std::size_t kMaxDescriptionCharacters = 300;

// `Name` is required: a resource without a display name has its id as name.
absl::string_view NameOf(absl::string_view display_name, absl::string_view resource_name) {
  return provider::CutCharacters(
      display_name.empty() ? provider::LastSegment(resource_name) : display_name,
      kMaxNameCharacters);
}

// The words of `AssetType`; nullptr for a media type that cannot be registered.
const char* AssetType(v1::MediaType type) {
  switch (type) {
    case v1::IMAGE:
      return "Image";
    case v1::VIDEO:
      return "Video";
    case v1::AUDIO:
      return "Audio";
    default:
      return nullptr;
  }
}

// content[].type; also the name of the member that holds the URL. nullptr where there is none.
const char* ContentType(v1::MediaType type) {
  switch (type) {
    case v1::IMAGE:
      return "image_url";
    case v1::VIDEO:
      return "video_url";
    case v1::AUDIO:
      return "audio_url";
    default:
      return nullptr;
  }
}

// content[].role; nullptr where there is none.
const char* RoleOf(const ResolvedReference& reference) {
  const bool image = reference.media_type == v1::IMAGE;
  switch (reference.role) {
    case v1::Reference::FIRST_FRAME:
      return image ? "first_frame" : nullptr;
    case v1::Reference::LAST_FRAME:
      return image ? "last_frame" : nullptr;
    case v1::Reference::REFERENCE:
      switch (reference.media_type) {
        case v1::IMAGE:
          return "reference_image";
        case v1::VIDEO:
          return "reference_video";
        case v1::AUDIO:
          return "reference_audio";
        default:
          return nullptr;
      }
    default:
      return nullptr;
  }
}

// {"type": "image_url", "image_url": {"url": "asset://…"}, "role": "reference_image"}
absl::StatusOr<rapidjson::Value> EncodeReference(const ResolvedReference& reference,
                                                 rapidjson::Document& body) {
  const char* const type = ContentType(reference.media_type);
  const char* const role = RoleOf(reference);
  if (type == nullptr || role == nullptr) {
    return absl::InternalError(absl::StrCat("octopusx has no content for a reference of role ",
                                            reference.role, " and media type ",
                                            reference.media_type));
  }
  rapidjson::Value url(rapidjson::kObjectType);
  base::SetJson(body, url, "url", provider::MediaText(reference));
  rapidjson::Value item(rapidjson::kObjectType);
  base::SetJson(body, item, "type", type);
  base::SetJson(body, item, type, std::move(url));
  base::SetJson(body, item, "role", role);
  return item;
}

// The options of a task. The relay ignores them outside of `metadata`.
rapidjson::Value EncodeMetadata(const provider::VideoSubmission& submission,
                                rapidjson::Document& body) {
  const v1::VideoTask& task = submission.task;
  rapidjson::Value metadata(rapidjson::kObjectType);
  const auto set = [&](const char* key, auto value) {
    base::SetJson(body, metadata, key, rapidjson::Value(value));
  };
  if (task.has_duration()) set("duration", task.duration().seconds());
  if (task.has_resolution()) base::SetJson(body, metadata, "resolution", task.resolution());
  // A first frame decides it, and Ark accepts no other value beside one than "adaptive".
  const bool first_frame = std::any_of(
      submission.references.begin(), submission.references.end(),
      [](const auto& reference) { return reference.role == v1::Reference::FIRST_FRAME; });
  if (task.has_aspect_ratio() && !first_frame) {
    base::SetJson(body, metadata, "ratio", task.aspect_ratio());
  }
  if (task.has_seed()) set("seed", task.seed());
  if (task.has_camera_fixed()) set("camera_fixed", task.camera_fixed());
  if (task.has_watermark()) set("watermark", task.watermark());
  if (task.has_generate_audio()) set("generate_audio", task.generate_audio());
  if (task.has_return_last_frame()) set("return_last_frame", task.return_last_frame());
  base::MergeOptions(body, metadata, submission.options);
  return metadata;
}

}  // namespace

// POST /v1/seedance/asset/CreateAssetGroup
// {"Name": "cast-a", "Description": "lead actors"}
absl::StatusOr<http::Request> EncodeCreateGroup(const provider::GroupSubmission& submission) {
  const v1::AssetGroup& group = submission.group;
  rapidjson::Document body(rapidjson::kObjectType);
  base::SetJson(body, body, "Name", NameOf(group.display_name(), group.name()));
  if (!group.description().empty()) {
    base::SetJson(body, body, "Description",
                  provider::CutCharacters(group.description(), kMaxDescriptionCharacters));
  }
  base::MergeOptions(body, body, submission.options);
  return provider::JsonRequest("POST", "/v1/seedance/asset/CreateAssetGroup", body);
}

// POST /v1/seedance/asset/CreateAsset
// {"GroupId": "group-…", "URL": "https://…", "AssetType": "Image", "Name": "hero"}
absl::StatusOr<http::Request> EncodeCreateAsset(const provider::AssetSubmission& submission) {
  const char* const type = AssetType(submission.asset.media_type());
  if (type == nullptr) {
    return absl::InternalError(
        absl::StrCat("octopusx has no AssetType for media type ", submission.asset.media_type()));
  }
  const std::string group = IdsOf(submission.group).id;
  if (group.empty()) return absl::InternalError("octopusx registers assets in groups only");
  rapidjson::Document body(rapidjson::kObjectType);
  base::SetJson(body, body, "GroupId", group);
  base::SetJson(body, body, "URL", provider::UriOf(submission.source_uri));
  base::SetJson(body, body, "AssetType", type);
  base::SetJson(body, body, "Name",
                NameOf(submission.asset.display_name(), submission.asset.name()));
  base::MergeOptions(body, body, submission.options);
  return provider::JsonRequest("POST", "/v1/seedance/asset/CreateAsset", body);
}

// POST /v1/seedance/asset/GetAsset
// {"task_id": "task_…"}
http::Request EncodeGetAsset(const provider::Handle& handle) {
  const Ids ids = IdsOf(handle);
  rapidjson::Document body(rapidjson::kObjectType);
  if (ids.task_id.empty()) {
    // CreateAsset answered without a task_id, as sibling services do: they read the asset by its
    // id.
    base::SetJson(body, body, "Id", ids.id);
  } else {
    base::SetJson(body, body, "task_id", ids.task_id);
  }
  return provider::JsonRequest("POST", "/v1/seedance/asset/GetAsset", body);
}

// POST /v1/video/generations
// {"model": "doubao-seedance-2-0-260128", "content": [{"type": "text", "text": "…"}, {…}],
//  "metadata": {"duration": 5, "resolution": "720p", "ratio": "16:9"}}
absl::StatusOr<http::Request> EncodeCreateVideo(const provider::VideoSubmission& submission) {
  rapidjson::Document body(rapidjson::kObjectType);
  base::SetJson(body, body, "model", submission.provider_model);
  rapidjson::Value content(rapidjson::kArrayType);
  rapidjson::Value text(rapidjson::kObjectType);
  base::SetJson(body, text, "type", "text");
  base::SetJson(body, text, "text", submission.task.prompt());
  content.PushBack(text, body.GetAllocator());
  for (const ResolvedReference& reference : submission.references) {
    absl::StatusOr<rapidjson::Value> item = EncodeReference(reference, body);
    if (!item.ok()) return item.status();
    content.PushBack(*item, body.GetAllocator());
  }
  base::SetJson(body, body, "content", std::move(content));
  rapidjson::Value metadata = EncodeMetadata(submission, body);
  if (!metadata.ObjectEmpty()) base::SetJson(body, body, "metadata", std::move(metadata));
  return provider::JsonRequest("POST", "/v1/video/generations", body);
}

// GET /v1/video/generations/{task_id}
http::Request EncodeQueryVideo(const provider::Handle& handle) {
  return provider::JsonRequest(
      "GET", absl::StrCat("/v1/video/generations/", base::PercentEncode(IdsOf(handle).task_id)));
}

}  // namespace assetgate::providers::octopusx
