// Commits whose outcome the store could not tell.
#ifndef ASSETGATE_RECONCILE_DOUBTS_H_
#define ASSETGATE_RECONCILE_DOUBTS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "reconcile/engine.h"
#include "store/store.h"

namespace assetgate::reconcile {

// Compares rows that such a commit may have changed with the store until the store has decided; a
// row that appears is taken up.
//
// Threading: the reconciler's thread.
class Doubts {
 public:
  Doubts(Engine& engine, store::Store& store) : engine_(engine), store_(store) {}

  // `before`: the row's revision before the commit; 0 where there was none. `created`: of a
  // creation, the internal content of its draft, for which this gateway has sent nothing.
  void Add(store::Key key, store::Revision before,
           std::optional<std::string> created = std::nullopt);
  bool Contains(const store::Key& key) const { return doubts_.contains(key); }
  // A row is taken into memory. See Engine::Hooks.
  bool OnAdopted(const store::Row& row);

 private:
  struct Doubt {
    store::Revision before = 0;
    std::optional<std::string> created;
    absl::Time since;
  };

  void Ask();
  // The store has decided what was in doubt at `asked`. Looks at some rows at a time, from the
  // `from`th on.
  void Decide(std::shared_ptr<const std::vector<store::Key>> keys, std::size_t from,
              absl::Time asked);
  void Decide(const store::Key& key, absl::Time asked);

  Engine& engine_;
  store::Store& store_;
  absl::flat_hash_map<store::Key, Doubt> doubts_;
  absl::Duration delay_ = absl::ZeroDuration();
  bool asking_ = false;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_DOUBTS_H_
