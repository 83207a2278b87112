// Which of the known words somebody meant.
#ifndef ASSETGATE_BASE_SPELLING_H_
#define ASSETGATE_BASE_SPELLING_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace assetgate::base {

// The number of characters to insert, delete or replace to make `a` into `b`, ignoring ASCII case.
std::size_t EditDistance(absl::string_view a, absl::string_view b);

// `known` with the words most like `word` first; words equally like it keep their order.
std::vector<std::string> NearestFirst(absl::string_view word, std::vector<std::string> known);

// The known word that `word` is probably a misspelling of; empty when none is like it.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_SPELLING_H_
