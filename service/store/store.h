// What was committed: resources, their changes in order, and the request ids that created them.
//
// The store knows rows, not resources; only the layers above know what a row means. A row is
// described to the store by `terms`, short words ("state:ACTIVE", "label:cast=a") by which rows are
// found and watched and which the model derives from the resource, and by `content` and `internal`,
// which are opaque bytes.
#ifndef ASSETGATE_STORE_STORE_H_
#define ASSETGATE_STORE_STORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "store/leases.h"

namespace assetgate::store {

// The number of a committed change. Each change, of any tenant and kind, gets a higher number than
// all before it; 0 is before the first.
using Revision = std::int64_t;

// What a row holds. The numbers are stored, so they never change meaning.
enum class Kind : int {
  kAssetGroup = 1,
  kAsset = 2,
  kVideoTask = 3,
  // A copy at a provider that is to be deleted there; callers never see these.
  kUpstreamDeletion = 4,
};

// Identifies a row. Ordered by (tenant, kind, id).
struct Key {
  std::string tenant;
  Kind kind = Kind::kAsset;
  std::string id;

  friend bool operator==(const Key&, const Key&) = default;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 reports generated code
  friend auto operator<=>(const Key&, const Key&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    return H::combine(std::move(h), key.tenant, key.kind, key.id);
  }
};

// Matches a row if, for each clause, the row has at least one of its terms. Without clauses it
// matches every row; a clause without terms matches nothing.
struct TermFilter {
  std::vector<std::vector<std::string>> clauses;

  bool Matches(const std::vector<std::string>& terms) const;
};

// The part of a row that its writer sets.
struct Content {
  // The public resource, serialized, without its revision.
  std::string resource;
  // The gateway's internal record of it, serialized.
  std::string internal;
  // Whether it has unfinished work, which the reconciler must find after a restart.
  bool unfinished = false;
  // The gateway that holds this shard does that work.
  Shard shard = 0;
  // Final for `until_settled`: it does not change again by itself.
  bool settled = true;
  // In any order; duplicates count once.
  std::vector<std::string> terms;
};

// A row as committed.
struct Row {
  Key key;
  // Of the change that made the row what it is.
  Revision revision = 0;
  // Of the change that created the row. Unique: a row that is deleted and created again has a new
  // one. "Newest first" orders by this.
  Revision create_revision = 0;
  Content content;
};

// Why a row was deleted. The numbers are stored.
enum class DeleteCause : int { kDeleted = 1, kPurged = 2 };

// A write of one row. A transaction has at most one for each key: a second one is a conflict, as is
// deleting a row that does not exist.
struct Write {
  Key key;
  // The revision that the writer last saw; 0 if the row must not exist. Otherwise the result is a
  // conflict.
  Revision expected_revision = 0;
  // The new content; absent to delete the row.
  std::optional<Content> content;
  DeleteCause cause = DeleteCause::kDeleted;
};

// A caller's request that must not be executed twice. Unique on (tenant, method, request_id).
struct RequestKey {
  std::string tenant;
  std::string method;
  std::string request_id;

