// What a group of transactions comes to.
#ifndef ASSETGATE_STORE_POSTGRES_BATCH_H_
#define ASSETGATE_STORE_POSTGRES_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "store/commit_queue.h"
#include "store/store.h"

namespace assetgate::store::postgres {

// A term as the index has it: one that is too long for an entry stands under its beginning and its
// hash.
std::string IndexedTerm(absl::string_view term);

// Says what must be looked up (and locked before), is told what was found, and then works out, one
// transaction after the other, what becomes of each and what is to be written. No I/O. Revisions
// are counted from the head that Apply is given; whoever commits may find another one, and shifts
// them (see relies_on_head). Not thread-safe.
class Batch {
 public:
  // A row as it stands, or as it will.
  struct Standing {
    // 0 where there is none.
    Revision revision = 0;
    Revision create_revision = 0;
    // Written by this batch; the two below are then of no account.
    const Content* content = nullptr;
    std::vector<std::string> terms;
    // Looked up where the row may be deleted.
    std::string resource;

    const std::vector<std::string>& its_terms() const {
      return content != nullptr ? content->terms : terms;
    }
    const std::string& its_resource() const {
      return content != nullptr ? content->resource : resource;
    }
  };
  struct RowSlot {
    Key key;
    bool wants_resource = false;
    Standing before;
    Standing now;
  };
  struct RequestSlot {
    RequestKey key;
    std::optional<RequestRow> before;
    std::optional<RequestRow> now;
    bool changed = false;
  };
  struct TermSlot {
    Conditions::Term term;
    // Ids of rows that have it: all, or at least term_limit().
    std::vector<std::string> ids;
  };

  struct TermAnywhereSlot {
    Kind kind;
    std::string term;
    // Rows that have it, of whatever tenant: of each all, or at least term_limit().
    std::vector<Key> rows;
  };

  // `group` must outlive it.
  explicit Batch(absl::Span<const PendingCommit> group);

  // Advisory locks, each once, in an order that all batches share: whoever takes them in this order
  // cannot be part of a deadlock, and while they are held, what is looked up stays as it is, rows
  // and request ids that do not exist included. Keys are hashes; two things under one only wait for
  // each other without need.
  //
  // A batch of very many takes the one lock of everything instead, which every other batch shares:
  // the server has room for some thousands of locks. So does one that asks what is absent anywhere:
  // then no other batch is under way that may write what it looks for.
  struct Lock {
    std::int64_t key;
    bool shared;
  };
  std::vector<Lock> Locks() const;

  // To be filled in: `before`, `ids`, and `rows`.
  std::vector<RowSlot>& rows() { return rows_; }
  std::vector<RequestSlot>& requests() { return requests_; }
  std::vector<TermSlot>& terms() { return terms_; }
  std::vector<TermAnywhereSlot>& terms_anywhere() { return terms_anywhere_; }
  std::size_t term_limit() const { return rows_.size() + most_excepted_ + 1; }

  // Once everything is filled in; again, with another head, as often as needed.
  void Apply(Revision head);

  // Whether a transaction names a revision above the head: one that an earlier one of the same
  // group was expected to get. Its outcome counts only if the head is indeed the one given.
  bool relies_on_head() const { return relies_on_head_; }
  // Whether a transaction is a barrier.
  bool barrier() const;
  std::vector<CommitResult>& results() { return results_; }
  const std::vector<std::shared_ptr<Change>>& changes() const { return changes_; }
  // Moves every revision above the head by `by`.
  void Shift(Revision by);

 private:
  std::size_t RowOf(const Key& key);
  std::size_t RequestOf(const RequestKey& key);
  CommitResult ApplyOne(const Transaction& transaction);
  void CheckConditions(const Conditions& conditions, std::vector<Key>& unmet) const;
  void ApplyWrite(const Write& write);

  const absl::Span<const PendingCommit> group_;
  std::vector<RowSlot> rows_;
  std::vector<RequestSlot> requests_;
  std::vector<TermSlot> terms_;
  std::vector<TermAnywhereSlot> terms_anywhere_;
  absl::flat_hash_map<Key, std::size_t> row_of_;
  absl::flat_hash_map<RequestKey, std::size_t> request_of_;
  // By tenant, kind, term.
  absl::flat_hash_map<Key, std::size_t> term_of_;
  absl::flat_hash_map<std::pair<Kind, std::string>, std::size_t> term_anywhere_of_;
  // The most rows that a condition leaves aside.
  std::size_t most_excepted_ = 0;
  // Rows that are written, and not only named in a condition.
  absl::flat_hash_set<std::size_t> written_;

  Revision head_ = 0;
  Revision newest_ = 0;
  bool relies_on_head_ = false;
  std::vector<CommitResult> results_;
  std::vector<std::shared_ptr<Change>> changes_;
};

}  // namespace assetgate::store::postgres

#endif  // ASSETGATE_STORE_POSTGRES_BATCH_H_
