// Every unary call, without gRPC: checks it, finds what it refers to, and has it done.
#ifndef ASSETGATE_CALLS_GATEWAY_H_
#define ASSETGATE_CALLS_GATEWAY_H_

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "calls/eligibility.h"
#include "calls/unfinished_videos.h"
#include "model/catalog.h"
#include "model/refusal.h"
#include "model/usable_providers.h"
#include "reconcile/reconciler.h"
#include "store/store.h"
#include "upstream/waited_call.h"
#include "watch/stream.h"

namespace assetgate::calls {

// Who calls, and until when an answer is of use to them.
struct Caller {
  std::string tenant = model::kDefaultTenant;
  // Stands in `creator`; empty where nobody is asked who they are.
  std::string identity;
  model::UsableProviders providers;
  // How many unfinished videos it may have; absent: as many as it likes.
  std::optional<int> most_unfinished_videos;
  absl::Time deadline = absl::InfiniteFuture();
  // For log lines.
  base::LogContext context;
  // Of calls that may wait for providers; may be null. Gone with the reply.
  std::shared_ptr<upstream::WaitedCall> waited;

  bool MayUse(const std::string& provider) const {
    return providers == nullptr || providers->contains(provider);
  }
};

// Thread-safe. Calls that take a Reply answer on the reconciler's thread, or, when the request is
// faulty, inside the call. Each goes by the catalog that is in force when it comes.
class Gateway {
 public:
  Gateway(const model::CurrentCatalog& catalog, store::Store& store,
          reconcile::Reconciler& reconciler, UnfinishedVideos& unfinished_videos,
          const base::Clock& clock)
      : catalog_(catalog),
        store_(store),
        reconciler_(reconciler),
        unfinished_videos_(unfinished_videos),
        clock_(clock) {}

  void CreateAssetGroup(const Caller& caller, const v1::CreateAssetGroupRequest& request,
                        reconcile::Reply<v1::AssetGroup> reply);
  absl::StatusOr<v1::AssetGroup> GetAssetGroup(const Caller& caller,
                                               const v1::GetAssetGroupRequest& request);
  absl::StatusOr<v1::ListAssetGroupsResponse> ListAssetGroups(
      const Caller& caller, const v1::ListAssetGroupsRequest& request);
  void DeleteAssetGroup(const Caller& caller, const v1::DeleteAssetGroupRequest& request,
                        reconcile::Reply<v1::DeleteAssetGroupResponse> reply);

  void CreateAsset(const Caller& caller, const v1::CreateAssetRequest& request,
                   reconcile::Reply<v1::Asset> reply);
  void BatchCreateAssets(const Caller& caller, const v1::BatchCreateAssetsRequest& request,
                         reconcile::Reply<v1::BatchCreateAssetsResponse> reply);
  absl::StatusOr<v1::Asset> GetAsset(const Caller& caller, const v1::GetAssetRequest& request);
  absl::StatusOr<v1::ListAssetsResponse> ListAssets(const Caller& caller,
                                                    const v1::ListAssetsRequest& request);
  void DeleteAsset(const Caller& caller, const v1::DeleteAssetRequest& request,
                   reconcile::Reply<v1::DeleteAssetResponse> reply);

  // Checks what a stream shall tell.
  absl::StatusOr<watch::WatchRequest> WatchAssets(const Caller& caller,
                                                  const v1::WatchAssetsRequest& request);

  void CreateVideoTask(const Caller& caller, const v1::CreateVideoTaskRequest& request,
                       reconcile::Reply<v1::VideoTask> reply);
  absl::StatusOr<v1::VideoTask> GetVideoTask(const Caller& caller,
                                             const v1::GetVideoTaskRequest& request);
  absl::StatusOr<v1::ListVideoTasksResponse> ListVideoTasks(
      const Caller& caller, const v1::ListVideoTasksRequest& request);
  void CancelVideoTask(const Caller& caller, const v1::CancelVideoTaskRequest& request,
                       reconcile::Reply<v1::VideoTask> reply);
  void ImportVideoTask(const Caller& caller, const v1::ImportVideoTaskRequest& request,
                       reconcile::Reply<v1::VideoTask> reply);
  void ResolveVideoTask(const Caller& caller, const v1::ResolveVideoTaskRequest& request,
                        reconcile::Reply<v1::VideoTask> reply);
  void DeleteVideoTask(const Caller& caller, const v1::DeleteVideoTaskRequest& request,
                       reconcile::Reply<v1::DeleteVideoTaskResponse> reply);

  absl::StatusOr<watch::WatchRequest> WatchVideoTasks(const Caller& caller,
                                                      const v1::WatchVideoTasksRequest& request);

