// An item in the engine's table, and where its rounds stand.
#ifndef ASSETGATE_RECONCILE_ENTRY_H_
#define ASSETGATE_RECONCILE_ENTRY_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reconcile/item.h"
#include "reconcile/observed.h"
#include "reconcile/step.h"
#include "store/store.h"
#include "upstream/waited_call.h"

namespace assetgate::reconcile {

// Something observed, or asked for, that goes into the draft. It may be applied more than once
// (after a conflict), each time to a fresh draft.
struct Change {
  // Of which unit it was observed, and what. Without it there is a command.
  std::optional<std::pair<std::size_t, Said>> said = {};
  // Returns OK, or why it cannot be done; then it has changed nothing.
  absl::AnyInvocable<absl::Status(Item&, Step&)> command = nullptr;
  // Runs with what became of it once that is durable; may be empty.
  absl::AnyInvocable<void(absl::Status)&&> done = nullptr;
  // Where a condition did not hold when it was to be committed: the status for `done`.
  absl::AnyInvocable<absl::Status(const store::Key& unmet)> unmet = nullptr;
  absl::Status status = absl::OkStatus();
};

// A call that waits for the item's verdict.
struct Waiter {
  absl::Time answer_by;
  absl::AnyInvocable<void(absl::StatusOr<const Item*>) &&> done;
  // Of a call that repeats another one: once its caller has hung up, nobody needs the answer.
  std::weak_ptr<upstream::WaitedCall> repetition = {};
};

// Whether the gateway that created the resource knows that somebody relies on it, so that it does
// not take it back.
enum class Reliance {
  // It does not know of anybody here.
  kUnannounced,
  // A commit that shows it is in flight.
  kAnnouncing,
  // It knows, or is this gateway.
  kAnnounced,
};

struct Entry {
  enum class Phase {
    // Between rounds.
    kIdle,
    // The draft is being committed, or what became of its commit is being read.
    kCommitting,
    // The same, of a draft that deletes the row.
    kRemoving,
  };

  std::unique_ptr<Item> item;
  Phase phase = Phase::kIdle;
  // A round is posted.
  bool posted = false;

  // As committed, and as the draft is being committed.
  store::Shard shard = 0;
  store::Shard draft_shard = 0;
  // 0 until it is committed.
  store::Revision create_revision = 0;
  // Of the newest change of it by another gateway.
  store::Revision remote_revision = 0;

  // For the next round; of the present one.
  std::vector<Change> pending;
  std::vector<Change> applied;
  // Of the present round, for when it is committed.
  std::vector<absl::AnyInvocable<void() &&>> actions;
  absl::Time wake_at = absl::InfiniteFuture();
  // When the loop checks whether it is time.
  std::set<absl::Time> timers;

  // Somebody was answered, or relies on it for another reason: it stays, whatever the providers
  // say.
  bool acknowledged = true;
  Reliance reliance = Reliance::kUnannounced;
  // Of the creation, while it may be taken back.
  std::optional<store::RequestKey> claim;
  // Why the present round takes it back.
  absl::Status refusal;
  std::vector<Waiter> waiters;

  // Items that wait for this one.
  absl::flat_hash_set<store::Key> dependents;
  // Who keeps it in memory although it has no steps left.
  int pins = 0;
  UnfinishedUnits counted;

  bool committing() const { return phase != Phase::kIdle; }
  bool removing() const { return phase == Phase::kRemoving; }
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_ENTRY_H_
