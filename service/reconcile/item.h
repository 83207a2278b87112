// One unfinished resource in memory: what was committed of it, and its next steps.
//
// An item is driven by Reconciler::Advance, over and over: take the committed state as a draft, put
// into it what has been heard since (Changes), let Plan look at it and decide what to do next,
// commit the draft if it differs, and only then do what was decided (actions). Nothing is
// remembered between two rounds but the committed state and `runs_`, which a restart may lose.
//
// A round goes by the catalog in force when it is planned, and so does a call that it decides on,
// until its answer is there, whatever takes the catalog's place meanwhile. Nothing that points into
// one is kept from round to round.
//
// An item is planned only by the gateway that holds its shard, which is said to follow it. Another
// gateway has it in memory while somebody there waits for it, depends on it, commands it, or has a
// call of it under way; it commits what it was told, by compare-and-set, and begins nothing.
#ifndef ASSETGATE_RECONCILE_ITEM_H_
#define ASSETGATE_RECONCILE_ITEM_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "assetgate/v1/explanation.pb.h"
#include "base/proto_time.h"
#include "model/apply.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "provider/dialect.h"
#include "store/store.h"
#include "upstream/gate.h"
#include "upstream/telemetry.h"
#include "upstream/waited_call.h"

namespace assetgate::reconcile {

class Reconciler;
class Item;

// One unit that is not final, as metrics count it.
struct UnfinishedUnit {
  base::MetricKind kind;
  // Empty for a task that no provider has been tried for.
  std::string provider;
  v1::Waiting::Reason reason = v1::Waiting::REASON_UNSPECIFIED;
  // Whether its provider accepted it is not known.
  bool unconfirmed = false;

  friend bool operator==(const UnfinishedUnit&, const UnfinishedUnit&) = default;
};
using UnfinishedUnits = std::vector<UnfinishedUnit>;

// Something heard, or asked for, that goes into the draft. It may be applied more than once (after
// a conflict), each time to a fresh draft.
struct Change {
  // OK, or why it cannot be done; then nothing was changed by it.
  absl::AnyInvocable<absl::Status(Item&)> apply;
  // Told what became of it once that is durable; may be empty.
  absl::AnyInvocable<void(absl::Status) &&> done;
  // Of what cannot be committed while another row is as it is (see store::Conditions): what to tell
  // `done` then.
  absl::AnyInvocable<absl::Status(const store::Key& unmet)> unmet;
  absl::Status status;
  // Of which unit it is what a provider said.
  std::optional<std::size_t> unit;
};

// What a provider answered to a submission, and which one that was: every submission of a unit has
// another number in Submission::sends, whoever made it.
struct SubmitAnswer {
  int sends = 0;
  // It repeated one whose outcome is not known.
  bool replay = false;
  provider::SubmitResult result;
};

// By what the intervals between polls go.
struct Pace {
  // They grow with the time since then: since it was accepted, or given up.
  absl::Time since;
  // It was given up: only a late result is asked for.
  bool late = false;
};

// Somebody waits for the item's verdict.
struct Waiter {
  absl::Time answer_by;
  absl::AnyInvocable<void(absl::StatusOr<const Item*>) &&> done;
  // Of a call that repeats another one: once its caller has hung up, nobody needs the answer.
  std::weak_ptr<upstream::WaitedCall> repetition = {};
};

// What is under way for one unit; not stored.
struct UnitRun {
  enum class Place { kNone, kQueued, kHeld };
  // A place at the provider's gate.
  Place place = Place::kNone;
  upstream::Gate* gate = nullptr;
  upstream::CallClass place_class = upstream::CallClass::kPoll;
  absl::Time queued_since;
  // A call is out.
  bool in_flight = false;
  // The next step is not taken before, and what decided that.
  absl::Time due = absl::InfinitePast();
  v1::Explanation::Reason due_because = v1::Explanation::DUE;
  // The submission of another gateway that was last seen to be open, by its number, and since when.
  int open_elsewhere = 0;
  absl::Time open_elsewhere_since;
  // In a row.
  int failures = 0;
  // Of the last submission, or the last poll.
  std::optional<provider::Failure> failure;
  bool polled = false;
  // When the newest poll was sent that found it unfinished; the acceptance counts as one.
  absl::Time unfinished_at = absl::InfinitePast();
  // The last poll was answered late, or not at all.
  bool slow = false;
  // Polls in a row that said "not found", and since when.
  int not_found = 0;
  absl::Time not_found_since;
  // Polls in a row whose inner state was final while the outer one lagged, which it was, and since
  // when.
  int lagging = 0;
  provider::Observation::Progress inner_progress = provider::Observation::Progress::kRunning;
  absl::Time lagging_since;
  // For whoever asks why it is where it is: how often it was polled, and the last answer. The words
  // of a bad one are in `failure`.
  std::int64_t polls = 0;
  absl::Time last_poll;
  std::optional<absl::Time> answered;
  int answered_status = 0;
};

// Belongs to the reconciler's thread.
class Item {
 public:
  Item(Reconciler& owner, store::Key key);
  virtual ~Item() = default;
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  const store::Key& key() const { return key_; }
  std::string name() const { return model::MakeName(model::CollectionOf(key_.kind), key_.id); }

