// Writes millions of finished assets directly into a store.
#ifndef ASSETGATE_TESTS_BENCH_FILL_STORE_H_
#define ASSETGATE_TESTS_BENCH_FILL_STORE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "store/store.h"

namespace assetgate::bench {

// The properties of the asset with a given number.
struct FinishedAsset {
  bool failed = false;
  // Key and value.
  std::vector<std::pair<std::string, std::string>> labels;
};

// Copies the assets `active` and `failed`, which a gateway has created and finished, `count` times
// in all. Each copy is the row that the gateway would have written, with its own name, labels and
// provider's id, and is committed through the store's interface, hundreds in one transaction, in
// the order of numbers. `describe` returns the properties of each copy; `made` receives its name.
absl::Status FillStore(store::Store& store, const std::string& active, const std::string& failed,
                       int count, const std::function<FinishedAsset(int number)>& describe,
                       const std::function<void(int number, const std::string& name)>& made);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_FILL_STORE_H_
