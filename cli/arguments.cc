#include "cli/arguments.h"

#include <array>
#include <cstdint>
#include <random>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "cli/client.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/json_util.h"

namespace assetgate::cli {
namespace {

absl::Status Invalid(absl::string_view message) {
  return PlainError(absl::StatusCode::kInvalidArgument, message);
}

bool IsWebAddress(absl::string_view uri) {
  return absl::StartsWithIgnoreCase(uri, "http://") || absl::StartsWithIgnoreCase(uri, "https://");
}

// Removes "TYPE:" from the front of `word`, when it begins with a media type and a colon.
bool TakeMediaType(absl::string_view& word, v1::MediaType& type) {
  const std::size_t colon = word.find(':');
  if (colon == absl::string_view::npos) return false;
  const auto parsed = ParseMediaType(word.substr(0, colon));
  if (!parsed.ok()) return false;
  type = *parsed;
  word.remove_prefix(colon + 1);
  return true;
}

absl::Status UnknownMediaType(absl::string_view uri, absl::string_view remedy) {
  return Invalid(
      absl::StrCat("the extension of \"", uri, "\" does not tell its media type: ", remedy));
}

}  // namespace

absl::StatusOr<std::string> ResourceName(absl::string_view collection, absl::string_view word) {
  const std::string prefix = absl::StrCat(collection, "/");
  const absl::string_view id = absl::StartsWith(word, prefix) ? word.substr(prefix.size()) : word;
  if (id.empty() || absl::StrContains(id, "/")) {
    return Invalid(absl::StrCat("\"", word, "\" is not a name: write ", prefix, "ID, or just ID"));
  }
  return absl::StrCat(prefix, id);
}

absl::StatusOr<std::string> ModelName(absl::string_view word) {
  const std::vector<absl::string_view> parts = absl::StrSplit(word, '/');
  if (parts.size() == 4 && parts[0] == "providers" && parts[2] == "models") {
    return std::string(word);
  }
  auto name = ResourceName("models", word);
  if (name.ok()) return name;
  return Invalid(
      absl::StrCat("\"", word, "\" is not a model: write ID, models/ID or providers/ID/models/ID"));
}

absl::StatusOr<v1::MediaType> ParseMediaType(absl::string_view word) {
  v1::MediaType type;
  if (v1::MediaType_Parse(absl::AsciiStrToUpper(word), &type) &&
      type != v1::MEDIA_TYPE_UNSPECIFIED) {
    return type;
  }
  return Invalid(
      absl::StrCat("\"", word, "\" is not a media type: write image, video, audio or document"));
}

v1::MediaType GuessMediaType(absl::string_view uri) {
  static constexpr std::array<std::pair<absl::string_view, v1::MediaType>, 34> kTypes = {{
      {"avif", v1::IMAGE},    {"bmp", v1::IMAGE},     {"gif", v1::IMAGE},    {"heic", v1::IMAGE},
      {"heif", v1::IMAGE},    {"jpeg", v1::IMAGE},    {"jpg", v1::IMAGE},    {"png", v1::IMAGE},
      {"tif", v1::IMAGE},     {"tiff", v1::IMAGE},    {"webp", v1::IMAGE},   {"avi", v1::VIDEO},
      {"m4v", v1::VIDEO},     {"mkv", v1::VIDEO},     {"mov", v1::VIDEO},    {"mp4", v1::VIDEO},
      {"mpeg", v1::VIDEO},    {"mpg", v1::VIDEO},     {"webm", v1::VIDEO},   {"aac", v1::AUDIO},
      {"flac", v1::AUDIO},    {"m4a", v1::AUDIO},     {"mp3", v1::AUDIO},    {"oga", v1::AUDIO},
      {"ogg", v1::AUDIO},     {"opus", v1::AUDIO},    {"wav", v1::AUDIO},    {"doc", v1::DOCUMENT},
      {"docx", v1::DOCUMENT}, {"md", v1::DOCUMENT},   {"pdf", v1::DOCUMENT}, {"pptx", v1::DOCUMENT},
      {"txt", v1::DOCUMENT},  {"xlsx", v1::DOCUMENT},
  }};
  absl::string_view path = uri.substr(0, uri.find_first_of("?#"));
  const std::size_t slash = path.rfind('/');
  if (slash != absl::string_view::npos) path.remove_prefix(slash + 1);
  const std::size_t dot = path.rfind('.');
  if (dot == absl::string_view::npos) return v1::MEDIA_TYPE_UNSPECIFIED;
  const std::string extension = absl::AsciiStrToLower(path.substr(dot + 1));
  for (const auto& [name, type] : kTypes) {
    if (extension == name) return type;
  }
  return v1::MEDIA_TYPE_UNSPECIFIED;
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view word) {
  absl::Duration duration;
  double seconds = 0;
  if (absl::SimpleAtod(word, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(std::string(word), &duration)) {
    return Invalid(absl::StrCat("\"", word, "\" is not a duration: write 5s, 1m30s, or seconds"));
  }
  // More than a hundred years is a typing error, and does not fit into every type of time.
  if (!(duration >= absl::ZeroDuration()) || duration > absl::Hours(24 * 36500)) {
    return Invalid(
        absl::StrCat("\"", word, "\" is out of range: write a duration from 0 to 100 years"));
  }
  return duration;
}

absl::Status AddLabels(const std::vector<std::string>& words,
                       google::protobuf::Map<std::string, std::string>* labels) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Invalid(absl::StrCat("\"", word, "\" is not a label: write KEY=VALUE"));
    }
    std::string key = word.substr(0, equals);
    if (labels->contains(key)) {
      return Invalid(absl::StrCat("label \"", key, "\" is given twice; remove one"));
    }
    (*labels)[key] = word.substr(equals + 1);
  }
  return absl::OkStatus();
}

