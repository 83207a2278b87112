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

// What a snapshot has shown so far, and as of when: the whole range of ids, cut into consecutive
// pieces, each with a revision as of which it was read.
class ShownRanges {
 public:
  // The ids after the piece before, up to `last_id`, were shown as of `revision`.
  void Add(absl::string_view last_id, store::Revision revision);
  // As Add, for all the ids that are left.
  void AddRest(store::Revision revision) { rest_ = revision; }

  // As of when `id` was shown. All must have been added.
  store::Revision AsOf(absl::string_view id) const;
  store::Revision min() const;
  store::Revision max() const;

 private:
  struct Piece {
    std::string last_id;
    store::Revision revision;
  };
  std::vector<Piece> pieces_;
  store::Revision rest_ = 0;
};

// Reads a stream's way to the present page by page: the snapshot where the reader has to start
// over, then the log. It holds no transaction and no more than one page; each call reads one (and
// looks up all given ids, once), so many replays can take turns on one thread.
//
// Why the view is exact. A page shows each id of its range exactly as of the head H that the page
// saw: it is in it, or it did not match. (A snapshot of given ids reads rows one by one; a row that
// is found is shown as of its own revision at least, and one that is not was missing at some time
// after the snapshot began.) The log is then replayed from T, the smallest of those revisions, and
// a change of an id up to the revision as of which that id was shown is passed over: whether it put
// the resource into the view or took it out, what the page showed, or did not show, is what came of
// it. The change after that finds the view exactly as it was before it, so its effect (interest.h)
// is right: a PUT where the resource matches, a DELETE for what the reader holds. (Only of a given
// id that went away while the snapshot was read, a DELETE may come without a PUT before it.) T is a
// safe token as soon as the last page is delivered: of everything up to T the reader holds the
// outcome.
//
// The log may end up compacted beyond the point reached, in any page: then the reader starts over.
//
// Not thread-safe; reads block.
class Replay {
 public:
  struct Options {
    std::size_t rows_per_page = 256;
    std::size_t changes_per_page = 512;
  };

  // `resume_token` is the request's; empty for a fresh watch. With `until_settled`, a watch that
  // resumes also learns which resources are not settled now: no snapshot will tell. `store` and
  // `interest` must outlive this.
  Replay(store::Store& store, const Interest& interest, absl::string_view resume_token,
         bool until_settled, const Options& options);

  struct Page {
    // RESET first where the reader starts over.
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

  // The next rows of the interest after `after_id_`, which moves on; with the revision as of which
  // they were read.
  struct Rows {
    std::vector<store::Row> rows;
    bool more = false;
  };
  absl::StatusOr<std::optional<store::Row>> Get(const std::string& id);
  absl::StatusOr<Rows> ReadMatching(ShownRanges* shown);

  store::Store& store_;
  const Interest& interest_;
  const Options options_;

  Stage stage_ = Stage::kBegin;
  // Whether an unknown id is an error: only where the reader has never been told of it.
  bool ids_must_exist_ = false;
  std::optional<v1::ResetReason> reset_;
  // kUnsettled, kRows: where the page before ended.
  std::optional<std::string> after_id_;
  std::size_t next_id_ = 0;
  // When the snapshot began.
  store::Revision began_ = 0;
  ShownRanges shown_;
  // kLog: until here, changes have to be compared with what was shown; nothing beyond.
  store::Revision compare_upto_ = 0;
  store::Revision upto_ = 0;
  absl::flat_hash_map<std::string, store::Revision> unsettled_;
};

}  // namespace assetgate::watch

#endif  // ASSETGATE_WATCH_REPLAY_H_
