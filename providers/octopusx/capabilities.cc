#include "providers/octopusx/capabilities.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>

#include "absl/time/time.h"
#include "provider/rest.h"

namespace assetgate::providers::octopusx {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;
using provider::OptionFault;
using provider::OwnedKey;

// Undocumented: the older, narrower limits of Ark, to which the relay forwards everything.
template <typename CapabilitiesT>
void SetMedia(CapabilitiesT& can) {
  v1::MediaLimits& image = *can.add_media();
  image.set_media_type(v1::IMAGE);
  for (const char* const format : {"jpeg", "png", "webp", "bmp", "tiff", "gif", "heic", "heif"}) {
    image.add_formats(format);
  }
  image.set_max_bytes(30'000'000);
  image.set_min_side(300);
  image.set_max_side(6000);
  image.set_min_ratio(0.4);
  image.set_max_ratio(2.5);
  v1::MediaLimits& video = *can.add_media();
  video.set_media_type(v1::VIDEO);
  for (const char* const format : {"mp4", "mov"}) video.add_formats(format);
  video.set_max_bytes(50'000'000);
  video.set_min_side(300);
  video.set_max_side(6000);
  video.set_min_ratio(0.4);
  video.set_max_ratio(2.5);
  video.mutable_min_duration()->set_seconds(2);
  video.mutable_max_duration()->set_seconds(15);
  v1::MediaLimits& audio = *can.add_media();
  audio.set_media_type(v1::AUDIO);
  for (const char* const format : {"wav", "mp3"}) audio.add_formats(format);
  audio.set_max_bytes(15'000'000);
  audio.mutable_min_duration()->set_seconds(2);
  audio.mutable_max_duration()->set_seconds(15);
}

v1::Capabilities MakeCapabilities(std::initializer_list<const char*> resolutions) {
  v1::Capabilities can;
  can.add_modes(v1::Capabilities::TEXT);
  can.add_modes(v1::Capabilities::FIRST_FRAME);
  can.add_modes(v1::Capabilities::FIRST_AND_LAST_FRAME);
  can.add_modes(v1::Capabilities::REFERENCES);
  can.set_prompt_required(true);
  can.mutable_duration()->set_expressible(true);
  can.mutable_duration()->set_min(4);
  can.mutable_duration()->set_max(15);
  can.mutable_duration()->add_implied(-1);  // the model chooses
  can.mutable_resolution()->set_expressible(true);
  for (const char* const resolution : resolutions) {
    can.mutable_resolution()->add_allowed(resolution);
  }
  can.mutable_aspect_ratio()->set_expressible(true);
  for (const char* const ratio : {"16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive"}) {
    can.mutable_aspect_ratio()->add_allowed(ratio);
  }
  can.mutable_generate_audio()->set_expressible(true);
  can.mutable_watermark()->set_expressible(true);
  can.mutable_seed()->set_expressible(true);
  can.mutable_seed()->set_min(-1);
  can.mutable_seed()->set_max(std::numeric_limits<std::uint32_t>::max());
  can.mutable_camera_fixed()->set_expressible(true);
  can.mutable_return_last_frame()->set_expressible(true);
  can.set_max_reference_images(9);
  can.set_max_reference_videos(3);
  can.set_max_reference_audios(3);
  can.set_audio_needs_visual_reference(true);
  can.set_https_only(true);
  can.set_first_frame_sets_aspect_ratio(true);
  SetMedia(can);
  for (v1::MediaLimits& media : *can.mutable_media()) {
    if (media.media_type() != v1::IMAGE) media.mutable_max_total_duration()->set_seconds(15);
  }
  return can;
}

struct ModelEntry {
  const char* name;
  v1::Capabilities capabilities;
};

const std::vector<ModelEntry>& Models() {
  static const auto* const models = new std::vector<ModelEntry>{
      {"doubao-seedance-2-0-260128", MakeCapabilities({"480p", "720p", "1080p"})},
      {"doubao-seedance-2-0-fast-260128", MakeCapabilities({"480p", "720p"})},
  };
  return *models;
}

constexpr OwnedKey kGroupKeys[] = {
    {"Description", "set asset_group.description"},
    {"GroupType", "octopusx has no such field"},
    {"Name", "set asset_group.display_name"},
    {"ProjectName", "octopusx has no such field"},
};

constexpr OwnedKey kAssetKeys[] = {
    {"AssetType", "set asset.media_type"}, {"GroupId", "set asset.asset_group"},
    {"Name", "set asset.display_name"},    {"ProjectName", "octopusx has no such field"},
    {"URL", "set asset.source_uri"},
};

// Keys of `metadata`. The relay merges `metadata` into the request that it forwards, so that
// `model`, `content` and `prompt` in it would replace the task's own.
constexpr OwnedKey kVideoKeys[] = {
    {"camera_fixed", "set video_task.camera_fixed"},
    {"content", "set video_task.prompt and video_task.references"},
    {"duration", "set video_task.duration"},
    {"generate_audio", "set video_task.generate_audio"},
    {"image", "set video_task.references"},
    {"images", "set video_task.references"},
    {"metadata", "options are written into metadata: leave this level out"},
    {"model", "set video_task.model"},
    {"prompt", "set video_task.prompt"},
    {"ratio", "set video_task.aspect_ratio"},
    {"resolution", "set video_task.resolution"},
    {"return_last_frame", "set video_task.return_last_frame"},
    {"seed", "set video_task.seed"},
    {"watermark", "set video_task.watermark"},
};

constexpr double kMinExpiresAfter = 3600;
constexpr double kMaxExpiresAfter = 259200;

bool IsWhole(const Value& value) {
  return value.kind_case() == Value::kNumberValue && std::isfinite(value.number_value()) &&
         value.number_value() == std::trunc(value.number_value());
}

// The fault of a documented option; empty where there is none.
const char* FaultOfVideoOption(const std::string& key, const Value& value) {
  if (key == "frames" && !IsWhole(value)) return "must be a whole number";
  if (key == "draft" && value.kind_case() != Value::kBoolValue) return "must be true or false";
  if (key == "service_tier" && value.kind_case() != Value::kStringValue) return "must be a string";
  if (key == "execution_expires_after" &&
      (!IsWhole(value) || value.number_value() < kMinExpiresAfter ||
       value.number_value() > kMaxExpiresAfter)) {
    return "must be a whole number of seconds from 3600 to 259200";
  }
  return "";
}

}  // namespace

