#include "reconcile/engine.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "model/refusal.h"
#include "model/resource.h"
#include "reconcile/errors.h"

namespace assetgate::reconcile {
namespace {

using Outcome = store::CommitResult::Outcome;

// Timers cannot be cancelled: none is so far off that those of what is finished by then pile up.
constexpr absl::Duration kMaxTimer = absl::Minutes(1);

// Whether the row is what the draft asked for.
bool IsDraft(const std::optional<store::Row>& row, const Entry& entry) {
  if (entry.removing()) return !row.has_value();
  if (!row.has_value()) return false;
  const store::Content draft = entry.item->DraftContent();
  return row->content.resource == draft.resource && row->content.internal == draft.internal;
}

}  // namespace

void Engine::Add(Entry& entry, Change change) {
  entry.pending.push_back(std::move(change));
  if (!entry.committing()) Advance(entry);
}

void Engine::Observe(Observed observed) {
  Entry* entry = Find(observed.key);
  if (entry == nullptr && observed.serial == 0) {
    const store::Key key = observed.key;
    return Load(key, [this, observed = std::move(observed)](absl::StatusOr<Entry*> loaded) mutable {
      if (loaded.ok() && *loaded != nullptr) TakeIn(**loaded, std::move(observed));
    });
  }
  if (entry == nullptr) return;
  if (observed.serial != 0 && observed.serial != entry->item->serial()) return;
  TakeIn(*entry, std::move(observed));
}

void Engine::TakeIn(Entry& entry, Observed observed) {
  const std::size_t unit = observed.unit;
  std::optional<Said> said = entry.item->TakeIn(environment_, std::move(observed));
  if (!said.has_value()) return PlanAgain(entry);
  Add(entry, {.said = {{unit, *std::move(said)}}});
}

void Engine::Advance(Entry& entry) {
  if (entry.committing()) return;
  environment_.gates().ShareBudgets();
  Item& item = *entry.item;
  entry.actions.clear();
  entry.wake_at = absl::InfiniteFuture();
  item.BeginDraft();
  entry.applied = std::exchange(entry.pending, {});
  if (item.ReadOnly()) return RejectChanges(entry);
  Step step(environment_, entry.shard, Owns(entry));
  for (Change& change : entry.applied) {
    change.status = change.said.has_value()
                        ? item.Apply(step, change.said->first, change.said->second)
                        : change.command(item, step);
  }
  if (step.acknowledged()) entry.acknowledged = true;
  bool remove = step.removes();
  if (!step.owned()) {
    item.AbandonPlaces(environment_);
    if (!remove) item.Derive(step);
  } else if (!remove) {
    PlanDraft(entry, step, remove);
  }
  entry.wake_at = step.wake_at();
  entry.actions = step.TakeActions();
  if (step.changed() || remove) {
    Commit(entry, step, remove);
  } else {
    Settle(entry, /*committed=*/false);
  }
}

void Engine::PlanDraft(Entry& entry, Step& step, bool& remove) {
  Item& item = *entry.item;
  const bool refusable = !entry.acknowledged && !entry.waiters.empty();
  // Before Plan, which would try a provider again that refused a while ago.
  std::optional<absl::Status> refusal;
  if (refusable) refusal = item.Refusal();
  if (!refusal.has_value()) {
    item.Plan(step);
    if (refusable) refusal = item.Refusal();
  }
  remove = step.removes();
  if (!refusal.has_value()) return;
  entry.refusal = *std::move(refusal);
  remove = true;
}

void Engine::RejectChanges(Entry& entry) {
  for (Change& change : entry.applied) {
    change.status = WrittenByLaterRelease(entry.item->name());
    // What a provider answered is for the gateway that knows what the row says.
    if (!change.done) {
      environment_.telemetry().OnWarning(entry.item->name(), change.status.message());
    }
  }
  entry.item->AbandonPlaces(environment_);
  Settle(entry, /*committed=*/false);
}

void Engine::RejectDraft(Entry& entry) {
  const base::Error error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR,
                          "what was said of it cannot be stored: it has a text that is not UTF-8");
  Item& item = *entry.item;
  environment_.telemetry().OnWarning(item.name(),
                                     "a change that could not be read again was not committed");
  std::vector<Change> applied = std::exchange(entry.applied, {});
  entry.actions.clear();
  item.AbandonPlaces(environment_);
  bool again = false;
  for (Change& change : applied) {
    if (change.said.has_value()) {
      again = true;
      entry.pending.push_back({.said = {{change.said->first, Unstorable{error.ToProto()}}}});
    } else if (change.done) {
      std::move(change.done)(error);
    }
  }
  item.DropDraft();
  if (again) return PlanAgain(entry);
  loop_.PostAt(Now() + kMaxTimer,
               [this, key = item.key(), serial = item.serial()] { PlanAgain(key, serial); });
}

