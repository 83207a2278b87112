// Finds the rows that match a filter, newest first, without examining the others.
#ifndef ASSETGATE_STORE_SQLITE_TERM_ROWS_H_
#define ASSETGATE_STORE_SQLITE_TERM_ROWS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "store/sqlite/database.h"
#include "store/store.h"

namespace assetgate::store::sqlite {

// Walks the create revisions of the rows that match a filter, descending. The index has each term's
// rows in that order; the walk leaps from clause to clause to the next revision that all clauses
// have. So it costs in proportion to the rarest clause, and memory for a few hundred revisions per
// term. If many rows have each term and few have all, that is still much, so the walk ends after a
// limited number of look-ups, but never where it began.
//
// Lifetime: used inside one read transaction.
class MatchingRows {
 public:
  // `terms` selects create_revision by tenant, kind, term, an upper bound and a limit, descending.
  // The filter has at least one clause. The walk starts at `upto`.
  // Lifetime: all arguments must outlive this object.
  MatchingRows(const Statement& terms, absl::string_view tenant, Kind kind,
               const TermFilter& filter, Revision upto, std::size_t max_look_ups);

  // The next match; 0 if there is none, or if the walk ends before it.
  absl::StatusOr<Revision> Next();
  // All remaining matches are at or below this; 0 if there are none.
  Revision rest() const { return candidate_; }

 private:
  // One term's rows, read ahead in runs.
  struct Term {
    absl::string_view term;
    std::vector<Revision> run;
    std::size_t at = 0;
    // The length of the next run, and how many entries of this one were used.
    std::size_t run_length = 0;
    std::size_t hits = 0;
    bool exhausted = false;

    Revision row() const { return at < run.size() ? run[at] : 0; }
  };

  absl::Status SeekTerm(Term& term, Revision upto);

  const Statement& terms_;
  absl::string_view tenant_;
  Kind kind_;
  std::vector<std::vector<Term>> clauses_;
  const Revision begin_;
  const std::size_t max_look_ups_;
  Revision candidate_;
  std::size_t look_ups_ = 0;
};

}  // namespace assetgate::store::sqlite

#endif  // ASSETGATE_STORE_SQLITE_TERM_ROWS_H_
