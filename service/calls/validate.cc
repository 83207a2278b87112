#include "calls/validate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error.h"
#include "base/faults.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "calls/media_uri.h"
#include "google/protobuf/descriptor.h"
#include "model/resource.h"
#include "model/settings.h"
#include "model/sizes.h"
#include "provider/rest.h"

namespace assetgate::calls {
namespace {

constexpr int kLongestDisplayName = 256;
constexpr int kLongestDescription = 1024;
constexpr int kLongestPrompt = 10'000;
constexpr int kMostLabels = 64;
constexpr std::size_t kLongestLabelValue = 256;
constexpr std::size_t kLongestRequestId = 128;
constexpr int kMostFilterValues = 100;
constexpr int kMostNames = 1000;
constexpr int kMostBatch = 100;
constexpr int kMostReferences = 64;
constexpr int kMostProviders = 32;
constexpr int kMostOptionsBytes = 64 * 1024;

// Code points. Protocol Buffers has seen to it that the text is UTF-8.
int Characters(absl::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// UTF-16 code units: what lies beyond the Basic Multilingual Plane, four bytes in UTF-8, is two.
int Utf16CodeUnits(absl::string_view text) {
  return Characters(text) + static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
           return (static_cast<unsigned char>(c) & 0xF8) == 0xF0;
         }));
}

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

// What is wrong with a medium's URI by the extension of its path, where that says what it is.
template <typename Limits>
std::optional<std::string> FormatFault(absl::string_view uri, v1::MediaType type,
                                       const Limits& limits) {
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

// Adds what is wrong with values of provider_options, at any depth: numbers that JSON cannot hold,
// and URLs that a provider must not be sent to.
void CheckOptionValue(const google::protobuf::Value& value, const std::string& path,
                      base::Faults& faults) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kNumberValue:
      if (!std::isfinite(value.number_value())) {
        faults.Add(path,
                   "is NaN or infinite, which JSON cannot hold; give it a number, or leave it out");
      }
      break;
    case google::protobuf::Value::kStringValue: {
      // As those read it who take a URL: without blanks around it, and "//host/path" as one too.
      std::string text(absl::StripAsciiWhitespace(value.string_value()));
      if (absl::StartsWith(text, "//")) text.insert(0, "https:");
      const std::string scheme = absl::AsciiStrToLower(text.substr(0, text.find("://")));
      const bool is_uri = absl::StrContains(text, "://") && !scheme.empty() &&
                          std::all_of(scheme.begin(), scheme.end(), [](char c) {
                            return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' ||
                                   c == '-' || c == '.';
                          });
      if (!is_uri || scheme == "asset" || scheme == "assetid") break;
      if (const std::optional<std::string> fault = MediaUriFault(text)) faults.Add(path, *fault);
      break;
    }
    case google::protobuf::Value::kStructValue:
      for (const auto& [key, member] : value.struct_value().fields()) {
        CheckOptionValue(member, absl::StrCat(path, ".", base::CleanText(key, 100)), faults);
      }
      break;
    case google::protobuf::Value::kListValue:
      for (int i = 0; i < value.list_value().values_size(); ++i) {
        CheckOptionValue(value.list_value().values(i), absl::StrCat(path, "[", i, "]"), faults);
      }
      break;
    default:
      break;
  }
}

void CheckLength(const std::string& field, absl::string_view text, int most, base::Faults& faults) {
  if (const int length = Characters(text); length > most) {
    faults.Add(field,
               absl::StrCat("is ", length, " characters long; at most ", most, " are accepted"));
  }
}

std::string Shown(absl::string_view text) {
  return absl::StrCat("\"", base::CleanText(text, 100), "\"");
}

