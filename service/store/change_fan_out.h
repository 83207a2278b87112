// Connects several listeners to one store.
#ifndef ASSETGATE_STORE_CHANGE_FAN_OUT_H_
#define ASSETGATE_STORE_CHANGE_FAN_OUT_H_

#include <utility>
#include <vector>

#include "store/store.h"

namespace assetgate::store {

// Notifies each listener, in their order.
// Lifetime: the listeners must outlive this object.
class ChangeFanOut final : public ChangeListener {
 public:
  explicit ChangeFanOut(std::vector<ChangeListener*> listeners)
      : listeners_(std::move(listeners)) {}

  void OnChanges(const std::vector<ChangePtr>& changes, Revision head) override {
    for (ChangeListener* listener : listeners_) listener->OnChanges(changes, head);
  }
  void OnGap(Revision upto) override {
    for (ChangeListener* listener : listeners_) listener->OnGap(upto);
  }

 private:
  const std::vector<ChangeListener*> listeners_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_CHANGE_FAN_OUT_H_
