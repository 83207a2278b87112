// One resource in memory: what was committed of it, and its next steps.
//
// The engine drives an item in rounds: it takes the committed state as a draft, applies what was
// observed or asked for since, has the item plan its next step, commits the draft if it differs,
// and only then does what was decided. Nothing is remembered between two rounds but the committed
// state and the UnitRuns, which a restart may lose.
#ifndef ASSETGATE_RECONCILE_ITEM_H_
#define ASSETGATE_RECONCILE_ITEM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/proto_time.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "reconcile/counts.h"
#include "reconcile/observed.h"
#include "reconcile/step.h"
#include "reconcile/unit_run.h"
#include "store/store.h"
#include "upstream/upstream.h"
#include "upstream/waited_call.h"

namespace assetgate::reconcile {

// Threading: the reconciler's thread.
class Item {
 public:
  Item(store::Key key, std::uint64_t serial, absl::Time known_since)
      : key_(std::move(key)), serial_(serial), known_since_(known_since) {}
  virtual ~Item() = default;
  Item(const Item&) = delete;
  Item& operator=(const Item&) = delete;

  const store::Key& key() const { return key_; }
  std::string name() const { return model::MakeName(model::CollectionOf(key_.kind), key_.id); }
  // Tells this item from a later one of the same name: an answer for one is not applied to the
  // other.
  std::uint64_t serial() const { return serial_; }
  // Since when it is in memory.
  absl::Time known_since() const { return known_since_; }
  // When work that is due to be given up at `due` is given up: not before this gateway has tried
  // for a while, in case a clock made it old.
  absl::Time GiveUpAt(absl::Time due) const;

  // The call that created it, while this process remembers, and while its caller waits.
  const base::LogContext& context() const { return context_; }
  const std::weak_ptr<upstream::WaitedCall>& waited() const { return waited_; }
  void SetCaller(base::LogContext context, std::weak_ptr<upstream::WaitedCall> waited) {
    context_ = std::move(context);
    waited_ = std::move(waited);
  }
  void SetWaited(std::weak_ptr<upstream::WaitedCall> waited) { waited_ = std::move(waited); }
  upstream::Purpose purpose() const { return {name(), context_, waited_}; }

  // Whether `place` is held at the provider's gate; it is queued there otherwise, and the item is
  // planned again when it is held.
  bool Acquire(Step& step, upstream::Place& place, const model::ProviderEntry& provider,
               upstream::CallClass call_class) const;

  UnitRun& run(std::size_t unit) {
    if (runs_.size() <= unit) runs_.resize(unit + 1);
    return runs_[unit];
  }
  const UnitRun* FindRun(std::size_t unit) const {
    return unit < runs_.size() ? &runs_[unit] : nullptr;
  }
  bool AnyCallInFlight() const {
    return std::any_of(runs_.begin(), runs_.end(),
                       [](const UnitRun& run) { return run.in_flight; });
  }

  // --- The committed state
  // Takes a committed row as the current state.
  virtual void Load(const store::Row& row) = 0;
  // 0 until it is committed.
  virtual store::Revision revision() const = 0;
  // Whether it has steps left.
  virtual bool Unfinished() const = 0;
  // Whether a later release wrote something into it that this one does not know (see
  // model::IsUnderstood): then nothing here plans it, changes it or counts it.
  virtual bool ReadOnly() const { return false; }
  virtual UnfinishedUnits Units() const { return {}; }
  // Whether it answers the call that created it.
  virtual bool Answerable() const { return true; }
  // Whether Refusal may still return an error.
  virtual bool MayBeRefused() const { return false; }
  // For log lines; empty where it has none.
  virtual std::string StateName() const { return ""; }
  virtual std::string ErrorMessage() const { return ""; }

  // Takes in what a provider said, as far as this process alone remembers it. Returns what is to be
  // applied to the draft; nothing where that changes nothing.
  virtual std::optional<Said> TakeIn(const Environment& environment, Observed observed);

