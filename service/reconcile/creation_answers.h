// The answers to the items of one creation, collected and given together.
#ifndef ASSETGATE_RECONCILE_CREATION_ANSWERS_H_
#define ASSETGATE_RECONCILE_CREATION_ANSWERS_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/refusal.h"
#include "reconcile/creation.h"
#include "reconcile/engine.h"
#include "store/store.h"

namespace assetgate::reconcile {

struct Creations::Collected {
  Collected(Engine& owner, std::vector<store::Key> item_keys, Answers to)
      : engine(owner), keys(std::move(item_keys)), answers(std::move(to)) {
    results.resize(keys.size());
    missing = keys.size();
  }

  bool Answered(std::size_t i) const { return results[i].has_value(); }

  // `free_again`: nothing exists, and the request id is free again.
  static void Answer(const CollectedPtr& self, std::size_t i, absl::Status status,
                     bool free_again = false) {
    self->results[i] = std::move(status);
    self->free_again |= free_again;
    if (--self->missing > 0) return;
    if (self->results.size() == 1 && self->free_again) return std::move(self->answers.done)(true);
    Give(self, 0);
  }

  // An item that answered early may have moved on, or left memory, since: each answer is the item
  // as it is now.
  static void Give(const CollectedPtr& self, std::size_t i) {
    for (; i < self->keys.size(); ++i) {
      if (!self->results[i]->ok()) {
        self->answers.each(*self->results[i]);
        continue;
      }
      if (const Entry* entry = self->engine.Find(self->keys[i])) {
        self->answers.each(entry->item.get());
        continue;
      }
      return self->engine.Load(self->keys[i], [self, i](absl::StatusOr<Entry*> loaded) {
        if (!loaded.ok()) {
          self->answers.each(loaded.status());
        } else if (*loaded == nullptr) {
          self->answers.each(model::NotFound(self->keys[i]));
        } else {
          self->answers.each((*loaded)->item.get());
        }
        Give(self, i + 1);
      });
    }
    std::move(self->answers.done)(false);
  }

  Engine& engine;
  const std::vector<store::Key> keys;
  // The request id that is being committed.
  std::optional<store::RequestKey> claim;
  Answers answers;
  std::vector<std::optional<absl::Status>> results;
  std::size_t missing;
  bool free_again = false;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_CREATION_ANSWERS_H_
