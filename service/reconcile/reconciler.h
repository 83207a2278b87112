// The thread-safe face of the reconciler: the one thread that moves unfinished work.
#ifndef ASSETGATE_RECONCILE_RECONCILER_H_
#define ASSETGATE_RECONCILE_RECONCILER_H_

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/explanation.pb.h"
#include "assetgate/v1/provider_service.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "base/event_loop.h"
#include "http/client.h"
#include "model/apply.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "model/usable_providers.h"
#include "reconcile/counts.h"
#include "reconcile/creation.h"
#include "reconcile/observed.h"
#include "reconcile/reply.h"
#include "store/store.h"
#include "upstream/telemetry.h"

namespace assetgate::reconcile {

// Notified of the providers' states.
class ProviderListener {
 public:
  virtual ~ProviderListener() = default;
  // The mode or the state of some providers has changed: DescribeProviders returns them. Called on
  // the reconciler's thread; must not block.
  virtual void OnProvidersChanged() = 0;
};

// One thread (the loop's) owns every unfinished resource. It never waits: commits, calls to
// providers, places at their gates and reads of the store are all answered by a task that is posted
// to it.
//
// Several gateways may share a store. Each plans what is in the shards whose leases it holds, and
// learns from the store's feed what the others commit.
//
// Threading: the public methods may be called from any thread, and answer on the loop.
// Lifetime: when it is destroyed, the loop must have stopped, and neither store nor leases call it
// any more. What calls were given to it (replies, `admit`, `adopt`) is not used after StopReading.
class Reconciler final : public store::ChangeListener {
 public:
  struct Parts {
    base::EventLoop& loop;
    store::Store& store;
    http::Client& http;
    // Read at start-up; replaced by Reconfigure.
    model::CurrentCatalog& catalog;
    upstream::Telemetry& telemetry;
    // Threads that read the store; 0: reads run on `loop`, which is for tests.
    int store_readers = 0;
  };

  explicit Reconciler(Parts parts);
  ~Reconciler() override;

  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  // Begins to follow what is in the shards of this gateway, those that it takes later included: the
  // unfinished rows are taken up a page at a time, and polls are spread over one interval. `done`
  // runs when all that is held at first is in memory.
  void Recover(absl::AnyInvocable<void() &&> done);

  // Called by the store.
  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override;
  void OnGap(store::Revision upto) override;

  // The one way in for what providers say of units: replies to submissions, polls, and webhooks. It
  // is applied to the unit's draft, and committed if it changes anything. Idempotent: what is known
  // already changes nothing.
  void Observe(Observed observed);

  // The results of a creation, one per resource and in their order.
  template <typename T>
  using Results = std::vector<absl::StatusOr<T>>;
  // The first request with the same request id was refused while this one waited for its answer:
  // nothing exists, the id is free again, and the call is to be carried out as if it came only now.
  struct RequestIdFreeAgain {};
  template <typename T>
  using CreateReply = absl::AnyInvocable<void(std::variant<Results<T>, RequestIdFreeAgain>) &&>;
  void CreateGroups(Creation<model::GroupEntity> creation, CreateReply<v1::AssetGroup> reply);
  void CreateAssets(Creation<model::AssetEntity> creation, CreateReply<v1::Asset> reply);
  void CreateVideos(Creation<model::VideoEntity> creation, CreateReply<v1::VideoTask> reply);

  // Commands. Each is NOT_ALLOWED where the resource has an attempt or a placement at a provider
  // that is not `usable`.
  void CancelVideo(store::Key key, model::UsableProviders usable, Reply<v1::VideoTask> reply);
  // `adopt` is called with the task as it was committed last; may be empty.
  void ResolveVideo(store::Key key, model::UsableProviders usable, model::Resolution said,
                    std::function<AdoptionConditions(const v1::VideoTask&)> adopt,
                    Reply<v1::VideoTask> reply);
  void DeleteGroup(store::Key key, model::UsableProviders usable,
                   Reply<v1::DeleteAssetGroupResponse> reply);
  void DeleteAsset(store::Key key, model::UsableProviders usable,
                   Reply<v1::DeleteAssetResponse> reply);
  void DeleteVideo(store::Key key, model::UsableProviders usable,
                   Reply<v1::DeleteVideoTaskResponse> reply);

  // Why the resource in `row` is where it is. `gateway`: the name of the gateway that holds its
  // shard; empty where that is unknown. Changes nothing.
  void Explain(store::Row row, std::string gateway, Reply<v1::Explanation> reply);
  // The providers as this gateway sees them.
  void DescribeProviders(Reply<std::vector<v1::Provider>> reply);
  // To be called before Recover. `listener` lives until the loop has stopped.
  void SetProviderListener(ProviderListener* listener);
  // For metrics.
  Unfinished unfinished() const;
  // A row cannot be read: it is counted and logged.
  void NoteUnreadable(store::Key key);

  // Replaces the catalog, and then puts it in force for everybody; `done` runs on the loop. Calls
  // in flight end with the catalog that they began with. Work that the former catalog held up is
  // planned again: a mode that lets it go, a key or an address in place of one that was refused or
  // did not answer, other intervals.
  void Reconfigure(model::CatalogPtr catalog, absl::AnyInvocable<void() &&> done);

  // From now on every waiting call is answered with what is there as soon as it is committed.
  void AnswerWaitersNow();
  // Once the loop has stopped: waits for reads of the store that are in flight, and ends their
  // threads. Idempotent.
  void StopReading();
  // Begins nothing new, after AnswerWaitersNow; `quiet` runs when nothing is in flight any more.
  void Drain(absl::AnyInvocable<void() &&> quiet);

 private:
  struct Wiring;

  const std::unique_ptr<Wiring> wiring_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_RECONCILER_H_