  // Takes a committed row as the current state.
  void Load(const store::Row& row);
  // Has the next round record that the submissions which are open in `row`, just loaded, were never
  // sent.
  void TakeBackOpenSubmissions(const store::Row& row);
  virtual store::Revision revision() const = 0;
  // Whether the committed state has steps left.
  virtual bool Unfinished() const = 0;
  // Whether a later release wrote something into it that this one does not know (see IsUnderstood):
  // then nothing here plans it, changes it or counts it.
  virtual bool ReadOnly() const { return false; }
  // Of the call that created it, while this process remembers.
  const base::LogContext& context() const { return context_; }

 protected:
  friend class Reconciler;

  virtual void Take(const store::Row& row) = 0;
  // This gateway begins to follow it, after another one or after a restart: polls of what a
  // take-over finds are spread over one interval.
  virtual void SpreadPolls() {}
  // Another catalog is in force, in which this has changed. Makes the next step due where the
  // change may let it succeed, or asks for it sooner. Whether any of it concerns the item, which is
  // then to be planned anew.
  virtual bool Reconsider(const model::ProviderChanges& changes) = 0;

  // Draft.
  virtual void BeginDraft() = 0;
  virtual void Plan() = 0;
  // Fields that follow from others. Part of Plan; called alone where another gateway plans.
  virtual void Derive() {}
  virtual store::Content DraftContent() const = 0;
  // What must exist for it to be created.
  virtual std::vector<store::Key> RefersTo() const { return {}; }
  virtual void AcceptDraft(store::Revision revision) = 0;
  // The round is over: until the next one the draft is not needed, and need not be held.
  virtual void DropDraft() {}
  // The draft is about to be committed as a change made now.
  virtual void Stamp(absl::Time) {}
  // Every provider that was asked has said no for good, as far as this draft knows: nothing of the
  // resource needs to exist. The error for whoever asked for it.
  virtual std::optional<absl::Status> Refusal() const { return std::nullopt; }
  // Whether Refusal may yet say so, by the committed state.
  virtual bool MayBeRefused() const { return false; }
  // Of the committed state.
  virtual UnfinishedUnits Units() const { return {}; }
  // Of the committed state and what is known in memory: what it waits for, and why. What is known
  // of the gateway that follows it has been filled in.
  virtual void Explain(v1::Explanation& /*explanation*/) const {}
  // The current state answers whoever created it.
  virtual bool Answerable() const { return true; }
  // Gives back what Plan took from gates and has not used.
  virtual void AbandonPlaces();

