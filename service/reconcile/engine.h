// The table of items, and the rounds that move each of them: draft, commit by compare-and-set,
// settle.
#ifndef ASSETGATE_RECONCILE_ENGINE_H_
#define ASSETGATE_RECONCILE_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/event_loop.h"
#include "reconcile/counts.h"
#include "reconcile/entry.h"
#include "reconcile/item.h"
#include "reconcile/step.h"
#include "reconcile/store_reader.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Level-triggered: each resource is looked at as it was committed, and its next step follows from
// that alone, so that nothing depends on an event being seen. An item is planned only by the
// gateway that owns its shard. Another gateway has it in memory while somebody there waits for it,
// depends on it, commands it, or has a call of it in flight; it commits what it was told, by
// compare-and-set, and begins nothing.
//
// Threading: the reconciler's thread. Lifetime: a pointer to an Entry is valid until the task that
// got it ends, or calls something here that may drop the entry.
class Engine {
 public:
  // What the store could not confirm is followed up elsewhere.
  struct Hooks {
    // A commit is in doubt that may have changed the row, which was at revision `before`.
    std::function<void(const store::Key&, store::Revision before)> doubt;
    // A row is taken into memory. Returns whether it is as this gateway meant to create it, and
    // nobody has changed it since: then no submission that its journal calls open was ever sent.
    std::function<bool(const store::Row&)> adopted;
  };

  Engine(Environment environment, base::EventLoop& loop, store::Store& store, StoreReader& reader,
         Counts& counts)
      : environment_(environment), loop_(loop), store_(store), reader_(reader), counts_(counts) {}
  void SetHooks(Hooks hooks) { hooks_ = std::move(hooks); }

  const Environment& environment() const { return environment_; }
  base::EventLoop& loop() { return loop_; }
  StoreReader& reader() { return reader_; }
  absl::Time Now() const { return loop_.Now(); }

  // --- The table
  std::size_t size() const { return entries_.size(); }
  Entry* Find(const store::Key& key);
  // Where it still is the same one.
  Entry* Find(const store::Key& key, std::uint64_t serial);
  // Every entry; the callback must not add or drop any.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (auto& [key, entry] : entries_) visit(*entry);
  }
  bool AnyPending() const;

  using Loaded = absl::AnyInvocable<void(absl::StatusOr<Entry*>) &&>;
  // From memory, at once, or else from the store; nullptr when there is none.
  void Load(const store::Key& key, Loaded done);
  // As it is in the store: this gateway may not have heard yet what others have made of it, or may
  // have lost its lease while it stood still.
  void LoadNewest(const store::Key& key, Loaded done);
  // A new item without a row in it.
  std::unique_ptr<Item> NewItem(const store::Key& key);
  std::uint64_t NextSerial() { return ++last_serial_; }
  // Takes a row into memory, where its item is not, or is older, and has it planned.
  void TakeUp(const store::Row& row);
  // Keeps it in memory, and lets it go again.
  void Pin(Entry& entry) { ++entry.pins; }
  void Unpin(const store::Key& key, std::uint64_t serial);
  void Drop(const store::Key& key);

  // --- Rounds
  bool Owns(const Entry& entry) const { return environment_.ownership().Holds(entry.shard); }
  // Posts a round.
  void PlanAgain(Entry& entry);
  bool PlanAgain(const store::Key& key);
  void PlanAgain(const store::Key& key, std::uint64_t serial);
  void PlanAllAgain(const absl::flat_hash_set<store::Key>& keys);
  // Begins a round with it, unless the item is being committed: then it waits for the next one.
  void Add(Entry& entry, Change change);
  // See Reconciler::Observe.
  void Observe(Observed observed);

  // --- Creation
  // Puts a new item into the table, plans it, and returns what to write; or why it is refused: then
  // it is not in the table any more.
  absl::StatusOr<store::Write> BeginCreation(std::unique_ptr<Item> item, store::Shard shard,
                                             std::optional<store::RequestKey> claim);
  // It is committed; call Settle next.
  void Created(Entry& entry, store::Revision revision);
  // It is not, and is to be planned anew.
  std::unique_ptr<Item> Withdraw(const store::Key& key);
  // It does not exist. Commands that came meanwhile are for what the store has under the name;
  // `unknown`: nobody can tell whether it has.
  void Abandon(const store::Key& key, bool unknown);

  // After a round, or a creation: actions, answers, timers, and whether the item stays.
  void Settle(Entry& entry, bool committed);

  // --- Waiters
  void AddWaiter(Entry& entry, Waiter waiter);
  // From now on every waiter is answered with what is there as soon as it is committed.
  void AnswerWaitersNow();

  // --- Other gateways
  // Brings an item that is not being committed up to what the store has.
  void Refresh(Entry& entry);
  void Refresh(Entry& entry, const store::Row& row);
  // Another gateway has deleted the row.
  void OnRowDeleted(Entry& entry);

 private:
  // What else a round writes, and at which revision it was before.
  using AlsoWritten = std::vector<std::pair<store::Key, store::Revision>>;
  using Row = StoreReader::Row;

  Entry& Adopt(const store::Row& row);
  void Advance(Entry& entry);
  // Plans the draft, or takes the creation back.
  void PlanDraft(Entry& entry, Step& step, bool& remove);
  void Commit(Entry& entry, Step& step, bool remove);
  // The draft could not be read again: what led to it is dropped, and the units that it was said of
  // end with an error.
  void RejectDraft(Entry& entry);
  // A round of a read-only item: every change that was asked for is rejected.
  void RejectChanges(Entry& entry);

  void OnCommitted(const store::Key& key, std::uint64_t serial, const AlsoWritten& also,
                   store::CommitResult result);
  // `row`: as it was read after a commit whose outcome is unknown, or a conflict.
  void Conclude(Entry& entry, const AlsoWritten& also, store::CommitResult result,
                const absl::StatusOr<Row>* row);
  void OnRemoved(Entry& entry);
  void OnNotCommitted(Entry& entry, const store::CommitResult& result,
                      const absl::StatusOr<Row>* row);
  // Commands are answered with `error`; observations are kept.
  static std::vector<Change> AnswerCommands(std::vector<Change> changes, const absl::Status& error);
  static void FailChanges(std::vector<Change>& changes, const absl::Status& status);

  void AnswerWaiters(Entry& entry);
  // Commits that somebody here was answered, so that the creator at another gateway does not take
  // the resource back.
  void AnnounceReliance(Entry& entry);
  void SetTimer(Entry& entry);
  void UpdateCounts(Entry& entry);
  store::Shard ShardFor(const Entry& entry, const store::Content& content);

  const Environment environment_;
  base::EventLoop& loop_;
  store::Store& store_;
  StoreReader& reader_;
  Counts& counts_;
  Hooks hooks_;
  std::uint64_t last_serial_ = 0;
  bool answer_now_ = false;
  absl::flat_hash_map<store::Key, std::unique_ptr<Entry>> entries_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_ENGINE_H_