// "IMAGE, VIDEO, AUDIO"; without the unspecified value.
std::string ValuesOf(const google::protobuf::EnumDescriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; i < type->value_count(); ++i) {
    if (type->value(i)->number() != 0) names.push_back(type->value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

void CheckEnum(const std::string& field, int value, const google::protobuf::EnumDescriptor* type,
               base::Faults& faults) {
  if (value == 0) {
    faults.Add(field, absl::StrCat("is required; one of ", ValuesOf(type)));
  } else if (type->FindValueByNumber(value) == nullptr) {
    faults.Add(field, absl::StrCat("has the unknown value ", value, "; one of ", ValuesOf(type)));
  }
}

void CheckId(const std::string& field, const std::string& id, base::Faults& faults) {
  if (!id.empty() && !model::IsResourceId(id)) {
    faults.Add(field, absl::StrCat(Shown(id), " is no id; use 1 to 63 of a-z, 0-9 and -"));
  }
}

void CheckRequestId(const std::string& field, const std::string& id, base::Faults& faults) {
  if (id.size() > kLongestRequestId) {
    faults.Add(field, absl::StrCat("is ", id.size(), " bytes long; at most ", kLongestRequestId,
                                   " are accepted"));
  } else if (!std::all_of(id.begin(), id.end(), [](char c) {
               return absl::ascii_isgraph(static_cast<unsigned char>(c));
             })) {
    faults.Add(field, "has characters other than printable ASCII; a UUID is a good choice");
  }
}

void CheckMaxWait(const std::string& field, bool set, const google::protobuf::Duration& wait,
                  base::Faults& faults) {
  if (!set) return;
  const absl::Duration value = base::FromProto(wait);
  const absl::Duration most = model::Settings().max_wait_limit;
  if (value < absl::ZeroDuration() || value > most) {
    faults.Add(field, absl::StrCat("is ", absl::FormatDuration(value), "; 0s to ",
                                   absl::FormatDuration(most), " are accepted"));
  }
}

void CheckLabels(const std::string& field,
                 const google::protobuf::Map<std::string, std::string>& labels,
                 base::Faults& faults) {
  if (labels.size() > kMostLabels) {
    faults.Add(field, absl::StrCat("has ", labels.size(), " pairs; at most ", kMostLabels,
                                   " are accepted"));
    return;
  }
  for (const auto& [key, value] : labels) {
    const bool good = !key.empty() && key.size() <= 63 &&
                      absl::ascii_isalnum(static_cast<unsigned char>(key[0])) &&
                      std::all_of(key.begin(), key.end(), [](char c) {
                        return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                               absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_' ||
                               c == '.' || c == '-';
                      });
    if (!good) {
      faults.Add(field,
                 absl::StrCat("has the key ", Shown(key),
                              "; keys are 1 to 63 of a-z, 0-9, _ . -, beginning with a letter "
                              "or digit"));
    }
    if (value.size() > kLongestLabelValue) {
      faults.Add(field, absl::StrCat("has a value of ", value.size(), " bytes under ", Shown(key),
                                     "; at most ", kLongestLabelValue, " are accepted"));
    }
  }
}

absl::Status CheckOptions(
    const std::string& field,
    const google::protobuf::Map<std::string, google::protobuf::Struct>& options,
    provider::UnitKind kind, const model::Catalog& catalog, base::Faults& faults) {
  if (options.size() > kMostProviders) {
    faults.Add(field, absl::StrCat("has ", options.size(), " entries; at most ", kMostProviders,
                                   " are accepted"));
    return absl::OkStatus();
  }
  // In a fixed order: maps have none.
  std::set<std::string> ids;
  for (const auto& [id, unused] : options) ids.insert(id);
  for (const std::string& id : ids) {
    const model::ProviderEntry* provider = catalog.FindProvider(id);
    const std::string path = absl::StrCat(field, "[", base::CleanText(id, 63), "]");
    if (provider == nullptr) {
      faults.Add(path, absl::StrCat("names no configured provider; keys are provider ids (known: ",
                                    absl::StrJoin(catalog.providers(), ", ",
                                                  [](std::string* out, const auto& entry) {
                                                    absl::StrAppend(out, entry->id);
                                                  }),
                                    ")"));
      continue;
    }
    const google::protobuf::Struct& value = options.at(id);
    if (value.ByteSizeLong() > kMostOptionsBytes) {
      faults.Add(path, absl::StrCat("is larger than ", kMostOptionsBytes, " bytes"));
      continue;
    }
    // In a fixed order: a Struct has none.
    const std::map<std::string, google::protobuf::Value> members(value.fields().begin(),
                                                                 value.fields().end());
    for (const auto& [key, member] : members) {
      CheckOptionValue(member, absl::StrCat(path, ".", base::CleanText(key, 100)), faults);
    }
    for (const provider::OptionFault& fault : provider->dialect->CheckOptions(kind, value)) {
      faults.Add(absl::StrCat(path, ".", base::CleanText(fault.field, 200)), fault.description);
    }
  }
  return absl::OkStatus();
}

// Providers as request fields name them. The first unknown one is the status.
absl::Status CheckProviders(const std::string& field,
                            const google::protobuf::RepeatedPtrField<std::string>& providers,
                            const model::Catalog& catalog, base::Faults& faults) {
  absl::Status unknown;
  if (providers.size() > kMostProviders) {
    faults.Add(field, absl::StrCat("has ", providers.size(), " values; at most ", kMostProviders,
                                   " are accepted"));
    return unknown;
  }
  std::set<std::string> seen;
  for (int i = 0; i < providers.size(); ++i) {
    const std::string path = absl::StrCat(field, "[", i, "]");
    const auto id = model::ParseProvider(providers[i]);
    if (!id.has_value()) {
      faults.Add(path, absl::StrCat(Shown(providers[i]),
                                    " is no provider's name; write "
                                    "providers/{id}"));
    } else if (!seen.insert(*id).second) {
      faults.Add(path, absl::StrCat("names ", Shown(*id), " again"));
    } else if (catalog.FindProvider(*id) == nullptr && unknown.ok()) {
      unknown = catalog.NoSuchProvider(*id);
    }
  }
  return unknown;
}

void CheckCollectionName(const std::string& field, absl::string_view collection,
                         const std::string& name, base::Faults& faults) {
  if (!model::ParseName(collection, name).has_value()) {
    faults.Add(field, absl::StrCat(Shown(name), " is not of the form ", collection, "/{id}"));
  }
}

template <typename Values, typename Check>
void CheckValues(const std::string& field, const Values& values, base::Faults& faults,
                 Check check) {
  if (values.size() > kMostFilterValues) {
    faults.Add(field, absl::StrCat("has ", values.size(), " values; at most ", kMostFilterValues,
                                   " are accepted"));
    return;
  }
  for (int i = 0; i < values.size(); ++i) check(absl::StrCat(field, "[", i, "]"), values.Get(i));
}

void CheckFilterProviders(const google::protobuf::RepeatedPtrField<std::string>& providers,
                          base::Faults& faults) {
  CheckValues("filter.providers", providers, faults,
              [&](const std::string& path, const std::string& value) {
                if (!model::ParseProvider(value).has_value()) {
                  faults.Add(path, absl::StrCat(Shown(value),
                                                " is no provider's name; write "
                                                "providers/{id}"));
                }
              });
}

void CheckUpstreamIds(const std::string& field,
                      const google::protobuf::RepeatedPtrField<std::string>& ids,
                      base::Faults& faults) {
  CheckValues(field, ids, faults, [&](const std::string& path, const std::string& value) {
    if (value.empty()) faults.Add(path, "is empty");
    if (value.size() > 256) faults.Add(path, "is longer than 256 bytes");
  });
}

}  // namespace

absl::Status Validate(const v1::CreateAssetGroupRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  const v1::AssetGroup& group = request.asset_group();
  if (!request.has_asset_group()) faults.Add("asset_group", "is required");
  CheckLength("asset_group.display_name", group.display_name(), kLongestDisplayName, faults);
  CheckLength("asset_group.description", group.description(), kLongestDescription, faults);
  CheckLabels("asset_group.labels", group.labels(), faults);
  model::CheckSize("asset_group", group, faults);
  CheckId("asset_group_id", request.asset_group_id(), faults);
  if (absl::StartsWith(request.asset_group_id(), model::DefaultGroupId(""))) {
    faults.Add("asset_group_id",
               "begins with \"default-\", which is kept for the gateway's own groups");
  }
  CheckRequestId("request_id", request.request_id(), faults);
  CheckMaxWait("max_wait", request.has_max_wait(), request.max_wait(), faults);
  CheckOptions("asset_group.provider_options", group.provider_options(),
               provider::UnitKind::kAssetGroup, catalog, faults)
      .IgnoreError();
  return CheckProviders("providers", request.providers(), catalog, faults);
}

absl::Status Validate(const v1::CreateAssetRequest& request, const model::Catalog& catalog,
                      const std::string& prefix, base::Faults& faults) {
  const v1::Asset& asset = request.asset();
  if (!request.has_asset()) {
    faults.Add(prefix + "asset", "is required, with source_uri and media_type");
  } else {
    if (const auto fault = MediaUriFault(asset.source_uri())) {
      faults.Add(prefix + "asset.source_uri", *fault);
    }
    CheckEnum(prefix + "asset.media_type", asset.media_type(), v1::MediaType_descriptor(), faults);
  }
  CheckLength(prefix + "asset.display_name", asset.display_name(), kLongestDisplayName, faults);
  CheckLabels(prefix + "asset.labels", asset.labels(), faults);
  model::CheckSize(prefix + "asset", asset, faults);
  if (!asset.asset_group().empty()) {
    CheckCollectionName(prefix + "asset.asset_group", model::kAssetGroups, asset.asset_group(),
                        faults);
  }
  CheckId(prefix + "asset_id", request.asset_id(), faults);
  CheckRequestId(prefix + "request_id", request.request_id(), faults);
  CheckMaxWait(prefix + "max_wait", request.has_max_wait(), request.max_wait(), faults);
  CheckOptions(prefix + "asset.provider_options", asset.provider_options(),
               provider::UnitKind::kAsset, catalog, faults)
      .IgnoreError();
  absl::Status unknown = CheckProviders(prefix + "providers", request.providers(), catalog, faults);
  for (const std::string& name : request.providers()) {
    const model::ProviderEntry* provider =
        catalog.FindProvider(model::ParseProvider(name).value_or(""));
    if (provider == nullptr) continue;
    const v1::AssetCapabilities& capabilities = provider->dialect->traits().asset_capabilities;
    if (v1::MediaType_IsValid(asset.media_type()) && asset.media_type() != 0 &&
        std::find(capabilities.media_types().begin(), capabilities.media_types().end(),
                  asset.media_type()) == capabilities.media_types().end()) {
      faults.Add(prefix + "asset.media_type",
                 absl::StrCat("cannot be ", v1::MediaType_Name(asset.media_type()), " at provider ",
                              provider->id, ", which does not register such media"));
    }
    if (auto fault = FormatFault(asset.source_uri(), asset.media_type(), capabilities.media())) {
      faults.Add(prefix + "asset.source_uri", absl::StrCat(*fault, " by provider ", provider->id));
    }
    if (capabilities.https_only() && absl::StartsWithIgnoreCase(asset.source_uri(), "http://")) {
      faults.Add(prefix + "asset.source_uri",
                 absl::StrCat("has to be https for provider ", provider->id));
    }
    if (provider->mode != v1::Provider::SERVE) {
      faults.Add(
          prefix + "providers",
          absl::StrCat("names ", provider->id, ", which takes no new work at the moment (mode ",
                       v1::Provider::Mode_Name(provider->mode), ")"));
    }
  }
  return unknown;
}

absl::Status Validate(const v1::BatchCreateAssetsRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  CheckRequestId("request_id", request.request_id(), faults);
  CheckMaxWait("max_wait", request.has_max_wait(), request.max_wait(), faults);
  if (request.requests().empty()) faults.Add("requests", "is required; 1 to 100 items");
  if (request.requests_size() > kMostBatch) {
    faults.Add("requests", absl::StrCat("has ", request.requests_size(), " items; at most ",
                                        kMostBatch, " are accepted"));
    return absl::OkStatus();
  }
  absl::Status unknown;
  std::set<std::string> ids;
  for (int i = 0; i < request.requests_size(); ++i) {
    const v1::CreateAssetRequest& item = request.requests(i);
    const std::string prefix = absl::StrCat("requests[", i, "].");
    const absl::Status status = Validate(item, catalog, prefix, faults);
    if (unknown.ok()) unknown = status;
    if (!item.request_id().empty()) {
      faults.Add(prefix + "request_id", "has to be unset; the batch has one of its own");
    }
    if (item.has_max_wait()) {
      faults.Add(prefix + "max_wait", "has to be unset; the batch has one of its own");
    }
    if (!item.asset_id().empty() && !ids.insert(item.asset_id()).second) {
      faults.Add(prefix + "asset_id", absl::StrCat("is ", Shown(item.asset_id()), " again"));
    }
  }
  return unknown;
}

absl::Status Validate(const v1::CreateVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  const v1::VideoTask& task = request.video_task();
  CheckId("video_task_id", request.video_task_id(), faults);
  CheckRequestId("request_id", request.request_id(), faults);
  CheckMaxWait("max_wait", request.has_max_wait(), request.max_wait(), faults);
  if (!request.has_video_task()) {
    faults.Add("video_task", "is required, with model and prompt");
    return absl::OkStatus();
  }
  if (task.model().empty()) {
    faults.Add("video_task.model", "is required; ListModels tells the names");
  } else if (task.model().size() > 256) {
    faults.Add("video_task.model", "is longer than 256 bytes");
  }
  CheckLength("video_task.prompt", task.prompt(), kLongestPrompt, faults);
  CheckLabels("video_task.labels", task.labels(), faults);
  model::CheckSize("video_task", task, faults);
  if (task.has_duration()) {
    if (task.duration().nanos() != 0 || task.duration().seconds() == 0 ||
        task.duration().seconds() > 86'400 || task.duration().seconds() < -1) {
      faults.Add("video_task.duration",
                 absl::StrCat("is ", absl::FormatDuration(base::FromProto(task.duration())),
                              "; give whole seconds, more than 0"));
    }
  }
  if (task.has_resolution()) CheckLength("video_task.resolution", task.resolution(), 32, faults);
  if (task.has_aspect_ratio())
    CheckLength("video_task.aspect_ratio", task.aspect_ratio(), 32, faults);
  if (task.has_resolution() && task.resolution().empty()) {
    faults.Add("video_task.resolution", "is empty; leave it unset instead");
  }
  if (task.has_aspect_ratio() && task.aspect_ratio().empty()) {
    faults.Add("video_task.aspect_ratio", "is empty; leave it unset instead");
  }
  if (task.references_size() > kMostReferences) {
    faults.Add("video_task.references",
               absl::StrCat("has ", task.references_size(), " values; at most ", kMostReferences,
                            " are accepted"));
    return absl::OkStatus();
  }
  int first_frames = 0;
  int last_frames = 0;
  for (int i = 0; i < task.references_size(); ++i) {
    const v1::Reference& reference = task.references(i);
    const std::string path = absl::StrCat("video_task.references[", i, "]");
    CheckEnum(path + ".role", reference.role(), v1::Reference::Role_descriptor(), faults);
    first_frames += reference.role() == v1::Reference::FIRST_FRAME;
    last_frames += reference.role() == v1::Reference::LAST_FRAME;
    const bool frame = reference.role() == v1::Reference::FIRST_FRAME ||
                       reference.role() == v1::Reference::LAST_FRAME;
    if (frame && reference.media_type() != v1::MEDIA_TYPE_UNSPECIFIED &&
        reference.media_type() != v1::IMAGE) {
      faults.Add(path + ".media_type", "has to be IMAGE for a frame");
    }
    switch (reference.source_case()) {
      case v1::Reference::kUri:
        if (const auto fault = MediaUriFault(reference.uri())) faults.Add(path + ".uri", *fault);
        CheckEnum(path + ".media_type", reference.media_type(), v1::MediaType_descriptor(), faults);
        if (reference.media_type() == v1::DOCUMENT) {
          faults.Add(path + ".media_type", "is DOCUMENT, which no video is made from");
        }
        break;
      case v1::Reference::kAsset:
        CheckCollectionName(path + ".asset", model::kAssets, reference.asset(), faults);
        if (reference.media_type() != 0 && !v1::MediaType_IsValid(reference.media_type())) {
          CheckEnum(path + ".media_type", reference.media_type(), v1::MediaType_descriptor(),
                    faults);
        }
        break;
      case v1::Reference::SOURCE_NOT_SET:
        faults.Add(path, "has no source; set `uri` or `asset`");
        break;
    }
  }
  if (first_frames > 1) {
    faults.Add("video_task.references", "has several of role FIRST_FRAME; at most one is accepted");
  }
  if (last_frames > 1) {
    faults.Add("video_task.references", "has several of role LAST_FRAME; at most one is accepted");
  }
  if (last_frames > 0 && first_frames == 0) {
    faults.Add("video_task.references", "has a LAST_FRAME without a FIRST_FRAME; add one");
  }
  CheckOptions("video_task.provider_options", task.provider_options(), provider::UnitKind::kVideo,
               catalog, faults)
      .IgnoreError();
  return CheckProviders("providers", request.providers(), catalog, faults);
}

absl::Status Validate(const v1::ImportVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  CheckId("video_task_id", request.video_task_id(), faults);
  CheckRequestId("request_id", request.request_id(), faults);
  if (request.model().empty()) {
    faults.Add("model", "is required: what the task was made with; ListModels tells the names");
  } else if (request.model().size() > 256) {
    faults.Add("model", "is longer than 256 bytes");
  }
  CheckLength("prompt", request.prompt(), kLongestPrompt, faults);
  CheckLabels("labels", request.labels(), faults);
  if (!provider::IsId(request.provider_task_id())) {
    faults.Add(
        "provider_task_id",
        request.provider_task_id().empty()
            ? "is required: the provider's own id of the task"
            : "is not an id: 1 to 256 printable ASCII characters without spaces; copy it from "
              "the provider's own list of tasks");
  }
  const auto provider = model::ParseProvider(request.provider());
  if (!provider.has_value()) {
    faults.Add("provider",
               request.provider().empty()
                   ? std::string("is required: providers/{id}")
                   : absl::StrCat(Shown(request.provider()), " is not of the form providers/{id}"));
    return absl::OkStatus();
  }
  if (catalog.FindProvider(*provider) == nullptr) return catalog.NoSuchProvider(*provider);
  return absl::OkStatus();
}

void Validate(const v1::AssetFilter& filter, base::Faults& faults) {
  CheckValues("filter.asset_groups", filter.asset_groups(), faults,
              [&](const std::string& path, const std::string& value) {
                CheckCollectionName(path, model::kAssetGroups, value, faults);
              });
  CheckFilterProviders(filter.providers(), faults);
  CheckValues("filter.states", filter.states(), faults, [&](const std::string& path, int value) {
    CheckEnum(path, value, v1::Asset::State_descriptor(), faults);
  });
  CheckValues("filter.media_types", filter.media_types(), faults,
              [&](const std::string& path, int value) {
                CheckEnum(path, value, v1::MediaType_descriptor(), faults);
              });
  CheckLabels("filter.labels", filter.labels(), faults);
  CheckUpstreamIds("filter.provider_asset_ids", filter.provider_asset_ids(), faults);
}

void Validate(const v1::AssetGroupFilter& filter, base::Faults& faults) {
  CheckFilterProviders(filter.providers(), faults);
  CheckLabels("filter.labels", filter.labels(), faults);
  CheckUpstreamIds("filter.provider_group_ids", filter.provider_group_ids(), faults);
}

void Validate(const v1::VideoTaskFilter& filter, base::Faults& faults) {
  CheckUpstreamIds("filter.models", filter.models(), faults);
  CheckFilterProviders(filter.providers(), faults);
  CheckValues("filter.states", filter.states(), faults, [&](const std::string& path, int value) {
    CheckEnum(path, value, v1::VideoTask::State_descriptor(), faults);
  });
  CheckLabels("filter.labels", filter.labels(), faults);
  CheckValues("filter.assets", filter.assets(), faults,
              [&](const std::string& path, const std::string& value) {
                CheckCollectionName(path, model::kAssets, value, faults);
              });
  CheckUpstreamIds("filter.provider_task_ids", filter.provider_task_ids(), faults);
}

std::vector<std::string> ValidateNames(absl::string_view collection,
                                       const google::protobuf::RepeatedPtrField<std::string>& names,
                                       base::Faults& faults) {
  std::vector<std::string> ids;
  if (names.size() > kMostNames) {
    faults.Add("names", absl::StrCat("has ", names.size(), " values; at most ", kMostNames,
                                     " are accepted; use a filter instead"));
    return ids;
  }
  for (int i = 0; i < names.size(); ++i) {
    if (auto id = model::ParseName(collection, names[i])) {
      ids.push_back(*std::move(id));
    } else {
      faults.Add(absl::StrCat("names[", i, "]"),
                 absl::StrCat(Shown(names[i]), " is not of the form ", collection, "/{id}"));
    }
  }
  return ids;
}

void FillDefaults(const v1::VideoTask& defaults, v1::VideoTask& task) {
  if (!task.has_duration() && defaults.has_duration())
    *task.mutable_duration() = defaults.duration();
  if (!task.has_resolution() && defaults.has_resolution())
    task.set_resolution(defaults.resolution());
  if (!task.has_aspect_ratio() && defaults.has_aspect_ratio()) {
    task.set_aspect_ratio(defaults.aspect_ratio());
  }
  if (!task.has_generate_audio() && defaults.has_generate_audio()) {
    task.set_generate_audio(defaults.generate_audio());
  }
  if (!task.has_watermark() && defaults.has_watermark()) task.set_watermark(defaults.watermark());
  if (!task.has_seed() && defaults.has_seed()) task.set_seed(defaults.seed());
  if (!task.has_camera_fixed() && defaults.has_camera_fixed()) {
    task.set_camera_fixed(defaults.camera_fixed());
  }
  if (!task.has_return_last_frame() && defaults.has_return_last_frame()) {
    task.set_return_last_frame(defaults.return_last_frame());
  }
}

namespace {

template <typename Values, typename T>
bool Contains(const Values& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// Collects why one target cannot.
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
      Add(field, "does not take ", Shown(value), "; one of ",
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
