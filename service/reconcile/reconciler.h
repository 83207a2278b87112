// Moves every unfinished resource on: submits, polls, settles.
#ifndef ASSETGATE_RECONCILE_RECONCILER_H_
#define ASSETGATE_RECONCILE_RECONCILER_H_

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/random/random.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "assetgate/v1/asset_service.pb.h"
#include "assetgate/v1/explanation.pb.h"
#include "assetgate/v1/video_service.pb.h"
#include "base/event_loop.h"
#include "http/client.h"
#include "model/catalog.h"
#include "model/settings.h"
#include "model/usable_providers.h"
#include "reconcile/item.h"
#include "reconcile/model_slots.h"
#include "store/store.h"
#include "upstream/gate.h"
#include "upstream/telemetry.h"
#include "upstream/waited_call.h"

namespace assetgate::reconcile {

// Consumed once, on the reconciler's thread, never inside the call that took it. Must not block.
template <typename T>
using Reply = absl::AnyInvocable<void(absl::StatusOr<T>) &&>;

// Asked before a provider's task is taken over: why it may not be, or what has to hold when that is
// committed. Asked anew, on the reconciler's thread, when it did not hold.
using AdoptionConditions = absl::StatusOr<std::vector<store::Conditions::TermAnywhere>>;

// New resources that one request asks for: validated, with keys and revision 0.
template <typename EntityT>
struct Creation {
  std::vector<EntityT> entities;
  // The request id that makes a repetition find them, if the caller gave one.
  std::optional<store::RequestRow> claim;
  // Asked before anything is committed: an error is the answer, unless the request turns out to be
  // a repetition. What it gives lives until the commit is done, or given up.
  std::function<absl::StatusOr<std::shared_ptr<void>>()> admit;
  // Of what a provider already has; may be empty.
  std::function<AdoptionConditions()> adopt;
  // Whether a stored request is the same as this one.
  std::function<bool(const std::string& stored)> same_request;
  // Set where the request id is known to be taken: the answer is that of the first request.
  // `entities` is empty.
  std::optional<store::RequestRow> repeated;
  // The reply comes then, whatever has been heard.
  absl::Time answer_by;
  // For the log lines that follow from it.
  base::LogContext context;
  // While its caller waits.
  std::weak_ptr<upstream::WaitedCall> waited;
};

// The whole answer to a creation whose request id was taken, when the first request was refused
// while this one waited for its answer: nothing exists, the id is free again, and the call is to be
// carried out as if it came only now.
absl::Status RequestIdFreeAgain();
bool IsRequestIdFreeAgain(const absl::Status& status);

// How many units are not final, of those that this gateway follows.
struct Unfinished {
  // By provider; tasks that no provider has been tried for stand under "".
  std::map<std::pair<base::MetricKind, std::string>, std::int64_t> by_provider;
  // By what they wait for.
  std::map<std::pair<base::MetricKind, v1::Waiting::Reason>, std::int64_t> by_reason;
  // Attempts that are UNCONFIRMED, by provider.
  std::map<std::string, std::int64_t> unconfirmed;
};

// Hears that providers have changed.
class ProviderListener {
 public:
  virtual ~ProviderListener() = default;
  // The mode or the state of some of them is another than before: DescribeProviders tells. Comes on
  // the reconciler's thread and must not block.
  virtual void OnProvidersChanged() = 0;
};

// One thread (the loop's) owns every unfinished resource; the public methods may be called from any
// thread and answer on the loop. Level-triggered: each resource is looked at as it was committed,
// and its next step follows from that alone, so that nothing depends on an event being seen.
//
// Several gateways may share a store. Each follows what is in the shards whose leases it holds, and
// hears through the store's feed of what others commit.
class Reconciler final : public store::ChangeListener, public store::LeaseListener {
 public:
  struct Parts {
    base::EventLoop& loop;
    store::Store& store;
    http::Client& http;
    // Goes by what is in force at first, and puts what Reconfigure brings in its place.
    model::CurrentCatalog& catalog;
    upstream::Telemetry& telemetry;
  };

  explicit Reconciler(Parts parts);
  // The loop must have stopped, and neither store nor leases call it any more.
  ~Reconciler() override;

  Reconciler(const Reconciler&) = delete;
  Reconciler& operator=(const Reconciler&) = delete;

