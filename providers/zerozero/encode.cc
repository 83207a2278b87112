#include "providers/zerozero/encode.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/uri.h"
#include "provider/rest.h"
#include "providers/zerozero/handle.h"

namespace assetgate::providers::zerozero {
namespace {

using base::SetJson;
using provider::ResolvedReference;

// 0-0 documents no limits of names; these are the limits of the material service behind it.
constexpr std::size_t kMaxNameCharacters = 64;
constexpr std::size_t kMaxDescriptionCharacters = 300;

// The words of `asset_type`. `Audio` is not documented, so audio goes into videos by URL.
const char* AssetType(v1::MediaType type) {
  switch (type) {
    case v1::IMAGE:
      return "Image";
    case v1::VIDEO:
      return "Video";
    default:
      return nullptr;
  }
}

// The words of a resource's `type`; 0-0 silently drops resources of other types.
const char* ResourceType(v1::MediaType type) {
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

const char* ResourceRole(v1::Reference::Role role) {
  switch (role) {
    case v1::Reference::FIRST_FRAME:
      return "first_frame";
    case v1::Reference::LAST_FRAME:
      return "last_frame";
    case v1::Reference::REFERENCE:
      return "reference";
    default:
      return nullptr;
  }
}

// 0-0 treats a value as an asset only if it begins with "Asset-" or "asset://", and as a URL
// otherwise, in any field.
std::string AssetReference(absl::string_view id) {
  if (absl::StartsWith(id, "Asset-") || absl::StartsWith(id, "asset://")) return std::string(id);
  return absl::StrCat("asset://", id);
}

std::string RegisteredPath(absl::string_view collection, const Settings& settings,
                           const provider::Handle& handle) {
  const HandleParts parts = ReadHandle(handle);
  return absl::StrCat(
      "/", collection, "/", base::PercentEncode(parts.id), "?platform=",
      base::PercentEncode(parts.platform.empty() ? settings.platform : parts.platform));
}

}  // namespace

// POST /v1/asset-groups
// {"platform": "JIMENG", "name": "Heroes", "description": "lead cast", "project_name": "default"}
http::Request EncodeCreateGroup(const Settings& settings,
                                const provider::GroupSubmission& submission) {
  const v1::AssetGroup& group = submission.group;
  rapidjson::Document body(rapidjson::kObjectType);
  SetJson(body, body, "platform", settings.platform);
  const absl::string_view name =
      group.display_name().empty() ? provider::LastSegment(group.name()) : group.display_name();
  SetJson(body, body, "name", provider::CutCharacters(name, kMaxNameCharacters));
  if (!group.description().empty()) {
    SetJson(body, body, "description",
            provider::CutCharacters(group.description(), kMaxDescriptionCharacters));
  }
  if (!settings.project_name.empty()) SetJson(body, body, "project_name", settings.project_name);
  base::MergeOptions(body, body, submission.options);
  return provider::JsonRequest("POST", "/asset-groups", body);
}

// GET /v1/asset-groups/{group_id}?platform=JIMENG
http::Request EncodeGetGroup(const Settings& settings, const provider::Handle& handle) {
  return provider::JsonRequest("GET", RegisteredPath("asset-groups", settings, handle));
}

// POST /v1/assets
// {"platform": "JIMENG", "group_id": "group-…", "url": "https://…", "asset_type": "Image",
//  "name": "front"}
absl::StatusOr<http::Request> EncodeCreateAsset(const Settings& settings,
                                                const provider::AssetSubmission& submission) {
  const char* const type = AssetType(submission.asset.media_type());
  if (type == nullptr) {
    return absl::InternalError(
        absl::StrCat("zerozero has no asset_type for media type ", submission.asset.media_type()));
  }
  const HandleParts group = ReadHandle(submission.group);
  if (group.id.empty()) return absl::InternalError("zerozero registers no asset without a group");
  rapidjson::Document body(rapidjson::kObjectType);
  // The platform of the group, in case the config has changed since its creation.
  SetJson(body, body, "platform", group.platform.empty() ? settings.platform : group.platform);
  SetJson(body, body, "group_id", group.id);
  SetJson(body, body, "url", provider::UriOf(submission.source_uri));
  SetJson(body, body, "asset_type", type);
  if (!submission.asset.display_name().empty()) {
    SetJson(body, body, "name",
            provider::CutCharacters(submission.asset.display_name(), kMaxNameCharacters));
  }
  base::MergeOptions(body, body, submission.options);
  return provider::JsonRequest("POST", "/assets", body);
}

// GET /v1/assets/{asset_id}?platform=JIMENG
http::Request EncodeGetAsset(const Settings& settings, const provider::Handle& handle) {
  return provider::JsonRequest("GET", RegisteredPath("assets", settings, handle));
}

// POST /v1/video/tasks
// {"model": "seedance-2-0", "prompt": "…", "duration": 5, "resolution": "720p", "ratio": "16:9",
//  "audio": false, "watermark": false, "seed": -1,
//  "resources": [{"type": "image", "role": "first_frame", "asset_id": "Asset-…"}],
//  "provider_options": {"watermark": false, "seed": -1}}
absl::StatusOr<http::Request> EncodeCreateVideo(const Settings& settings,
                                                const provider::VideoSubmission& submission) {
  const v1::VideoTask& task = submission.task;
  rapidjson::Document body(rapidjson::kObjectType);
  SetJson(body, body, "model", submission.provider_model);
  SetJson(body, body, "prompt", task.prompt());
  if (task.has_duration()) {
    SetJson(body, body, "duration", rapidjson::Value(std::int64_t{task.duration().seconds()}));
  }
  if (task.has_resolution()) SetJson(body, body, "resolution", task.resolution());
  if (task.has_aspect_ratio()) SetJson(body, body, "ratio", task.aspect_ratio());
  if (task.has_generate_audio()) {
    SetJson(body, body, "audio", rapidjson::Value(task.generate_audio()));
  }
  // The lingjing route reads these two from provider_options only, and drops them otherwise.
  rapidjson::Value upstream(rapidjson::kObjectType);
  if (task.has_watermark()) {
    SetJson(body, body, "watermark", rapidjson::Value(task.watermark()));
    SetJson(body, upstream, "watermark", rapidjson::Value(task.watermark()));
  }
  if (task.has_seed()) {
    SetJson(body, body, "seed", rapidjson::Value(std::int64_t{task.seed()}));
    SetJson(body, upstream, "seed", rapidjson::Value(std::int64_t{task.seed()}));
  }
  rapidjson::Value resources(rapidjson::kArrayType);
  for (const ResolvedReference& reference : submission.references) {
    const char* const type = ResourceType(reference.media_type);
    const char* const role = ResourceRole(reference.role);
    if (type == nullptr || role == nullptr) {
      return absl::InternalError(absl::StrCat("zerozero has no resource for a reference of role ",
                                              reference.role, " and media type ",
                                              reference.media_type));
    }
    rapidjson::Value resource(rapidjson::kObjectType);
    SetJson(body, resource, "type", type);
    SetJson(body, resource, "role", role);
    if (reference.provider_asset_id.empty()) {
      SetJson(body, resource, "url", provider::UriOf(reference.uri));
    } else {
      SetJson(body, resource, "asset_id", AssetReference(reference.provider_asset_id));
    }
    resources.PushBack(resource, body.GetAllocator());
  }
  if (!resources.Empty()) SetJson(body, body, "resources", std::move(resources));
  if (!settings.route.empty()) SetJson(body, body, "provider", settings.route);
  if (!upstream.ObjectEmpty()) SetJson(body, body, "provider_options", std::move(upstream));
  base::MergeOptions(body, body, submission.options);
  return provider::JsonRequest("POST", "/video/tasks", body);
}

// GET /v1/video/tasks/{task_id}?model=M
//
// Without `model` only the deployment that made a task finds it, and for a day.
http::Request EncodeGetVideo(const provider::Handle& handle) {
  const HandleParts parts = ReadHandle(handle);
  return provider::JsonRequest("GET", absl::StrCat("/video/tasks/", base::PercentEncode(parts.id),
                                                   "?model=", base::PercentEncode(parts.model)));
}

}  // namespace assetgate::providers::zerozero
