// What a person or a caller has done to a resource: cancel, resolve, delete.
#ifndef ASSETGATE_RECONCILE_COMMANDS_H_
#define ASSETGATE_RECONCILE_COMMANDS_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "model/apply.h"
#include "model/usable_providers.h"
#include "reconcile/engine.h"
#include "reconcile/reply.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Each command is NOT_ALLOWED where the resource has an attempt or a placement at a provider that
// is not `usable`.
//
// Threading: the reconciler's thread.
class Commands {
 public:
  explicit Commands(Engine& engine) : engine_(engine) {}

  void CancelVideo(const store::Key& key, model::UsableProviders usable,
                   Reply<v1::VideoTask> reply);
  // `adopt`: see Reconciler::ResolveVideo.
  void ResolveVideo(const store::Key& key, model::UsableProviders usable, model::Resolution said,
                    std::function<AdoptionConditions(const v1::VideoTask&)> adopt,
                    Reply<v1::VideoTask> reply);
  void DeleteGroup(const store::Key& key, model::UsableProviders usable,
                   Reply<v1::DeleteAssetGroupResponse> reply);
  void DeleteAsset(const store::Key& key, model::UsableProviders usable,
                   Reply<v1::DeleteAssetResponse> reply);
  void DeleteVideo(const store::Key& key, model::UsableProviders usable,
                   Reply<v1::DeleteVideoTaskResponse> reply);

 private:
  // Loads the item and gives it the change, whose `done` is set here: `result` makes the answer of
  // a change that was committed.
  template <typename T>
  void Run(const store::Key& key, Change change, absl::AnyInvocable<absl::StatusOr<T>() &&> result,
           Reply<T> reply);
  // A resolution whose adoption conditions are computed on a reader's thread, and again where they
  // no longer hold.
  struct Resolving {
    store::Key key;
    model::UsableProviders usable;
    model::Resolution said;
    std::function<AdoptionConditions(const v1::VideoTask&)> adopt;
    Reply<v1::VideoTask> reply;
  };
  using ResolvingPtr = std::shared_ptr<Resolving>;
  void PrepareResolution(ResolvingPtr resolving);
  // `conditions`: of the task at `revision`.
  void Resolve(ResolvingPtr resolving, store::Revision revision, AdoptionConditions conditions);

  template <typename Command>
  void CommandVideo(const store::Key& key, Command command, Reply<v1::VideoTask> reply);

  Engine& engine_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_COMMANDS_H_
