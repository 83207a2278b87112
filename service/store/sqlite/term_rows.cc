#include "store/sqlite/term_rows.h"

#include <algorithm>
#include <functional>

namespace assetgate::store::sqlite {
namespace {

constexpr std::size_t kMinRun = 16;
constexpr std::size_t kMaxRun = 256;

}  // namespace

MatchingRows::MatchingRows(const Statement& terms, absl::string_view tenant, Kind kind,
                           const TermFilter& filter, Revision upto, std::size_t max_look_ups)
    : terms_(terms),
      tenant_(tenant),
      kind_(kind),
      begin_(upto),
      max_look_ups_(max_look_ups),
      candidate_(upto) {
  for (const std::vector<std::string>& clause : filter.clauses) {
    std::vector<Term>& words = clauses_.emplace_back();
    for (const std::string& word : clause) {
      words.emplace_back().term = word;
      words.back().run_length = kMinRun;
    }
  }
}

absl::StatusOr<Revision> MatchingRows::Next() {
  std::size_t agreeing = 0;
  for (std::size_t i = 0; agreeing < clauses_.size(); i = (i + 1) % clauses_.size()) {
    if (candidate_ <= 0) return Revision{0};
    if (look_ups_ >= max_look_ups_ && candidate_ < begin_) return Revision{0};
    Revision newest = 0;
    for (Term& term : clauses_[i]) {
      if (absl::Status s = SeekTerm(term, candidate_); !s.ok()) return s;
      newest = std::max(newest, term.row());
    }
    look_ups_ += clauses_[i].size();
    agreeing = newest == candidate_ ? agreeing + 1 : 1;
    candidate_ = newest;
  }
  return candidate_ > 0 ? candidate_-- : 0;
}

absl::Status MatchingRows::SeekTerm(Term& term, Revision upto) {
  const auto begin = term.run.begin() + static_cast<std::ptrdiff_t>(term.at);
  const auto found = std::lower_bound(begin, term.run.end(), upto, std::greater<>());
  term.at = static_cast<std::size_t>(found - term.run.begin());
  if (found != term.run.end() || term.exhausted) {
    ++term.hits;
    return absl::OkStatus();
  }
  // A walk that takes every row reads far ahead; one that leaps does not.
  if (!term.run.empty()) {
    term.run_length = 2 * term.hits >= term.run.size() ? std::min(2 * term.run_length, kMaxRun)
                                                       : std::max(term.run_length / 2, kMinRun);
  }
  term.run.clear();
  term.at = 0;
  term.hits = 0;
  Query query(terms_);
  query.Text(tenant_)
      .Int(static_cast<int>(kind_))
      .Text(term.term)
      .Int(upto)
      .Int(static_cast<std::int64_t>(term.run_length));
  while (query.Next()) term.run.push_back(query.IntAt(0));
  term.exhausted = term.run.size() < term.run_length;
  return query.status();
}

}  // namespace assetgate::store::sqlite
