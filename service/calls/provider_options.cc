#include "calls/provider_options.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/text.h"
#include "calls/field_checks.h"
#include "calls/media_uri.h"

namespace assetgate::calls {
namespace {

constexpr int kMaxOptionsBytes = 64 * 1024;

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
      // As providers read a URL: without blanks around it, and "//host/path" as one too.
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

}  // namespace

void CheckProviderOptions(
    const std::string& field,
    const google::protobuf::Map<std::string, google::protobuf::Struct>& options,
    provider::UnitKind kind, const model::Catalog& catalog, base::Faults& faults) {
  if (options.size() > kMaxProviders) {
    faults.Add(field, absl::StrCat("has ", options.size(), " entries; at most ", kMaxProviders,
                                   " are accepted"));
    return;
  }
  // In a fixed order: maps have none.
  std::set<std::string> ids;
  for (const auto& [id, unused] : options) ids.insert(id);
  for (const std::string& id : ids) {
    const model::ProviderEntry* provider = catalog.FindProvider(id);
    const std::string path = absl::StrCat(field, "[", base::CleanText(id, 63), "]");
    if (provider == nullptr) {
      faults.Add(path, absl::StrCat("is not a configured provider; keys are provider ids (known: ",
                                    absl::StrJoin(catalog.providers(), ", ",
                                                  [](std::string* out, const auto& entry) {
                                                    absl::StrAppend(out, entry->id);
                                                  }),
                                    ")"));
      continue;
    }
    const google::protobuf::Struct& value = options.at(id);
    if (value.ByteSizeLong() > kMaxOptionsBytes) {
      faults.Add(path, absl::StrCat("is larger than ", kMaxOptionsBytes, " bytes"));
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
}

}  // namespace assetgate::calls