  // --- The draft
  virtual void BeginDraft() = 0;
  // Takes in what a provider said of a unit. May be repeated, after a conflict, on a fresh draft.
  virtual absl::Status Apply(Step& step, std::size_t unit, const Said& said) = 0;
  virtual void Plan(Step& step) = 0;
  // Fields that follow from others. Part of Plan; called alone where another gateway plans.
  virtual void Derive(Step& /*step*/) {}
  // Every provider that was asked has refused for good, as far as this draft knows: nothing of the
  // resource needs to exist. The error for the caller that asked for it.
  virtual std::optional<absl::Status> Refusal() const { return std::nullopt; }
  // Whether the draft has the unit's submission open.
  virtual bool DraftSubmits(std::size_t /*unit*/) const { return false; }
  virtual store::Content DraftContent() const = 0;
  // What must exist for it to be created.
  virtual std::vector<store::Key> RefersTo() const { return {}; }
  // The draft is about to be committed as a change made now.
  virtual void Stamp(absl::Time /*now*/) {}
  virtual void AcceptDraft(const Environment& environment, store::Revision revision) = 0;
  // The round is over: the draft need not be held until the next one.
  virtual void DropDraft() {}

  // --- Between rounds
  // This gateway begins to own it, after another one or after a restart: polls of what a take-over
  // finds are spread over one interval.
  virtual void SpreadPolls(const Environment& /*environment*/) {}
  // Another catalog is in force. Makes the next step due where `changes` may let it succeed, or
  // asks for it sooner. Returns whether any change concerns the item, which is then to be planned
  // again.
  virtual bool Reconsider(const Environment& environment,
                          const model::ProviderChanges& changes) = 0;
  // Gives back what Plan took and has not used.
  virtual void AbandonPlaces(const Environment& environment);

 protected:
  // Another gateway learned that the unit was accepted: what held it up here is over, and it is
  // polled at once.
  void ForgetTrouble(std::size_t unit);

  const store::Key key_;

 private:
  const std::uint64_t serial_;
  const absl::Time known_since_;
  base::LogContext context_;
  std::weak_ptr<upstream::WaitedCall> waited_;
  std::vector<UnitRun> runs_;
};

// An item with its entity.
template <typename EntityT>
class EntityItem : public Item {
 public:
  EntityItem(store::Key key, std::uint64_t serial, absl::Time known_since)
      : Item(std::move(key), serial, known_since) {
    current_.key = key_;
    draft_.key = key_;
  }

  const typename EntityT::Resource& resource() const { return current_.resource; }
  const EntityT& current() const { return current_; }
  const EntityT& draft() const { return draft_; }

  // Begins a new resource: what Create asked for.
  void Begin(EntityT entity) { current_ = std::move(entity); }

  void Load(const store::Row& row) override {
    const typename EntityT::Record before = current_.record;
    model::FromRow(row, current_);
    for (int i = 0; i < std::min(before.units_size(), current_.record.units_size()); ++i) {
      if (before.units(i).handle().empty() && !current_.record.units(i).handle().empty()) {
        ForgetTrouble(static_cast<std::size_t>(i));
      }
    }
  }
  store::Revision revision() const override { return current_.revision; }
  bool Unfinished() const override { return model::IsUnfinished(current_); }
  bool ReadOnly() const override { return !current_.understood; }

  void BeginDraft() override { draft_ = current_; }
  bool DraftSubmits(std::size_t unit) const override {
    return unit < static_cast<std::size_t>(draft_.record.units_size()) &&
           draft_.record.units(static_cast<int>(unit)).submission().open();
  }
  store::Content DraftContent() const override { return model::ToContent(draft_); }
  std::vector<store::Key> RefersTo() const override { return model::RefersTo(current_); }
  void Stamp(absl::Time now) override {
    *draft_.resource.mutable_update_time() = base::ToProto(now);
  }
  void AcceptDraft(const Environment& /*environment*/, store::Revision revision) override {
    current_ = draft_;
    current_.revision = revision;
    current_.resource.set_revision(revision);
  }
  void DropDraft() override {
    draft_.resource = typename EntityT::Resource();
    draft_.record = typename EntityT::Record();
  }

 protected:
  EntityT current_;
  EntityT draft_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_ITEM_H_
