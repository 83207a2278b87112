#include "base/spelling.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"

namespace assetgate::base {
namespace {

// The distance is quadratic in the lengths, and callers choose the words.
constexpr std::size_t kMaxWordBytes = 128;

}  // namespace

std::size_t EditDistance(absl::string_view a, absl::string_view b) {
  a = a.substr(0, kMaxWordBytes);
  b = b.substr(0, kMaxWordBytes);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = absl::ascii_tolower(static_cast<unsigned char>(a[i - 1])) ==
                        absl::ascii_tolower(static_cast<unsigned char>(b[j - 1]));
      const std::size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::vector<std::string> NearestFirst(absl::string_view word, std::vector<std::string> known) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  ranked.reserve(known.size());
  for (std::string& candidate : known) {
    const std::size_t distance = EditDistance(word, candidate);
    ranked.emplace_back(distance, std::move(candidate));
  }
  std::stable_sort(ranked.begin(), ranked.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  known.clear();
  for (auto& entry : ranked) known.push_back(std::move(entry.second));
  return known;
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known) {
  std::string best;
  // A third of the letters may differ; beyond that it is another word.
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace assetgate::base
