#include "upstream/place.h"

#include <utility>

namespace assetgate::upstream {

bool Place::Acquire(Gate& gate, CallClass call_class, absl::Time now,
                    absl::AnyInvocable<void() &&> granted) {
  if (ticket_ != nullptr) return ticket_->held;
  ticket_ = std::make_shared<Ticket>(Ticket{&gate, call_class});
  queued_since_ = now;
  ticket_->held = gate.Acquire(call_class, [ticket = std::weak_ptr<Ticket>(ticket_), &gate,
                                            call_class, granted = std::move(granted)]() mutable {
    const std::shared_ptr<Ticket> wanted = ticket.lock();
    if (wanted == nullptr) return gate.Abandon(call_class);
    wanted->held = true;
    std::move(granted)();
  });
  return ticket_->held;
}

void Place::Release() {
  if (held()) ticket_->gate->Abandon(ticket_->call_class);
  ticket_.reset();
}

CallClass Place::Use() {
  const CallClass used = ticket_ != nullptr ? ticket_->call_class : CallClass::kPoll;
  ticket_.reset();
  return used;
}

}  // namespace assetgate::upstream