void Engine::Commit(Entry& entry, Step& step, bool remove) {
  Item& item = *entry.item;
  item.Stamp(Now());
  store::Transaction transaction;
  store::Write write;
  write.key = item.key();
  write.expected_revision = item.revision();
  if (!remove) {
    write.content = item.DraftContent();
    if (!model::ReadsBack(item.key().kind, *write.content)) return RejectDraft(entry);
    write.content->shard = entry.draft_shard = ShardFor(entry, *write.content);
  } else if (!entry.refusal.ok()) {
    transaction.free_request = entry.claim;
  }
  entry.phase = remove ? Entry::Phase::kRemoving : Entry::Phase::kCommitting;
  transaction.writes.push_back(std::move(write));
  transaction.conditions = std::move(step.conditions());
  AlsoWritten also;
  for (store::Write& other : step.TakeAlso()) {
    also.emplace_back(other.key, other.expected_revision);
    transaction.writes.push_back(std::move(other));
  }
  environment_.quiescence().BeginCommit();
  store_.Commit(std::move(transaction), [this, key = item.key(), serial = item.serial(),
                                         also =
                                             std::move(also)](store::CommitResult result) mutable {
    loop_.Post([this, key, serial, also = std::move(also), result = std::move(result)]() mutable {
      OnCommitted(key, serial, also, std::move(result));
    });
  });
}

store::Shard Engine::ShardFor(const Entry& entry, const store::Content& content) {
  // Work begins again where it was finished: the gateway that took the call does it. What another
  // gateway is at stays there.
  if (!content.unfinished || Owns(entry) || entry.item->Unfinished()) return entry.shard;
  return environment_.ownership().PickOr(entry.shard);
}

void Engine::OnCommitted(const store::Key& key, std::uint64_t serial, const AlsoWritten& also,
                         store::CommitResult result) {
  Entry* entry = Find(key, serial);
  const bool unknown = result.outcome == Outcome::kUnknown;
  if (entry == nullptr || (!unknown && result.outcome != Outcome::kConflict)) {
    if (entry != nullptr) Conclude(*entry, also, std::move(result), nullptr);
    return environment_.quiescence().EndCommit();
  }
  // The store is read before anything is sent again: what is in it was committed. What is not there
  // may still come.
  reader_.Get(key, [this, key, serial, also, unknown,
                    result = std::move(result)](absl::StatusOr<Row> row) mutable {
    if (Entry* found = Find(key, serial)) {
      if (unknown && !result.provisional && row.ok() && IsDraft(*row, *found)) {
        result.outcome = Outcome::kCommitted;
        if (row->has_value()) result.revisions = {(*row)->revision};
      }
      Conclude(*found, also, std::move(result), &row);
    }
    environment_.quiescence().EndCommit();
  });
}

