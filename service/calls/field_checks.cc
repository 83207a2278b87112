#include "calls/field_checks.h"

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "model/resource.h"
#include "model/settings.h"

namespace assetgate::calls {
namespace {

constexpr int kMaxLabels = 64;
constexpr std::size_t kMaxLabelKey = 63;
constexpr std::size_t kMaxLabelValue = 256;
constexpr std::size_t kMaxRequestId = 128;

// "IMAGE, VIDEO, AUDIO"; without the unspecified value.
std::string ValuesOf(const google::protobuf::EnumDescriptor* type) {
  std::vector<std::string> names;
  for (int i = 0; i < type->value_count(); ++i) {
    if (type->value(i)->number() != 0) names.push_back(type->value(i)->name());
  }
  return absl::StrJoin(names, ", ");
}

bool IsLabelKey(absl::string_view key) {
  return !key.empty() && key.size() <= kMaxLabelKey &&
         absl::ascii_isalnum(static_cast<unsigned char>(key[0])) &&
         std::all_of(key.begin(), key.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '_' || c == '.' ||
                  c == '-';
         });
}

}  // namespace

int Characters(absl::string_view text) {
  return static_cast<int>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void CheckLength(const std::string& field, absl::string_view text, int max, base::Faults& faults) {
  if (const int length = Characters(text); length > max) {
    faults.Add(field,
               absl::StrCat("is ", length, " characters long; at most ", max, " are accepted"));
  }
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
    faults.Add(field,
               absl::StrCat(base::Quoted(id), " is not an id; use 1 to 63 of a-z, 0-9 and -"));
  }
}

void CheckRequestId(const std::string& field, const std::string& id, base::Faults& faults) {
  if (id.size() > kMaxRequestId) {
    faults.Add(field, absl::StrCat("is ", id.size(), " bytes long; at most ", kMaxRequestId,
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
  const absl::Duration max = model::Settings().max_wait_limit;
  if (value < absl::ZeroDuration() || value > max) {
    faults.Add(field, absl::StrCat("is ", absl::FormatDuration(value), "; 0s to ",
                                   absl::FormatDuration(max), " are accepted"));
  }
}

void CheckLabels(const std::string& field,
                 const google::protobuf::Map<std::string, std::string>& labels,
                 base::Faults& faults) {
  if (labels.size() > kMaxLabels) {
    faults.Add(field, absl::StrCat("has ", labels.size(), " pairs; at most ", kMaxLabels,
                                   " are accepted"));
    return;
  }
  for (const auto& [key, value] : labels) {
    if (!IsLabelKey(key)) {
      faults.Add(field,
                 absl::StrCat("has the key ", base::Quoted(key),
                              "; keys are 1 to 63 of a-z, 0-9, _ . -, beginning with a letter "
                              "or digit"));
    }
    if (value.size() > kMaxLabelValue) {
      faults.Add(field,
                 absl::StrCat("has a value of ", value.size(), " bytes under ", base::Quoted(key),
                              "; at most ", kMaxLabelValue, " are accepted"));
    }
  }
}

void CheckCollectionName(const std::string& field, absl::string_view collection,
                         const std::string& name, base::Faults& faults) {
  if (!model::ParseName(collection, name).has_value()) {
    faults.Add(field,
               absl::StrCat(base::Quoted(name), " is not of the form ", collection, "/{id}"));
  }
}

absl::Status CheckProviders(const std::string& field,
                            const google::protobuf::RepeatedPtrField<std::string>& providers,
                            const model::Catalog& catalog, base::Faults& faults) {
  absl::Status unknown;
  if (providers.size() > kMaxProviders) {
    faults.Add(field, absl::StrCat("has ", providers.size(), " values; at most ", kMaxProviders,
                                   " are accepted"));
    return unknown;
  }
  std::set<std::string> seen;
  for (int i = 0; i < providers.size(); ++i) {
    const std::string path = absl::StrCat(field, "[", i, "]");
    const auto id = model::ParseProvider(providers[i]);
    if (!id.has_value()) {
      faults.Add(path, absl::StrCat(base::Quoted(providers[i]),
                                    " is not a provider's name; write providers/{id}"));
    } else if (!seen.insert(*id).second) {
      faults.Add(path, absl::StrCat("lists ", base::Quoted(*id), " twice; remove one"));
    } else if (catalog.FindProvider(*id) == nullptr && unknown.ok()) {
      unknown = catalog.NoSuchProvider(*id);
    }
  }
  return unknown;
}

}  // namespace assetgate::calls