  // Of the providers, those that the caller may use.
  void ListProviders(const Caller& caller, const v1::ListProvidersRequest& request,
                     reconcile::Reply<v1::ListProvidersResponse> reply);
  void GetProvider(const Caller& caller, const v1::GetProviderRequest& request,
                   reconcile::Reply<v1::Provider> reply);
  // Of the models, those that a provider makes which the caller may use, with these targets alone.
  absl::StatusOr<v1::ListModelsResponse> ListModels(const Caller& caller,
                                                    const v1::ListModelsRequest& request);
  absl::StatusOr<v1::Model> GetModel(const Caller& caller, const v1::GetModelRequest& request);
  void Explain(const Caller& caller, const v1::ExplainRequest& request,
               reconcile::Reply<v1::Explanation> reply);

 private:
  // What a request is to make; validates it.
  absl::StatusOr<model::GroupEntity> NewGroup(const model::Catalog& catalog, const Caller& caller,
                                              const v1::CreateAssetGroupRequest& request,
                                              absl::Time now);
  absl::StatusOr<std::vector<model::AssetEntity>> NewAssets(
      const model::Catalog& catalog, const Caller& caller,
      const v1::BatchCreateAssetsRequest& request);
  absl::StatusOr<model::VideoEntity> NewVideo(const model::Catalog& catalog, const Caller& caller,
                                              const v1::CreateVideoTaskRequest& request,
                                              absl::Time now);
  // The task that an import asks for; see VideoService.ImportVideoTask.
  absl::StatusOr<model::VideoEntity> NewImport(const model::Catalog& catalog, const Caller& caller,
                                               const v1::ImportVideoTaskRequest& request,
                                               absl::Time now);
  // One asset of a request that has been validated; checks what it refers to.
  absl::StatusOr<model::AssetEntity> NewAsset(const model::Catalog& catalog, const Caller& caller,
                                              const v1::CreateAssetRequest& request);
  // The targets a task can go to, and those passed over, of those that the caller may use; fills
  // the task's defaults.
  absl::StatusOr<Eligibility> Route(const model::Catalog& catalog, const Caller& caller,
                                    const v1::CreateVideoTaskRequest& request, v1::VideoTask& task);
  // The provider's model that an imported task was made with.
  absl::StatusOr<model::Target> ImportTarget(const model::Catalog& catalog, const Caller& caller,
                                             const v1::ImportVideoTaskRequest& request) const;
  // Whether the caller may use all providers that have a part in the row, or may get one.
  static bool MayUseProvidersOf(const Caller& caller, const store::Row& row);
  // A provider's task as a person names it.
  struct ProviderTask {
    std::string provider;
    // As it was typed.
    std::string id;
    // Null where the provider is not in the config any more.
    const provider::Dialect* dialect = nullptr;
    // What `dialect` makes of the id; may be empty.
    provider::Handle handle;
  };
  // Shows `judge` each attempt, of any tenant, that has the task, under whatever spelling of its
  // id; an error of it is the result. Otherwise: that no other row has the id when it is taken
  // over, so that of two calls which find the task free, at whatever gateways, one gets it.
  reconcile::AdoptionConditions FindHolders(
      const ProviderTask& task,
      absl::FunctionRef<absl::Status(const store::Key& holder, const v1::VideoTask&,
                                     const v1::Attempt&)>
          judge);
  // Fails when a task holds what is to be imported (see VideoService.ImportVideoTask).
  reconcile::AdoptionConditions ConditionsOfImport(const std::string& tenant,
                                                   const ProviderTask& task);
  // Fails when another task, of any tenant, is known by the id where the submission of `task` is in
  // doubt.
  reconcile::AdoptionConditions ConditionsOfResolution(const std::string& tenant,
                                                       const std::string& id,
                                                       const v1::VideoTask& task);
  // Has the caller's limit of unfinished videos looked at before the commit.
  void LimitUnfinished(const Caller& caller, const std::string& id,
                       reconcile::Creation<model::VideoEntity>& creation);
  absl::Time AnswerBy(const model::Catalog& catalog, const Caller& caller, bool has_max_wait,
                      const google::protobuf::Duration& max_wait) const;
  absl::StatusOr<store::Row> Read(const Caller& caller, store::Kind kind, const std::string& name,
                                  const std::string& field = "name");

  const model::CurrentCatalog& catalog_;
  store::Store& store_;
  reconcile::Reconciler& reconciler_;
  UnfinishedVideos& unfinished_videos_;
  const base::Clock& clock_;
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_GATEWAY_H_
