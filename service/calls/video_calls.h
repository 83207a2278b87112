// The calls of VideoService, without gRPC.
#ifndef ASSETGATE_CALLS_VIDEO_CALLS_H_
#define ASSETGATE_CALLS_VIDEO_CALLS_H_

#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "assetgate/v1/video_service.pb.h"
#include "base/clock.h"
#include "calls/caller.h"
#include "calls/eligibility.h"
#include "calls/router.h"
#include "calls/unfinished_videos.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "reconcile/reconciler.h"
#include "store/store.h"
#include "watch/stream.h"

namespace assetgate::calls {

// Checks each call, finds the targets that a new task can go to, and hands it to the reconciler.
// Each call uses the catalog that is in force when it arrives.
//
// Threading: thread-safe. A Reply runs on the reconciler's thread, or inside the call where the
// request is refused at once. Lifetime: the constructor's arguments outlive it.
class VideoCalls {
 public:
  VideoCalls(const model::CurrentCatalog& catalog, store::Store& store,
             reconcile::Reconciler& reconciler, UnfinishedVideos& unfinished_videos,
             const base::Clock& clock, Router router = Router())
      : catalog_(catalog),
        store_(store),
        reconciler_(reconciler),
        unfinished_videos_(unfinished_videos),
        clock_(clock),
        router_(std::move(router)) {}

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

  // The watch that the request asks for.
  absl::StatusOr<watch::WatchRequest> WatchVideoTasks(const Caller& caller,
                                                      const v1::WatchVideoTasksRequest& request);

 private:
  // The task that a request makes. Validates the request.
  absl::StatusOr<model::VideoEntity> NewVideo(const model::Catalog& catalog, const Caller& caller,
                                              const v1::CreateVideoTaskRequest& request,
                                              absl::Time now);
  // The targets that `task` can go to; sets the task's defaults, and its references' media types.
  absl::StatusOr<Eligibility> Route(const model::Catalog& catalog, const Caller& caller,
                                    const v1::CreateVideoTaskRequest& request, v1::VideoTask& task);
  // Has the caller's limit of unfinished videos checked before the commit.
  void LimitUnfinished(const Caller& caller, const std::string& id,
                       reconcile::Creation<model::VideoEntity>& creation);

  const model::CurrentCatalog& catalog_;
  store::Store& store_;
  reconcile::Reconciler& reconciler_;
  UnfinishedVideos& unfinished_videos_;
  const base::Clock& clock_;
  const Router router_;
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_VIDEO_CALLS_H_