  // Begins to follow what is in the shards of this gateway, those that it takes later included: the
  // unfinished rows are taken up a page at a time, and polls are spread over one interval. `done`
  // runs when all that is held at first is in memory.
  void Recover(absl::AnyInvocable<void() &&> done);

  // Called by the store. Takes what other gateways did into an inbox, which is bounded: when it
  // overflows, what is in memory is compared with the store instead. Never blocks.
  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override
      ABSL_LOCKS_EXCLUDED(inbox_mu_);
  // What is in memory is compared with the store.
  void OnGap(store::Revision upto) override ABSL_LOCKS_EXCLUDED(inbox_mu_);
  void OnTaken(const std::vector<store::Shard>& shards) override;
  void OnLost(const std::vector<store::Shard>& shards) override;

  // One result per entity, in their order.
  void CreateGroups(Creation<model::GroupEntity> creation,
                    Reply<std::vector<absl::StatusOr<v1::AssetGroup>>> reply);
  void CreateAssets(Creation<model::AssetEntity> creation,
                    Reply<std::vector<absl::StatusOr<v1::Asset>>> reply);
  void CreateVideos(Creation<model::VideoEntity> creation,
                    Reply<std::vector<absl::StatusOr<v1::VideoTask>>> reply);
  // Commands. Each is NOT_ALLOWED where the resource has an attempt or a placement at a provider
  // that is not `usable`.
  void CancelVideo(store::Key key, model::UsableProviders usable, Reply<v1::VideoTask> reply);
  // `adopt` is asked with the task as it was committed last; may be empty.
  void ResolveVideo(store::Key key, model::UsableProviders usable, model::Resolution said,
                    std::function<AdoptionConditions(const v1::VideoTask&)> adopt,
                    Reply<v1::VideoTask> reply);
  void DeleteGroup(store::Key key, model::UsableProviders usable,
                   Reply<v1::DeleteAssetGroupResponse> reply);
  void DeleteAsset(store::Key key, model::UsableProviders usable,
                   Reply<v1::DeleteAssetResponse> reply);
  void DeleteVideo(store::Key key, model::UsableProviders usable,
                   Reply<v1::DeleteVideoTaskResponse> reply);

  // Why the resource in `row` stands where it stands. `gateway`: the name of who holds its shard;
  // empty where that is not known. Changes nothing.
  void Explain(store::Row row, std::string gateway, Reply<v1::Explanation> reply);
  // A provider as it is seen from here. Any thread; answers on the loop.
  void DescribeProviders(Reply<std::vector<v1::Provider>> reply);
  // Before Recover. `listener` lives until the loop has stopped.
  void SetProviderListener(ProviderListener* listener) { provider_listener_ = listener; }
  // For metrics; any thread.
  Unfinished unfinished() const;
  // A row was found that cannot be read: it is counted and logged. Any thread.
  void NoteUnreadable(store::Key key);

  // Goes by another catalog from now on, and puts it in force for everybody once it does; `done`
  // runs on the loop then. What is under way ends with what it was begun with. Work that the former
  // catalog held up is looked at again: a mode that lets it go, a key or an address in place of one
  // that was refused or did not answer, other intervals. Any thread.
  void Reconfigure(model::CatalogPtr catalog, absl::AnyInvocable<void() &&> done);

  // From now on, whoever waits is answered with what is there as soon as it is committed.
  void Hurry();
  // Begins nothing new, after Hurry; `quiet` runs when no submission is under way any more.
  void Drain(absl::AnyInvocable<void() &&> quiet);

 private:
  friend class Item;
  template <typename EntityT>
  friend class PlacementItem;
  friend class GroupItem;
  friend class AssetItem;
  friend class VideoItem;
  friend class DeletionItem;

  // An error as a whole is RequestIdFreeAgain.
  using CreateDone =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<absl::StatusOr<const Item*>>>) &&>;
  struct PendingCreation {
    std::vector<std::unique_ptr<Item>> items;
    std::optional<store::RequestRow> claim;
    std::function<absl::StatusOr<std::shared_ptr<void>>()> admit;
    std::shared_ptr<void> admitted;
    std::function<AdoptionConditions()> adopt;
    std::vector<store::Conditions::TermAnywhere> absent_anywhere;
    std::function<bool(const std::string&)> same_request;
    std::optional<store::RequestRow> repeated;
    // The store has said that its request id was free.
    bool known_new = false;
    absl::Time answer_by;
    std::weak_ptr<upstream::WaitedCall> waited;
    CreateDone done;
  };
  struct Gathering;

