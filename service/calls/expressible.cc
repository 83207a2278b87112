#include "calls/expressible.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "calls/field_checks.h"
#include "calls/media_format.h"

namespace assetgate::calls {
namespace {

// UTF-16 code units: a character beyond the Basic Multilingual Plane, four bytes in UTF-8, is two.
int Utf16CodeUnits(absl::string_view text) {
  return Characters(text) + static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
           return (static_cast<unsigned char>(c) & 0xF8) == 0xF0;
         }));
}

template <typename Values, typename T>
bool Contains(const Values& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// Collects the reasons why one target cannot make the video.
class Reasons {
 public:
  template <typename... Text>
  void Add(absl::string_view field, const Text&... text) {
    reasons_.emplace_back(absl::StrCat("video_task.", field), absl::StrCat(text...));
  }
  void Check(absl::string_view field, bool set, bool value,
             const v1::Capabilities::BoolField& capability) {
    if (!set || capability.expressible() || Contains(capability.implied(), value)) return;
    Add(field, "cannot express ", value ? "true" : "false",
        capability.implied().empty() ? "; leave it unset"
                                     : "; only the opposite, or leave it unset");
  }
  void Check(absl::string_view field, bool set, const std::string& value,
             const v1::Capabilities::StringField& capability) {
    if (!set || Contains(capability.implied(), value)) return;
    if (!capability.expressible()) {
      Add(field, "cannot express it; leave it unset",
          capability.implied().empty()
              ? std::string()
              : absl::StrCat(" (it makes ", absl::StrJoin(capability.implied(), ", "), ")"));
    } else if (!capability.allowed().empty() && !Contains(capability.allowed(), value)) {
      Add(field, "does not take ", Quoted(value), "; one of ",
          absl::StrJoin(capability.allowed(), ", "));
    }
  }
  void Check(absl::string_view field, bool set, std::int64_t value,
             const v1::Capabilities::IntegerField& capability) {
    if (!set || Contains(capability.implied(), value)) return;
    if (!capability.expressible()) {
      Add(field, "cannot express it; leave it unset");
    } else if (!capability.allowed().empty() && !Contains(capability.allowed(), value)) {
      Add(field, "does not take ", value, "; one of ", absl::StrJoin(capability.allowed(), ", "));
    } else if (capability.has_min() && value < capability.min()) {
      Add(field, "does not take ", value, "; at least ", capability.min());
    } else if (capability.has_max() && value > capability.max()) {
      Add(field, "does not take ", value, "; at most ", capability.max());
    }
  }
  void CheckMost(absl::string_view what, int count, int most) {
    if (count > most) {
      Add("references", "takes at most ", most, " ", what, " of role REFERENCE, not ", count);
    }
  }

  std::vector<std::pair<std::string, std::string>> Take() && { return std::move(reasons_); }

 private:
  std::vector<std::pair<std::string, std::string>> reasons_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> Inexpressible(
    const v1::VideoTask& task, const std::vector<v1::MediaType>& media,
    const model::Target& target) {
  const v1::Capabilities& can = *target.capabilities;
  Reasons reasons;
  bool first_frame = false;
  bool last_frame = false;
  int images = 0;
  int videos = 0;
  int audios = 0;
  for (int i = 0; i < task.references_size(); ++i) {
    const v1::Reference& reference = task.references(i);
    const std::string path = absl::StrCat("references[", i, "]");
    switch (reference.role()) {
      case v1::Reference::FIRST_FRAME:
        first_frame = true;
        break;
      case v1::Reference::LAST_FRAME:
        last_frame = true;
        break;
      default:
        images += media[i] == v1::IMAGE;
        videos += media[i] == v1::VIDEO;
        audios += media[i] == v1::AUDIO;
    }
    if (media[i] == v1::DOCUMENT) reasons.Add(path, "makes no video from a DOCUMENT");
    if (can.https_only() && reference.has_uri() &&
        !absl::StartsWithIgnoreCase(reference.uri(), "https://")) {
      reasons.Add(path + ".uri", "fetches https URLs only");
    }
    if (reference.has_uri()) {
      if (const auto fault = FormatFault(reference.uri(), media[i], can.media())) {
        reasons.Add(path + ".uri", "cannot use it: it ", *fault);
      }
    }
  }
  const bool references = images + videos + audios > 0;
  v1::Capabilities::Mode mode = v1::Capabilities::TEXT;
  absl::string_view mode_text = "a prompt alone";
  if (first_frame && references) {
    mode = v1::Capabilities::FRAMES_AND_REFERENCES;
    mode_text = "frames together with references of role REFERENCE";
  } else if (last_frame) {
    mode = v1::Capabilities::FIRST_AND_LAST_FRAME;
    mode_text = "a first and a last frame";
  } else if (first_frame) {
    mode = v1::Capabilities::FIRST_FRAME;
    mode_text = "a first frame";
  } else if (references) {
    mode = v1::Capabilities::REFERENCES;
    mode_text = "references of role REFERENCE";
  }
  if (!Contains(can.modes(), mode)) {
    reasons.Add("references", "does not take ", mode_text);
  } else {
    if (videos < can.min_reference_videos()) {
      reasons.Add("references", "needs at least ", can.min_reference_videos(),
                  " VIDEO of role REFERENCE");
    }
    if (can.audio_needs_visual_reference() && audios > 0 && images + videos == 0 && !first_frame) {
      reasons.Add("references", "takes AUDIO only beside an IMAGE or a VIDEO");
    }
  }
  reasons.CheckMost("images", images, can.max_reference_images());
  reasons.CheckMost("videos", videos, can.max_reference_videos());
  reasons.CheckMost("audios", audios, can.max_reference_audios());
  const bool utf16 = can.prompt_unit() == v1::Capabilities::UTF16_CODE_UNITS;
  const int length = utf16 ? Utf16CodeUnits(task.prompt()) : Characters(task.prompt());
  if (can.prompt_required() && length == 0) reasons.Add("prompt", "needs a prompt");
  if (can.max_prompt_length() > 0 && length > can.max_prompt_length()) {
    reasons.Add("prompt", "takes at most ", can.max_prompt_length(),
                utf16 ? " UTF-16 code units (an emoji counts two), not " : " characters, not ",
                length);
  }
  reasons.Check("duration", task.has_duration(), std::int64_t{task.duration().seconds()},
                can.duration());
  reasons.Check("resolution", task.has_resolution(), task.resolution(), can.resolution());
  reasons.Check("aspect_ratio", task.has_aspect_ratio(), task.aspect_ratio(), can.aspect_ratio());
  if (can.first_frame_sets_aspect_ratio() && first_frame && task.has_aspect_ratio() &&
      task.aspect_ratio() != "adaptive") {
    reasons.Add(
        "aspect_ratio",
        "takes no aspect_ratio beside a FIRST_FRAME, which decides it; leave it out, or set "
        "adaptive");
  }
  reasons.Check("generate_audio", task.has_generate_audio(), task.generate_audio(),
                can.generate_audio());
  reasons.Check("watermark", task.has_watermark(), task.watermark(), can.watermark());
  reasons.Check("seed", task.has_seed(), std::int64_t{task.seed()}, can.seed());
  reasons.Check("camera_fixed", task.has_camera_fixed(), task.camera_fixed(), can.camera_fixed());
  reasons.Check("return_last_frame", task.has_return_last_frame(), task.return_last_frame(),
                can.return_last_frame());
  return std::move(reasons).Take();
}

}  // namespace assetgate::calls
