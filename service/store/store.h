// What was committed: resources, their changes in order, and the request ids that made them.
//
// The store knows rows, not resources: what a row means is core's business. Two kinds of text
// describe a row to it. `terms` are short words ("state:ACTIVE", "label:cast=a") by which rows are
// found and watched; core makes them from the resource. `content` and `internal` are opaque bytes.
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

// The store's number of a committed change. Grows by at least one with every change, over all
// tenants and kinds; 0 is before everything.
using Revision = std::int64_t;

// What a row holds. The numbers are stored: they never change meaning.
enum class Kind : int {
  kAssetGroup = 1,
  kAsset = 2,
  kVideoTask = 3,
  // A copy at a provider that is to be deleted there; no caller sees these.
  kUpstreamDeletion = 4,
};

// Names a row. Ordered by (tenant, kind, id).
struct Key {
  std::string tenant;
  Kind kind = Kind::kAsset;
  std::string id;

  friend bool operator==(const Key&, const Key&) = default;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes what is generated for ours
  friend auto operator<=>(const Key&, const Key&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    return H::combine(std::move(h), key.tenant, key.kind, key.id);
  }
};

// Matches a row when, for each clause, the row has at least one of its terms. No clause matches
// all; a clause without terms matches nothing.
struct TermFilter {
  std::vector<std::vector<std::string>> clauses;

  bool Matches(const std::vector<std::string>& terms) const;
};

// What a writer says of a row.
struct Content {
  // The public resource, serialized, without its revision.
  std::string resource;
  // What the gateway keeps beside it, serialized.
  std::string internal;
  // Has work that is not finished: the reconciler needs it after a restart.
  bool unfinished = false;
  // Whoever holds this shard does that work.
  Shard shard = 0;
  // Nothing about it will change by itself (see `until_settled`).
  bool settled = true;
  // In any order; a word that stands twice counts once.
  std::vector<std::string> terms;
};

// A row as committed.
struct Row {
  Key key;
  // Of the change that made it what it is.
  Revision revision = 0;
  // Of the change that created it, and never another's: a row that is deleted and made anew has a
  // new one. Newest first is by this.
  Revision create_revision = 0;
  Content content;
};

// Why a row went away. The numbers are stored.
enum class DeleteCause : int { kDeleted = 1, kPurged = 2 };

// One change of one row. A transaction has at most one for each key: a further one is a conflict,
// as is deleting what does not exist.
struct Write {
  Key key;
  // The revision the writer last saw; 0 when the row must not exist. Otherwise: conflict.
  Revision expected_revision = 0;
  // What it becomes; absent to delete it.
  std::optional<Content> content;
  DeleteCause cause = DeleteCause::kDeleted;
};

// A caller's request that must not be done twice. Unique on (tenant, method, request_id).
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
  // The rows it made, in the order of the request's items; may be empty.
  std::vector<Key> rows;
  // When it was claimed. A store that gateways share dates it by its own clock.
  absl::Time create_time;
};

// What other rows must be like when a transaction is committed. It stays so until the commit: what
// another transaction, on whatever gateway, does to these rows comes before it or after it.
struct Conditions {
  // Rows that exist.
  std::vector<Key> exist;
  // Terms that no row of their tenant and kind has.
  struct Term {
    std::string tenant;
    Kind kind = Kind::kAsset;
    std::string term;
  };
  std::vector<Term> absent;
  // Terms that no row of the kind has, of whatever tenant, the rows of `except` aside. It costs a
  // look-up for each tenant, and all other commits wait meanwhile: for what is rare.
  struct TermAnywhere {
    Kind kind = Kind::kAsset;
    std::string term;
    std::vector<Key> except;
  };
  std::vector<TermAnywhere> absent_anywhere;
};

// Everything in it is committed, or nothing. Two transactions that write rows and name each other's
// in their conditions (one creates a member of a group; one deletes the group, if it has none) are
// done one after the other: the rows that `exist` are held until the commit, and what is `absent`
// is looked for once the rows written are held. What is absent anywhere is looked for while nothing
// else is committed: of two transactions that each write a term which the other one says is absent
// anywhere, one is committed and the other is refused, and a row that has the term by then refuses
// it, whoever wrote that row and on whatever conditions.
struct Transaction {
  std::vector<Write> writes;
  Conditions conditions;
  // Claims a request id.
  std::optional<RequestRow> claim_request;
  // Frees a request id, if it is claimed.
  std::optional<RequestKey> free_request;
  // Writes to the store even where there is nothing else to write. Once a barrier is committed,
  // what became of every transaction that was answered kUnknown before it was handed in is decided:
  // reads show what was committed, for good. What they do not show was not committed, unless the
  // transaction was still on its way to a database then, which takes no longer than some seconds.
  bool barrier = false;
};

