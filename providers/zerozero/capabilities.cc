#include "providers/zerozero/capabilities.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "provider/rest.h"

namespace assetgate::providers::zerozero {
namespace {

using provider::OptionFault;
using provider::OwnedKey;

// 0-0 documents the fields and hardly any limit: durations, resolutions and ratios are left for 0-0
// to check. The limits here are those that its upstream (Seedance 2.0) documents for media.
v1::Capabilities MakeCapabilities() {
  v1::Capabilities can;
  can.add_modes(v1::Capabilities::TEXT);
  can.add_modes(v1::Capabilities::FIRST_FRAME);
  can.add_modes(v1::Capabilities::FIRST_AND_LAST_FRAME);
  can.add_modes(v1::Capabilities::REFERENCES);
  can.set_prompt_required(true);
  can.mutable_duration()->set_expressible(true);
  can.mutable_duration()->set_min(1);
  can.mutable_resolution()->set_expressible(true);
  can.mutable_aspect_ratio()->set_expressible(true);
  can.mutable_generate_audio()->set_expressible(true);
  can.mutable_watermark()->set_expressible(true);
  can.mutable_seed()->set_expressible(true);
  can.mutable_seed()->set_min(-1);
  can.mutable_seed()->add_implied(-1);
  // Not in the wire format; the upstream's defaults apply.
  can.mutable_camera_fixed()->add_implied(false);
  can.mutable_return_last_frame()->add_implied(false);
  can.set_max_reference_images(9);
  can.set_max_reference_videos(3);
  can.set_max_reference_audios(3);
  can.set_audio_needs_visual_reference(true);
  return can;
}

constexpr const char* kModels[] = {"seedance-2-0", "seedance-2-0-fast"};

constexpr OwnedKey kGroupKeys[] = {
    {"description", "set asset_group.description"},
    {"name", "set asset_group.display_name"},
    {"platform", "it is an option of the provider in the gateway's config"},
    {"project_name", "it is an option of the provider in the gateway's config"},
};

constexpr OwnedKey kAssetKeys[] = {
    {"asset_type", "set asset.media_type"},
    {"group_id", "set asset.asset_group"},
    {"name", "set asset.display_name"},
    {"platform", "it is an option of the provider in the gateway's config"},
    {"url", "set asset.source_uri"},
};

// Keys of the body and of its `provider_options`, with the aliases that 0-0 accepts.
constexpr OwnedKey kVideoKeys[] = {
    {"audio", "set video_task.generate_audio"},
    {"content", "set video_task.prompt and video_task.references"},
    {"duration", "set video_task.duration"},
    {"generate_audio", "set video_task.generate_audio"},
    {"model", "set video_task.model"},
    {"need_audio", "set video_task.generate_audio"},
    {"prompt", "set video_task.prompt"},
    {"quality", "set video_task.resolution"},
    {"ratio", "set video_task.aspect_ratio"},
    {"resolution", "set video_task.resolution"},
    {"resources", "set video_task.references"},
    {"seed", "set video_task.seed"},
    {"taskParams", "set the fields of video_task"},
    {"watermark", "set video_task.watermark"},
};

std::vector<OptionFault> VideoFaults(const Settings& settings,
                                     const google::protobuf::Struct& options) {
  std::vector<OptionFault> faults = provider::OwnedKeyFaults(options, kVideoKeys);
  const auto upstream = options.fields().find("provider_options");
  if (upstream != options.fields().end() && !upstream->second.has_struct_value()) {
    faults.push_back({"provider_options", "must be an object"});
  }
  if (!settings.route.empty() && options.fields().contains("provider")) {
    faults.push_back({"provider", "the gateway's config sets the route of this provider"});
  }
  std::sort(faults.begin(), faults.end(),
            [](const OptionFault& a, const OptionFault& b) { return a.field < b.field; });
  return faults;
}

}  // namespace

const provider::Traits& ZerozeroTraits() {
  static const auto* const traits = [] {
    auto* const made = new provider::Traits;
    made->name = "zerozero";
    made->default_base_url = "https://api.0-0.pro/v1";
    made->secrets = {"api_key"};
    // The material service's own.
    made->own_headers = {"X-Access-Key", "X-Secret-Key"};
    v1::AssetCapabilities& assets = made->asset_capabilities;
    assets.add_media_types(v1::IMAGE);
    assets.add_media_types(v1::VIDEO);
    assets.set_groups(v1::AssetCapabilities::NATIVE);
    made->group_polling = {absl::Seconds(2), absl::Seconds(2), absl::Seconds(15)};
    made->asset_polling = {absl::Seconds(2), absl::Seconds(2), absl::Seconds(15)};
    made->video_polling = {absl::Seconds(5), absl::Seconds(5), absl::Seconds(30)};
    return made;
  }();
  return *traits;
}

std::vector<std::string> ModelNames() {
  return std::vector<std::string>(std::begin(kModels), std::end(kModels));
}

const v1::Capabilities* CapabilitiesOf(absl::string_view model) {
  // The two differ in speed and price only, as far as 0-0 documents them.
  static const auto* const capabilities = new v1::Capabilities(MakeCapabilities());
  const bool known = std::find(std::begin(kModels), std::end(kModels), model) != std::end(kModels);
  return known ? capabilities : nullptr;
}

std::vector<OptionFault> OptionFaults(const Settings& settings, provider::UnitKind kind,
                                      const google::protobuf::Struct& options) {
  switch (kind) {
    case provider::UnitKind::kAssetGroup:
      return provider::OwnedKeyFaults(options, kGroupKeys);
    case provider::UnitKind::kAsset:
      return provider::OwnedKeyFaults(options, kAssetKeys);
    case provider::UnitKind::kVideo:
      break;
  }
  return VideoFaults(settings, options);
}

}  // namespace assetgate::providers::zerozero
