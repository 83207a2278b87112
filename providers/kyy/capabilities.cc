#include "providers/kyy/capabilities.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "provider/rest.h"

namespace assetgate::providers::kyy {
namespace {

using provider::OwnedKey;

// Whether a model requires a reference video.
enum class ReferenceVideo { kRequired, kOptional };

// The limits of images are documented; the others are those of Ark, which does the work.
template <typename CapabilitiesT>
void SetMedia(CapabilitiesT& can) {
  v1::MediaLimits& image = *can.add_media();
  image.set_media_type(v1::IMAGE);
  for (const char* const format : {"jpeg", "png", "webp", "bmp", "tiff", "gif"}) {
    image.add_formats(format);
  }
  image.set_min_side(300);
  image.set_max_side(6000);
  image.set_min_ratio(0.4);
  image.set_max_ratio(2.5);
  v1::MediaLimits& video = *can.add_media();
  video.set_media_type(v1::VIDEO);
  for (const char* const format : {"mp4", "mov"}) video.add_formats(format);
  video.mutable_min_duration()->set_seconds(2);
  video.mutable_max_duration()->set_seconds(15);
  v1::MediaLimits& audio = *can.add_media();
  audio.set_media_type(v1::AUDIO);
  for (const char* const format : {"wav", "mp3"}) audio.add_formats(format);
  audio.mutable_min_duration()->set_seconds(2);
  audio.mutable_max_duration()->set_seconds(15);
}

v1::Capabilities MakeCapabilities(ReferenceVideo reference_video) {
  v1::Capabilities can;
  if (reference_video == ReferenceVideo::kOptional) {
    can.add_modes(v1::Capabilities::TEXT);
    can.add_modes(v1::Capabilities::FIRST_FRAME);
    can.add_modes(v1::Capabilities::FIRST_AND_LAST_FRAME);
  } else {
    can.set_min_reference_videos(1);
  }
  // Never with frames: first_image excludes all reference* fields.
  can.add_modes(v1::Capabilities::REFERENCES);
  can.set_prompt_required(true);
  can.mutable_duration()->set_expressible(true);
  can.mutable_duration()->set_min(4);
  can.mutable_duration()->set_max(15);
  can.mutable_aspect_ratio()->set_expressible(true);
  for (const char* const ratio : {"16:9", "9:16", "1:1", "4:3", "3:4", "21:9", "adaptive"}) {
    can.mutable_aspect_ratio()->add_allowed(ratio);
  }
  can.mutable_generate_audio()->set_expressible(true);
  // Not in the wire format; Ark's defaults apply. `resolution` has no implied
  // value: it is undocumented, and decides the price.
  can.mutable_watermark()->add_implied(false);
  can.mutable_seed()->add_implied(-1);
  can.mutable_camera_fixed()->add_implied(false);
  can.mutable_return_last_frame()->add_implied(false);
  can.set_max_reference_images(9);
  can.set_max_reference_videos(3);
  can.set_max_reference_audios(3);
  can.set_audio_needs_visual_reference(true);
  SetMedia(can);
  return can;
}

struct ModelEntry {
  const char* name;
  v1::Capabilities capabilities;
};

const std::vector<ModelEntry>& Models() {
  static const auto* const models = new std::vector<ModelEntry>{
      {"seedance_2_0", MakeCapabilities(ReferenceVideo::kRequired)},
      {"seedance_2_0_fast", MakeCapabilities(ReferenceVideo::kRequired)},
      {"seedance_2_0_fast_pro", MakeCapabilities(ReferenceVideo::kOptional)},
      {"seedance_2_0_pro", MakeCapabilities(ReferenceVideo::kOptional)},
  };
  return *models;
}

constexpr OwnedKey kAssetKeys[] = {
    {"assetType", "set asset.media_type"},
    {"name", "set asset.display_name"},
    {"url", "set asset.source_uri"},
};

constexpr OwnedKey kVideoKeys[] = {
    {"aspect_ratio", "set video_task.aspect_ratio"},
    {"duration", "set video_task.duration"},
    {"first_image", "set video_task.references"},
    {"generateAudio", "set video_task.generate_audio"},
    {"last_image", "set video_task.references"},
    {"model", "set video_task.model"},
    {"prompt", "set video_task.prompt"},
    {"referenceAudios", "set video_task.references"},
    {"referenceImages", "set video_task.references"},
    {"referenceVideos", "set video_task.references"},
};

}  // namespace

const provider::Traits& KyyTraits() {
  static const auto* const traits = [] {
    auto* const made = new provider::Traits;
    made->name = "kyy";
    made->default_base_url = "https://zcbservice.aizfw.cn/kyyReactApiServer";
    made->secrets = {"api_key"};
    v1::AssetCapabilities& assets = made->asset_capabilities;
    assets.add_media_types(v1::IMAGE);
    assets.add_media_types(v1::VIDEO);
    assets.add_media_types(v1::AUDIO);
    assets.add_media_types(v1::DOCUMENT);
    assets.set_groups(v1::AssetCapabilities::KEPT_BY_GATEWAY);
    assets.set_can_delete(true);
    SetMedia(assets);
    made->asset_polling = {absl::Seconds(5), absl::Seconds(5), absl::Seconds(15)};
    // Documented: every 20 to 40 s, or be rate limited.
    made->video_polling = {absl::Seconds(20), absl::Seconds(20), absl::Seconds(40)};
    made->group_polling = made->asset_polling;  // never used: groups are kept by the gateway
    made->video_lifetime = absl::Hours(24);
    // An upload answers once the media have been pulled: 45 to 120 s where they are large, and more
    // where several are pulled at once. One that is cut off leaves an asset behind and is repeated.
    made->timeouts.submit_asset = absl::Seconds(150);
    made->max_asset_submissions = 3;
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

std::vector<provider::OptionFault> OptionFaults(provider::UnitKind kind,
                                                const google::protobuf::Struct& options) {
  switch (kind) {
    case provider::UnitKind::kAsset:
      return provider::OwnedKeyFaults(options, kAssetKeys);
    case provider::UnitKind::kVideo:
      return provider::OwnedKeyFaults(options, kVideoKeys);
    case provider::UnitKind::kAssetGroup:
      break;
  }
  std::vector<provider::OptionFault> faults;
  for (const auto& [key, unused] : options.fields()) {
    faults.push_back({key, "kyy has no groups: the gateway keeps them and sends nothing"});
  }
  return faults;
}

}  // namespace assetgate::providers::kyy
