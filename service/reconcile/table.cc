#include "reconcile/table.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "model/refusal.h"
#include "reconcile/errors.h"
#include "reconcile/submission.h"
#include "reconcile/work/asset_item.h"
#include "reconcile/work/deletion_item.h"
#include "reconcile/work/group_item.h"
#include "reconcile/work/video_item.h"

namespace assetgate::reconcile {

Entry* Table::Find(const store::Key& key) {
  const auto it = entries_.find(key);
  return it == entries_.end() ? nullptr : it->second.get();
}

Entry* Table::Find(const store::Key& key, std::uint64_t serial) {
  Entry* entry = Find(key);
  return entry != nullptr && entry->item->serial() == serial ? entry : nullptr;
}

bool Table::AnyPending() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& each) {
    return !each.second->pending.empty() && each.second->posted;
  });
}

std::unique_ptr<Item> Table::NewItem(const store::Key& key) {
  switch (key.kind) {
    case store::Kind::kAssetGroup:
      return std::make_unique<GroupItem>(key, NextSerial(), Now());
    case store::Kind::kAsset:
      return std::make_unique<AssetItem>(key, NextSerial(), Now());
    case store::Kind::kVideoTask:
      return std::make_unique<VideoItem>(key, NextSerial(), Now());
    case store::Kind::kUpstreamDeletion:
      return std::make_unique<DeletionItem>(key, NextSerial(), Now());
  }
  return nullptr;
}

void Table::Load(const store::Key& key, Loaded done) {
  if (Entry* entry = Find(key)) return std::move(done)(entry);
  reader_.Get(key, [this, key, done = std::move(done)](absl::StatusOr<Row> row) mutable {
    // It may have been created or taken up meanwhile.
    if (Entry* entry = Find(key)) return std::move(done)(entry);
    if (!row.ok()) return std::move(done)(base::StoreUnreadable());
    if (!row->has_value()) return std::move(done)(nullptr);
    // A finished resource goes again with its next round.
    std::move(done)(&Adopt(**row));
  });
}

void Table::LoadNewest(const store::Key& key, Loaded done) {
  const Entry* const known = Find(key);
  // What it commits just now fails where another gateway was faster.
  if (known == nullptr || known->committing()) return Load(key, std::move(done));
  reader_.Get(key, [this, key, done = std::move(done)](absl::StatusOr<Row> row) mutable {
    if (!row.ok()) return std::move(done)(base::StoreUnreadable());
    if (Entry* entry = Find(key); entry != nullptr && !entry->committing()) {
      if (row->has_value()) {
        Refresh(*entry, **row);
      } else {
        OnRowDeleted(*entry);
      }
    }
    if (Find(key) == nullptr && !row->has_value()) return std::move(done)(nullptr);
    Load(key, std::move(done));
  });
}

Entry& Table::Adopt(const store::Row& row) {
  auto owned = std::make_unique<Entry>();
  Entry& entry = *owned;
  entry.item = NewItem(row.key);
  entry.item->Load(row);
  entry.item->SpreadPolls(environment_);
  entry.shard = row.content.shard;
  entry.create_revision = row.create_revision;
  entries_[row.key] = std::move(owned);
  if (hooks_.adopted(row)) {
    for (auto& [unit, answer] : NeverSent(row)) {
      entry.pending.push_back({.said = {{unit, std::move(answer)}}});
    }
  }
  PlanAgain(entry);
  return entry;
}

void Table::TakeUp(const store::Row& row) {
  Entry* entry = Find(row.key);
  if (entry == nullptr) {
    Adopt(row);
  } else if (entry->committing()) {
    entry->remote_revision = std::max(entry->remote_revision, row.revision);
  } else if (row.revision > entry->item->revision()) {
    Refresh(*entry, row);
  }
}

void Table::Unpin(const store::Key& key, std::uint64_t serial) {
  Entry* entry = Find(key, serial);
  if (entry != nullptr && --entry->pins == 0) PlanAgain(*entry);
}

void Table::Drop(const store::Key& key) {
  const auto it = entries_.find(key);
  if (it == entries_.end()) return;
  counts_.Replace(it->second->counted, {});
  entries_.erase(it);
}

void Table::PlanAgain(Entry& entry) {
  if (std::exchange(entry.posted, true)) return;
  loop_.Post([this, key = entry.item->key()] {
    if (Entry* found = Find(key)) {
      found->posted = false;
      Advance(*found);
    }
  });
}

bool Table::PlanAgain(const store::Key& key) {
  Entry* entry = Find(key);
  if (entry != nullptr) PlanAgain(*entry);
  return entry != nullptr;
}

void Table::PlanAgain(const store::Key& key, std::uint64_t serial) {
  if (Entry* entry = Find(key, serial)) PlanAgain(*entry);
}

void Table::PlanAllAgain(const absl::flat_hash_set<store::Key>& keys) {
  for (const store::Key& key : keys) PlanAgain(key);
}

std::vector<Change> Table::AnswerCommands(std::vector<Change> changes, const absl::Status& error) {
  std::vector<Change> kept;
  for (Change& change : changes) {
    if (change.done) {
      std::move(change.done)(error);
    } else {
      kept.push_back(std::move(change));
    }
  }
  return kept;
}

void Table::FailChanges(std::vector<Change>& changes, const absl::Status& status) {
  for (Change& change : changes) {
    if (change.done) std::move(change.done)(status);
  }
  changes.clear();
}

void Table::Refresh(Entry& entry) {
  reader_.Get(entry.item->key(), [this, key = entry.item->key(),
                                  serial = entry.item->serial()](absl::StatusOr<Row> row) {
    Entry* found = Find(key, serial);
    if (found == nullptr) return;
    // It looks again once its commit is done.
    if (found->committing()) {
      if (row.ok() && row->has_value()) {
        found->remote_revision = std::max(found->remote_revision, (*row)->revision);
      }
      return;
    }
    if (!row.ok()) {
      loop_.PostAt(Now() + kStoreRetry, [this, key, serial] {
        Entry* again = Find(key, serial);
        if (again != nullptr && !again->committing()) Refresh(*again);
      });
      return;
    }
    if (!row->has_value()) return OnRowDeleted(*found);
    Refresh(*found, **row);
  });
}

void Table::Refresh(Entry& entry, const store::Row& row) {
  Item& item = *entry.item;
  if (row.revision <= item.revision()) return;
  if (row.create_revision != entry.create_revision) {
    OnRowDeleted(entry);
    const bool ours = row.content.unfinished && environment_.ownership().Holds(row.content.shard);
    if (ours && Find(row.key) == nullptr) TakeUp(row);
    return;
  }
  const bool owned = Owns(entry);
  item.Load(row);
  entry.shard = row.content.shard;
  // Another gateway knows of it: it stays.
  entry.acknowledged = true;
  if (!owned && Owns(entry)) item.SpreadPolls(environment_);
  if (owned && !Owns(entry)) item.AbandonPlaces(environment_);
  // Those that still depend on it say so again.
  PlanAllAgain(std::exchange(entry.dependents, {}));
  PlanAgain(entry);
}

void Table::OnRowDeleted(Entry& entry) {
  const store::Key key = entry.item->key();
  std::vector<Waiter> waiters = std::move(entry.waiters);
  std::vector<Change> pending = std::move(entry.pending);
  const auto dependents = std::move(entry.dependents);
  entry.item->AbandonPlaces(environment_);
  Drop(key);
  PlanAllAgain(dependents);
  for (Waiter& waiter : waiters) std::move(waiter.done)(model::NotFound(key));
  FailChanges(pending, model::NotFound(key));
}

}  // namespace assetgate::reconcile
