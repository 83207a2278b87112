#include "providers/apiframe/capabilities.h"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "provider/rest.h"

namespace assetgate::providers::apiframe {
namespace {

using provider::OptionFault;
using provider::OwnedKey;

using Words = std::vector<const char*>;

void Allow(v1::Capabilities::StringField& field, const Words& words) {
  field.set_expressible(true);
  for (const char* const word : words) field.add_allowed(word);
}

// The capabilities that all Seedance models of this provider share.
v1::Capabilities Common() {
  v1::Capabilities can;
  can.add_modes(v1::Capabilities::TEXT);
  can.add_modes(v1::Capabilities::FIRST_FRAME);
  can.add_modes(v1::Capabilities::FIRST_AND_LAST_FRAME);
  can.set_max_prompt_length(4000);
  can.set_prompt_unit(v1::Capabilities::UTF16_CODE_UNITS);
  can.set_prompt_required(true);
  can.mutable_duration()->set_expressible(true);
  can.mutable_generate_audio()->set_expressible(true);
  can.mutable_seed()->set_expressible(true);
  // Without a seed, it is random.
  can.mutable_seed()->add_implied(-1);
  can.mutable_camera_fixed()->set_expressible(true);
  // No `watermark`: the schema has no such key, and it is undocumented whether videos have one.
  can.set_idempotent_submission(true);
  return can;
}

enum class FramesWithReferences { kAllowed, kExcluded };

// Seedance 2 and later.
v1::Capabilities Seedance2(const Words& resolutions, FramesWithReferences mix) {
  v1::Capabilities can = Common();
  can.add_modes(v1::Capabilities::REFERENCES);
  if (mix == FramesWithReferences::kAllowed) {
    can.add_modes(v1::Capabilities::FRAMES_AND_REFERENCES);
  }
  can.mutable_duration()->set_min(4);
  can.mutable_duration()->set_max(15);
  Allow(*can.mutable_resolution(), resolutions);
  Allow(*can.mutable_aspect_ratio(), {"21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "adaptive"});
  can.mutable_return_last_frame()->set_expressible(true);
  can.set_max_reference_images(9);
  can.set_max_reference_videos(3);
  can.set_max_reference_audios(3);
  return can;
}

// The live catalogue (GET /v2/models) gives it more references than the schema says.
v1::Capabilities Seedance25() {
  v1::Capabilities can =
      Seedance2({"480p", "720p", "1080p", "4k"}, FramesWithReferences::kExcluded);
  can.set_max_reference_images(30);
  can.set_max_reference_videos(10);
  can.set_max_reference_audios(10);
  return can;
}

// Seedance 1 and 1.5: no references, no last frame as an image.
v1::Capabilities Seedance1(std::initializer_list<std::int64_t> durations,
                           const Words& aspect_ratios) {
  v1::Capabilities can = Common();
  for (const std::int64_t seconds : durations) can.mutable_duration()->add_allowed(seconds);
  Allow(*can.mutable_resolution(), {"480p", "720p", "1080p"});
  Allow(*can.mutable_aspect_ratio(), aspect_ratios);
  can.mutable_return_last_frame()->add_implied(false);
  return can;
}

struct ModelEntry {
  const char* name;
  v1::Capabilities capabilities;
};

const std::vector<ModelEntry>& Models() {
  static const auto* const models = [] {
    const Words ratios = {"21:9", "16:9", "4:3", "1:1", "3:4", "9:16"};
    const Words taller_ratios = {"21:9", "16:9", "4:3", "1:1", "3:4", "9:16", "9:21"};
    return new std::vector<ModelEntry>{
        {"seedance-1-lite", Seedance1({5, 10}, taller_ratios)},
        {"seedance-1-pro", Seedance1({5, 10}, taller_ratios)},
        {"seedance-1-pro-fast", Seedance1({5, 10}, taller_ratios)},
        {"seedance-1.5-pro", Seedance1({4, 8, 12}, ratios)},
        {"seedance-2", Seedance2({"480p", "720p", "1080p", "4k"}, FramesWithReferences::kAllowed)},
        {"seedance-2-fast", Seedance2({"480p", "720p"}, FramesWithReferences::kAllowed)},
        {"seedance-2-mini", Seedance2({"480p", "720p"}, FramesWithReferences::kAllowed)},
        {"seedance-2.5", Seedance25()},
    };
  }();
  return *models;
}

constexpr OwnedKey kAssetKeys[] = {
    {"type", "set asset.media_type"},
    {"url", "set asset.source_uri"},
};

constexpr OwnedKey kVideoKeys[] = {
    {"model", "set video_task.model"},
    {"prompt", "set video_task.prompt"},
};

constexpr OwnedKey kParamKeys[] = {
    {"aspect_ratio", "set video_task.aspect_ratio"},
    {"camera_fixed", "set video_task.camera_fixed"},
    {"duration", "set video_task.duration"},
    {"end_image", "set video_task.references"},
    {"generate_audio", "set video_task.generate_audio"},
    {"reference_audio_urls", "set video_task.references"},
    {"reference_image_urls", "set video_task.references"},
    {"reference_video_urls", "set video_task.references"},
    {"resolution", "set video_task.resolution"},
    {"return_last_frame", "set video_task.return_last_frame"},
    {"seed", "set video_task.seed"},
    {"start_image", "set video_task.references"},
};

// The faults of `options`: owned keys, and every key that is not `free`, since the provider rejects
// unknown keys with a 400.
std::vector<OptionFault> StrictFaults(const google::protobuf::Struct& options,
                                      std::span<const OwnedKey> owned, absl::string_view free,
                                      absl::string_view prefix) {
  std::vector<OptionFault> faults = provider::OwnedKeyFaults(options, owned);
  for (const auto& [key, unused] : options.fields()) {
    const std::string& name = key;
    const bool reported = std::any_of(faults.begin(), faults.end(), [&](const OptionFault& fault) {
      return fault.field == name;
    });
    if (reported || absl::string_view(name) == free) continue;
    faults.push_back(
        {name, free.empty() ? std::string("apiframe rejects unknown keys, and accepts none here")
                            : absl::StrCat("apiframe rejects unknown keys; callers can only set \"",
                                           prefix, free, "\"")});
  }
  for (OptionFault& fault : faults) fault.field = absl::StrCat(prefix, fault.field);
  return faults;
}

std::vector<OptionFault> VideoFaults(const google::protobuf::Struct& options) {
  std::vector<OptionFault> faults = StrictFaults(options, kVideoKeys, "seedanceParams", "");
  const auto params = options.fields().find("seedanceParams");
  if (params != options.fields().end()) {
    if (!params->second.has_struct_value()) {
      faults.push_back({"seedanceParams", "must be an object"});
    } else {
      const google::protobuf::Struct& fields = params->second.struct_value();
      for (OptionFault& fault : StrictFaults(fields, kParamKeys, "web_search", "seedanceParams.")) {
        faults.push_back(std::move(fault));
      }
      const auto web_search = fields.fields().find("web_search");
      if (web_search != fields.fields().end() &&
          web_search->second.kind_case() != google::protobuf::Value::kBoolValue) {
        faults.push_back({"seedanceParams.web_search", "must be true or false"});
      }
    }
  }
  return faults;
}

}  // namespace

const provider::Traits& ApiframeTraits() {
  static const auto* const traits = [] {
    auto* const made = new provider::Traits;
    made->name = "apiframe";
    made->default_base_url = "https://api.apiframe.ai/v2";
    made->secrets = {"api_key"};
    made->own_headers = {"X-API-Key"};
    v1::AssetCapabilities& assets = made->asset_capabilities;
    assets.add_media_types(v1::IMAGE);
    assets.add_media_types(v1::VIDEO);
    assets.add_media_types(v1::AUDIO);
    assets.set_groups(v1::AssetCapabilities::KEPT_BY_GATEWAY);
    made->asset_polling = {absl::Seconds(2), absl::Seconds(2), absl::Seconds(15)};
    // Documented: every 5 to 10 s.
    made->video_polling = {absl::Seconds(5), absl::Seconds(5), absl::Seconds(10)};
    made->group_polling = made->asset_polling;  // never used: groups are kept by the gateway
    // From integrators: 500 requests a minute.
    made->requests_per_second = 8;
    made->idempotency_window = absl::Hours(24);
    // One page says three months, another 24 hours: only the shorter is reliable.
    made->video_lifetime = absl::Hours(24);
    return made;
  }();
  return *traits;
}

std::vector<std::string> ModelNames() {
  std::vector<std::string> names;
  for (const ModelEntry& model : Models()) names.emplace_back(model.name);
  return names;
}

const v1::Capabilities* CapabilitiesOf(absl::string_view model) {
  for (const ModelEntry& entry : Models()) {
    if (model == entry.name) return &entry.capabilities;
  }
  return nullptr;
}

std::vector<OptionFault> OptionFaults(provider::UnitKind kind,
                                      const google::protobuf::Struct& options) {
  std::vector<OptionFault> faults;
  switch (kind) {
    case provider::UnitKind::kAssetGroup:
      for (const auto& [key, unused] : options.fields()) {
        faults.push_back({key, "apiframe has no groups: the gateway keeps them and sends nothing"});
      }
      break;
    case provider::UnitKind::kAsset:
      faults = StrictFaults(options, kAssetKeys, "", "");
      break;
    case provider::UnitKind::kVideo:
      faults = VideoFaults(options);
      break;
  }
  std::stable_sort(faults.begin(), faults.end(),
                   [](const OptionFault& a, const OptionFault& b) { return a.field < b.field; });
  // The members of seedanceParams are checked with the body and by themselves.
  faults.erase(
      std::unique(faults.begin(), faults.end(),
                  [](const OptionFault& a, const OptionFault& b) { return a.field == b.field; }),
      faults.end());
  return faults;
}

}  // namespace assetgate::providers::apiframe