  // Applies a command to a task; the answer is the task as it then stands.
  void CommandVideo(store::Key key, absl::AnyInvocable<absl::Status(VideoItem&)> command,
                    Reply<v1::VideoTask> reply);
  template <typename EntityT, typename ItemT>
  void CreateTyped(Creation<EntityT> creation,
                   Reply<std::vector<absl::StatusOr<typename EntityT::Resource>>> reply);
  void Create(PendingCreation creation);
  // Answers a creation that cannot be carried out, unless it repeats one that was: then it gets the
  // answer to that one. The request id is looked up only here; on the way of a new request the
  // commit itself finds that it is taken.
  void RefuseCreation(PendingCreation& creation, const absl::Status& why);
  // Whether a creation that is about to be refused repeats another request: whose row it is.
  absl::StatusOr<std::optional<store::RequestRow>> FirstOf(const PendingCreation& creation);
  void CommitCreation(std::shared_ptr<PendingCreation> creation,
                      std::shared_ptr<Gathering> gathering);
  // `round`: which of the creation's items were in the transaction, in the order of its writes.
  void OnCreated(std::shared_ptr<PendingCreation> creation, std::shared_ptr<Gathering> gathering,
                 const std::vector<std::size_t>& round, store::CommitResult result);
  // Looks whether a creation is there whose commit the store could not tell. That it is not there
  // proves nothing.
  void LookUp(const Gathering& gathering, const std::vector<std::size_t>& round,
              store::CommitResult& result);
  void EndCreation(const PendingCreation& creation);
  // Logs it, now and then.
  void NoteStoreTrouble(const std::string& trouble);
  void AnswerDuplicate(const store::RequestRow& row, PendingCreation& creation);
  // What a duplicate is answered whose resource is not there.
  void AnswerGone(Gathering& gathering, std::size_t i, const store::RequestRow& row);
  void AddWaiter(Item& item, Waiter waiter);

  // The engine.
  void Advance(Item& item);
  void PostAdvance(Item& item);
  void Commit(Item& item);
  // The draft of a round could not be read again: what led to it is dropped, and the units that it
  // was said of end with an error.
  void RejectDraft(Item& item);
  // `others`: what else was written, and at which revision it was before.
  using WrittenRows = std::vector<std::pair<store::Key, store::Revision>>;
  void OnCommitted(const store::Key& key, const WrittenRows& others, store::CommitResult result);
  // After a round: actions, answers, timers, and whether the item stays.
  void Settle(Item& item, bool committed);
  void AnswerWaiters(Item& item);
  // Commits that somebody here was told of the item, so that its creator at another gateway does
  // not take it back.
  void TellCreator(Item& item);
  // A round of an item that is ReadOnly: whoever asked for a change is told so.
  void LeaveAlone(Item& item, std::vector<Change> changes);
  void FailChanges(std::vector<Change>& changes, const absl::Status& status);
  void SetTimer(Item& item);
  void Drop(const store::Key& key);

  // In memory, or from the store; nullptr when there is none.
  Item* Find(const store::Key& key);
  // Likewise, when it is still the same one.
  Item* Find(const store::Key& key, std::uint64_t serial);
  std::uint64_t NextSerial() { return ++last_serial_; }
  absl::StatusOr<Item*> FindOrLoad(const store::Key& key);
  // The same, as it is in the store: this gateway may not have heard yet what others have told of
  // it, or may have lost its lease while it stood still.
  absl::StatusOr<Item*> FindNewest(const store::Key& key);
  std::unique_ptr<Item> NewItem(const store::Key& key);
  void AddChange(Item& item, Change change);
  void WakeAll(const absl::flat_hash_set<store::Key>& keys);

