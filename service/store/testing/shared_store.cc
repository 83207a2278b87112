#include "store/testing/shared_store.h"

#include <algorithm>
#include <memory>

#include "absl/synchronization/notification.h"

namespace assetgate::store {

void FakeLeases::Take(const std::vector<store::Shard>& shards, absl::Time now) {
  Renew(now);
  held_.insert(shards.begin(), shards.end());
  if (listener_ != nullptr) listener_->OnTaken(shards);
}

void FakeLeases::Lose(const std::vector<store::Shard>& shards) {
  for (const store::Shard shard : shards) held_.erase(shard);
  if (listener_ != nullptr) listener_->OnLost(shards);
}

std::optional<absl::Time> FakeLeases::HeldUntil(store::Shard shard) {
  if (!held_.contains(shard)) return std::nullopt;
  return until_;
}

std::optional<store::Shard> FakeLeases::Pick() {
  if (held_.empty()) return std::nullopt;
  return *std::next(held_.begin(), static_cast<std::ptrdiff_t>(turn_++ % held_.size()));
}

void FakeLeases::SetListener(store::LeaseListener* listener) {
  listener_ = listener;
  if (listener_ != nullptr && !held_.empty()) listener_->OnTaken(held());
}

void FakeLeases::Release() {
  released_ = true;
  Lose(held());
}

store::CommitResult SharedStore::Commit(int origin, store::Transaction transaction) {
  std::vector<std::pair<store::Key, store::Shard>> shards;
  for (const store::Write& write : transaction.writes) {
    if (write.content.has_value()) shards.emplace_back(write.key, write.content->shard);
  }
  store::CommitResult result;
  absl::Notification answered;
  real_.Commit(std::move(transaction), [&](store::CommitResult its) {
    result = std::move(its);
    answered.Notify();
  });
  answered.WaitForNotification();
  if (result.outcome == store::CommitResult::Outcome::kCommitted) {
    for (const auto& [key, shard] : shards) shards_[key] = shard;
  }
  absl::MutexLock lock(&mu_);
  for (const store::ChangePtr& change : fresh_) {
    auto committed = std::make_shared<store::Change>(*change);
    committed->shard = shards_[committed->key];
    changes_.push_back({std::move(committed), origin});
  }
  fresh_.clear();
  return result;
}

store::Row SharedStore::WithShard(store::Row row) {
  row.content.shard = shards_[row.key];
  return row;
}

std::vector<SharedStore::OriginatedChange> SharedStore::After(std::size_t count) {
  return {changes_.begin() + static_cast<std::ptrdiff_t>(count), changes_.end()};
}

void SharedStore::OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision) {
  absl::MutexLock lock(&mu_);
  fresh_.insert(fresh_.end(), changes.begin(), changes.end());
}

std::size_t GatewayStore::Notify(std::size_t max) {
  std::vector<SharedStore::OriginatedChange> rest = shared_.After(delivered_);
  rest.resize(std::min(max, rest.size()));
  for (SharedStore::OriginatedChange& next : rest) {
    auto change = std::make_shared<store::Change>(*next.change);
    change->local = next.origin == index_;
    if (listener_ != nullptr) listener_->OnChanges({change}, change->revision);
  }
  delivered_ += rest.size();
  return rest.size();
}

bool GatewayStore::AnswerOne() {
  if (answers_.empty()) return false;
  Answer answer = std::move(answers_.front());
  answers_.pop_front();
  if (answer.after > delivered_) Notify(answer.after - delivered_);
  std::move(answer.done)(std::move(answer.result));
  return true;
}

bool GatewayStore::Deliver() {
  bool any = false;
  while (AnswerOne()) any = true;
  return Notify(shared_.After(delivered_).size()) > 0 || any;
}

void GatewayStore::Commit(store::Transaction transaction, store::CommitDone done) {
  store::CommitResult result = shared_.Commit(index_, std::move(transaction));
  answers_.push_back(
      {std::move(result), std::move(done), delivered_ + shared_.After(delivered_).size()});
}

absl::StatusOr<std::optional<store::Row>> GatewayStore::Get(const store::Key& key) {
  auto row = shared_.real().Get(key);
  if (!row.ok() || !row->has_value()) return row;
  return std::optional<store::Row>(shared_.WithShard(**std::move(row)));
}

absl::StatusOr<std::vector<store::Row>> GatewayStore::ListUnfinished(
    const store::UnfinishedQuery& query) {
  std::vector<store::Row> rows;
  store::UnfinishedQuery all = query;
  all.shards.reset();
  for (;;) {
    auto page = shared_.real().ListUnfinished(all);
    if (!page.ok()) return page.status();
    for (store::Row& row : *page) {
      all.after = row.key;
      row = shared_.WithShard(std::move(row));
      if (query.shards.has_value() && std::find(query.shards->begin(), query.shards->end(),
                                                row.content.shard) == query.shards->end()) {
        continue;
      }
      rows.push_back(std::move(row));
      if (rows.size() == query.limit) return rows;
    }
    if (page->size() < all.limit) return rows;
  }
}

}  // namespace assetgate::store
