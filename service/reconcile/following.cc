#include "reconcile/following.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reconcile/errors.h"

namespace assetgate::reconcile {
namespace {

// Rows of one page: short enough that calls in between do not wait noticeably.
constexpr std::size_t kPage = 500;
// Resources that other gateways changed and that have not been looked at yet. Beyond, all is
// compared with the store.
constexpr std::size_t kMaxInbox = 16384;

}  // namespace

// Counts as a listing, so that `done` waits for those that begin before it ends.
void Following::Recover(absl::AnyInvocable<void() &&> done) {
  ++listings_;
  recovered_.push_back(std::move(done));
  leases_.SetListener(this);
  engine_.loop().Post([this] { EndListing(); });
}

void Following::OnTaken(const std::vector<store::Shard>& shards) {
  engine_.loop().Post([this, shards] { Take(shards); });
}

void Following::Take(const std::vector<store::Shard>& shards) {
  std::array<bool, store::kShards> taken = {};
  for (const store::Shard shard : shards) taken[shard] = true;
  const Environment& environment = engine_.environment();
  environment.ownership().Take(shards);
  environment.gates().ShareBudgetsNow();
  // What is in memory already, for a waiter or a dependent, or since it was owned before.
  engine_.ForEach([&](Entry& entry) {
    if (!taken[entry.shard]) return;
    entry.item->SpreadPolls(environment);
    engine_.PlanAgain(entry);
  });
  BeginListing(shards);
}

void Following::OnLost(const std::vector<store::Shard>& shards) {
  engine_.loop().Post([this, shards] { Lose(shards); });
}

void Following::Lose(const std::vector<store::Shard>& shards) {
  std::array<bool, store::kShards> lost = {};
  for (const store::Shard shard : shards) lost[shard] = true;
  const Environment& environment = engine_.environment();
  environment.ownership().Lose(shards);
  environment.gates().ShareBudgetsNow();
  engine_.ForEach([&](Entry& entry) {
    if (!lost[entry.shard]) return;
    // Another gateway goes on with it, and nobody takes it back any more. What is being committed
    // keeps its place until that is done.
    entry.acknowledged = true;
    if (!entry.committing()) entry.item->AbandonPlaces(environment);
    engine_.PlanAgain(entry);
  });
}

void Following::BeginListing(std::vector<store::Shard> shards) {
  ++listings_;
  ReadPage({std::move(shards), std::nullopt});
}

void Following::ReadPage(Listing listing) {
  std::erase_if(listing.shards, [this](store::Shard shard) {
    return !engine_.environment().ownership().Holds(shard);
  });
  if (listing.shards.empty() || engine_.environment().draining()) return EndListing();
  store::UnfinishedQuery query{.shards = listing.shards, .after = listing.after, .limit = kPage};
  engine_.reader().ListUnfinished(
      std::move(query),
      [this, listing = std::move(listing)](absl::StatusOr<std::vector<store::Row>> page) mutable {
        OnPage(std::move(listing), std::move(page));
      });
}

void Following::OnPage(Listing listing, absl::StatusOr<std::vector<store::Row>> page) {
  if (!page.ok()) {
    engine_.environment().telemetry().OnWarning(
        "unfinished work", absl::StrCat("cannot be read yet: ", page.status().message()));
    engine_.loop().PostAt(
        engine_.Now() + kStoreRetry,
        [this, listing = std::move(listing)]() mutable { ReadPage(std::move(listing)); });
    return;
  }
  for (const store::Row& row : *page) engine_.TakeUp(row);
  if (page->size() < kPage) return EndListing();
  listing.after = page->back().key;
  ReadPage(std::move(listing));
}

void Following::EndListing() {
  if (--listings_ > 0) return;
  for (auto& done : std::exchange(recovered_, {})) std::move(done)();
}

void Following::OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision) {
  bool post = false;
  for (const store::ChangePtr& change : changes) {
    if (change->local) continue;
    absl::MutexLock lock(&mu_);
    if (!inbox_.posted) post = inbox_.posted = true;
    if (inbox_.overrun) continue;
    inbox_.newest[change->key] = change;
    if (inbox_.newest.size() > kMaxInbox) {
      inbox_.newest.clear();
      inbox_.overrun = true;
    }
  }
  if (post) engine_.loop().Post([this] { ReadInbox(); });
}

void Following::OnGap(store::Revision) { CompareAll(absl::ZeroDuration()); }

void Following::CompareAll(absl::Duration delay) {
  {
    absl::MutexLock lock(&mu_);
    inbox_.overrun = true;
    if (std::exchange(inbox_.posted, true)) return;
  }
  engine_.loop().PostAt(engine_.Now() + delay, [this] { ReadInbox(); });
}

void Following::ReadInbox() {
  Inbox inbox;
  {
    absl::MutexLock lock(&mu_);
    inbox = std::exchange(inbox_, {});
  }
  for (const auto& [key, change] : inbox.newest) OnRemoteChange(*change);
  if (!inbox.overrun) return;
  std::vector<store::Key> others;
  engine_.ForEach([&](Entry& entry) {
    if (!engine_.Owns(entry) && !entry.committing()) others.push_back(entry.item->key());
  });
  for (const store::Key& key : others) {
    if (Entry* entry = engine_.Find(key)) engine_.Refresh(*entry);
  }
  BeginListing(engine_.environment().ownership().held());
}

void Following::OnRemoteChange(const store::Change& change) {
  if (Entry* entry = engine_.Find(change.key)) {
    entry->remote_revision = std::max(entry->remote_revision, change.revision);
    // What is being committed looks when that is done.
    if (!entry->committing() && change.revision > entry->item->revision()) {
      engine_.Refresh(*entry);
    }
    return;
  }
  if (change.deleted || !change.unfinished ||
      !engine_.environment().ownership().Holds(change.shard)) {
    return;
  }
  // Loading begins the work.
  engine_.Load(change.key, [this](absl::StatusOr<Entry*> loaded) {
    // All is compared with the store once that can be read again.
    if (!loaded.ok()) CompareAll(kStoreRetry);
  });
}

}  // namespace assetgate::reconcile
