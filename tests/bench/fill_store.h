// Finished assets by the million, past the gateway.
#ifndef ASSETGATE_TESTS_BENCH_FILL_STORE_H_
#define ASSETGATE_TESTS_BENCH_FILL_STORE_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "store/store.h"

namespace assetgate::bench {

// What an asset of the store is like, by its number.
struct FinishedAsset {
  bool failed = false;
  // Key and value.
  std::vector<std::pair<std::string, std::string>> labels;
};

// Copies the assets `active` and `failed`, which a gateway has made and finished, `count` times in
// all: each copy is the row that the gateway would have written, with a name, labels and a
// provider's id of its own, and is committed through the store's interface, hundreds in a
// transaction, in the order of numbers. `describe` says what each is; `made` is told its name.
absl::Status FillStore(store::Store& store, const std::string& active, const std::string& failed,
                       int count, const std::function<FinishedAsset(int number)>& describe,
                       const std::function<void(int number, const std::string& name)>& made);

}  // namespace assetgate::bench

#endif  // ASSETGATE_TESTS_BENCH_FILL_STORE_H_
