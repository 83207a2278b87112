// Brings a stream from where its reader stands to the present, out of the store.
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

// What the pages of a snapshot have shown so far, and as of when: all rows by their create
// revisions, newest first, cut into consecutive pieces, each with a revision as of which it was
// read.
class ShownRanges {
 public:
  // The rows before those of the piece before, back to one created at `oldest`, were shown as of
  // `revision`. 0 for `oldest`: all the rows that are left.
  void Add(store::Revision oldest, store::Revision revision);

  // As of when the row created at `create_revision` was shown. All must have been added.
  store::Revision AsOf(store::Revision create_revision) const;

 private:
  struct Piece {
    store::Revision oldest;
    store::Revision revision;
  };
  std::vector<Piece> pieces_;
};

// Reads a stream's way to the present page by page: the snapshot where the reader has to start
// over, then the log. It holds no transaction and no more than one page; each call reads one (and
// looks up all given ids, once), so many replays can take turns on one thread.
//
// Why the view is exact. What a snapshot shows are rows, each from its creation to its deletion: an
// id that is deleted and created again is two rows, one after the other. The pages are those of a
// list, newest first, each as of the head H that it saw, which is never below that of the page
// before. A page shows each row of its range of create revisions exactly as of H: it is in it, or
// it did not match, or was not there. The range of the first page has no upper end: whatever is
// created later falls into it, as a row that was not there. The log is then replayed from T, the H
// of the first page, and a change of a row up to the revision as of which that row was shown is
// passed over: whether it put the row into the view or took it out, what the page showed, or did
// not show, is what came of it. The change after that finds the view exactly as it was before it,
// so its effect (interest.h) is right: a PUT where the resource matches, a DELETE for what the
// reader holds. T is a safe token as soon as the last page is delivered: of everything up to T the
// reader holds the outcome.
//
// Two rows of one id do not get into each other's way. Where the newer one was there at the H of
// its page, the older was gone by then, and so at the H of its own page, which is the same or a
// later one: it was not shown, and all its changes are passed over. Else the newer one was created
// after the first page was read: it was not shown and comes with the log, after the deletion of the
// older, which is told where the older was shown. So a snapshot shows an id once at most, and the
// revisions of an id do not go back.
//
// A snapshot of given ids reads the rows one by one, and what it shows are ids: a row that is found
// is shown as of its own revision at least, and one that is not was missing at some time after the
// snapshot began, which is T. The rest is as above, with ids for rows. (Only of a given id that
// went away while the snapshot was read, a DELETE may come without a PUT before it.)
//
// The log may end up compacted beyond the point reached, in any page: then the reader starts over.
//
// Not thread-safe; reads block.
class Replay {
 public:
  struct Options {
    std::size_t rows_per_page = 256;
    std::size_t changes_per_page = 512;
    // Of the resources of a page together, the last one aside: what a reader that does not read
    // costs.
    std::size_t bytes_per_page = 256 << 10;
  };

  // `resume_token` is the request's; empty for a fresh watch. With `until_settled`, a watch that
  // resumes also learns which resources are not settled now: no snapshot will tell. `store` and
  // `interest` must outlive this.
  Replay(store::Store& store, const Interest& interest, absl::string_view resume_token,
         bool until_settled, const Options& options);

  struct Page {
    // RESET first where the reader starts over. May be empty, in a snapshot too: what matches may
    // be far between.
    std::vector<EventPtr> events;
    // Once those are delivered, the reader has everything up to here. Absent inside a snapshot.
    std::optional<store::Revision> upto;
    // The snapshot ends with this page.
    bool snapshot_complete = false;
    // Nothing more was committed when this was read: time to join the hub.
    bool caught_up = false;
    // Set by the page that brings it (never with events): id and revision of what is not settled,
    // when resuming until settled.
    std::optional<absl::flat_hash_map<std::string, store::Revision>> unsettled;
  };

  // The next page. NOT_FOUND, with ResourceInfo, where a fresh watch names a resource that does not
  // exist: before any event. UNAVAILABLE where the store cannot be read: try again, nothing is
  // lost. All given ids are looked up in the first page, so that an unknown one is told at once.
  absl::StatusOr<Page> Next();

  // What follows is the log after `revision`, up to which the reader has everything.
  void ContinueAfter(store::Revision revision);

 private:
  enum class Stage {
    kUnsettled,  // looks for what is not settled
    kBegin,      // notes when the snapshot begins, and looks all given ids up
    kRows,       // the snapshot's pages
    kLog,
  };

  void StartOver(v1::ResetReason reason);
  absl::StatusOr<Page> ReadUnsettled();
  absl::Status Begin();
  absl::StatusOr<Page> ReadRows();
  absl::StatusOr<Page> ReadLog();

  // The next rows that match, and whether more may follow; with more to follow there may be none of
  // them. Where they end, and as of when they were shown, is remembered until ForgetShown.
  struct Rows {
    std::vector<store::Row> rows;
    bool more = false;
  };
  absl::StatusOr<Rows> ReadMatching();
  absl::StatusOr<Rows> ReadGivenIds();
  absl::StatusOr<std::optional<store::Row>> Get(const std::string& id);
  void ForgetShown();
  // As of when the row of `change`, or its id where ids are given, was shown.
  store::Revision ShownAsOf(const store::Change& change) const;

  store::Store& store_;
  const Interest& interest_;
  const Options options_;

  Stage stage_ = Stage::kBegin;
  // Whether an unknown id is an error: only where the reader has never been told of it.
  bool ids_must_exist_ = false;
  std::optional<v1::ResetReason> reset_;
  // kUnsettled, kRows: where the page before ended.
  std::optional<store::Revision> after_create_revision_;
  std::size_t next_id_ = 0;
  // The snapshot's T, and the newest revision as of which it showed anything: between them, changes
  // have to be compared with what was shown.
  store::Revision began_ = 0;
  store::Revision compare_upto_ = 0;
  ShownRanges shown_rows_;
  absl::flat_hash_map<std::string, store::Revision> shown_ids_;
  store::Revision upto_ = 0;
  absl::flat_hash_map<std::string, store::Revision> unsettled_;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_REPLAY_H_