void Engine::Conclude(Entry& entry, const AlsoWritten& also, store::CommitResult result,
                      const absl::StatusOr<Row>* row) {
  const bool removing = entry.removing();
  entry.phase = Entry::Phase::kIdle;
  Item& item = *entry.item;
  if (result.outcome == Outcome::kUnknown) {
    hooks_.doubt(item.key(), item.revision());
    for (const auto& [other, before] : also) hooks_.doubt(other, before);
  }
  if (result.outcome != Outcome::kCommitted) return OnNotCommitted(entry, result, row);
  if (removing) return OnRemoved(entry);
  const std::string before = item.StateName();
  item.AcceptDraft(environment_, result.revisions.empty() ? item.revision() : result.revisions[0]);
  entry.shard = entry.draft_shard;
  if (const std::string after = item.StateName(); after != before) {
    environment_.telemetry().OnStateChange(item.name(), item.context(), before, after,
                                           item.ErrorMessage());
  }
  const store::Key key = item.key();
  Settle(entry, /*committed=*/true);
  Entry* found = Find(key);
  if (found != nullptr && found->remote_revision > found->item->revision()) Refresh(*found);
}

void Engine::OnRemoved(Entry& entry) {
  // The waiters get the refusal, the caller that deleted it has its answer, and commands that were
  // queued find nothing.
  const store::Key key = entry.item->key();
  std::vector<Waiter> waiters = std::move(entry.waiters);
  const absl::Status refusal = entry.refusal.ok() ? model::NotFound(key) : entry.refusal;
  std::vector<Change> applied = std::move(entry.applied);
  std::vector<Change> pending = std::move(entry.pending);
  const auto dependents = std::move(entry.dependents);
  entry.item->AbandonPlaces(environment_);
  Drop(key);
  for (Waiter& waiter : waiters) std::move(waiter.done)(refusal);
  for (Change& change : applied) {
    if (change.done) std::move(change.done)(change.status);
  }
  FailChanges(pending, model::NotFound(key));
  PlanAllAgain(dependents);
}

void Engine::OnNotCommitted(Entry& entry, const store::CommitResult& result,
                            const absl::StatusOr<Row>* row) {
  Item& item = *entry.item;
  entry.refusal = absl::OkStatus();
  // What was observed goes into the next draft.
  std::vector<Change> again = std::exchange(entry.applied, {});
  if (result.outcome == Outcome::kUnavailable || result.outcome == Outcome::kUnknown) {
    const bool unavailable = result.outcome == Outcome::kUnavailable;
    environment_.telemetry().OnWarning(
        item.name(), absl::StrCat(unavailable ? "not committed: " : "not known to be committed: ",
                                  result.message));
    again =
        AnswerCommands(std::move(again), unavailable ? base::StoreUnwritable() : CommitUnknown());
  }
  if (row != nullptr && row->ok()) {
    const Row& stored = **row;
    if (!stored.has_value() || stored->create_revision != entry.create_revision) {
      entry.pending.insert(entry.pending.begin(), std::make_move_iterator(again.begin()),
                           std::make_move_iterator(again.end()));
      return OnRowDeleted(entry);
    }
    // Another gateway knows of it: it stays.
    if (stored->revision != item.revision()) entry.acknowledged = true;
    item.Load(*stored);
    entry.shard = stored->content.shard;
    entry.create_revision = stored->create_revision;
  }
  if (result.outcome == Outcome::kConditionUnmet) {
    std::vector<Change> kept;
    for (Change& change : again) {
      if (change.unmet && change.status.ok()) {
        std::move(change.done)(change.unmet(result.unmet.front()));
      } else {
        kept.push_back(std::move(change));
      }
    }
    again = std::move(kept);
  }
  if (result.outcome == Outcome::kConditionUnmet || result.outcome == Outcome::kConflict) {
    PlanAgain(entry);
  } else {
    loop_.PostAt(Now() + kStoreRetry, [this, key = item.key()] { PlanAgain(key); });
  }
  // Nobody waits longer than they said because the store is away.
  AnswerWaiters(entry);
  again.insert(again.end(), std::make_move_iterator(entry.pending.begin()),
               std::make_move_iterator(entry.pending.end()));
  entry.pending = std::move(again);
}

