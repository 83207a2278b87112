#include "api/subject.h"

#include "absl/strings/string_view.h"

namespace assetgate::api {
namespace {

// The name of a resource whose id the caller chose; empty where the gateway chooses it.
std::string ChosenName(absl::string_view collection, const std::string& id) {
  return id.empty() ? "" : model::MakeName(collection, id);
}

}  // namespace

std::string NameIn(const v1::CreateAssetGroupRequest& request) {
  return ChosenName(model::kAssetGroups, request.asset_group_id());
}
std::string NameIn(const v1::CreateAssetRequest& request) {
  return ChosenName(model::kAssets, request.asset_id());
}
std::string NameIn(const v1::BatchCreateAssetsRequest& request) {
  // The line names a few: the request has not been validated, and may have any number of items.
  constexpr int kMaxNames = 3;
  std::string names;
  int named = 0;
  for (const v1::CreateAssetRequest& item : request.requests()) {
    if (item.asset_id().empty()) continue;
    if (named++ == kMaxNames) return absl::StrCat(names, ",…");
    absl::StrAppend(&names, names.empty() ? "" : ",", NameIn(item));
  }
  return names;
}
std::string NameIn(const v1::CreateVideoTaskRequest& request) {
  return ChosenName(model::kVideoTasks, request.video_task_id());
}
std::string NameIn(const v1::ImportVideoTaskRequest& request) {
  return ChosenName(model::kVideoTasks, request.video_task_id());
}

std::string NameIn(const v1::GetAssetGroupRequest& request) { return request.name(); }
std::string NameIn(const v1::DeleteAssetGroupRequest& request) { return request.name(); }
std::string NameIn(const v1::GetAssetRequest& request) { return request.name(); }
std::string NameIn(const v1::DeleteAssetRequest& request) { return request.name(); }
std::string NameIn(const v1::GetVideoTaskRequest& request) { return request.name(); }
std::string NameIn(const v1::CancelVideoTaskRequest& request) { return request.name(); }
std::string NameIn(const v1::ResolveVideoTaskRequest& request) { return request.name(); }
std::string NameIn(const v1::DeleteVideoTaskRequest& request) { return request.name(); }
std::string NameIn(const v1::GetProviderRequest& request) { return request.name(); }
std::string NameIn(const v1::GetModelRequest& request) { return request.name(); }
std::string NameIn(const v1::ExplainRequest& request) { return request.name(); }

std::string NameIn(const v1::ListAssetGroupsRequest& /*request*/) { return ""; }
std::string NameIn(const v1::ListAssetsRequest& /*request*/) { return ""; }
std::string NameIn(const v1::ListVideoTasksRequest& /*request*/) { return ""; }
std::string NameIn(const v1::ListProvidersRequest& /*request*/) { return ""; }
std::string NameIn(const v1::ListModelsRequest& /*request*/) { return ""; }

}  // namespace assetgate::api