// What became of a transaction.
struct CommitResult {
  enum class Outcome {
    kCommitted,
    // A row is not at its expected revision: `conflicts` says which. Nothing was changed.
    kConflict,
    // The request id is taken: `request` is the row that holds it. Nothing was changed.
    kRequestIdTaken,
    // A condition does not hold: `unmet` says which. Nothing was changed.
    kConditionUnmet,
    // The store could not (disk full, database away). Nothing was changed.
    kUnavailable,
    // The store cannot tell whether it was committed. A read that shows what was written proves
    // that it was, except when `provisional`; a read that does not proves nothing, since the rows
    // may appear later: when the log of a failed disk is recovered after a crash, or when a COMMIT
    // that is still under way in the database ends. A barrier decides it (see Transaction).
    kUnknown,
  };
  Outcome outcome = Outcome::kUnavailable;
  // kUnknown: reads may show it although it can still be lost, because a synchronous standby has
  // not confirmed it. Only a barrier proves that it was committed.
  bool provisional = false;
  // kCommitted: the new revision of each write, in their order.
  std::vector<Revision> revisions;
  // kConflict: the indexes of the writes that did not fit, rising.
  std::vector<std::size_t> conflicts;
  std::optional<RequestRow> request;
  // kConditionUnmet: the rows that should exist and do not, and, of each term that should be on no
  // row, one that has it.
  std::vector<Key> unmet;
  // kUnavailable, kUnknown: for logs.
  std::string message;
};
using CommitDone = absl::AnyInvocable<void(CommitResult) &&>;

// One committed change, as it is told and kept. Immutable once made, and shared by all who tell it.
struct Change {
  Key key;
  Revision revision = 0;
  // Of the row (see Row).
  Revision create_revision = 0;
  bool deleted = false;
  DeleteCause cause = DeleteCause::kDeleted;
  bool settled = true;
  // As told to listeners only; in what is read back from the log these three are not kept.
  bool unfinished = false;
  Shard shard = 0;
  // Committed through this very store object, and not by another gateway.
  bool local = true;
  // The public resource, serialized, without its revision; of a deleted one, as it last stood.
  std::string resource;
  // Of the row after the change; of a deleted one, empty.
  std::vector<std::string> terms;
  // Of the row before the change; empty for a new one.
  std::vector<std::string> previous_terms;
};
using ChangePtr = std::shared_ptr<const Change>;

// Hears of every change, in the order of revisions, without gaps, after it was committed and before
// its writer is told.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  // `head` is the revision up to which everything has now been told. Must not block.
  virtual void OnChanges(const std::vector<ChangePtr>& changes, Revision head) = 0;
  // Changes up to `upto` were missed for good: another gateway made them while this one could not
  // reach the database, and the log no longer has them. Whoever follows starts over; what comes
  // next follows `upto`. Must not block.
  virtual void OnGap(Revision /*upto*/) {}
};

// What one page of rows or of changes holds at most, the last one aside.
inline constexpr std::size_t kMaxPageBytes = std::size_t{4} << 20;

// A page of rows. Newest first, a page costs what it shows, however many rows there are; where rows
// have each word of a filter and few have all, it costs what the rarest word does. Oldest first, a
// filter that many rows match in few places may make it walk over those between. Either way it
// costs no more than some thousand looks at an index: it ends there, short, and the next page goes
// on.
struct ListQuery {
  // By create_revision.
  enum class Order { kNewestFirst, kOldestFirst };
  std::string tenant;
  Kind kind = Kind::kAsset;
  TermFilter filter;
  Order order = Order::kNewestFirst;
  // Where the page before ended (ListPage::end). Absent for the first page.
  std::optional<Revision> after_create_revision;
  // At least 1.
  std::size_t limit = 50;
  // Of `resource` and `internal` of all rows together: the row that reaches it is the last one.
  std::size_t max_bytes = kMaxPageBytes;
};
struct ListPage {
  // At most `limit`; with `more`, they may be fewer, and even none.
  std::vector<Row> rows;
  // Whether more rows may follow: the list goes on at `end`.
  bool more = false;
  // With `more`: what matches from where the page begins to the row created then, that one
  // included, is in `rows`. There need not be such a row. A page ends beyond the one before, so a
  // list that is followed comes to its end.
  Revision end = 0;
  // The head revision that this page saw: `rows` are as of then. Never below that of a page read
  // before.
  Revision head = 0;
};

