// Filters of lists and watches.
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "calls/field_checks.h"
#include "calls/validate.h"
#include "model/resource.h"

namespace assetgate::calls {
namespace {

constexpr int kMaxFilterValues = 100;
constexpr int kMaxNames = 1000;

template <typename Values, typename Check>
void CheckValues(const std::string& field, const Values& values, base::Faults& faults,
                 Check check) {
  if (values.size() > kMaxFilterValues) {
    faults.Add(field, absl::StrCat("has ", values.size(), " values; at most ", kMaxFilterValues,
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
                  faults.Add(path, absl::StrCat(base::Quoted(value),
                                                " is not a provider's name; write providers/{id}"));
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
  if (names.size() > kMaxNames) {
    faults.Add("names", absl::StrCat("has ", names.size(), " values; at most ", kMaxNames,
                                     " are accepted; use a filter instead"));
    return ids;
  }
  for (int i = 0; i < names.size(); ++i) {
    if (auto id = model::ParseName(collection, names[i])) {
      ids.push_back(*std::move(id));
    } else {
      faults.Add(absl::StrCat("names[", i, "]"),
                 absl::StrCat(base::Quoted(names[i]), " is not of the form ", collection, "/{id}"));
    }
  }
  return ids;
}

}  // namespace assetgate::calls
