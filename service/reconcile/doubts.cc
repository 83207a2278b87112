#include "reconcile/doubts.h"

#include <algorithm>
#include <utility>

namespace assetgate::reconcile {
namespace {

// How soon, and at last how often, the store is asked.
constexpr absl::Duration kMinDelay = absl::Seconds(1);
constexpr absl::Duration kMaxDelay = absl::Minutes(1);
// A transaction that was on its way to the database when its connection was lost has arrived by
// then, or never will: the database ends a session that is silent in a transaction much sooner.
constexpr absl::Duration kDoubtPeriod = absl::Minutes(1);
// Rows looked at in one go.
constexpr std::size_t kPage = 50;

}  // namespace

void Doubts::Add(store::Key key, store::Revision before, std::optional<std::string> created) {
  doubts_.insert_or_assign(std::move(key), Doubt{before, std::move(created), engine_.Now()});
  delay_ = kMinDelay;
  if (std::exchange(asking_, true)) return;
  engine_.loop().PostAt(engine_.Now() + delay_, [this] { Ask(); });
}

bool Doubts::OnAdopted(const store::Row& row) {
  const auto doubt = doubts_.find(row.key);
  if (doubt == doubts_.end()) return false;
  const bool untouched =
      row.revision == row.create_revision && doubt->second.created == row.content.internal;
  if (row.revision > doubt->second.before) doubts_.erase(doubt);
  return untouched;
}

void Doubts::Ask() {
  store::Transaction barrier;
  barrier.barrier = true;
  store_.Commit(std::move(barrier),
                [this, asked = engine_.Now()](const store::CommitResult& result) {
                  const bool decided = result.outcome == store::CommitResult::Outcome::kCommitted;
                  engine_.loop().Post([this, asked, decided] {
                    auto keys = std::make_shared<std::vector<store::Key>>();
                    if (decided) {
                      for (const auto& [key, doubt] : doubts_) keys->push_back(key);
                    }
                    Decide(std::move(keys), 0, asked);
                  });
                });
}

void Doubts::Decide(std::shared_ptr<const std::vector<store::Key>> keys, std::size_t from,
                    absl::Time asked) {
  const std::size_t end = std::min(keys->size(), from + kPage);
  for (std::size_t i = from; i < end; ++i) Decide((*keys)[i], asked);
  if (end < keys->size()) {
    engine_.loop().Post([this, keys = std::move(keys), end, asked]() mutable {
      Decide(std::move(keys), end, asked);
    });
    return;
  }
  asking_ = !doubts_.empty();
  if (!asking_) return;
  engine_.loop().PostAt(engine_.Now() + delay_, [this] { Ask(); });
  delay_ = std::min(2 * delay_, kMaxDelay);
}

void Doubts::Decide(const store::Key& key, absl::Time asked) {
  const auto it = doubts_.find(key);
  // What came into doubt later waits for the next barrier.
  if (it == doubts_.end() || it->second.since > asked) return;
  engine_.reader().Get(key, [this, key, asked](absl::StatusOr<StoreReader::Row> row) {
    const auto doubt = doubts_.find(key);
    if (doubt == doubts_.end() || doubt->second.since > asked || !row.ok()) return;
    const store::Revision before = doubt->second.before;
    const bool changed = row->has_value() ? (*row)->revision > before : before != 0;
    if (!changed) {
      if (asked - doubt->second.since >= kDoubtPeriod) doubts_.erase(doubt);
      return;
    }
    Entry* entry = engine_.Find(key);
    if (row->has_value()) {
      const store::Content& content = (*row)->content;
      const bool ours =
          content.unfinished && engine_.environment().ownership().Holds(content.shard);
      if (entry != nullptr || ours) engine_.TakeUp(**row);
    } else if (entry != nullptr && !entry->committing()) {
      engine_.OnRowDeleted(*entry);
    }
    // Taking it up may have ended the doubt already.
    doubts_.erase(key);
  });
}

}  // namespace assetgate::reconcile