void Engine::Settle(Entry& entry, bool committed) {
  Item& item = *entry.item;
  std::vector<Change> applied = std::exchange(entry.applied, {});
  auto actions = std::exchange(entry.actions, {});
  for (auto& action : actions) std::move(action)();
  for (Change& change : applied) {
    if (change.done) std::move(change.done)(change.status);
  }
  item.DropDraft();
  AnswerWaiters(entry);
  if (committed) {
    const auto dependents = entry.dependents;
    if (!item.Unfinished()) entry.dependents.clear();
    PlanAllAgain(dependents);
  }
  UpdateCounts(entry);
  if (!entry.pending.empty() || committed) PlanAgain(entry);
  SetTimer(entry);
  const bool idle = (!item.Unfinished() || !Owns(entry)) && entry.pending.empty() &&
                    entry.waiters.empty() && entry.dependents.empty() && entry.pins == 0 &&
                    !entry.posted && !item.AnyCallInFlight();
  if (!idle) return;
  item.AbandonPlaces(environment_);
  Drop(item.key());
}

void Engine::UpdateCounts(Entry& entry) {
  UnfinishedUnits units;
  if (Owns(entry) && !entry.item->ReadOnly()) units = entry.item->Units();
  counts_.Replace(entry.counted, units);
  entry.counted = std::move(units);
}

void Engine::SetTimer(Entry& entry) {
  if (entry.wake_at == absl::InfiniteFuture()) return;
  // Few timers: each is sooner than those before it.
  const absl::Time at = std::min(entry.wake_at, Now() + kMaxTimer);
  if (!entry.timers.empty() && *entry.timers.begin() <= at) return;
  entry.timers.insert(at);
  loop_.PostAt(at, [this, key = entry.item->key(), at] {
    Entry* found = Find(key);
    if (found == nullptr || found->timers.erase(at) == 0) return;
    // An item that is being committed looks again when that is done.
    if (found->committing()) return;
    if (found->wake_at > Now()) return SetTimer(*found);
    Advance(*found);
  });
}

absl::StatusOr<store::Write> Engine::BeginCreation(std::unique_ptr<Item> owned, store::Shard shard,
                                                   std::optional<store::RequestKey> claim) {
  const store::Key key = owned->key();
  auto entry = std::make_unique<Entry>();
  Entry& created = *entry;
  created.item = std::move(owned);
  created.shard = created.draft_shard = shard;
  created.claim = std::move(claim);
  created.reliance = Reliance::kAnnounced;
  created.acknowledged = false;
  created.phase = Entry::Phase::kCommitting;
  entries_[key] = std::move(entry);
  Item& item = *created.item;
  item.BeginDraft();
  Step step(environment_, shard, Owns(created));
  // Of a shard that is not owned, or whose lease has not been noticed yet: then the first step
  // follows.
  if (step.owned()) {
    item.Plan(step);
  } else {
    item.Derive(step);
  }
  created.wake_at = step.wake_at();
  created.actions = step.TakeActions();
  absl::Status refused;
  if (std::optional<absl::Status> refusal = item.Refusal()) refused = *std::move(refusal);
  store::Write write;
  write.key = key;
  write.content = item.DraftContent();
  if (refused.ok() && !model::ReadsBack(key.kind, *write.content)) {
    refused = base::Error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR,
                          "it cannot be stored: it has a text that is not UTF-8");
  }
  if (!refused.ok()) {
    item.AbandonPlaces(environment_);
    Drop(key);
    return refused;
  }
  write.content->shard = shard;
  return write;
}

void Engine::Created(Entry& entry, store::Revision revision) {
  entry.phase = Entry::Phase::kIdle;
  entry.item->AcceptDraft(environment_, revision);
  entry.create_revision = revision;
}

std::unique_ptr<Item> Engine::Withdraw(const store::Key& key) {
  Entry* entry = Find(key);
  if (entry == nullptr) return nullptr;
  entry->item->AbandonPlaces(environment_);
  std::unique_ptr<Item> item = std::move(entry->item);
  entries_.erase(key);
  return item;
}

