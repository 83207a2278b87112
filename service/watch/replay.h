// Reads a stream's way from its reader's revision to the present, out of the store.
#ifndef ASSETGATE_WATCH_REPLAY_H_
#define ASSETGATE_WATCH_REPLAY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "store/store.h"
#include "watch/event.h"
#include "watch/interest.h"

namespace assetgate::watch {

// Records which rows the pages of a snapshot have shown, and as of which revision: all rows by
// their create revisions, newest first, in consecutive pieces, each read as of one revision.
class ShownRanges {
 public:
  // Adds the piece that follows the previous one and ends at create revision `oldest`, shown as of
  // `revision`. `oldest` 0 means all remaining rows.
  void Add(store::Revision oldest, store::Revision revision);

  // The revision as of which the row created at `create_revision` was shown. All pieces must have
  // been added.
  store::Revision AsOf(store::Revision create_revision) const;

 private:
  struct Piece {
    store::Revision oldest;
    store::Revision revision;
  };
  std::vector<Piece> pieces_;
};

// Brings a stream to the present page by page: the snapshot if the reader has to start over, then
// the log. It holds no transaction and no more than one page. Each call reads one page (and looks
// up all given ids, once), so many replays can take turns on one thread.
//
// Why the view is exact: a snapshot shows rows, each from its creation to its deletion. An id that
// is deleted and created again is two rows. The pages list rows newest first, each as of the head H
// that it saw, which is never below that of the page before. A page shows each row of its range of
// create revisions exactly as of H: the row is in the page, or it did not match, or it did not
// exist. The first page's range has no upper end: a row created later falls into it, as a row that
// did not exist. The log is then replayed from T, the H of the first page. A change of a row up to
// the revision as of which that row was shown is skipped: its outcome is what the page showed, or
// did not show. The next change finds the view exactly as it was before that change, so its effect
// (interest.h) is right: a PUT if the resource matches, a DELETE for a resource that the reader
// holds. T is a safe token once the last page is delivered: the reader holds the outcome of
// everything up to T.
//
// Two rows of one id do not interfere. If the newer row existed at the H of its page, the older one
// had been deleted by then, and so at the H of its own page, which is the same or a later one: it
// was not shown, and all its changes are skipped. Otherwise the newer row was created after the
// first page was read: it was not shown and comes with the log, after the deletion of the older
// one, which is delivered if the older one was shown. So a snapshot shows an id at most once, and
// the revisions of an id do not go back.
//
// A snapshot of given ids reads the rows one by one, and tracks ids instead of rows: a row that is
// found is shown at least as of its own revision; one that is not found was missing at some time
// after the snapshot began, which is T. The rest holds as above. (One exception: for a given id
// that is deleted while the snapshot is read, a DELETE may arrive without a PUT before it.)
//
// If the log turns out to be compacted beyond the point reached, in any page, the reader starts
// over.
//
// Threading: not thread-safe; reads block.
class Replay {
 public:
  struct Options {
    std::size_t rows_per_page = 256;
    std::size_t changes_per_page = 512;
    // Of all resources of a page together, except the last: the memory that a reader that does not
    // read costs.
    std::size_t bytes_per_page = 256 << 10;
  };

  // `resume_token` is the request's; empty for a fresh watch. With `until_settled`, a watch that
  // resumes also reads which resources are not settled now, because it gets no snapshot.
  // Lifetime: `store` and `interest` must outlive this object.
  Replay(store::Store& store, const Interest& interest, absl::string_view resume_token,
         bool until_settled, const Options& options);

  struct Page {
    // RESET first if the reader starts over. May be empty, in a snapshot too, where matching rows
    // are rare.
    std::vector<EventPtr> events;
    // Once the events are delivered, the reader has everything up to here. Absent inside a
    // snapshot.
    std::optional<store::Revision> upto;
    // The snapshot ends with this page.
    bool snapshot_complete = false;
    // Nothing newer was committed when this was read: time to join the hub.
    bool caught_up = false;
    // When resuming until settled: id and revision of each resource that is not settled. Set by one
    // page, which has no events.
    std::optional<absl::flat_hash_map<std::string, store::Revision>> unsettled;
  };

  // Reads the next page. All given ids are looked up in the first page, so that an unknown one is
  // reported at once.
  // Errors: NOT_FOUND with ResourceInfo, before any event, if a fresh watch names a resource that
  // does not exist. UNAVAILABLE if the store cannot be read; calling again loses nothing.
  absl::StatusOr<Page> Next();

  // Continues with the log after `revision`, up to which the reader has everything.
  void ContinueAfter(store::Revision revision);

 private:
  enum class Stage {
    kUnsettled,  // collects what is not settled
    kBegin,      // records T and looks up all given ids
    kRows,       // the snapshot's pages
    kLog,
  };

  void StartOver(v1::ResetReason reason);
  absl::StatusOr<Page> ReadUnsettled();
  absl::Status Begin();
  absl::StatusOr<Page> ReadRows();
  absl::StatusOr<Page> ReadLog();

  // The next rows that match, and whether more may follow; there may be none although more follow.
  // The piece's end and revision are remembered until ForgetShown.
  struct Rows {
    std::vector<store::Row> rows;
    bool more = false;
  };
  absl::StatusOr<Rows> ReadMatching();
  absl::StatusOr<Rows> ReadGivenIds();
  absl::StatusOr<std::optional<store::Row>> Get(const std::string& id);
  void ForgetShown();
  // As of when the row of `change`, or its id if ids are given, was shown.
  store::Revision ShownAsOf(const store::Change& change) const;

  store::Store& store_;
  const Interest& interest_;
  const Options options_;

  Stage stage_ = Stage::kBegin;
  // Whether an unknown id is an error: only while the reader has not received anything.
  bool ids_must_exist_ = false;
  std::optional<v1::ResetReason> reset_;
  // kUnsettled, kRows: where the previous page ended.
  std::optional<store::Revision> after_create_revision_;
  std::size_t next_id_ = 0;
  // The snapshot's T, and the newest revision as of which it showed anything. Changes between them
  // must be compared with what was shown.
  store::Revision began_ = 0;
  store::Revision compare_upto_ = 0;
  ShownRanges shown_rows_;
  absl::flat_hash_map<std::string, store::Revision> shown_ids_;
  store::Revision upto_ = 0;
  absl::flat_hash_map<std::string, store::Revision> unsettled_;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_REPLAY_H_
