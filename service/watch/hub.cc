#include "watch/hub.h"

#include <algorithm>
#include <optional>

namespace assetgate::watch {
namespace {

const std::string kAnyTerm;  // NOLINT(cert-err58-cpp): the empty string cannot throw

}  // namespace

const EventPtr& Hub::Published::EventFor(Effect effect) {
  EventPtr& event = events_[static_cast<std::size_t>(effect)];
  if (event == nullptr) event = EventOf(effect, change_);
  return event;
}

void Hub::OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) {
  bool post = false;
  {
    absl::MutexLock lock(&mu_);
    inbox_.head = head;
    if (lag_ != nullptr && !changes.empty()) inbox_.since = std::min(inbox_.since, loop_.Now());
    if (!inbox_.overrun && inbox_.changes.size() + changes.size() > kMaxInbox) {
      DropQueue();
    }
    if (!inbox_.overrun) {
      inbox_.changes.insert(inbox_.changes.end(), changes.begin(), changes.end());
    }
    post = !std::exchange(dispatch_posted_, true);
  }
  if (post) loop_.Post([this] { Dispatch(); });
}

void Hub::OnGap(store::Revision upto) {
  bool post = false;
  {
    absl::MutexLock lock(&mu_);
    inbox_.head = upto;
    if (!inbox_.overrun) DropQueue();
    post = !std::exchange(dispatch_posted_, true);
  }
  if (post) loop_.Post([this] { Dispatch(); });
}

void Hub::DropQueue() {
  inbox_.overrun = true;
  overruns_.fetch_add(1, std::memory_order_relaxed);
  inbox_.changes = {};
}

std::size_t Hub::queue_depth() const {
  absl::MutexLock lock(&mu_);
  return inbox_.changes.size();
}

void Hub::Dispatch() {
  Inbox inbox;
  {
    absl::MutexLock lock(&mu_);
    std::swap(inbox, inbox_);
    dispatch_posted_ = false;
  }
  if (!std::exchange(begun_, true)) {
    recent_after_ = inbox.changes.empty() ? inbox.head : inbox.changes.front()->revision - 1;
  }
  if (inbox.overrun) {
    DropAllMembers();
    recent_.clear();
    recent_bytes_ = 0;
    recent_after_ = inbox.head;
  } else {
    for (const store::ChangePtr& change : inbox.changes) Publish(change);
  }
  // Only after the last event was offered: see Mailbox::NextGeneration.
  offered_upto_.store(std::max(inbox.head, offered_upto_.load(std::memory_order_relaxed)),
                      std::memory_order_release);
  if (inbox.since != absl::InfiniteFuture()) {
    rounds_.push_back({woken_ + to_wake_.size(), inbox.since});
  }
  if (!wake_posted_) WakeSome();
}

void Hub::Publish(const store::ChangePtr& change) {
  Published published(change);
  const auto it = topics_.find(TopicKey(change->key.tenant, change->key.kind));
  if (it != topics_.end()) {
    const Topic& topic = it->second;
    OfferTo(topic.id, change->key.id, published);
    if (!topic.term.empty()) {
      OfferTo(topic.term, kAnyTerm, published);
      for (const std::string& term : change->terms) OfferTo(topic.term, term, published);
      for (const std::string& term : change->previous_terms) OfferTo(topic.term, term, published);
    }
    for (Member* member : std::exchange(overflowed_, {})) Remove(member->subscriber.get());
  }
  Remember(std::move(published));
}

void Hub::OfferTo(const MembersBy& members, const std::string& key, Published& published) {
  const auto it = members.find(key);
  if (it == members.end()) return;
  for (Member* member : it->second) {
    if (!OfferTo(*member, published)) overflowed_.push_back(member);
  }
}

bool Hub::OfferTo(Member& member, Published& published) {
  const store::Change& change = published.change();
  if (change.revision <= member.after || change.revision <= member.last_considered) return true;
  member.last_considered = change.revision;
  const std::optional<Effect> effect = EffectOf(member.subscriber->interest().filter, change);
  if (!effect.has_value()) return true;
  switch (member.subscriber->Offer(published.EventFor(*effect))) {
    case Subscriber::Offered::kTaken:
      return true;
    case Subscriber::Offered::kWake:
      to_wake_.push_back(member.subscriber);
      return true;
    case Subscriber::Offered::kOverflow:
      break;
  }
  to_wake_.push_back(member.subscriber);
  return false;
}

