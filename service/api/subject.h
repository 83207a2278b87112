// What a log line says a call was about.
#ifndef ASSETGATE_API_SUBJECT_H_
#define ASSETGATE_API_SUBJECT_H_

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "assetgate/v1/asset_service.pb.h"
#include "model/resource.h"

namespace assetgate::api {

struct Subject {
  // "assets/hero"; of several, with commas between. Empty where no resource is named: lists, and
  // creations that came to nothing and chose no id.
  std::string names;
  // Who has it, or was asked, by the config's ids, with commas between; empty where it is nobody,
  // or not known.
  std::string providers;
};

// The resource that a request names, or would have made.
template <typename Request>
std::string NameIn(const Request& request) {
  absl::string_view collection;
  std::string id;
  if constexpr (requires { request.name(); }) {
    return request.name();
  } else if constexpr (requires { request.video_task_id(); }) {
    collection = model::kVideoTasks;
    id = request.video_task_id();
  } else if constexpr (requires { request.asset_group_id(); }) {
    collection = model::kAssetGroups;
    id = request.asset_group_id();
  } else if constexpr (requires { request.asset_id(); }) {
    collection = model::kAssets;
    id = request.asset_id();
  }
  return id.empty() ? "" : model::MakeName(collection, id);
}

// Of a call that was answered with `response`, which is empty where the call failed; `name` is that
// in its request.
template <typename Response>
Subject SubjectOf(const std::string& name, const Response& response) {
  std::set<std::string> providers;
  const auto add = [&providers](const auto& units) {
    for (const auto& unit : units) {
      providers.insert(model::ParseProvider(unit.provider()).value_or(""));
    }
  };
  Subject subject;
  if constexpr (requires { response.results(); }) {
    for (const auto& result : response.results()) {
      if (!result.has_asset()) continue;
      absl::StrAppend(&subject.names, subject.names.empty() ? "" : ",", result.asset().name());
      add(result.asset().placements());
    }
  } else {
    if constexpr (requires { response.name(); }) subject.names = response.name();
    if (subject.names.empty()) subject.names = name;
  }
  if constexpr (requires { response.placements(); }) add(response.placements());
  if constexpr (requires { response.attempts(); }) add(response.attempts());
  subject.providers = absl::StrJoin(providers, ",");
  return subject;
}

}  // namespace assetgate::api

#endif  // ASSETGATE_API_SUBJECT_H_
