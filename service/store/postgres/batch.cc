#include "store/postgres/batch.h"

#include <openssl/sha.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "store/codec.h"

namespace assetgate::store::postgres {
namespace {

using Outcome = CommitResult::Outcome;

// An index entry holds at most 2,700 bytes.
constexpr std::size_t kMaxIndexedBytes = 1'000;
// The number of bytes that a longer term keeps.
constexpr std::size_t kIndexedPrefix = 900;

// Batches with more locks take the lock of everything instead.
constexpr std::size_t kMaxLocks = 256;
// The only key that is not negative, so it never equals a hash.
constexpr std::int64_t kEverything = 0x4147'5354'0000'0001;

// Must be the same in every process and version, because gateways must agree on it.
std::int64_t LockKey(absl::string_view what, const std::vector<std::string>& parts) {
  const std::string text = absl::StrCat(what, EncodeStrings(parts));
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::uint64_t key = 0;
  for (int i = 0; i < 8; ++i) key = key << 8 | digest[i];
  return static_cast<std::int64_t>(key | std::uint64_t{1} << 63);
}

}  // namespace

std::string IndexedTerm(absl::string_view term) {
  if (term.size() <= kMaxIndexedBytes) return std::string(term);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(term.data()), term.size(), digest);
  return absl::StrCat(
      term.substr(0, kIndexedPrefix), "#",
      absl::BytesToHexString({reinterpret_cast<const char*>(digest), sizeof(digest)}));
}

Batch::Batch(absl::Span<const PendingCommit> group) : group_(group) {
  for (const PendingCommit& one : group) {
    const Transaction& transaction = one.transaction;
    for (const Write& write : transaction.writes) {
      const std::size_t row = RowOf(write.key);
      written_.insert(row);
      if (!write.content.has_value()) rows_[row].wants_resource = true;
    }
    for (const Key& key : transaction.conditions.exist) RowOf(key);
    for (const Conditions::Term& term : transaction.conditions.absent) {
      const auto [it, added] =
          term_of_.try_emplace(Key{term.tenant, term.kind, term.term}, terms_.size());
      if (added) terms_.push_back({term, {}});
    }
    for (const Conditions::TermAnywhere& term : transaction.conditions.absent_anywhere) {
      const auto [it, added] = term_anywhere_of_.try_emplace(std::make_pair(term.kind, term.term),
                                                             terms_anywhere_.size());
      if (added) terms_anywhere_.push_back({term.kind, term.term, {}});
      max_excepted_ = std::max(max_excepted_, term.except.size());
    }
    if (transaction.claim_request.has_value()) RequestOf(transaction.claim_request->key);
    if (transaction.free_request.has_value()) RequestOf(*transaction.free_request);
  }
}

std::size_t Batch::RowOf(const Key& key) {
  const auto [it, added] = row_of_.try_emplace(key, rows_.size());
  if (added) rows_.emplace_back().key = key;
  return it->second;
}

std::size_t Batch::RequestOf(const RequestKey& key) {
  const auto [it, added] = request_of_.try_emplace(key, requests_.size());
  if (added) requests_.emplace_back().key = key;
  return it->second;
}

std::vector<Batch::Lock> Batch::Locks() const {
  // By key; if a lock is wanted in both modes, the stronger one.
  std::map<std::int64_t, bool> locks;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Key& key = rows_[i].key;
    const bool shared = !written_.contains(i);
    const auto [it, added] = locks.try_emplace(
        LockKey("row", {key.tenant, absl::StrCat(static_cast<int>(key.kind)), key.id}), shared);
    it->second = it->second && shared;
  }
  for (const RequestSlot& request : requests_) {
    locks[LockKey("request", {request.key.tenant, request.key.method, request.key.request_id})] =
        false;
  }
  if (locks.size() > kMaxLocks || !terms_anywhere_.empty()) return {{kEverything, false}};
  if (locks.empty()) return {};
  std::vector<Lock> ordered = {{kEverything, true}};
  for (const auto& [key, shared] : locks) ordered.push_back({key, shared});
  return ordered;
}

bool Batch::barrier() const {
  return std::any_of(group_.begin(), group_.end(),
                     [](const PendingCommit& one) { return one.transaction.barrier; });
}

void Batch::Apply(Revision head) {
  head_ = newest_ = head;
  relies_on_head_ = false;
  changes_.clear();
  results_.clear();
  for (RowSlot& row : rows_) row.now = row.before;
  for (RequestSlot& request : requests_) {
    request.now = request.before;
    request.changed = false;
  }
  for (const PendingCommit& one : group_) results_.push_back(ApplyOne(one.transaction));
}

