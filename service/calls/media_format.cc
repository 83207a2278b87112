#include "calls/media_format.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace assetgate::calls {
namespace {

// A file extension, in lower case, as the name of its format; empty where it is not one of media.
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

}  // namespace

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

}  // namespace assetgate::calls
