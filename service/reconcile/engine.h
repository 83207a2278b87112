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
#include "reconcile/table.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Level-triggered: each resource is looked at as it was committed, and its next step follows from
// that alone, so that nothing depends on an event being seen. An item is planned only by the
// gateway that owns its shard. Another gateway has it in memory while somebody there waits for it,
// depends on it, commands it, or has a call of it in flight; it commits what it was told, by
// compare-and-set, and begins nothing.
//
// Threading: the reconciler's thread.
class Engine final : public Table {
 public:
  Engine(Environment environment, base::EventLoop& loop, store::Store& store, StoreReader& reader,
         Counts& counts)
      : Table(environment, loop, reader, counts), store_(store) {}

  // --- Rounds
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
  // It is not, and is to be planned again.
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

 private:
  // What else a round writes, and at which revision it was before.
  using AlsoWritten = std::vector<std::pair<store::Key, store::Revision>>;

  void TakeIn(Entry& entry, Observed observed);
  void Advance(Entry& entry) override;
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

  void AnswerWaiters(Entry& entry);
  // Commits that somebody here was answered, so that the creator at another gateway does not take
  // the resource back.
  void AnnounceReliance(Entry& entry);
  void SetTimer(Entry& entry);
  void UpdateCounts(Entry& entry);
  store::Shard ShardFor(const Entry& entry, const store::Content& content);

  store::Store& store_;
  bool answer_now_ = false;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_ENGINE_H_
