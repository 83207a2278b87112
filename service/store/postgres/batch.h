// Computes the outcome of a group of transactions.
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

// A term in the form of the index: a term that is too long for an entry is its beginning plus its
// hash.
std::string IndexedTerm(absl::string_view term);

// Lists the rows to look up (and the locks to take first), is given what was found, and then
// computes the outcome of each transaction in turn and the rows to write. It does no I/O. Revisions
// count from the head that Apply is given; if the actual head differs at commit, the caller shifts
// them (see relies_on_head).
// Threading: not thread-safe.
class Batch {
 public:
  // A row's present or future state.
  struct RowState {
    // 0 if the row does not exist.
    Revision revision = 0;
    Revision create_revision = 0;
    // Set if this batch writes the row; `terms` and `resource` are then unused.
    const Content* content = nullptr;
    std::vector<std::string> terms;
    // Looked up if the row may be deleted.
    std::string resource;

    const std::vector<std::string>& current_terms() const {
      return content != nullptr ? content->terms : terms;
    }
    const std::string& current_resource() const {
      return content != nullptr ? content->resource : resource;
    }
  };
  struct RowSlot {
    Key key;
    bool wants_resource = false;
    RowState before;
    RowState now;
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
    // Rows that have it, in any tenant: for each term all, or at least term_limit().
    std::vector<Key> rows;
  };

  // Lifetime: `group` must outlive this object.
  explicit Batch(absl::Span<const PendingCommit> group);

  // Advisory locks, each once.
  //
  // Ordering: all batches share one order, so taking locks in it cannot deadlock. While they are
  // held, the looked-up rows and request ids do not change, including those that do not exist. Keys
  // are hashes; a collision only causes an unnecessary wait.
  //
  // A batch with too many locks takes the single lock of everything, which every other batch takes
  // in shared mode: the server has room for a few thousand locks. So does a batch with an
  // `absent_anywhere` condition: no other batch that may write such a term then runs at the same
  // time.
  struct Lock {
    std::int64_t key;
    bool shared;
  };
  std::vector<Lock> Locks() const;

  // The caller fills in `before`, `ids` and `rows`.
  std::vector<RowSlot>& rows() { return rows_; }
  std::vector<RequestSlot>& requests() { return requests_; }
  std::vector<TermSlot>& terms() { return terms_; }
  std::vector<TermAnywhereSlot>& terms_anywhere() { return terms_anywhere_; }
  std::size_t term_limit() const { return rows_.size() + max_excepted_ + 1; }

  // Called once everything is filled in; may be repeated with another head.
  void Apply(Revision head);

  // Whether a transaction names a revision above the head: one that an earlier transaction of the
  // group was expected to get. The results then hold only if the head is the one given to Apply.
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
  // The highest number of rows that a condition excepts.
  std::size_t max_excepted_ = 0;
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