  // For Plan and Changes.
  void MarkChanged() { changed_ = true; }
  void MarkChanged(bool changed) { changed_ |= changed; }
  // Done after the draft is committed (or at once when nothing changed).
  void After(absl::AnyInvocable<void() &&> action) { actions_.push_back(std::move(action)); }
  // Plan again at `when`.
  void WakeAt(absl::Time when) { wake_at_ = std::min(wake_at_, when); }
  absl::Time Now() const;
  // When work is given up that is due to be given up then: not before this gateway has asked for it
  // for a while, in case it was the clock that made it old.
  absl::Time GiveUpAt(absl::Time due) const;
  // Since when this gateway has the resource in memory.
  absl::Time known_since() const { return known_since_; }

  // Makes sure of a place at the gate of `provider` for the unit; true when it is held. Otherwise
  // Plan runs again when it is.
  bool HoldPlace(std::size_t unit, const model::ProviderEntry& provider,
                 upstream::CallClass call_class);
  // Another gateway learned that it was accepted: what held it up here is over, and it is asked for
  // at once.
  void ForgetTrouble(std::size_t unit);
  // Of one unit: see the other Reconsider.
  bool Reconsider(std::size_t unit, const std::string& provider_id, provider::UnitKind kind,
                  Pace pace, const model::ProviderChanges& changes);
  // Gives a place back that turned out not to be needed.
  void ReleasePlace(std::size_t unit);
  UnitRun& run(std::size_t unit) {
    if (runs_.size() <= unit) runs_.resize(unit + 1);
    return runs_[unit];
  }
  // What telemetry is told of a call, before it is made. While a caller waits for it, `request`
  // carries their trace from now on, and is counted as theirs.
  upstream::UpstreamCall BeginCall(const model::ProviderEntry& provider,
                                   base::UpstreamOperation operation, http::Request& request);
  // How long after so many failures in a row.
  absl::Duration BackOff(const UnitRun& run) const;
  // Sets when a unit is due after a call that has failed: not before `shortest` is over.
  void DueAfterFailure(UnitRun& run, absl::Duration shortest) const;
  // Likewise after a submission: what only an operator can mend is not tried every half minute.
  void DueAfterSubmission(UnitRun& run, provider::Outcome outcome, bool replay) const;

  // Until when a submission that is journalled now may begin: not after the shard's lease. Absent
  // when that is not surely held for long enough; Plan then runs again in a moment.
  std::optional<absl::Time> SendBefore();
  // Whether the submission that the journal says is open may still be under way, or its answer on
  // its way into the store, at another gateway. Plan then runs again when it cannot be any more.
  bool UnderWayElsewhere(std::size_t unit, const model::Unit& record);
  // Until when that may be: by the journal, or, where another gateway's clock was ahead, by when it
  // was first seen here.
  absl::Time UnderWayUntil(std::size_t unit, const model::Unit& record) const;
  // Whether an answer says anything of the unit that is not known yet. The submission may have been
  // called lost by another gateway in the meantime, and sent again.
  static bool IsNews(const model::Unit& record, const SubmitAnswer& answer);
  // Sends the draft's journalled submission of a unit once it is committed. What the provider
  // answers becomes a Change.
  void SubmitAfterCommit(std::size_t unit, const model::ProviderEntry& provider,
                         provider::UnitKind kind, base::UpstreamOperation operation,
                         const model::Submission& submission, bool replay,
                         const provider::Credential& credential);
  // Puts a request into the journal form, and back.
  void Journal(const http::Request& request, absl::Time now, absl::Time send_before,
               model::Submission& submission) const;
  static http::Request FromJournal(const model::Submission& submission);