absl::Status AddOptions(const std::vector<std::string>& words,
                        google::protobuf::Map<std::string, google::protobuf::Struct>* options) {
  for (const std::string& word : words) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Invalid(
          absl::StrCat("\"", word, "\" is not an option: write PROVIDER='{\"KEY\": …}'"));
    }
    const auto provider = ResourceName("providers", word.substr(0, equals));
    if (!provider.ok()) return provider.status();
    google::protobuf::Struct fields;
    const auto parsed =
        google::protobuf::util::JsonStringToMessage(word.substr(equals + 1), &fields);
    if (!parsed.ok()) {
      return Invalid(absl::StrCat("the option for ", *provider,
                                  " is not a JSON object: ", parsed.message().ToString()));
    }
    (*options)[provider->substr(provider->find('/') + 1)].MergeFrom(fields);
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Reference> ParseReference(v1::Reference::Role role, absl::string_view word) {
  v1::Reference reference;
  reference.set_role(role);
  absl::string_view source = word;
  v1::MediaType type = v1::MEDIA_TYPE_UNSPECIFIED;
  TakeMediaType(source, type);
  const bool is_asset = absl::StartsWith(source, "assets/");
  if (is_asset) {
    reference.set_asset(std::string(source));
  } else if (absl::StrContains(source, ":")) {
    reference.set_uri(std::string(source));
    if (type == v1::MEDIA_TYPE_UNSPECIFIED && role != v1::Reference::REFERENCE) type = v1::IMAGE;
    if (type == v1::MEDIA_TYPE_UNSPECIFIED) type = GuessMediaType(source);
    if (type == v1::MEDIA_TYPE_UNSPECIFIED && IsWebAddress(source)) {
      return UnknownMediaType(source, "put image:, video: or audio: in front of it");
    }
  } else {
    return Invalid(absl::StrCat("\"", word,
                                "\" is neither a URL nor an asset: write https://…, or assets/ID "
                                "(`assetctl assets create` creates one)"));
  }
  if (type != v1::MEDIA_TYPE_UNSPECIFIED) reference.set_media_type(type);
  return reference;
}

template <typename Resource>
absl::StatusOr<typename Resource::State> ParseState(absl::string_view word) {
  typename Resource::State state;
  const std::string upper = absl::AsciiStrToUpper(word);
  if (Resource::State_Parse(upper, &state) && state != Resource::STATE_UNSPECIFIED) return state;
  std::vector<std::string> known;
  const auto* states = Resource::State_descriptor();
  for (int i = 1; i < states->value_count(); ++i) {
    known.push_back(absl::AsciiStrToLower(states->value(i)->name()));
  }
  return Invalid(
      absl::StrCat("\"", word, "\" is not a state: write one of ", absl::StrJoin(known, ", ")));
}

template absl::StatusOr<v1::Asset::State> ParseState<v1::Asset>(absl::string_view);
template absl::StatusOr<v1::VideoTask::State> ParseState<v1::VideoTask>(absl::string_view);

absl::StatusOr<std::vector<v1::CreateAssetRequest>> ParseAssetLines(
    std::istream& lines, const v1::CreateAssetRequest& defaults) {
  std::vector<v1::CreateAssetRequest> items;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (absl::StripAsciiWhitespace(line).empty()) continue;
    v1::CreateAssetRequest item;
    auto parsed = google::protobuf::util::JsonStringToMessage(line, &item);
    if (!parsed.ok()) {
      // It may be just an asset. If not, the error about the request says more than a second one.
      v1::Asset asset;
      if (google::protobuf::util::JsonStringToMessage(line, &asset).ok()) {
        item.Clear();
        *item.mutable_asset() = std::move(asset);
        parsed = {};
      }
    }
    if (!parsed.ok()) {
      return Invalid(
          absl::StrCat("line ", number, " is not an asset: ", parsed.message().ToString()));
    }
    v1::CreateAssetRequest whole = defaults;
    if (item.providers_size() > 0) whole.clear_providers();
    whole.MergeFrom(item);
    if (const absl::Status filled = FillMediaType(*whole.mutable_asset()); !filled.ok()) {
      return Invalid(absl::StrCat("line ", number, ": ", filled.message()));
    }
    items.push_back(std::move(whole));
  }
  return items;
}

absl::Status FillMediaType(v1::Asset& asset) {
  if (asset.media_type() != v1::MEDIA_TYPE_UNSPECIFIED) return absl::OkStatus();
  asset.set_media_type(GuessMediaType(asset.source_uri()));
  if (asset.media_type() == v1::MEDIA_TYPE_UNSPECIFIED && IsWebAddress(asset.source_uri())) {
    return UnknownMediaType(asset.source_uri(),
                            "pass --media-type image, video, audio or document");
  }
  return absl::OkStatus();
}

std::string MakeRequestId() {
  std::random_device random;
  std::array<std::uint32_t, 4> words{};
  for (std::uint32_t& word : words) word = random();
  words[1] = (words[1] & 0xFFFF0FFF) | 0x00004000;  // Version 4.
  words[2] = (words[2] & 0x3FFFFFFF) | 0x80000000;  // The variant of RFC 4122.
  return absl::StrFormat("%08x-%04x-%04x-%04x-%04x%08x", words[0], words[1] >> 16,
                         words[1] & 0xFFFF, words[2] >> 16, words[2] & 0xFFFF, words[3]);
}

}  // namespace assetgate::cli