const provider::Traits& OctopusxTraits() {
  static const auto* const traits = [] {
    auto* const made = new provider::Traits;
    made->name = "octopusx";
    made->default_base_url = "https://octopusx.ai";
    made->secrets = {"api_key"};
    v1::AssetCapabilities& assets = made->asset_capabilities;
    assets.add_media_types(v1::IMAGE);
    assets.add_media_types(v1::VIDEO);
    assets.add_media_types(v1::AUDIO);
    SetMedia(assets);
    assets.set_groups(v1::AssetCapabilities::NATIVE);
    assets.set_https_only(true);
    made->asset_polling = {absl::Seconds(5), absl::Seconds(5), absl::Seconds(15)};
    made->video_polling = {absl::Seconds(10), absl::Seconds(10), absl::Seconds(30)};
    made->group_polling = made->asset_polling;  // never used: creation answers with the group
    made->video_lifetime = absl::Hours(12);
    return made;
  }();
  return *traits;
}

std::vector<std::string> ModelNames() {
  std::vector<std::string> names;
  for (const ModelEntry& model : Models()) names.push_back(model.name);
  return names;
}

const v1::Capabilities* CapabilitiesOf(absl::string_view model) {
  for (const ModelEntry& entry : Models()) {
    if (model == entry.name) return &entry.capabilities;
  }
  return nullptr;
}

std::vector<OptionFault> OptionFaults(provider::UnitKind kind, const Struct& options) {
  switch (kind) {
    case provider::UnitKind::kAssetGroup:
      return provider::OwnedKeyFaults(options, kGroupKeys);
    case provider::UnitKind::kAsset:
      return provider::OwnedKeyFaults(options, kAssetKeys);
    case provider::UnitKind::kVideo:
      break;
  }
  std::vector<OptionFault> faults = provider::OwnedKeyFaults(options, kVideoKeys);
  for (const auto& [key, value] : options.fields()) {
    const char* const fault = FaultOfVideoOption(key, value);
    if (*fault != '\0') faults.push_back({key, fault});
  }
  std::sort(faults.begin(), faults.end(),
            [](const OptionFault& a, const OptionFault& b) { return a.field < b.field; });
  return faults;
}

}  // namespace assetgate::providers::octopusx