  // Polls the unit when it is due.
  void PlanPoll(std::size_t unit, const model::ProviderEntry& provider, provider::UnitKind kind,
                base::UpstreamOperation operation, const model::Unit& record, Pace pace);
  void OnPolled(std::size_t unit, const model::ProviderEntry& provider, provider::UnitKind kind,
                Pace pace, std::optional<provider::Failure> trouble, provider::UnitNews news);
  // Where a relay's own state has lagged behind the state inside it for long enough, the inner one
  // takes its place.
  void SettleLag(UnitRun& run, provider::Observation& said) const;
  // Counts and logs what is odd about an answer.
  void TellOddities(const model::ProviderEntry& provider, provider::UnitKind kind,
                    const provider::Observation* said, const provider::Failure* failure) const;
  // Whether the provider has said so often that it does not know the unit that this is worth
  // saying.
  bool IsDisowned(std::size_t unit) const;
  // "the provider says that it does not know it, since …; unless that changes until …, "
  std::string Disowned(std::size_t unit) const;
  // For OnNews: by what the provider said just now, the draft's unit is at its end. Once that is
  // committed, it is told how long it took.
  void TellDetected(std::size_t unit, const std::string& provider_id, base::MetricKind kind,
                    const provider::Observation& said);
  absl::Duration PollInterval(const model::ProviderEntry& provider, provider::UnitKind kind,
                              Pace pace) const;

  // What an answer means for the draft. Overridden by what has units.
  virtual absl::Status OnSubmitted(std::size_t unit, const SubmitAnswer& answer);
  virtual absl::Status OnNews(std::size_t unit, const provider::UnitNews& news, bool verdict);
  virtual absl::Status OnPollTrouble(std::size_t unit, const provider::Failure& failure);
  // What the provider said of the unit cannot be kept: it ends with that error.
  virtual absl::Status OnUnkept(std::size_t unit, const google::rpc::Status& error);

  // --- For Explain
  const UnitRun* FindRun(std::size_t unit) const {
    return unit < runs_.size() ? &runs_[unit] : nullptr;
  }
  // What the calls of a unit have come to; nothing where that is not known here.
  void ExplainCalls(std::size_t unit, bool settled, v1::Explanation::Unit& out) const;
  // What holds every step of it up here; absent where nothing does.
  std::optional<v1::Explanation::Next> NoStepHere(const v1::Explanation& explanation) const;
  // When a unit is called next, and why then. `step`: "the next poll of it". `waits_for`: what has
  // to be ready before it can be submitted; empty for nothing.
  v1::Explanation::Next NextCall(std::size_t unit, const model::Unit& record,
                                 absl::string_view step, absl::string_view waits_for) const;
  // What a place in the queue of a provider's gate waits for.
  v1::Explanation::Next Queued(const std::string& provider_id, upstream::CallClass call_class,
                               absl::string_view step) const;

  Reconciler& owner_;
  const store::Key key_;
  // Tells this item from another that gets its name later: what was begun for one is not heard by
  // the other.
  const std::uint64_t serial_;
  base::LogContext context_;
  // The call that what is under way is done for, while its caller waits.
  std::weak_ptr<upstream::WaitedCall> waited_;
  std::vector<UnitRun> runs_;
  // Since when it is in memory.
  const absl::Time known_since_;

 private:
  // As committed, and as the draft is being committed.
  store::Shard shard_ = 0;
  store::Shard draft_shard_ = 0;
  // 0 until it is committed.
  store::Revision create_revision_ = 0;
  // Of the newest change of it by another gateway.
  store::Revision heard_ = 0;

  // The loop of Advance.
  std::vector<Change> pending_;
  std::vector<Change> applied_;
  bool changed_ = false;
  bool committing_ = false;
  bool removing_ = false;
  std::vector<absl::AnyInvocable<void() &&>> actions_;
  absl::Time wake_at_ = absl::InfiniteFuture();
  // When the loop will look whether that is now.
  std::set<absl::Time> timers_;
  bool advance_posted_ = false;

  // Commands of Changes.
  bool remove_ = false;
  std::vector<store::Write> extra_writes_;
  store::Conditions conditions_;

