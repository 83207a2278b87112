// Which rows a filter matches, newest first, without looking at the others.
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

// Walks the create revisions of the rows that match a filter, falling. Each term has its rows in
// that order in the index; the walk leaps from clause to clause to the next revision that all of
// them have, so that it costs about what the rarest clause has, and memory for a few hundred
// revisions per term. Where many rows have each and few have all, that is much, so the walk ends
// after so many look-ups of a term, wherever it is, but not where it began.
//
// Lives inside one read transaction.
class MatchingRows {
 public:
  // `terms` selects create_revision by tenant, kind, term, an upper bound and a limit, falling.
  // The filter has at least one clause. The walk begins at `upto`. Everything passed must outlive
  // this.
  MatchingRows(const Statement& terms, absl::string_view tenant, Kind kind,
               const TermFilter& filter, Revision upto, std::size_t max_look_ups);

  // The next match; 0 when there is none, or the walk ends before it.
  absl::StatusOr<Revision> Next();
  // Matches that are not told yet are at or below this; 0 when there are none.
  Revision rest() const { return candidate_; }

 private:
  // One term's rows, read ahead in runs.
  struct Term {
    absl::string_view term;
    std::vector<Revision> run;
    std::size_t at = 0;
    // How long the next run shall be, and how often this one was of use.
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
