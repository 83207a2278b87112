#include "provider/answers/links.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/utf8.h"
#include "provider/answers/answer.h"
#include "provider/dialect.h"

namespace assetgate::provider::answers {
namespace {

using rapidjson::Value;

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";
// How deep a link is looked for that stands in none of the listed places.
constexpr int kMaxDepth = 8;

// Where links have been seen. Each may be a text, an object with a link in it, or a list of these.
constexpr absl::string_view kPlaces[] = {
    "content.video_url",
    "video.url",
    "video.video_url",
    "video_url",
    "result.video_url",
    "result.video",
    "result.url",
    "result.videos",
    "result.output",
    "result.result_url",
    "result.outputs",
    "result_url",
    "output.video_url",
    "output.video",
    "output.url",
    "output",
    "outputs",
    "video",
    "videos",
    "result",
    "results",
    "content.url",
    "content",
    "download_url",
    "media_url",
    "file_url",
    "output_url",
    "urls",
    "url",
};
// In an object that stands in the place of a link.
constexpr absl::string_view kInObject[] = {"video_url", "url",          "uri",
                                           "video",     "download_url", "file_url"};
// The names that only a result has, wherever they stand.
constexpr absl::string_view kAnywhere[] = {"video_url", "result_url", "output_url",
                                           "video_download_url"};
// What a provider echoes of a request, and pictures of the result.
constexpr absl::string_view kNotResults[] = {"input",      "inputs",     "request",   "params",
                                             "parameters", "references", "prompt",    "properties",
                                             "payload",    "cover",      "thumbnail", "metadata"};

bool IsSpaceOrControl(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return absl::ascii_isspace(byte) || absl::ascii_iscntrl(byte);
}

bool IsInline(const Value* value) {
  return value != nullptr && value->IsString() &&
         absl::StartsWithIgnoreCase(absl::string_view(value->GetString(), value->GetStringLength()),
                                    "data:");
}

// {"b64_json": "AAAA…"}
bool HoldsMedia(const Value& object) {
  for (const absl::string_view name : {"b64_json", "base64", "video_base64", "b64"}) {
    const Value* const media = Member(object, name);
    if (media != nullptr && media->IsString() && media->GetStringLength() > 0) return true;
  }
  return false;
}

// The link that a value is, or holds.
Link LinkIn(const Value* value, int depth) {
  Link link;
  if (value == nullptr || depth > 3) return link;
  if (value->IsString()) {
    link.url = UrlIn(value);
    link.is_inline = link.url.empty() && IsInline(value);
    return link;
  }
  if (value->IsArray()) {
    for (const Value& element : value->GetArray()) {
      Link found = LinkIn(&element, depth + 1);
      if (!found.url.empty()) return found;
      link.is_inline |= found.is_inline;
    }
    return link;
  }
  if (!value->IsObject()) return link;
  for (const absl::string_view name : kInObject) {
    Link found = LinkIn(Member(*value, name), depth + 1);
    if (!found.url.empty()) return found;
    link.is_inline |= found.is_inline;
  }
  link.is_inline |= HoldsMedia(*value);
  return link;
}

// A link under one of the names of kAnywhere, however deep.
std::string Search(const Value& value, int depth) {
  if (depth > kMaxDepth) return "";
  if (value.IsArray()) {
    for (const Value& element : value.GetArray()) {
      if (std::string url = Search(element, depth + 1); !url.empty()) return url;
    }
    return "";
  }
  if (!value.IsObject()) return "";
  for (const absl::string_view name : kAnywhere) {
    if (std::string url = LinkIn(Member(value, name), 1).url; !url.empty()) return url;
  }
  for (const auto& member : value.GetObject()) {
    const absl::string_view name(member.name.GetString(), member.name.GetStringLength());
    const bool echoed =
        std::any_of(std::begin(kNotResults), std::end(kNotResults),
                    [&](absl::string_view other) { return absl::EqualsIgnoreCase(name, other); });
    // A result's "content" is an object; a list of them is the request, as Ark writes it.
    if (echoed || (member.value.IsArray() && absl::EqualsIgnoreCase(name, "content"))) continue;
    if (std::string url = Search(member.value, depth + 1); !url.empty()) return url;
  }
  return "";
}

}  // namespace

std::string UrlIn(const Value* value) {
  if (value == nullptr || !value->IsString()) return "";
  const absl::string_view url =
      absl::StripAsciiWhitespace(absl::string_view(value->GetString(), value->GetStringLength()));
  if (!absl::StartsWithIgnoreCase(url, "https://") && !absl::StartsWithIgnoreCase(url, "http://")) {
    return "";
  }
  if (url.size() > kMaxLinkBytes || std::any_of(url.begin(), url.end(), IsSpaceOrControl) ||
      absl::StrContains(url, kReplacement)) {
    return "";
  }
  return std::string(url);
}

std::string FirstUrl(const Value& root, std::initializer_list<absl::string_view> paths) {
  for (const absl::string_view path : paths) {
    if (std::string url = UrlIn(At(root, path)); !url.empty()) return url;
  }
  return "";
}

Link FindVideo(std::span<const Value* const> objects,
               std::initializer_list<absl::string_view> documented) {
  Link none;
  const auto look = [&](absl::string_view place) {
    for (const Value* const object : objects) {
      if (object == nullptr) continue;
      const Value* const value = At(*object, place);
      if (value != nullptr && value->IsArray() && place == "content") continue;
      Link link = LinkIn(value, 0);
      if (!link.url.empty()) return link;
      none.is_inline |= link.is_inline;
    }
    return Link();
  };
  for (const absl::string_view place : documented) {
    if (Link link = look(place); !link.url.empty()) return link;
  }
  for (const absl::string_view place : kPlaces) {
    if (Link link = look(place); !link.url.empty()) return link;
  }
  for (const Value* const object : objects) {
    if (object == nullptr) continue;
    if (std::string url = Search(*object, 0); !url.empty()) return {std::move(url), false};
    none.is_inline |= HoldsMedia(*object);
  }
  return none;
}

std::string FindLastFrame(std::span<const Value* const> objects) {
  for (const Value* const object : objects) {
    if (object == nullptr) continue;
    std::string url =
        FirstUrl(*object, {"content.last_frame_url", "last_frame_url", "result.last_frame_url",
                           "video.last_frame_url", "last_frame", "result.last_frame"});
    if (!url.empty()) return url;
  }
  return "";
}

}  // namespace assetgate::provider::answers
