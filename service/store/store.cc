#include "store/store.h"

#include <algorithm>

namespace assetgate::store {

bool TermFilter::Matches(const std::vector<std::string>& terms) const {
  return std::all_of(clauses.begin(), clauses.end(), [&](const std::vector<std::string>& clause) {
    return std::any_of(clause.begin(), clause.end(), [&](const std::string& term) {
      return std::find(terms.begin(), terms.end(), term) != terms.end();
    });
  });
}

}  // namespace assetgate::store
