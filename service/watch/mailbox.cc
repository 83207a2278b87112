#include "watch/mailbox.h"

#include <algorithm>
#include <utility>

namespace assetgate::watch {
namespace {

std::size_t SizeOf(const EventPtr& event) { return event->change()->resource.size(); }

}  // namespace

void Mailbox::Open(store::Revision safe) {
  *this = Mailbox();
  safe_ = safe;
  taking_upto_ = safe;
}

void Mailbox::Put(EventPtr event) {
  if (overflowed_) return;
  EventPtr* superseded = nullptr;
  if (filling_.size() >= kKeepEach) {
    if (places_ == nullptr) {
      places_ = std::make_unique<absl::flat_hash_map<std::string, std::size_t>>();
      for (std::size_t i = 0; i < filling_.size(); ++i) {
        (*places_)[filling_[i]->change()->key.id] = i;
      }
    }
    const auto [place, is_new] = places_->try_emplace(event->change()->key.id, filling_.size());
    if (!is_new) superseded = &filling_[place->second];
  }
  if (superseded != nullptr) bytes_ -= SizeOf(*superseded);
  bytes_ += SizeOf(event);
  const std::size_t others =
      taking_.size() - next_ + filling_.size() - (superseded == nullptr ? 0 : 1);
  if (others >= kCapacity || (others > 0 && bytes_ > kMaxBytes)) {
    Overflow();
  } else if (superseded != nullptr) {
    *superseded = std::move(event);
  } else {
    filling_.push_back(std::move(event));
  }
}

void Mailbox::Overflow() {
  overflowed_ = true;
  filling_ = {};
  places_.reset();
}

EventPtr Mailbox::Take() {
  if (drained()) return nullptr;
  EventPtr event = std::move(taking_[next_++]);
  // After an overflow nothing is added any more.
  if (!overflowed_) bytes_ -= SizeOf(event);
  if (drained()) {
    safe_ = taking_upto_;
    taking_.clear();
    next_ = 0;
    // An idle stream keeps room for a few events, not for its largest burst.
    if (taking_.capacity() > kKeepEach) taking_.shrink_to_fit();
  }
  return event;
}

void Mailbox::NextGeneration(store::Revision offered_upto) {
  if (!drained() || overflowed_) return;
  // Events are put in the order of revisions, so every event up to the newest one is here, even if
  // `offered_upto` was read before that one was put. No event here is beyond this point: if the
  // other generation overflows, a replay from it repeats nothing.
  taking_upto_ = std::max(taking_upto_, offered_upto);
  for (const EventPtr& event : filling_) {
    taking_upto_ = std::max(taking_upto_, event->change()->revision);
  }
  taking_.swap(filling_);
  places_.reset();
  if (taking_.empty()) safe_ = taking_upto_;
}

}  // namespace assetgate::watch