void Engine::Abandon(const store::Key& key, bool unknown) {
  Entry* entry = Find(key);
  if (entry == nullptr) return;
  entry->item->AbandonPlaces(environment_);
  std::vector<Change> commands = std::move(entry->pending);
  const auto dependents = std::move(entry->dependents);
  Drop(key);
  PlanAllAgain(dependents);
  if (commands.empty()) return;
  Load(key,
       [this, key, unknown, commands = std::move(commands)](absl::StatusOr<Entry*> loaded) mutable {
         if (!loaded.ok()) return FailChanges(commands, loaded.status());
         if (*loaded == nullptr)
           return FailChanges(commands, unknown ? CommitUnknown() : model::NotFound(key));
         for (Change& command : commands) {
           if (Entry* found = Find(key)) Add(*found, std::move(command));
         }
       });
}

void Engine::AddWaiter(Entry& entry, Waiter waiter) {
  const absl::Time answer_by = answer_now_ ? Now() : waiter.answer_by;
  waiter.answer_by = answer_by;
  // A caller that repeats a call and hangs up, again and again, is not kept as often.
  std::erase_if(entry.waiters,
                [](const Waiter& each) { return upstream::HungUp(each.repetition); });
  entry.waiters.push_back(std::move(waiter));
  loop_.PostAt(answer_by, [this, key = entry.item->key()] {
    // Not while a deletion is in flight: its verdict answers.
    if (Entry* found = Find(key); found != nullptr && !found->removing()) AnswerWaiters(*found);
  });
}

void Engine::AnswerWaitersNow() {
  answer_now_ = true;
  std::vector<store::Key> waited_for;
  for (auto& [key, entry] : entries_) {
    for (Waiter& waiter : entry->waiters) waiter.answer_by = Now();
    if (!entry->waiters.empty()) waited_for.push_back(key);
  }
  for (const store::Key& key : waited_for) {
    if (Entry* entry = Find(key); entry != nullptr && !entry->removing()) AnswerWaiters(*entry);
  }
}

void Engine::AnswerWaiters(Entry& entry) {
  const Item& item = *entry.item;
  if (entry.waiters.empty() || item.revision() == 0) return;
  const absl::Time now = Now();
  const bool answerable = item.Answerable();
  const auto due = [&](const Waiter& waiter) { return answerable || now >= waiter.answer_by; };
  if (!Owns(entry) && entry.reliance != Reliance::kAnnounced && item.MayBeRefused() &&
      std::any_of(entry.waiters.begin(), entry.waiters.end(), due)) {
    return AnnounceReliance(entry);
  }
  std::vector<Waiter> answered;
  for (auto it = entry.waiters.begin(); it != entry.waiters.end();) {
    if (due(*it)) {
      answered.push_back(std::move(*it));
      it = entry.waiters.erase(it);
    } else {
      ++it;
    }
  }
  if (answered.empty()) return;
  entry.acknowledged = true;
  for (Waiter& waiter : answered) std::move(waiter.done)(&item);
}

void Engine::AnnounceReliance(Entry& entry) {
  if (std::exchange(entry.reliance, Reliance::kAnnouncing) == Reliance::kAnnouncing) return;
  // An unchanged row that gets a new revision: the creator's own commit, were it to take the
  // resource back, conflicts with it.
  Change change;
  change.command = [](Item&, Step& step) {
    step.MarkChanged();
    return absl::OkStatus();
  };
  change.done = [this, key = entry.item->key(),
                 serial = entry.item->serial()](absl::Status status) {
    Entry* found = Find(key, serial);
    if (found == nullptr) return;
    found->reliance = status.ok() ? Reliance::kAnnounced : Reliance::kUnannounced;
    if (status.ok()) return AnswerWaiters(*found);
    // Whether it exists in the end is unknown.
    for (Waiter& waiter : std::exchange(found->waiters, {})) {
      std::move(waiter.done)(CommitUnknown());
    }
  };
  entry.pending.push_back(std::move(change));
  if (!entry.committing()) PlanAgain(entry);
}

}  // namespace assetgate::reconcile