  friend bool operator==(const RequestKey&, const RequestKey&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const RequestKey& key) {
    return H::combine(std::move(h), key.tenant, key.method, key.request_id);
  }
};
struct RequestRow {
  RequestKey key;
  // The request as received, serialized.
  std::string request;
  // The rows that it created, in the order of the request's items; may be empty.
  std::vector<Key> rows;
  // When it was claimed. A store that gateways share uses its own clock.
  absl::Time create_time;
};

// Conditions on other rows. They hold until the commit: another transaction, on any gateway, that
// changes these rows takes effect before it or after it.
struct Conditions {
  // Rows that must exist.
  std::vector<Key> exist;
  // Terms that no row of their tenant and kind may have.
  struct Term {
    std::string tenant;
    Kind kind = Kind::kAsset;
    std::string term;
  };
  std::vector<Term> absent;
  // Terms that no row of the kind may have, in any tenant, except the rows of `except`. Costs a
  // look-up for each tenant, during which all other commits wait: only for rare transactions.
  struct TermAnywhere {
    Kind kind = Kind::kAsset;
    std::string term;
    std::vector<Key> except;
  };
  std::vector<TermAnywhere> absent_anywhere;
};

// Either everything in it is committed, or nothing. Two transactions that write rows and name each
// other's rows in their conditions (one creates a member of a group; one deletes the group if it
// has no members) are serialized: rows in `exist` are locked until the commit, and terms in
// `absent` are checked once the written rows are locked. Terms in `absent_anywhere` are checked
// while nothing else commits: of two transactions that each write a term that the other one
// requires to be absent anywhere, one is committed and the other is rejected; a row that already
// has the term rejects the transaction, regardless of its writer.
struct Transaction {
  std::vector<Write> writes;
  Conditions conditions;
  // Claims a request id.
  std::optional<RequestRow> claim_request;
  // Frees a request id, if it is claimed.
  std::optional<RequestKey> free_request;
  // Writes to the store even if there is nothing else to write. Once a barrier is committed, the
  // outcome of every transaction that got kUnknown before the barrier was submitted is decided:
  // reads show exactly what was committed. The one exception is a transaction that was still on its
  // way to a database, which takes a few seconds at most.
  bool barrier = false;
};

// The outcome of a transaction.
struct CommitResult {
  enum class Outcome {
    kCommitted,
    // A row is not at its expected revision; see `conflicts`. Nothing was changed.
    kConflict,
    // The request id is taken; `request` is the row that holds it. Nothing was changed.
    kRequestIdTaken,
    // A condition does not hold; see `unmet`. Nothing was changed.
    kConditionUnmet,
    // The store failed (disk full, database unreachable). Nothing was changed.
    kUnavailable,
    // The store cannot tell whether it was committed. A read that shows the written rows proves
    // that it was, unless `provisional`. A read that does not show them proves nothing, because the
    // rows may appear later: when the log of a failed disk is recovered after a crash, or when a
    // COMMIT that is in progress in the database ends. A barrier decides it (see Transaction).
    kUnknown,
  };
  Outcome outcome = Outcome::kUnavailable;
  // kUnknown: reads may show the rows although they can still be lost, because a synchronous
  // standby has not confirmed them. Only a barrier proves the commit.
  bool provisional = false;
  // kCommitted: the new revision of each write, in their order.
  std::vector<Revision> revisions;
  // kConflict: the indexes of the conflicting writes, ascending.
  std::vector<std::size_t> conflicts;
  std::optional<RequestRow> request;
  // kConditionUnmet: the rows of `exist` that do not exist and, for each term that must be absent,
  // one row that has it.
  std::vector<Key> unmet;
  // kUnavailable, kUnknown: for logs.
  std::string message;
};
using CommitDone = absl::AnyInvocable<void(CommitResult) &&>;

// One committed change. Immutable, and shared by all users.
struct Change {
  Key key;
  Revision revision = 0;
  // Of the row (see Row).
  Revision create_revision = 0;
  bool deleted = false;
  DeleteCause cause = DeleteCause::kDeleted;
  bool settled = true;
  // The next three are set only for listeners; a change that is read from the log lacks them.
  bool unfinished = false;
  Shard shard = 0;
  // Committed through this store object, not by another gateway.
  bool local = true;
  // The public resource, serialized, without its revision; of a deleted one, its last state.
  std::string resource;
  // Of the row after the change; empty for a deleted row.
  std::vector<std::string> terms;
  // Of the row before the change; empty for a new row.
  std::vector<std::string> previous_terms;
};
using ChangePtr = std::shared_ptr<const Change>;

// Is notified of every change after it was committed.
// Ordering: in the order of revisions, without gaps, and before the writer's `done` is called.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  // All changes up to `head` have now been delivered. Must not block.
  virtual void OnChanges(const std::vector<ChangePtr>& changes, Revision head) = 0;
  // Changes up to `upto` are lost to the listener: another gateway made them while this one could
  // not reach the database, and the log no longer has them. The listener must start over; later
  // changes follow `upto`. Must not block.
  virtual void OnGap(Revision /*upto*/) {}
};

// The maximum size of one page of rows or of changes, except its last entry.
inline constexpr std::size_t kMaxPageBytes = std::size_t{4} << 20;

// A page of rows. Newest first, a page costs in proportion to the rows that it shows, however many
// rows there are; if many rows have each term of a filter and few have all, it costs in proportion
// to the rarest term. Oldest first, a filter that many rows match in few places may have to walk
// over the rows between. In either order a page costs at most a few thousand index look-ups: at
// that point it ends early, and the next page continues.
struct ListQuery {
  // By create_revision.
  enum class Order { kNewestFirst, kOldestFirst };
  std::string tenant;
  Kind kind = Kind::kAsset;
  TermFilter filter;
  Order order = Order::kNewestFirst;
  // Where the previous page ended (ListPage::end). Absent for the first page.
  std::optional<Revision> after_create_revision;
  // At least 1.
  std::size_t limit = 50;
  // Of `resource` and `internal` of all rows together: the row that reaches the limit is the last
  // one.
  std::size_t max_bytes = kMaxPageBytes;
};
struct ListPage {
  // At most `limit`. If `more` is set, there may be fewer, or none.
  std::vector<Row> rows;
  // Whether more rows may follow: the next page starts at `end`.
  bool more = false;
  // If `more` is set: `rows` holds all matching rows from the start of the page to the create
  // revision `end`, inclusive. There may be no row with that revision. Each page ends beyond the
  // previous one, so repeated calls reach the end.
  Revision end = 0;
  // The head revision that this page saw: `rows` are as of then. Never below that of an earlier
  // page.
  Revision head = 0;
};

