#include "provider/answers/links.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "provider/dialect.h"

namespace assetgate::provider::answers {
namespace {

using rapidjson::Value;

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";
// How deep an answer is searched, including JSON inside texts, and the longest such text.
constexpr int kMaxDepth = 10;
constexpr std::size_t kMaxTextBytes = 256 * 1024;
// Names in a path are cut to this length: a hostile answer could repeat a long one for each link.
constexpr std::size_t kMaxNameBytes = 64;

// --- The tables ---------------------------------------------------------------------------------
//
// Paths are in snake case, and an element of a list has the path of the list: the link in
// {"result": {"resultUrls": ["https://…"]}} is at "result.result_urls". Links are taken in this
// order:
//   1. at a place that the dialect documents
//   2. at one of kPlaces
//   3. under one of kAnywhere, at any depth
//   4. with the name of a video file, anywhere
//   5. under names with a word for a result (kResultWords), at any depth
//   6. at one of kLastPlaces
// Steps 3 to 5 do not look into echoes (kEchoWords).

// Names of kBelow may follow each.
constexpr absl::string_view kPlaces[] = {
    "content.video_url",
    "video",
    "video_url",
    "result.video_url",
    "result.video",
    "result.videos",
    "result.output",
    "result.outputs",
    "result",
    "result_url",
    "output.video_url",
    "output.video",
    "output.videos",
    "output",
    "outputs",
    "videos",
    "results",
    "content",
    "download_url",
    "media_url",
    "file_url",
    "output_url",
};
// The names of a link inside an object.
constexpr absl::string_view kBelow[] = {"video_url",    "url",      "uri",       "video",
                                        "download_url", "file_url", "result_url"};
// The names that only a result has.
constexpr absl::string_view kAnywhere[] = {"video_url", "result_url", "output_url",
                                           "video_download_url"};
constexpr absl::string_view kVideoFiles[] = {".mp4", ".mov", ".webm", ".m3u8", ".mkv"};
// A name with one of these words, and below it one of kLinkNames: "files", "media.url".
constexpr absl::string_view kResultWords[] = {"video", "result",   "output",    "media",
                                              "file",  "creation", "generated", "generation"};
constexpr absl::string_view kLinkNames[] = {"url",          "urls",         "uri",     "uris",
                                            "download_url", "download_uri", "play_url"};
// Ambiguous names. Relays of new-api put the link into `metadata`, and older ones into
// `fail_reason`, where nothing failed. "content[]" is a list.
constexpr absl::string_view kLastPlaces[] = {
    "play_url", "hd_url",      "metadata.url",        "data", "link", "src", "resource", "urls",
    "url",      "fail_reason", "content[].video_url",
};

// Words in the names of values that are not the video: echoed or stored parts of the request,
// images and sounds.
constexpr absl::string_view kEchoWords[] = {
    "req",    "reference", "input",    "param",    "origin",  "source",     "body",
    "prompt", "payload",   "metadata", "callback", "webhook", "properties", "cover",
    "thumb",  "poster",    "preview",  "image",    "audio",   "frame",
};
constexpr absl::string_view kOtherFiles[] = {".jpg", ".jpeg", ".png", ".webp",
                                             ".gif", ".mp3",  ".wav"};
// The `type` of an item: "image", "image/png".
constexpr absl::string_view kOtherTypes[] = {"image", "image_url", "audio", "audio_url", "cover"};
// The names under which the media itself is written.
constexpr absl::string_view kMediaNames[] = {"b64_json", "base64", "video_base64", "b64",
                                             "bytes_base64_encoded"};

// --- Names and texts ----------------------------------------------------------------------------

using Table = std::span<const absl::string_view>;

bool Has(Table table, absl::string_view text) {
  return std::find(table.begin(), table.end(), text) != table.end();
}

absl::string_view TextIn(const Value& text) { return {text.GetString(), text.GetStringLength()}; }

// "resultUrls", "ResultURLs" and "result-urls" are "result_urls".
std::string SnakeCase(absl::string_view name) {
  std::string snake;
  bool may_end_a_word = false;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (may_end_a_word && absl::ascii_isupper(byte)) snake.push_back('_');
    may_end_a_word = absl::ascii_islower(byte) || absl::ascii_isdigit(byte);
    snake.push_back(c == '-' ? '_' : absl::ascii_tolower(byte));
  }
  return snake;
}

// Whether a word in `path` begins with one of `words`.
bool HasWord(absl::string_view path, Table words) {
  return std::any_of(words.begin(), words.end(), [&](absl::string_view word) {
    for (std::size_t at = path.find(word); at != path.npos; at = path.find(word, at + 1)) {
      if (at == 0 || path[at - 1] == '_' || path[at - 1] == '.') return true;
    }
    return false;
  });
}

absl::string_view FirstName(absl::string_view path) { return path.substr(0, path.find('.')); }
absl::string_view LastName(absl::string_view path) { return path.substr(path.rfind('.') + 1); }

// Whether `path` is `place`, or is below it by names of kBelow alone.
bool IsAt(absl::string_view place, absl::string_view path) {
  if (!absl::ConsumePrefix(&path, place)) return false;
  while (absl::ConsumePrefix(&path, ".")) {
    const absl::string_view name = FirstName(path);
    if (!Has(kBelow, name)) return false;
    path.remove_prefix(name.size());
  }
  return path.empty();
}

bool IsAnywhere(absl::string_view path) {
  while (!path.empty()) {
    const auto is_here = [&](absl::string_view name) { return IsAt(name, path); };
    if (std::any_of(std::begin(kAnywhere), std::end(kAnywhere), is_here)) return true;
    path.remove_prefix(FirstName(path).size());
    absl::ConsumePrefix(&path, ".");
  }
  return false;
}

bool SpeaksOfAResult(absl::string_view path) {
  const absl::string_view name = LastName(path);
  return HasWord(name, kResultWords) || (Has(kLinkNames, name) && HasWord(path, kResultWords));
}

bool IsFile(absl::string_view url, Table endings) {
  const absl::string_view path = url.substr(0, url.find_first_of("?#"));
  return std::any_of(endings.begin(), endings.end(), [&](absl::string_view ending) {
    return absl::EndsWithIgnoreCase(path, ending);
  });
}

// Whether a text is the media itself, and not an image: "data:video/mp4;base64,AAAA".
bool IsMedia(absl::string_view text, absl::string_view name) {
  if (Has(kMediaNames, name)) return !text.empty();
  return absl::StartsWithIgnoreCase(text, "data:") &&
         absl::StrContains(text.substr(0, 128), ";base64,") &&
         !absl::StartsWithIgnoreCase(text, "data:image/") &&
         !absl::StartsWithIgnoreCase(text, "data:audio/");
}

// Whether an item is an image or a sound, or has a role in the request.
bool IsNoResult(const Value& item) {
  if (Member(item, "role") != nullptr) return true;
  for (const absl::string_view name : {"type", "file_type", "media_type", "mime_type"}) {
    const std::string type = absl::AsciiStrToLower(TextAt(item, name));
    if (Has(kOtherTypes, absl::string_view(type).substr(0, type.find('/')))) return true;
  }
  return false;
}

// --- The search ---------------------------------------------------------------------------------

using LeaveOut = std::function<bool(const Value& object)>;

// Walks through values and keeps the link at the best place.
class Search {
 public:
  Search(std::initializer_list<absl::string_view> documented) {
    for (const absl::string_view place : documented) places_.push_back(SnakeCase(place));
    for (const absl::string_view place : kPlaces) places_.emplace_back(place);
  }

