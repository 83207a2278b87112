#include "provider/rest.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/text.h"
#include "provider/failure.h"

namespace assetgate::provider {
namespace {

constexpr std::size_t kMaxIdBytes = 256;

bool IsGraphic(char c) { return absl::ascii_isgraph(static_cast<unsigned char>(c)); }

// The key in lower case and without separators: "callback_url", "callbackUrl" and "Callback-URL"
// are equal.
std::string LettersOf(absl::string_view key) {
  std::string letters;
  for (const char c : key) {
    if (c != '_' && c != '-') letters.push_back(absl::ascii_tolower(static_cast<unsigned char>(c)));
  }
  return letters;
}

// Why a caller must not set a key with these letters at any depth; empty where it may.
absl::string_view FaultOfLetters(absl::string_view letters) {
  for (const absl::string_view part : {"callback", "webhook", "notify"}) {
    if (absl::StrContains(letters, part)) {
      return "providers must not call other servers: watch the resource instead";
    }
  }
  for (const absl::string_view word :
       {"n", "count", "numvideos", "numoutputs", "numberofvideos", "videocount", "batchsize"}) {
    if (letters == word) {
      return "one task makes one video, and every further one is billed: create more tasks instead";
    }
  }
  for (const absl::string_view word : {"model", "prompt", "content"}) {
    if (letters == word)
      return "the gateway sends that itself: set the field of the request instead";
  }
  return "";
}

void AddOwnedKeyFaults(const google::protobuf::Struct& options, const std::string& prefix,
                       std::span<const OwnedKey> owned, std::vector<OptionFault>& faults);

void AddOwnedKeyFaults(const google::protobuf::Value& value, const std::string& path,
                       std::span<const OwnedKey> owned, std::vector<OptionFault>& faults) {
  if (value.has_struct_value()) {
    AddOwnedKeyFaults(value.struct_value(), path + ".", owned, faults);
  } else if (value.has_list_value()) {
    for (int i = 0; i < value.list_value().values_size(); ++i) {
      AddOwnedKeyFaults(value.list_value().values(i), absl::StrCat(path, "[", i, "]"), owned,
                        faults);
    }
  }
}

// Recursive: Protocol Buffers limits the nesting of requests.
void AddOwnedKeyFaults(const google::protobuf::Struct& options, const std::string& prefix,
                       std::span<const OwnedKey> owned, std::vector<OptionFault>& faults) {
  for (const auto& field : options.fields()) {
    const std::string path = absl::StrCat(prefix, field.first);
    const std::string letters = LettersOf(field.first);
    const auto found = std::find_if(owned.begin(), owned.end(), [&](const OwnedKey& candidate) {
      return LettersOf(candidate.key) == letters;
    });
    if (found != owned.end()) {
      faults.push_back(
          {path, absl::StrCat("the gateway sends \"", found->key, "\" itself: ", found->remedy)});
    } else if (const absl::string_view fault = FaultOfLetters(letters); !fault.empty()) {
      faults.push_back({path, std::string(fault)});
    } else {
      AddOwnedKeyFaults(field.second, path, owned, faults);
    }
  }
}

}  // namespace

http::Request JsonRequest(absl::string_view method, std::string path) {
  http::Request request;
  request.method = std::string(method);
  request.path = std::move(path);
  request.headers.push_back({"Accept", "application/json"});
  return request;
}

http::Request JsonRequest(absl::string_view method, std::string path,
                          const rapidjson::Value& body) {
  http::Request request = JsonRequest(method, std::move(path));
  request.headers.push_back({"Content-Type", "application/json"});
  request.body = base::WriteJson(body);
  return request;
}

void AuthorizeBearer(http::Request& request, const Credential& credential) {
  const auto key = credential.secrets.find("api_key");
  if (key == credential.secrets.end()) return;
  request.headers.push_back({"Authorization", absl::StrCat("Bearer ", key->second.Reveal())});
}

bool IsId(absl::string_view id) {
  return !id.empty() && id != "." && id != ".." && id.size() <= kMaxIdBytes &&
         std::all_of(id.begin(), id.end(), IsGraphic);
}

absl::Status NotAnId(absl::string_view id, absl::string_view form) {
  return absl::InvalidArgumentError(
      absl::StrCat(base::Quoted(id), " is not the id of a task at this provider (", form,
                   "); copy it from the provider's own list of tasks"));
}

Handle HandleOf(absl::string_view id) {
  rapidjson::Document doc(rapidjson::kObjectType);
  base::SetJson(doc, doc, "id", id);
  return base::WriteJson(doc);
}

std::string IdOf(const Handle& handle) {
  const std::optional<rapidjson::Document> doc = base::ParseJson(handle);
  return doc.has_value() ? base::JsonText(*doc, "id") : "";
}

std::string UriOf(absl::string_view iri) {
  std::string uri;
  uri.reserve(iri.size());
  for (const char c : iri) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      uri.push_back(c);
    } else {
      absl::StrAppend(&uri, "%", absl::AsciiStrToUpper(absl::StrCat(absl::Hex(byte))));
    }
  }
  return uri;
}

std::string MediaText(const ResolvedReference& reference) {
  return reference.provider_asset_id.empty()
             ? UriOf(reference.uri)
             : absl::StrCat("asset://", reference.provider_asset_id);
}

absl::string_view CutCharacters(absl::string_view text, std::size_t max_characters) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool continues = (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
    if (!continues && ++characters > max_characters) return text.substr(0, i);
  }
  return text;
}

absl::string_view LastSegment(absl::string_view resource_name) {
  const std::size_t slash = resource_name.rfind('/');
  return slash == absl::string_view::npos ? resource_name : resource_name.substr(slash + 1);
}

std::vector<OptionFault> OwnedKeyFaults(const google::protobuf::Struct& options,
                                        std::span<const OwnedKey> owned) {
  std::vector<OptionFault> faults;
  AddOwnedKeyFaults(options, "", owned, faults);
  // A Struct is not ordered.
  std::sort(faults.begin(), faults.end(),
            [](const OptionFault& a, const OptionFault& b) { return a.field < b.field; });
  return faults;
}

}  // namespace assetgate::provider