// A page of the unfinished rows of all tenants, ordered by key.
struct UnfinishedQuery {
  // Only rows of these shards; absent for all.
  std::optional<std::vector<Shard>> shards;
  // The last row of the previous page. Absent for the first page.
  std::optional<Key> after;
  std::size_t limit = 500;
};

// A page of changes after a revision.
struct ChangesQuery {
  std::string tenant;
  Kind kind = Kind::kAsset;
  Revision after = 0;
  // The number of changes to examine, matching or not.
  std::size_t limit = 1000;
  // Of `resource` of all changes together: the change that reaches the limit is the last one.
  std::size_t max_bytes = kMaxPageBytes;
};
struct ChangesPage {
  // The changes of the tenant and kind, in the order of revisions.
  std::vector<ChangePtr> changes;
  // Every change up to here is in `changes` or concerns other rows. Equal to `head` if there is
  // nothing more, and never below `after`.
  Revision upto = 0;
  Revision head = 0;
  // Changes after `after` are no longer kept: `changes` is empty, and the reader must start over.
  bool compacted = false;
};

// How long a store keeps data other than the present state. Expired data is removed in small steps
// between commits, so it may be kept a little longer. Ages are measured by the store's trusted time
// (see TrustedTime), so a step of a clock removes nothing.
struct Retention {
  // Request ids, counted from their `create_time`.
  absl::Duration requests = absl::Hours(24 * 7);
  // Changes that are older, or not among the newest `max_changes`, are compacted.
  absl::Duration changes = absl::Hours(24);
  std::int64_t max_changes = 1'000'000;
};

// A store of rows.
// Threading: thread-safe.
// Ordering: reads see every commit whose `done` was called.
// Errors: a failed read returns UNAVAILABLE with a message for logs only: it may name hosts, users
// and files.
class Store {
 public:
  virtual ~Store() = default;

  // An id generated when the store is created, and again when a backup of it is restored. Resume
  // tokens hold it, which detects tokens of another store or of a lost history.
  virtual const std::string& store_id() const = 0;

  // Commits `transaction`. `done` must not block.
  // Ordering: in the order of calls. `done` is called exactly once, on the store's thread, after
  // the listener was notified of the change, and never inside Commit.
  // Errors: kUnavailable if the queue is full or the store has stopped.
  virtual void Commit(Transaction transaction, CommitDone done) = 0;

  virtual absl::StatusOr<std::optional<Row>> Get(const Key& key) = 0;
  virtual absl::StatusOr<ListPage> List(const ListQuery& query) = 0;
  virtual absl::StatusOr<ChangesPage> ReadChanges(const ChangesQuery& query) = 0;
  virtual absl::StatusOr<std::optional<RequestRow>> FindRequest(const RequestKey& key) = 0;
  // A page that is shorter than its limit is the last one.
  virtual absl::StatusOr<std::vector<Row>> ListUnfinished(const UnfinishedQuery& query) = 0;
  // The first tenant with rows whose name sorts after `after`; absent if there is none. Starting
  // with "", repeated calls find all tenants.
  virtual absl::StatusOr<std::optional<std::string>> NextTenant(const std::string& after) = 0;
  // The newest revision.
  virtual absl::StatusOr<Revision> Head() = 0;
  // Whether the store accepts writes right now; reported by /readyz. DATA_LOSS: its files were
  // deleted, replaced or damaged while open, and it accepts no writes until an operator acts.
  virtual absl::Status Health() = 0;
  // Transactions that were submitted and not answered yet.
  virtual std::size_t queue_depth() const = 0;
  // The work that this gateway owns.
  // Lifetime: as long as the store.
  virtual Leases& leases() = 0;
  // The name of the gateway that holds the shard; empty if none does, and for a store that only one
  // process can open.
  virtual absl::StatusOr<std::string> HolderOf(Shard /*shard*/) { return ""; }

  // The store's trusted time (see TrustedTime) when it was opened: a clock that shows less is
  // behind.
  virtual absl::Time trusted_time() const { return absl::InfinitePast(); }

  // Sets the listener for changes; nullptr for none. Set before the first Commit, cleared after
  // Stop.
  virtual void SetListener(ChangeListener* listener) = 0;
  // Commits and answers all pending transactions, and answers later ones kUnavailable; reads still
  // work. Idempotent; must not be called from a `done` or a listener.
  virtual void Stop() = 0;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_STORE_H_
