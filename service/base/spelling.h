// Finds the known word that a caller or operator probably meant.
#ifndef ASSETGATE_BASE_SPELLING_H_
#define ASSETGATE_BASE_SPELLING_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace assetgate::base {

// The number of characters to insert, delete or replace to make `a` into `b`, ignoring ASCII case.
std::size_t EditDistance(absl::string_view a, absl::string_view b);

// `known`, the words most like `word` first; equally similar words keep their order.
std::vector<std::string> NearestFirst(absl::string_view word, std::vector<std::string> known);

// The known word that `word` probably misspells; empty if none is similar.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_SPELLING_H_