// A page of the unfinished rows of all tenants, in the order of keys.
struct UnfinishedQuery {
  // Of these shards; absent for all.
  std::optional<std::vector<Shard>> shards;
  // Where the page before ended: its last row. Absent for the first page.
  std::optional<Key> after;
  std::size_t limit = 500;
};

// A page of changes after a revision.
struct ChangesQuery {
  std::string tenant;
  Kind kind = Kind::kAsset;
  Revision after = 0;
  // At most this many changes are looked at, matching or not.
  std::size_t limit = 1000;
  // Of `resource` of all changes together: the change that reaches it is the last one.
  std::size_t max_bytes = kMaxPageBytes;
};
struct ChangesPage {
  // Those of the tenant and kind, in the order of revisions.
  std::vector<ChangePtr> changes;
  // Everything up to here is in `changes` or concerns others. Equal to `head` when there is no
  // more, and never below `after`.
  Revision upto = 0;
  Revision head = 0;
  // Changes after `after` are no longer kept: `changes` is empty, and the reader starts over.
  bool compacted = false;
};

// How long a store keeps what is not the present state. What is due goes in small steps between the
// commits, so it may stay somewhat longer than said here. Ages are told by the time that the store
// has lived through (see LivedTime), so a step of a clock removes nothing.
struct Retention {
  // Request ids, from their `create_time`.
  absl::Duration requests = absl::Hours(24 * 7);
  // Changes: those older, or further back than this many, are compacted.
  absl::Duration changes = absl::Hours(24);
  std::int64_t max_changes = 1'000'000;
};

// Thread-safe. Reads see every commit whose writer was told. A read that fails says UNAVAILABLE, in
// words that are for logs: they name hosts, users and files.
class Store {
 public:
  virtual ~Store() = default;

  // An id made when the store was made, and made anew when a backup of it was restored: resume
  // tokens of another store, or of a history that is gone, are told from it.
  virtual const std::string& store_id() const = 0;

  // Commits, in the order of calls. `done` is called exactly once, on the store's thread, after the
  // change was told to the listener, never inside Commit; it must not block. A full queue, or a
  // stopped store, answers kUnavailable.
  virtual void Commit(Transaction transaction, CommitDone done) = 0;

  virtual absl::StatusOr<std::optional<Row>> Get(const Key& key) = 0;
  virtual absl::StatusOr<ListPage> List(const ListQuery& query) = 0;
  virtual absl::StatusOr<ChangesPage> ReadChanges(const ChangesQuery& query) = 0;
  virtual absl::StatusOr<std::optional<RequestRow>> FindRequest(const RequestKey& key) = 0;
  // A page that is shorter than its limit is the last one.
  virtual absl::StatusOr<std::vector<Row>> ListUnfinished(const UnfinishedQuery& query) = 0;
  // The first tenant that has rows, of those whose names sort after `after`; absent where there is
  // none. From "" on, one after the other, all are found.
  virtual absl::StatusOr<std::optional<std::string>> NextTenant(const std::string& after) = 0;
  // The newest revision.
  virtual absl::StatusOr<Revision> Head() = 0;
  // Whether it takes writes right now; what /readyz says. DATA_LOSS: its files were deleted,
  // replaced or damaged under it, and it takes none before an operator has acted.
  virtual absl::Status Health() = 0;
  // Transactions handed in and not yet answered.
  virtual std::size_t queue_depth() const = 0;
  // Which work is this gateway's. As long-lived as the store.
  virtual Leases& leases() = 0;
  // What the gateway is called that holds a shard; empty where none does, and where only one
  // process can have the store open.
  virtual absl::StatusOr<std::string> HolderOf(Shard /*shard*/) { return ""; }

  // The newest time that the store had lived through when it was opened, by its own account: a
  // clock that is earlier is behind.
  virtual absl::Time lived_until() const { return absl::InfinitePast(); }

  // Sets who hears of changes; nullptr for nobody. Set before the first Commit, cleared after Stop.
  virtual void SetListener(ChangeListener* listener) = 0;
  // Commits what was handed in, answers it, and takes no more (kUnavailable); reads go on.
  // Idempotent; not to be called from a `done` or a listener.
  virtual void Stop() = 0;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_STORE_H_