  void Look(const Value& value, const LeaveOut& leave_out) {
    leave_out_ = &leave_out;
    Walk(value, "", 0, /*echoed=*/false);
  }

  Link Result() const { return {.url = url_, .is_inline = url_.empty() && is_inline_}; }

 private:
  static constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

  void Walk(const Value& value, const std::string& path, int depth, bool echoed) {
    if (depth > kMaxDepth) return;
    if (value.IsObject()) {
      if ((*leave_out_)(value) || (depth > 0 && IsNoResult(value))) return;
      for (const auto& member : value.GetObject()) {
        const std::string name = SnakeCase(TextIn(member.name).substr(0, kMaxNameBytes));
        Walk(member.value, path.empty() ? name : absl::StrCat(path, ".", name), depth + 1,
             echoed || HasWord(name, kEchoWords));
      }
    } else if (value.IsArray()) {
      // A result's "content" is an object; a list under this name is usually Ark's form of the
      // request.
      const bool is_content = LastName(path) == "content";
      const std::string elements = is_content ? absl::StrCat(path, "[]") : path;
      for (const Value& element : value.GetArray()) {
        Walk(element, elements, depth + 1, echoed || is_content);
      }
    } else if (value.IsString()) {
      const absl::string_view text = TextIn(value);
      if (const auto json = text.size() <= kMaxTextBytes ? JsonInText(text) : std::nullopt;
          json.has_value()) {
        Walk(*json, path, depth + 1, echoed);
      } else {
        Consider(value, path, echoed);
      }
    }
  }