  // --- Several gateways
  // Whether this gateway plans what is in the shard.
  bool Follows(const Item& item) const { return held_[item.shard_]; }
  store::Leases& leases() { return parts_.store.leases(); }
  // The shard of the content that an item is about to get.
  store::Shard ShardFor(const Item& item, const store::Content& content);
  // A listing of the unfinished rows of shards that is under way.
  struct Listing {
    std::vector<store::Shard> shards;
    std::optional<store::Key> after;
  };
  void ReadPage(Listing listing);
  void TakeUp(const store::Row& row);
  void EndListing();
  // Looks at what other gateways did.
  void ReadInbox() ABSL_LOCKS_EXCLUDED(inbox_mu_);
  // Has what is in memory compared with the store, soon: what the inbox knew is not enough.
  void CompareAll(absl::Duration delay) ABSL_LOCKS_EXCLUDED(inbox_mu_);
  void Hear(const store::Change& change);
  // Brings an item that is not being committed up to what the store has.
  void Refresh(Item& item);
  void Refresh(Item& item, const store::Row& row);
  // The item's row is gone, by another gateway's doing.
  void Vanish(Item& item);
  // Divides budgets, now and then.
  void ShareBudgets();
  // Makes the gates that the catalog's providers lack, and has the others go by it.
  void SetUpGates(const model::ProviderChanges& changes);
  // --- What a provider takes only so many of at one time
  // Counts the slots that the catalog in force limits.
  void FollowSlots();
  void ReadSlots(std::optional<store::Key> after);
  // Whether a task may be submitted there as far as slots go: absent where it may. `since`: where
  // it stands in the line of those that wait, which it joins if it is given.
  struct NoSlot {
    std::string message;
    absl::Time until;
  };
  std::optional<NoSlot> NoSlotFor(const store::Key& task, const model::ProviderEntry& provider,
                                  const std::string& model) const;
  void JoinSlotLine(const store::Key& task, const ModelSlot& slot, absl::Time since);
  void TakeSlot(const store::Key& task, const ModelSlot& slot);
  // The task is not going to be submitted now, and waits in no line.
  void ReleaseSlot(const store::Key& task);
  // Has as many waiting tasks look again as there are free slots.
  void WakeForSlots();
  // Whether the unit's submission may begin as far as the provider's bound on asset submissions
  // goes; where it may, it counts until its answer is there. Where it may not, the item looks again
  // when it may.
  bool TakeUploadPlace(const store::Key& asset, std::size_t unit,
                       const model::ProviderEntry& provider, absl::Time since);
  void WakeForUpload(const std::string& provider_id);
  // Looks at the items again, some at a time, from the `from`th on.
  void WakeInTurn(std::shared_ptr<const std::vector<store::Key>> keys, std::size_t from);

  // --- Commits whose outcome the store could not tell
  // What such a transaction may have made of a row, or may yet make of it.
  struct Doubt {
    // The row's revision before it; 0 where there was none.
    store::Revision before = 0;
    // Of a creation, the internal content of its draft. This gateway has sent nothing for it.
    std::optional<std::string> created;
    absl::Time since;
  };
  // From now on the row is compared with the store until the store has said what became of it; what
  // appears is followed.
  void AddDoubt(store::Key key, store::Revision before,
                std::optional<std::string> created = std::nullopt);
  void AskAboutDoubts();
  // The store has decided about what was in doubt when it was asked. Looks at some rows at a time,
  // from the `from`th on.
  void DecideDoubts(std::shared_ptr<const std::vector<store::Key>> keys, std::size_t from,
                    absl::Time asked);
  void DecideDoubt(const store::Key& key, absl::Time asked);
  // Puts a row into memory and has it planned.
  Item& Adopt(const store::Row& row);