  // Creation.
  bool acknowledged_ = true;
  // Its creator knows that somebody here relies on it, since it is this gateway or was told so; or
  // is being told.
  bool relied_on_ = false;
  bool telling_creator_ = false;
  std::optional<store::RequestKey> claim_;
  std::vector<Waiter> waiters_;
  absl::Status refusal_;

  void UpdateCounts();
  void ClearCounts();
  UnfinishedUnits counted_;

  // Items that wait for this one.
  absl::flat_hash_set<store::Key> dependents_;

 public:
  // A Change asks for the row to be deleted, together with other writes, while the conditions hold.
  void Remove(std::vector<store::Write> others, store::Conditions conditions = {}) {
    remove_ = true;
    extra_writes_ = std::move(others);
    conditions_ = std::move(conditions);
  }
};

// An item with its entity.
template <typename EntityT>
class EntityItem : public Item {
 public:
  EntityItem(Reconciler& owner, store::Key key) : Item(owner, std::move(key)) {
    current_.key = key_;
    draft_.key = key_;
  }

  const typename EntityT::Resource& resource() const { return current_.resource; }
  typename EntityT::Resource& draft_resource() { return draft_.resource; }
  const EntityT& current() const { return current_; }
  EntityT& draft() { return draft_; }

  // Begins a new resource: what Create asked for.
  void Begin(EntityT entity) { current_ = std::move(entity); }

  store::Revision revision() const override { return current_.revision; }
  bool Unfinished() const override { return model::IsUnfinished(current_); }
  bool ReadOnly() const override { return !current_.understood; }

 protected:
  void Take(const store::Row& row) override {
    const typename EntityT::Record before = current_.record;
    model::FromRow(row, current_);
    for (int i = 0; i < std::min(before.units_size(), current_.record.units_size()); ++i) {
      if (before.units(i).handle().empty() && !current_.record.units(i).handle().empty()) {
        ForgetTrouble(static_cast<std::size_t>(i));
      }
    }
  }
  void BeginDraft() override { draft_ = current_; }
  store::Content DraftContent() const override { return model::ToContent(draft_); }
  std::vector<store::Key> RefersTo() const override { return model::RefersTo(draft_); }
  void Stamp(absl::Time now) override {
    *draft_.resource.mutable_update_time() = base::ToProto(now);
  }
  void AcceptDraft(store::Revision revision) override {
    current_ = draft_;
    current_.revision = revision;
    current_.resource.set_revision(revision);
  }
  void DropDraft() override {
    draft_.resource = typename EntityT::Resource();
    draft_.record = typename EntityT::Record();
  }

  EntityT current_;
  EntityT draft_;
};

// A group, an asset: units are placements.
template <typename EntityT>
class PlacementItem : public EntityItem<EntityT> {
 public:
  using EntityItem<EntityT>::EntityItem;

  // For a Change: sees to it that there is a placement at the provider. What the gateway itself
  // gave up there is placed anew, and so is what the provider no longer has; its own no stays.
  absl::Status AddPlacement(const std::string& provider_id);
  // Of the committed state: whether AddPlacement would begin one where those that there are have
  // ended. There is a bound to how many are kept.
  bool CanBePlacedAnew(const std::string& provider_id) const;

 protected:
  void SpreadPolls() override;
  bool Reconsider(const model::ProviderChanges& changes) override;
  void Plan() override;
  bool Answerable() const override;
  std::optional<absl::Status> Refusal() const override;
  bool MayBeRefused() const override;
  absl::Status OnSubmitted(std::size_t unit, const SubmitAnswer& answer) override;
  absl::Status OnNews(std::size_t unit, const provider::UnitNews& news, bool verdict) override;
  absl::Status OnPollTrouble(std::size_t unit, const provider::Failure& failure) override;
  absl::Status OnUnkept(std::size_t unit, const google::rpc::Status& error) override;
  UnfinishedUnits Units() const override;
  void Explain(v1::Explanation& explanation) const override;

