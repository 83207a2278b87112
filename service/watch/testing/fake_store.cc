#include "watch/testing/fake_store.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"

namespace assetgate::watch {

std::string FakeStore::ResourceOf(const std::string& id, store::Revision revision) {
  const std::string text = absl::StrCat(id, "@", revision);
  return absl::StrCat("\x12", std::string(1, static_cast<char>(text.size())), text);
}

store::Revision FakeStore::Put(const std::string& id, std::vector<std::string> terms,
                               bool settled) {
  store::Revision revision = 0;
  bool hold = false;
  {
    absl::MutexLock lock(&mu_);
    store::Row& row = rows_[{tenant, kind, id}];
    auto change = std::make_shared<store::Change>();
    change->key = row.key = {tenant, kind, id};
    change->previous_terms = row.content.terms;
    revision = row.revision = head() + 1;
    if (row.create_revision == 0) {
      row.create_revision = revision;
      newest_first_.emplace(revision, row.key);
    }
    row.content.resource = ResourceOf(id, revision) + std::string(padding, 'x');
    row.content.settled = settled;
    row.content.terms = std::move(terms);
    change->create_revision = row.create_revision;
    change->settled = settled;
    change->resource = row.content.resource;
    change->terms = row.content.terms;
    Add(std::move(change));
    hold = hold_;
  }
  if (!hold) Notify(1);
  return revision;
}

store::Revision FakeStore::Delete(const std::string& id, store::DeleteCause cause) {
  store::Revision revision = 0;
  bool hold = false;
  {
    absl::MutexLock lock(&mu_);
    const auto it = rows_.find({tenant, kind, id});
    if (it == rows_.end()) return 0;
    auto change = std::make_shared<store::Change>();
    change->key = it->first;
    change->create_revision = it->second.create_revision;
    change->deleted = true;
    change->cause = cause;
    change->resource = it->second.content.resource;
    change->previous_terms = it->second.content.terms;
    newest_first_.erase(change->create_revision);
    rows_.erase(it);
    Add(std::move(change));
    revision = head();
    hold = hold_;
  }
  if (!hold) Notify(1);
  return revision;
}

void FakeStore::Add(std::shared_ptr<store::Change> change) {
  change->revision = head() + 1;
  history_.push_back(std::move(change));
}

void FakeStore::HoldNotifications() {
  absl::MutexLock lock(&mu_);
  hold_ = true;
}

void FakeStore::Notify(std::size_t changes) {
  absl::MutexLock in_order(&notify_mu_);
  std::vector<store::ChangePtr> delivered;
  store::ChangeListener* listener = nullptr;
  store::Revision head = 0;
  {
    absl::MutexLock lock(&mu_);
    for (; changes > 0 && notified_ < history_.size(); --changes)
      delivered.push_back(history_[notified_++]);
    head = static_cast<store::Revision>(notified_);
    listener = listener_;
  }
  if (listener != nullptr && !delivered.empty()) listener->OnChanges(delivered, head);
}

std::size_t FakeStore::pending_notifications() const {
  absl::MutexLock lock(&mu_);
  return history_.size() - notified_;
}

void FakeStore::CompactUpto(store::Revision revision) {
  absl::MutexLock lock(&mu_);
  compacted_ = std::max(compacted_, revision);
}

void FakeStore::FailReads(absl::Status status) {
  absl::MutexLock lock(&mu_);
  failure_ = std::move(status);
}

int FakeStore::reads() const {
  absl::MutexLock lock(&mu_);
  return reads_;
}

std::vector<store::ChangePtr> FakeStore::History(std::size_t after) const {
  absl::MutexLock lock(&mu_);
  return {history_.begin() + static_cast<std::ptrdiff_t>(after), history_.end()};
}

void FakeStore::Commit(store::Transaction, store::CommitDone done) {
  std::move(done)({.message = "a fake store is written by Put and Delete"});
}

absl::Status FakeStore::BeginRead() {
  if (before_read) before_read();
  absl::MutexLock lock(&mu_);
  ++reads_;
  return failure_;
}

absl::StatusOr<std::optional<store::Row>> FakeStore::Get(const store::Key& key) {
  if (absl::Status status = BeginRead(); !status.ok()) return status;
  absl::MutexLock lock(&mu_);
  const auto it = rows_.find(key);
  if (it == rows_.end()) return std::optional<store::Row>();
  return std::optional<store::Row>(it->second);
}

absl::StatusOr<store::ListPage> FakeStore::List(const store::ListQuery& query) {
  if (absl::Status status = BeginRead(); !status.ok()) return status;
  if (query.order != store::ListQuery::Order::kNewestFirst) {
    return absl::UnimplementedError("order");
  }
  absl::MutexLock lock(&mu_);
  store::ListPage page;
  page.head = head();
  std::size_t bytes = 0;
  // Descending: the first row that is older.
  auto next = query.after_create_revision.has_value()
                  ? newest_first_.upper_bound(*query.after_create_revision)
                  : newest_first_.begin();
  for (std::size_t look_ups = 0; next != newest_first_.end(); ++next) {
    if (look_ups++ == max_look_ups) {
      page.more = true;
      page.end = std::prev(next)->first;
      break;
    }
    const store::Row& row = rows_.at(next->second);
    if (row.key.tenant != query.tenant || row.key.kind != query.kind ||
        !query.filter.Matches(row.content.terms)) {
      continue;
    }
    if (page.rows.size() == query.limit || bytes >= query.max_bytes) {
      page.more = true;
      page.end = page.rows.back().create_revision;
      break;
    }
    page.rows.push_back(row);
    bytes += row.content.resource.size() + row.content.internal.size();
  }
  return page;
}

absl::StatusOr<store::ChangesPage> FakeStore::ReadChanges(const store::ChangesQuery& query) {
  if (absl::Status status = BeginRead(); !status.ok()) return status;
  absl::MutexLock lock(&mu_);
  store::ChangesPage page;
  page.head = head();
  page.upto = query.after;
  if (query.after < compacted_) {
    page.compacted = true;
    return page;
  }
  std::size_t bytes = 0;
  for (std::size_t looked = 0;
       looked < query.limit && bytes < query.max_bytes && page.upto < page.head; ++looked) {
    const store::ChangePtr& change = history_[static_cast<std::size_t>(page.upto++)];
    if (change->key.tenant == query.tenant && change->key.kind == query.kind) {
      page.changes.push_back(change);
      bytes += change->resource.size();
    }
  }
  return page;
}

absl::StatusOr<std::optional<store::RequestRow>> FakeStore::FindRequest(const store::RequestKey&) {
  return std::optional<store::RequestRow>();
}

absl::StatusOr<std::vector<store::Row>> FakeStore::ListUnfinished(const store::UnfinishedQuery&) {
  return std::vector<store::Row>();
}

absl::StatusOr<std::optional<std::string>> FakeStore::NextTenant(const std::string&) {
  return std::optional<std::string>();
}

absl::StatusOr<store::Revision> FakeStore::Head() {
  if (absl::Status status = BeginRead(); !status.ok()) return status;
  absl::MutexLock lock(&mu_);
  return head();
}

absl::Status FakeStore::Health() {
  absl::MutexLock lock(&mu_);
  return failure_;
}

void FakeStore::SetListener(store::ChangeListener* listener) {
  absl::MutexLock lock(&mu_);
  listener_ = listener;
}

}  // namespace assetgate::watch
