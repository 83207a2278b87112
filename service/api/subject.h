// What the log line of a call says it was about: the resources, and the providers that have them.
#ifndef ASSETGATE_API_SUBJECT_H_
#define ASSETGATE_API_SUBJECT_H_

#include <concepts>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "google/protobuf/message.h"
#include "model/resource.h"

namespace assetgate::api {

struct Subject {
  // "assets/hero"; several are separated by commas. Empty where no resource is named: lists, and
  // creations that failed and chose no id.
  std::string names;
  // The ids of the providers that have the resource or were asked, separated by commas; empty where
  // there is none, or it is not known.
  std::string providers;
};

template <typename T>
concept ProtoMessage = std::derived_from<T, google::protobuf::Message>;

// The resources that a request names, or would create; empty for lists. One overload for each
// request of a unary method: a request without one does not compile with Method::Run.
std::string NameIn(const v1::CreateAssetGroupRequest& request);
std::string NameIn(const v1::GetAssetGroupRequest& request);
std::string NameIn(const v1::ListAssetGroupsRequest& request);
std::string NameIn(const v1::DeleteAssetGroupRequest& request);
std::string NameIn(const v1::CreateAssetRequest& request);
std::string NameIn(const v1::BatchCreateAssetsRequest& request);
std::string NameIn(const v1::GetAssetRequest& request);
std::string NameIn(const v1::ListAssetsRequest& request);
std::string NameIn(const v1::DeleteAssetRequest& request);
std::string NameIn(const v1::CreateVideoTaskRequest& request);
std::string NameIn(const v1::GetVideoTaskRequest& request);
std::string NameIn(const v1::ListVideoTasksRequest& request);
std::string NameIn(const v1::CancelVideoTaskRequest& request);
std::string NameIn(const v1::ImportVideoTaskRequest& request);
std::string NameIn(const v1::ResolveVideoTaskRequest& request);
std::string NameIn(const v1::DeleteVideoTaskRequest& request);
std::string NameIn(const v1::ListProvidersRequest& request);
std::string NameIn(const v1::GetProviderRequest& request);
std::string NameIn(const v1::ListModelsRequest& request);
std::string NameIn(const v1::GetModelRequest& request);
std::string NameIn(const v1::ExplainRequest& request);

// A request whose resources the log can name.
template <typename T>
concept NamesResources = ProtoMessage<T> && requires(const T& request) {
  { NameIn(request) } -> std::same_as<std::string>;
};

// The request_id of a request; empty where it has no such field.
template <ProtoMessage Request>
std::string RequestIdIn(const Request& request) {
  if constexpr (requires { request.request_id(); }) {
    return request.request_id();
  } else {
    return "";
  }
}

// Of a call that was answered with `response`, which is empty where the call failed; `name` is
// NameIn of its request.
template <ProtoMessage Response>
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
  } else if constexpr (requires { response.name(); }) {
    subject.names = response.name();
  }
  if (subject.names.empty()) subject.names = name;
  if constexpr (requires { response.placements(); }) add(response.placements());
  if constexpr (requires { response.attempts(); }) add(response.attempts());
  subject.providers = absl::StrJoin(providers, ",");
  return subject;
}

}  // namespace assetgate::api

#endif  // ASSETGATE_API_SUBJECT_H_