  // Whether the unit can be submitted now: the request, or absent when something else has to happen
  // first (then the placement says that it waits, or has failed).
  virtual absl::StatusOr<std::optional<http::Request>> Prepare(
      std::size_t unit, const model::ProviderEntry& provider) = 0;
  static constexpr bool kIsGroup = EntityT::kKind == store::Kind::kAssetGroup;
  static constexpr provider::UnitKind kUnit =
      kIsGroup ? provider::UnitKind::kAssetGroup : provider::UnitKind::kAsset;

 private:
  void PlanUnit(std::size_t unit);
  // After an outcome that is not known: when the next try is due, counted from `since`, as journals
  // date (see Reconciler::behind). Soon, or, where an `outage` of the provider is to be outlived,
  // when some minutes have passed. Gives the time by this gateway's clock.
  absl::Time SpreadTries(std::size_t unit, bool outage, absl::Time since);
  // The unit is not tried before `when`.
  static void PauseUntil(absl::Time when, UnitRun& run);
  absl::Duration LongPause() const;
  // When the next try is due by the record. Whichever clock wrote that may have been ahead: the
  // pause ends when this gateway has known of it for the longest one.
  absl::Time NotBefore(const model::Unit& record) const;
  // Makes a placement that is vacant ready to be submitted once more.
  void UseAgain(std::size_t unit);
  // After a placement was LOST: once, it is placed anew by itself.
  absl::Status PlaceAnewOnce(const std::string& provider_id);
};

class GroupItem final : public PlacementItem<model::GroupEntity> {
 public:
  using PlacementItem::PlacementItem;

 protected:
  absl::StatusOr<std::optional<http::Request>> Prepare(
      std::size_t unit, const model::ProviderEntry& provider) override;
};

class AssetItem final : public PlacementItem<model::AssetEntity> {
 public:
  using PlacementItem::PlacementItem;

 protected:
  absl::StatusOr<std::optional<http::Request>> Prepare(
      std::size_t unit, const model::ProviderEntry& provider) override;
  void Derive() override;

 private:
  // Where the provider shall fetch the media, or why it cannot.
  absl::StatusOr<std::string> SourceFor(const model::ProviderEntry& provider) const;
};

// A video task: units are attempts.
class VideoItem final : public EntityItem<model::VideoEntity> {
 public:
  using EntityItem::EntityItem;
  // For a Change.
  absl::Status Cancel();
  absl::Status Resolve(const model::Resolution& said);

 protected:
  void SpreadPolls() override;
  bool Reconsider(const model::ProviderChanges& changes) override;
  void Plan() override;
  // Tells what ended, and what it was charged.
  void AcceptDraft(store::Revision revision) override;
  bool Answerable() const override;
  std::optional<absl::Status> Refusal() const override;
  bool MayBeRefused() const override;
  void AbandonPlaces() override;
  UnfinishedUnits Units() const override;
  void Explain(v1::Explanation& explanation) const override;
  absl::Status OnSubmitted(std::size_t unit, const SubmitAnswer& answer) override;
  absl::Status OnNews(std::size_t unit, const provider::UnitNews& news, bool verdict) override;
  absl::Status OnPollTrouble(std::size_t unit, const provider::Failure& failure) override;
  absl::Status OnUnkept(std::size_t unit, const google::rpc::Status& error) override;

 private:
  // What is known of one target in this process.
  struct TargetRun {
    absl::Time not_before = absl::InfinitePast();
    v1::Explanation::Reason not_before_because = v1::Explanation::BACK_OFF;
    int failures = 0;
    std::optional<provider::Failure> failure;
  };
  enum class Readiness { kReady, kWaiting, kFailed };
  // Why a target is not gone to now, and until when.
  struct Obstacle {
    v1::Waiting::Reason reason = v1::Waiting::REASON_UNSPECIFIED;
    v1::Explanation::Reason because = v1::Explanation::REASON_UNSPECIFIED;
    std::string message;
    absl::Time until = absl::InfiniteFuture();
    // What the provider said to the last submission of another task, which holds for this one too.
    std::optional<provider::Failure> account;
  };

