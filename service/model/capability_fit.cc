#include "model/capability_fit.h"

#include <algorithm>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "base/utf8.h"

namespace assetgate::model {
namespace {

using Reasons = std::vector<std::pair<std::string, std::string>>;

template <typename Values, typename T>
bool Contains(const Values& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// The media format that a file extension in lower case names; empty for other extensions.
absl::string_view FormatOfExtension(absl::string_view extension) {
  struct Spelling {
    absl::string_view extension;
    absl::string_view format;
  };
  static constexpr Spelling kSpellings[] = {
      {"jpg", "jpeg"}, {"jpe", "jpeg"}, {"jfif", "jpeg"}, {"tif", "tiff"},
      {"qt", "mov"},   {"wave", "wav"}, {"oga", "ogg"},   {"aif", "aiff"},
  };
  static constexpr absl::string_view kFormats[] = {
      "jpeg", "png",  "webp", "bmp",  "tiff", "gif",  "heic", "heif", "avif", "svg",
      "psd",  "ico",  "mp4",  "mov",  "webm", "mkv",  "avi",  "m4v",  "wmv",  "flv",
      "mpeg", "mpg",  "3gp",  "mp3",  "wav",  "ogg",  "m4a",  "aac",  "flac", "opus",
      "wma",  "aiff", "pdf",  "docx", "doc",  "pptx", "txt",
  };
  for (const Spelling& spelling : kSpellings) {
    if (spelling.extension == extension) return spelling.format;
  }
  const auto* const found = std::find(std::begin(kFormats), std::end(kFormats), extension);
  return found == std::end(kFormats) ? absl::string_view() : *found;
}

// Collects the reasons why one target cannot make a task's video.
class Judge {
 public:
  Judge(const v1::VideoTask& task, const v1::Capabilities& can) : task_(task), can_(can) {}

  Reasons Take() && { return std::move(reasons_); }

  void CheckReferences(const std::vector<v1::MediaType>& media);
  void CheckMode();
  void CheckPrompt();
  void CheckFields();

 private:
  template <typename... Text>
  void Add(absl::string_view field, const Text&... text) {
    reasons_.emplace_back(absl::StrCat("video_task.", field), absl::StrCat(text...));
  }

  void Check(absl::string_view field, bool set, bool value,
             const v1::Capabilities::BoolField& capability);
  void Check(absl::string_view field, bool set, const std::string& value,
             const v1::Capabilities::StringField& capability);
  void Check(absl::string_view field, bool set, std::int64_t value,
             const v1::Capabilities::IntegerField& capability);
  void CheckMax(absl::string_view what, int count, int max);
  void CheckReference(const v1::Reference& reference, const std::string& path, v1::MediaType media);

  const v1::VideoTask& task_;
  const v1::Capabilities& can_;
  bool first_frame_ = false;
  bool last_frame_ = false;
  // Of role REFERENCE.
  int images_ = 0;
  int videos_ = 0;
  int audios_ = 0;
  Reasons reasons_;
};

void Judge::Check(absl::string_view field, bool set, bool value,
                  const v1::Capabilities::BoolField& capability) {
  if (!set || Fits(capability, value)) return;
  Add(field, "cannot express ", value ? "true" : "false",
      capability.implied().empty() ? "; leave it unset" : "; only the opposite, or leave it unset");
}

void Judge::Check(absl::string_view field, bool set, const std::string& value,
                  const v1::Capabilities::StringField& capability) {
  if (!set || Fits(capability, value)) return;
  if (!capability.expressible()) {
    Add(field, "cannot express it; leave it unset",
        capability.implied().empty()
            ? std::string()
            : absl::StrCat(" (it makes ", absl::StrJoin(capability.implied(), ", "), ")"));
    return;
  }
  Add(field, "does not take ", base::Quoted(value), "; one of ",
      absl::StrJoin(capability.allowed(), ", "));
}

void Judge::Check(absl::string_view field, bool set, std::int64_t value,
                  const v1::Capabilities::IntegerField& capability) {
  if (!set || Fits(capability, value)) return;
  if (!capability.expressible()) {
    Add(field, "cannot express it; leave it unset");
  } else if (!capability.allowed().empty() && !Contains(capability.allowed(), value)) {
    Add(field, "does not take ", value, "; one of ", absl::StrJoin(capability.allowed(), ", "));
  } else if (capability.has_min() && value < capability.min()) {
    Add(field, "does not take ", value, "; at least ", capability.min());
  } else {
    Add(field, "does not take ", value, "; at most ", capability.max());
  }
}

void Judge::CheckMax(absl::string_view what, int count, int max) {
  if (count > max) {
    Add("references", "takes at most ", max, " ", what, " of role REFERENCE, not ", count);
  }
}

void Judge::CheckReference(const v1::Reference& reference, const std::string& path,
                           v1::MediaType media) {
  if (media == v1::DOCUMENT) Add(path, "makes no video from a DOCUMENT");
  if (!reference.has_uri()) return;
  if (can_.https_only() && !absl::StartsWithIgnoreCase(reference.uri(), "https://")) {
    Add(path + ".uri", "fetches https URLs only");
  }
  if (const auto fault = FormatFault(reference.uri(), media, can_.media())) {
    Add(path + ".uri", "cannot use it: it ", *fault);
  }
}

void Judge::CheckReferences(const std::vector<v1::MediaType>& media) {
  for (int i = 0; i < task_.references_size(); ++i) {
    const v1::Reference& reference = task_.references(i);
    const v1::MediaType type = media[static_cast<std::size_t>(i)];
    switch (reference.role()) {
      case v1::Reference::FIRST_FRAME:
        first_frame_ = true;
        break;
      case v1::Reference::LAST_FRAME:
        last_frame_ = true;
        break;
      default:
        images_ += type == v1::IMAGE;
        videos_ += type == v1::VIDEO;
        audios_ += type == v1::AUDIO;
    }
    CheckReference(reference, absl::StrCat("references[", i, "]"), type);
  }
}

void Judge::CheckMode() {
  const bool references = images_ + videos_ + audios_ > 0;
  v1::Capabilities::Mode mode = v1::Capabilities::TEXT;
  absl::string_view mode_text = "a prompt alone";
  if (first_frame_ && references) {
    mode = v1::Capabilities::FRAMES_AND_REFERENCES;
    mode_text = "frames together with references of role REFERENCE";
  } else if (last_frame_) {
    mode = v1::Capabilities::FIRST_AND_LAST_FRAME;
    mode_text = "a first and a last frame";
  } else if (first_frame_) {
    mode = v1::Capabilities::FIRST_FRAME;
    mode_text = "a first frame";
  } else if (references) {
    mode = v1::Capabilities::REFERENCES;
    mode_text = "references of role REFERENCE";
  }
  if (!Contains(can_.modes(), mode)) {
    Add("references", "does not take ", mode_text);
  } else {
    if (videos_ < can_.min_reference_videos()) {
      Add("references", "needs at least ", can_.min_reference_videos(), " VIDEO of role REFERENCE");
    }
    if (can_.audio_needs_visual_reference() && audios_ > 0 && images_ + videos_ == 0 &&
        !first_frame_) {
      Add("references", "takes AUDIO only beside an IMAGE or a VIDEO");
    }
  }
  CheckMax("images", images_, can_.max_reference_images());
  CheckMax("videos", videos_, can_.max_reference_videos());
  CheckMax("audios", audios_, can_.max_reference_audios());
}

void Judge::CheckPrompt() {
  const bool utf16 = can_.prompt_unit() == v1::Capabilities::UTF16_CODE_UNITS;
  const auto length = static_cast<int>(utf16 ? base::CountUtf16CodeUnits(task_.prompt())
                                             : base::CountCharacters(task_.prompt()));
  if (can_.prompt_required() && length == 0) Add("prompt", "needs a prompt");
  if (can_.max_prompt_length() > 0 && length > can_.max_prompt_length()) {
    Add("prompt", "takes at most ", can_.max_prompt_length(),
        utf16 ? " UTF-16 code units (an emoji counts two), not " : " characters, not ", length);
  }
}

void Judge::CheckFields() {
  Check("duration", task_.has_duration(), std::int64_t{task_.duration().seconds()},
        can_.duration());
  Check("resolution", task_.has_resolution(), task_.resolution(), can_.resolution());
  Check("aspect_ratio", task_.has_aspect_ratio(), task_.aspect_ratio(), can_.aspect_ratio());
  if (can_.first_frame_sets_aspect_ratio() && first_frame_ && task_.has_aspect_ratio() &&
      task_.aspect_ratio() != "adaptive") {
    Add("aspect_ratio",
        "takes no aspect_ratio beside a FIRST_FRAME, which decides it; leave it out, or set "
        "adaptive");
  }
  Check("generate_audio", task_.has_generate_audio(), task_.generate_audio(),
        can_.generate_audio());
  Check("watermark", task_.has_watermark(), task_.watermark(), can_.watermark());
  Check("seed", task_.has_seed(), std::int64_t{task_.seed()}, can_.seed());
  Check("camera_fixed", task_.has_camera_fixed(), task_.camera_fixed(), can_.camera_fixed());
  Check("return_last_frame", task_.has_return_last_frame(), task_.return_last_frame(),
        can_.return_last_frame());
}

}  // namespace

bool Fits(const v1::Capabilities::BoolField& can, bool value) {
  return can.expressible() || Contains(can.implied(), value);
}

bool Fits(const v1::Capabilities::StringField& can, const std::string& value) {
  return Contains(can.implied(), value) ||
         (can.expressible() && (can.allowed().empty() || Contains(can.allowed(), value)));
}

bool Fits(const v1::Capabilities::IntegerField& can, std::int64_t value) {
  return Contains(can.implied(), value) ||
         (can.expressible() && (!can.has_min() || value >= can.min()) &&
          (!can.has_max() || value <= can.max()) &&
          (can.allowed().empty() || Contains(can.allowed(), value)));
}

std::optional<std::string> FormatFault(
    absl::string_view uri, v1::MediaType type,
    const google::protobuf::RepeatedPtrField<v1::MediaLimits>& limits) {
  absl::string_view path = uri.substr(0, uri.find_first_of("?#"));
  path.remove_prefix(std::min(path.size(), path.rfind('/') + 1));
  const std::size_t dot = path.rfind('.');
  if (dot == absl::string_view::npos || dot == 0) return std::nullopt;
  const std::string extension = absl::AsciiStrToLower(path.substr(dot + 1));
  const absl::string_view format = FormatOfExtension(extension);
  if (format.empty()) return std::nullopt;
  for (const v1::MediaLimits& media : limits) {
    if (media.media_type() != type || media.formats().empty()) continue;
    if (std::find(media.formats().begin(), media.formats().end(), format) !=
        media.formats().end()) {
      continue;
    }
    return absl::StrCat("is .", extension, " by its name, and of ", v1::MediaType_Name(type),
                        " only ", absl::StrJoin(media.formats(), ", "), " is taken");
  }
  return std::nullopt;
}

Reasons Inexpressible(const v1::VideoTask& task, const std::vector<v1::MediaType>& media,
                      const Target& target) {
  Judge judge(task, *target.capabilities);
  judge.CheckReferences(media);
  judge.CheckMode();
  judge.CheckPrompt();
  judge.CheckFields();
  return std::move(judge).Take();
}

}  // namespace assetgate::model