CommitResult Batch::ApplyOne(const Transaction& transaction) {
  // Check everything before changing anything.
  CommitResult result;
  if (transaction.claim_request.has_value()) {
    const RequestSlot& request = requests_[RequestOf(transaction.claim_request->key)];
    if (request.now.has_value()) {
      result.outcome = Outcome::kRequestIdTaken;
      result.request = request.now;
      return result;
    }
  }
  absl::flat_hash_set<std::size_t> seen;
  for (std::size_t i = 0; i < transaction.writes.size(); ++i) {
    const Write& write = transaction.writes[i];
    const std::size_t at = RowOf(write.key);
    const Revision revision = rows_[at].now.revision;
    if (revision > head_ && write.expected_revision > head_) relies_on_head_ = true;
    const bool repeated = !seen.insert(at).second;
    const bool deletes_nothing = revision == 0 && !write.content.has_value();
    if (revision != write.expected_revision || repeated || deletes_nothing) {
      result.conflicts.push_back(i);
    }
  }
  if (!result.conflicts.empty()) {
    result.outcome = Outcome::kConflict;
    return result;
  }
  CheckConditions(transaction.conditions, result.unmet);
  if (!result.unmet.empty()) {
    result.outcome = Outcome::kConditionUnmet;
    return result;
  }

  for (const Write& write : transaction.writes) {
    ApplyWrite(write);
    result.revisions.push_back(newest_);
  }
  if (transaction.free_request.has_value()) {
    RequestSlot& request = requests_[RequestOf(*transaction.free_request)];
    request.changed = request.changed || request.now.has_value();
    request.now.reset();
  }
  if (transaction.claim_request.has_value()) {
    RequestSlot& request = requests_[RequestOf(transaction.claim_request->key)];
    request.changed = true;
    request.now = transaction.claim_request;
  }
  result.outcome = Outcome::kCommitted;
  return result;
}

void Batch::CheckConditions(const Conditions& conditions, std::vector<Key>& unmet) const {
  for (const Key& key : conditions.exist) {
    if (rows_[row_of_.at(key)].now.revision == 0) unmet.push_back(key);
  }
  for (const Conditions::Term& absent : conditions.absent) {
    const auto found = [&]() -> std::optional<std::string> {
      // Rows of this batch count with their new state.
      for (const std::size_t at : written_) {
        const RowSlot& row = rows_[at];
        if (row.key.tenant != absent.tenant || row.key.kind != absent.kind) continue;
        if (row.now.revision == 0) continue;
        const std::vector<std::string>& terms = row.now.current_terms();
        if (std::find(terms.begin(), terms.end(), absent.term) != terms.end()) return row.key.id;
      }
      for (const std::string& id :
           terms_[term_of_.at({absent.tenant, absent.kind, absent.term})].ids) {
        const auto it = row_of_.find(Key{absent.tenant, absent.kind, id});
        if (it == row_of_.end() || !written_.contains(it->second)) return id;
      }
      return std::nullopt;
    }();
    if (found.has_value()) unmet.push_back({absent.tenant, absent.kind, *found});
  }
  for (const Conditions::TermAnywhere& absent : conditions.absent_anywhere) {
    const auto counts = [&](const Key& key) {
      return std::find(absent.except.begin(), absent.except.end(), key) == absent.except.end();
    };
    const auto found = [&]() -> std::optional<Key> {
      // Rows of this batch count with their new state here, too.
      for (const std::size_t at : written_) {
        const RowSlot& row = rows_[at];
        if (row.key.kind != absent.kind || row.now.revision == 0 || !counts(row.key)) continue;
        const std::vector<std::string>& terms = row.now.current_terms();
        if (std::find(terms.begin(), terms.end(), absent.term) != terms.end()) return row.key;
      }
      const std::size_t slot = term_anywhere_of_.at(std::make_pair(absent.kind, absent.term));
      for (const Key& key : terms_anywhere_[slot].rows) {
        const auto it = row_of_.find(key);
        const bool written = it != row_of_.end() && written_.contains(it->second);
        if (!written && counts(key)) return key;
      }
      return std::nullopt;
    }();
    if (found.has_value()) unmet.push_back(*found);
  }
}

void Batch::ApplyWrite(const Write& write) {
  RowState& now = rows_[RowOf(write.key)].now;
  const Revision revision = ++newest_;
  auto change = std::make_shared<Change>();
  change->key = write.key;
  change->revision = revision;
  change->create_revision = now.revision == 0 ? revision : now.create_revision;
  if (now.revision != 0) change->previous_terms = now.current_terms();
  if (write.content.has_value()) {
    const Content& content = *write.content;
    change->settled = content.settled;
    change->unfinished = content.unfinished;
    change->shard = content.shard;
    change->resource = content.resource;
    change->terms = content.terms;
    now = {revision, change->create_revision, &content, {}, {}};
  } else {
    change->deleted = true;
    change->cause = write.cause;
    change->resource = now.current_resource();
    now = {};
  }
  changes_.push_back(std::move(change));
}

void Batch::Shift(Revision by) {
  if (by == 0) return;
  const auto shift = [&](Revision& revision) {
    if (revision > head_) revision += by;
  };
  for (CommitResult& result : results_) {
    for (Revision& revision : result.revisions) shift(revision);
  }
  for (const std::shared_ptr<Change>& change : changes_) {
    shift(change->revision);
    shift(change->create_revision);
  }
}

}  // namespace assetgate::store::postgres