  void PlanPending();
  // Asks for late results of what was given up.
  void PlanLate();
  void PlanUnconfirmed(std::size_t unit, const model::ProviderEntry& provider);
  // Until when a submission whose outcome is not known may be sent again with its idempotency key.
  absl::Time RepeatableUntil(const model::Unit& record, const model::ProviderEntry& provider) const;
  // Why it is not; empty while it is.
  std::string WhyNotRepeated(const model::Unit& record, const model::ProviderEntry& provider) const;
  // Whether the configured account is another one than that of the attempt, so that it cannot know
  // of it.
  bool AskedElsewhere(const model::Unit& record) const;
  // Says in the draft what that means for an attempt.
  void SayAskedElsewhere(int index);
  // Whether a person's word on the attempt was just that.
  bool WasResolvedSo(int attempt, const model::Resolution& said) const;
  absl::Status NothingToResolve() const;
  // Finds the attempt that `said` speaks of; the error is the answer, and so is OK where it was
  // settled just so before (then there is no attempt).
  absl::StatusOr<std::optional<int>> AttemptToResolve(const model::Resolution& said) const;
  // For a refused content: the targets that do not hold it already are not shown it either. Whether
  // there are others.
  bool KeepFromOthers(const v1::Asset& asset, const google::rpc::Status& error);
  // The target to go to now; absent when there is none, and then the task says what it waits for,
  // or has failed.
  std::optional<std::size_t> ChooseTarget();
  // Of one that is not ineligible.
  std::optional<Obstacle> ObstacleOf(const model::VideoTaskRecord& record, int target) const;
  // What a task without an attempt under way does next.
  v1::Explanation::Next NextAttempt(const v1::Explanation& explanation) const;
  v1::Explanation::Next NextOfAttempt(int attempt, const v1::Explanation& explanation) const;
  void ExplainTargets(v1::Explanation& explanation) const;
  Readiness ResolveReferences(const model::ProviderEntry& provider, std::size_t target,
                              std::vector<provider::ResolvedReference>& references);
  void StartAttempt(std::size_t target, const model::ProviderEntry& provider,
                    std::vector<provider::ResolvedReference> references, absl::Time send_before);
  google::rpc::Status TargetFailures(absl::StatusCode code, v1::ErrorReason reason,
                                     absl::string_view message) const;
  bool HoldSubmissionPlace(const model::ProviderEntry& provider);
  void ReleaseSubmissionPlace();
  std::optional<std::size_t> TargetOf(const v1::Attempt& attempt) const;
  // Of an attempt that is asked for.
  static Pace PaceOf(const model::VideoEntity& entity, int attempt);
  TargetRun& target_run(std::size_t target) {
    if (target_runs_.size() <= target) target_runs_.resize(target + 1);
    return target_runs_[target];
  }
  model::UnitContext Context(const std::string& provider_id) const;

  std::vector<TargetRun> target_runs_;
  // A place at the gate of the target that comes next: of the provider with that id. `generation`
  // tells the grants apart.
  UnitRun::Place place_ = UnitRun::Place::kNone;
  std::string place_provider_;
  absl::Time queued_since_;
  int place_generation_ = 0;
};

// A copy at a provider that is to be deleted there.
class DeletionItem final : public Item {
 public:
  using Item::Item;

  store::Revision revision() const override { return revision_; }
  bool Unfinished() const override { return true; }

 protected:
  bool Reconsider(const model::ProviderChanges& changes) override;
  void Take(const store::Row& row) override;
  void BeginDraft() override {}
  void Plan() override;
  store::Content DraftContent() const override { return content_; }
  void AcceptDraft(store::Revision revision) override { revision_ = revision; }

 private:
  store::Revision revision_ = 0;
  store::Content content_;
  model::UpstreamDeletion deletion_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_ITEM_H_