  void Consider(const Value& text, absl::string_view path, bool echoed) {
    std::string url = UrlIn(&text);
    if (url.empty()) {
      is_inline_ |= !echoed && IsMedia(TextIn(text), LastName(path));
      return;
    }
    if (IsFile(url, kOtherFiles)) return;
    const bool is_video_file = IsFile(url, kVideoFiles);
    std::size_t rank = RankOf(path, is_video_file, echoed);
    // A text with blanks is a sentence, unless its name promises a link.
    const bool promised = rank <= places_.size();
    if (rank == kNowhere || (!promised && absl::StrContains(TextOf(&text), ' '))) return;
    // Of several links at one place, the one with the name of a video file.
    rank = 2 * rank + (is_video_file ? 0 : 1);
    if (rank >= best_rank_) return;
    best_rank_ = rank;
    url_ = std::move(url);
  }

  // The rank of a link in the order of the tables above; less is better.
  std::size_t RankOf(absl::string_view path, bool is_video_file, bool echoed) const {
    const auto is_here = [&](absl::string_view place) { return IsAt(place, path); };
    const auto place = std::find_if(places_.begin(), places_.end(), is_here);
    const std::size_t count = places_.size();
    if (place != places_.end()) return static_cast<std::size_t>(place - places_.begin());
    if (!echoed && IsAnywhere(path)) return count;
    if (!echoed && is_video_file) return count + 1;
    if (!echoed && SpeaksOfAResult(path)) return count + 2;
    const auto* const last = std::find_if(std::begin(kLastPlaces), std::end(kLastPlaces), is_here);
    if (last == std::end(kLastPlaces)) return kNowhere;
    return count + 3 + static_cast<std::size_t>(last - std::begin(kLastPlaces));
  }