  // For items.
  absl::Time Now() const { return parts_.loop.Now(); }
  // By how much the clock was behind the store when this process began. What the journal dates is
  // dated, and its age told, as if it were not: a key may only be used while its window is surely
  // open.
  absl::Duration behind() const { return behind_; }
  const model::Settings& settings() const { return catalog_->settings(); }
  const model::Catalog& catalog() const { return *catalog_; }
  // For what outlives the present task: it holds on to the providers that it means.
  const model::CatalogPtr& catalog_ptr() const { return catalog_; }
  upstream::Telemetry& telemetry() { return parts_.telemetry; }
  // Of a provider that is, or was, in the catalog.
  upstream::Gate& gate(const std::string& provider_id) { return *gates_.at(provider_id); }
  upstream::Gate& gate(const model::ProviderEntry& provider) { return gate(provider.id); }
  absl::BitGen& random() { return random_; }
  bool draining() const { return draining_; }
  // The call to a provider is over. What it shows of a key or an address that has been replaced
  // since says nothing of the present one.
  void Release(const model::ProviderEntry& called, upstream::CallClass call_class,
               const provider::Failure* failure, std::uint64_t unit);
  // Sends, with the credential put in; `done` runs on the loop if the item is still there.
  // `catalog` owns provider and credential, and is kept until then.
  void Send(const Item& item, model::CatalogPtr catalog, const model::ProviderEntry& provider,
            const provider::Credential& credential, http::Request request,
            http::SendOptions options,
            absl::AnyInvocable<void(Item*, http::Result, absl::Duration) &&> done);
  // How an asset or a group stands at a provider, for what depends on it: the dependent is advanced
  // when that changes. Where it is not placed there yet, that is seen to.
  struct Dependency {
    enum class State { kReady, kPending, kFailed, kMissing };
    State state = State::kPending;
    // A change of it is just being committed: what it says is known in a moment.
    bool in_doubt = false;
    std::string provider_id;
    provider::Handle handle;
    google::rpc::Status error;
    v1::Asset asset;
  };
  // `since`: since when the dependent needs it; what the gateway gave up before that is tried
  // again.
  Dependency GroupAt(const store::Key& group, const model::ProviderEntry& provider,
                     absl::Time since, Item& dependent);
  Dependency AssetAt(const store::Key& asset, const model::ProviderEntry& provider,
                     absl::Time since, Item& dependent);
  // Notes the newest trouble of a provider.
  void Failed(const model::ProviderEntry& provider, const provider::Failure& failure);
  void Count(const UnfinishedUnits& before, const UnfinishedUnits& after);
  // Tells telemetry and the listener when a provider's state is another than before.
  void NoteState(const model::ProviderEntry& provider);
  void SubmissionBegan() { ++submissions_in_flight_; }
  void SubmissionEnded();
  // Runs `quiet_` once nothing is under way; looks after all that has been posted so far.
  void PostQuietCheck();

  Parts parts_;
  // By which every round of an item goes from its beginning to its end.
  model::CatalogPtr catalog_;
  const absl::Duration behind_;
  absl::BitGen random_;
  std::uint64_t last_serial_ = 0;
  // By provider. None goes before the reconciler does: calls hold places in them.
  std::map<std::string, std::unique_ptr<upstream::Gate>> gates_;
  ModelSlots slots_;
  std::map<ModelSlot, WaitLine> slot_lines_;
  // By provider: the asset submissions that are under way or about to be, and who waits.
  struct Uploads {
    std::vector<std::pair<store::Key, std::size_t>> under_way;
    WaitLine line;
  };
  std::map<std::string, Uploads> uploads_;
  absl::flat_hash_map<store::Key, std::unique_ptr<Item>> items_;
  // Request ids whose rows are being committed: duplicates wait for that.
  absl::flat_hash_map<store::RequestKey, std::vector<PendingCreation>> claims_;
  absl::flat_hash_map<store::Key, Doubt> doubts_;
  absl::Duration doubt_delay_ = absl::ZeroDuration();
  bool asking_about_doubts_ = false;
  std::array<bool, store::kShards> held_ = {};
  int listings_ = 0;
  std::vector<absl::AnyInvocable<void() &&>> recovered_;
  absl::Time shared_ = absl::InfinitePast();
  absl::Time store_trouble_noted_ = absl::InfinitePast();
  bool hurried_ = false;
  bool draining_ = false;
  int submissions_in_flight_ = 0;
  int commits_in_flight_ = 0;
  std::vector<absl::AnyInvocable<void() &&>> quiet_;
  struct LastError {
    google::rpc::Status status;
    absl::Time time;
  };
  std::map<std::string, LastError> last_errors_;
  std::map<std::string, base::ProviderCondition> states_;
  ProviderListener* provider_listener_ = nullptr;

  // Of each key that another gateway changed, the newest change.
  struct Inbox {
    absl::flat_hash_map<store::Key, store::ChangePtr> newest;
    bool overrun = false;
    bool posted = false;
  };
  absl::Mutex inbox_mu_;
  Inbox inbox_ ABSL_GUARDED_BY(inbox_mu_);

  mutable absl::Mutex counts_mu_;
  Unfinished counts_ ABSL_GUARDED_BY(counts_mu_);
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_RECONCILER_H_