void Hub::DropAllMembers() {
  topics_.clear();
  for (auto& [subscriber, member] : members_) {
    subscriber->OnLost();
    to_wake_.push_back(std::move(member->subscriber));
  }
  members_.clear();
}

void Hub::Remember(Published published) {
  const auto size_of = [](const Published& p) { return p.change().resource.size(); };
  recent_bytes_ += size_of(published);
  recent_.push_back(std::move(published));
  while (recent_.size() > kMaxRecent || recent_bytes_ > kMaxRecentBytes) {
    recent_bytes_ -= size_of(recent_.front());
    recent_after_ = recent_.front().change().revision;
    recent_.pop_front();
  }
}

void Hub::Join(std::shared_ptr<Subscriber> subscriber, store::Revision after) {
  loop_.Post([this, subscriber = std::move(subscriber), after]() mutable {
    DoJoin(std::move(subscriber), after);
  });
}

void Hub::DoJoin(std::shared_ptr<Subscriber> subscriber, store::Revision after) {
  if (after < recent_after_) {
    subscriber->OnTooFarBehind();
    subscriber->Wake();
    return;
  }
  const Interest& interest = subscriber->interest();
  std::vector<EventPtr> missed;
  const auto first = std::upper_bound(
      recent_.begin(), recent_.end(), after,
      [](store::Revision r, const Published& p) { return r < p.change().revision; });
  for (auto it = first; it != recent_.end(); ++it) {
    if (!interest.Covers(it->change().key)) continue;
    const std::optional<Effect> effect = EffectOf(interest.filter, it->change());
    if (effect.has_value()) missed.push_back(it->EventFor(*effect));
  }
  if (!subscriber->OnJoined(after, std::move(missed))) return subscriber->Wake();
  auto member = std::make_unique<Member>();
  member->subscriber = subscriber;
  // The subscriber may have read changes from the store that the hub has not received yet.
  member->after = after;
  ForEachPlace(
      topics_[TopicKey(interest.tenant, interest.kind)], interest,
      [&](MembersBy& members, const std::string& key) { members[key].insert(member.get()); });
  members_[subscriber.get()] = std::move(member);
  subscriber->Wake();
}

void Hub::Leave(std::shared_ptr<Subscriber> subscriber) {
  loop_.Post([this, subscriber = std::move(subscriber)] { Remove(subscriber.get()); });
}

void Hub::Remove(Subscriber* subscriber) {
  const auto it = members_.find(subscriber);
  if (it == members_.end()) return;
  const std::unique_ptr<Member> member = std::move(it->second);
  members_.erase(it);
  const Interest& interest = subscriber->interest();
  const auto topic = topics_.find(TopicKey(interest.tenant, interest.kind));
  if (topic == topics_.end()) return;
  ForEachPlace(topic->second, interest, [&](MembersBy& members, const std::string& key) {
    const auto place = members.find(key);
    if (place == members.end()) return;
    place->second.erase(member.get());
    if (place->second.empty()) members.erase(place);
  });
  if (topic->second.id.empty() && topic->second.term.empty()) topics_.erase(topic);
}

void Hub::ForEachPlace(Topic& topic, const Interest& interest,
                       absl::FunctionRef<void(MembersBy& members, const std::string& key)> apply) {
  if (!interest.ids.empty()) {
    for (const std::string& id : interest.ids) apply(topic.id, id);
    return;
  }
  const auto& clauses = interest.filter.clauses;
  if (clauses.empty()) {
    apply(topic.term, kAnyTerm);
    return;
  }
  // A change concerns the stream only if each clause has a term in it, before or after; so looking
  // under the terms of the smallest clause is enough.
  const auto smallest =
      std::min_element(clauses.begin(), clauses.end(),
                       [](const auto& a, const auto& b) { return a.size() < b.size(); });
  for (const std::string& term : *smallest) apply(topic.term, term);
}

void Hub::WakeSome() {
  wake_posted_ = false;
  for (std::size_t i = 0; i < kWakeSlice && !to_wake_.empty(); ++i) {
    const std::shared_ptr<Subscriber> subscriber = std::move(to_wake_.front());
    to_wake_.pop_front();
    subscriber->Wake();
    ++woken_;
  }
  for (; !rounds_.empty() && rounds_.front().end <= woken_; rounds_.pop_front()) {
    lag_->Observe(absl::ToDoubleSeconds(loop_.Now() - rounds_.front().since));
  }
  if (to_wake_.empty()) return;
  wake_posted_ = true;
  loop_.Post([this] { WakeSome(); });
}

}  // namespace assetgate::watch