  std::vector<std::string> places_;
  const LeaveOut* leave_out_ = nullptr;
  std::size_t best_rank_ = kNowhere;
  std::string url_;
  bool is_inline_ = false;
};

bool IsOneOf(const Value* object, std::span<const Value* const> objects) {
  return std::find(objects.begin(), objects.end(), object) != objects.end();
}

// Whether `part` is `whole` or inside it.
bool Contains(const Value& whole, const Value& part, int depth = 0) {
  if (&whole == &part) return true;
  if (depth == kMaxDepth) return false;
  if (whole.IsArray()) {
    const auto& elements = whole.GetArray();
    return std::any_of(elements.begin(), elements.end(),
                       [&](const Value& element) { return Contains(element, part, depth + 1); });
  }
  if (!whole.IsObject()) return false;
  const auto& members = whole.GetObject();
  return std::any_of(members.begin(), members.end(),
                     [&](const auto& member) { return Contains(member.value, part, depth + 1); });
}

// Whether an object names a task other than by one of `known`. A plain "id" without a state beside
// it may be that of a file.
bool NamesAnother(const Value& object, const IdNames& ids, const std::vector<std::string>& known) {
  bool another = false;
  for (const absl::string_view name : ids.names) {
    const std::string id = IdIn(Member(object, name));
    if (id.empty()) continue;
    const auto is_it = [&](const std::string& other) { return absl::EqualsIgnoreCase(other, id); };
    if (std::any_of(known.begin(), known.end(), is_it)) return false;
    another |=
        name != "id" || Member(object, "status") != nullptr || Member(object, "state") != nullptr;
  }
  return another;
}

// The ids of the first of these objects that has any.
std::vector<std::string> IdsOfFirst(std::span<const Value* const> objects, const IdNames& ids) {
  std::vector<std::string> found;
  for (const Value* const object : objects) {
    for (const absl::string_view name : ids.names) {
      if (std::string id = IdIn(Member(*object, name)); !id.empty()) found.push_back(std::move(id));
    }
    if (!found.empty()) break;
  }
  return found;
}

bool LeaveOutNothing(const Value& /*object*/) { return false; }

}  // namespace

std::string UrlIn(const Value* value) {
  if (value == nullptr || !value->IsString()) return "";
  std::string url = TextOf(value);
  if (!absl::StartsWithIgnoreCase(url, "https://") && !absl::StartsWithIgnoreCase(url, "http://")) {
    return "";
  }
  // A file name that was not encoded.
  if (absl::StrContains(url, ' ')) url = absl::StrReplaceAll(url, {{" ", "%20"}});
  const auto is_control = [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); };
  if (url.size() > kMaxLinkBytes || std::any_of(url.begin(), url.end(), is_control) ||
      absl::StrContains(url, kReplacement)) {
    return "";
  }
  return url;
}

std::string FirstUrl(const Value& root, std::initializer_list<absl::string_view> paths) {
  for (const absl::string_view path : paths) {
    if (std::string url = UrlIn(At(root, path)); !url.empty()) return url;
  }
  return "";
}

Link FindVideo(std::span<const Value* const> objects,
               std::initializer_list<absl::string_view> documented) {
  Search search(documented);
  for (const Value* const object : objects) {
    if (object != nullptr) search.Look(*object, &LeaveOutNothing);
  }
  return search.Result();
}

Link FindVideo(const Answer& answer, const IdNames& ids, std::span<const Value* const> objects,
               std::initializer_list<absl::string_view> documented) {
  // The task is the outermost of the objects; the layers around it precede it.
  const std::span<const Value* const> layers = answer.layers();
  const auto at = std::find_if(layers.begin(), layers.end(),
                               [&](const Value* layer) { return IsOneOf(layer, objects); });
  if (at == layers.end()) return FindVideo(objects, documented);
  const Value& task = **at;
  const std::span<const Value* const> around(layers.begin(), at);
  std::vector<std::string> known = IdsOfFirst({&*at, 1}, ids);
  if (known.empty()) known = IdsOfFirst(around, ids);
  const auto names_another = [&](const Value& object) { return NamesAnother(object, ids, known); };

  Search search(documented);
  for (const Value* const object : objects) {
    if (object == nullptr) continue;
    // Objects inside the task belong to it, with any id: it may be the upstream's.
    if (Contains(task, *object)) {
      search.Look(*object, &LeaveOutNothing);
    } else {
      search.Look(*object, names_another);
    }
  }
  for (const Value* const layer : around) {
    search.Look(*layer, [&](const Value& object) {
      return IsOneOf(&object, objects) || names_another(object);
    });
  }
  return search.Result();
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
