// A place at a provider's gate, as one piece of work asks for it, holds it and gives it back.
#ifndef ASSETGATE_UPSTREAM_PLACE_H_
#define ASSETGATE_UPSTREAM_PLACE_H_

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "upstream/gate.h"

namespace assetgate::upstream {

// Nothing, queued, or held. A place that is granted after its owner has released it, or is gone, is
// given back to the gate at once.
//
// Threading: the thread of the gate's loop. Lifetime: the gate outlives the place and all grants.
class Place {
 public:
  Place() = default;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  Place(Place&&) = default;
  Place& operator=(Place&&) = default;
  // Does not release what is held: its gate may be gone with the gateway.
  ~Place() = default;

  // Asks for a place unless it is held or queued already. Returns whether it is held now; otherwise
  // `granted` runs on the loop once it is. Dropped where the place was queued before.
  bool Acquire(Gate& gate, CallClass call_class, absl::Time now,
               absl::AnyInvocable<void() &&> granted);
  // Gives up what is held or queued.
  void Release();
  // The call that the place was held for begins: the caller releases the place at the gate when it
  // ends. Returns the class that it was granted for.
  CallClass Use();

  bool held() const { return ticket_ != nullptr && ticket_->held; }
  bool queued() const { return ticket_ != nullptr && !ticket_->held; }
  // Of a place that is held or queued.
  CallClass call_class() const { return ticket_->call_class; }
  absl::Time queued_since() const { return queued_since_; }

 private:
  struct Ticket {
    Gate* gate;
    CallClass call_class;
    bool held = false;
  };
  std::shared_ptr<Ticket> ticket_;
  absl::Time queued_since_;
};

}  // namespace assetgate::upstream

#endif  // ASSETGATE_UPSTREAM_PLACE_H_
