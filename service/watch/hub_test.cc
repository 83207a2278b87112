#include "watch/hub.h"

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "base/testing/fake_event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "watch/testing/fake_store.h"

namespace assetgate::watch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

store::Key AssetKey(const std::string& id) { return {FakeStore::kTenant, store::Kind::kAsset, id}; }

class WatchHubTest : public ::testing::Test {
 protected:
  WatchHubTest() { store_.SetListener(&hub_); }

  FakeStore store_;
  base::FakeEventLoop loop_;
  Hub hub_{loop_};
  std::vector<store::Revision> heard_;
};

TEST_F(WatchHubTest, AnObserverHearsOfItsKeyInOrder) {
  const Observation observation = hub_.Observe(
      AssetKey("a"), [&](const store::ChangePtr& change) { heard_.push_back(change->revision); });
  store_.Put("a");
  store_.Put("b");
  store_.Put("a");
  store_.Delete("a");
  EXPECT_THAT(heard_, IsEmpty()) << "not on the writer's thread";
  loop_.RunDue();
  EXPECT_THAT(heard_, ElementsAre(1, 3, 4));
}

TEST_F(WatchHubTest, ARoundIsMeasuredFromItsFirstChangeToItsEnd) {
  base::Metrics metrics({.version = "1"});
  Hub hub(loop_, &metrics.WatchLagSeconds());
  store_.SetListener(&hub);
  loop_.RunDue();
  store_.Put("a");
  loop_.fake_clock().Advance(absl::Milliseconds(250));
  store_.Put("b");
  loop_.RunDue();
  store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(metrics.Scrape(), ::testing::HasSubstr("assetgate_watch_lag_seconds_sum 0.25\n"));
  EXPECT_THAT(metrics.Scrape(), ::testing::HasSubstr("assetgate_watch_lag_seconds_count 2\n"));
}

TEST_F(WatchHubTest, AnObservationThatEndedHearsNothingMore) {
  std::optional<Observation> observation = hub_.Observe(
      AssetKey("a"), [&](const store::ChangePtr& change) { heard_.push_back(change->revision); });
  store_.Put("a");
  loop_.RunDue();
  store_.Put("a");
  observation.reset();
  loop_.RunDue();
  EXPECT_THAT(heard_, ElementsAre(1));
}

TEST_F(WatchHubTest, AnObservationMayEndInItsOwnCallback) {
  std::optional<Observation> observation;
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> weak = held;
  observation = hub_.Observe(AssetKey("a"), [&, held](const store::ChangePtr& change) {
    observation.reset();
    // What the callback holds outlives the call.
    EXPECT_EQ(*held, 7);
    heard_.push_back(change->revision);
  });
  held.reset();
  store_.Put("a");
  store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(heard_, ElementsAre(1));
  EXPECT_TRUE(weak.expired());
}

TEST_F(WatchHubTest, AnObserverMayEndAnother) {
  std::optional<Observation> second;
  const Observation first =
      hub_.Observe(AssetKey("a"), [&](const store::ChangePtr&) { second.reset(); });
  second = hub_.Observe(
      AssetKey("a"), [&](const store::ChangePtr& change) { heard_.push_back(change->revision); });
  store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(heard_, IsEmpty());
}

TEST_F(WatchHubTest, AnOverrunKeepsTheNewestChangeOfWhatIsObserved) {
  const Observation observation = hub_.Observe(
      AssetKey("a"), [&](const store::ChangePtr& change) { heard_.push_back(change->revision); });
  store_.Put("a");
  for (std::size_t i = 0; i < 2 * Hub::kMaxInbox; ++i) store_.Put("b");
  store_.Put("a");
  const store::Revision newest = store_.Put("a");
  EXPECT_LE(hub_.queue_depth(), Hub::kMaxInbox);
  loop_.RunDue();
  EXPECT_THAT(heard_, ElementsAre(newest));
  EXPECT_EQ(hub_.overruns(), 1);
  EXPECT_EQ(hub_.heard(), newest);
}

TEST_F(WatchHubTest, HeardMovesOnWithEveryChange) {
  EXPECT_EQ(hub_.heard(), 0);
  store_.Put("a");
  EXPECT_EQ(hub_.heard(), 0);
  loop_.RunDue();
  EXPECT_EQ(hub_.heard(), 1);
}

// A subscriber that says what the test tells it to say.
class FakeSubscriber final : public Subscriber {
 public:
  explicit FakeSubscriber(Interest interest)
      : interest_(Interest::Normalized(std::move(interest))) {}

  const Interest& interest() const override { return interest_; }
  bool OnJoined(store::Revision upto, std::vector<EventPtr> missed) override {
    joined = upto;
    for (const EventPtr& event : missed) offered.push_back(event->change()->revision);
    return accept;
  }
  void OnTooFarBehind() override { too_far_behind = true; }
  Offered Offer(const EventPtr& event) override {
    offered.push_back(event->change()->revision);
    return answer;
  }
  void OnLost() override { lost = true; }
  void Wake() override { ++woken; }

  bool accept = true;
  Offered answer = Offered::kTaken;
  std::optional<store::Revision> joined;
  std::vector<store::Revision> offered;
  bool too_far_behind = false;
  bool lost = false;
  int woken = 0;

 private:
  const Interest interest_;
};

std::shared_ptr<FakeSubscriber> SubscriberOf(std::vector<std::string> ids) {
  return std::make_shared<FakeSubscriber>(
      Interest{FakeStore::kTenant, store::Kind::kAsset, std::move(ids), {}});
}

TEST_F(WatchHubTest, WhoJoinsALittleLateGetsWhatItMissed) {
  const auto subscriber = SubscriberOf({"a"});
  for (int i = 0; i < 3; ++i) {
    store_.Put("a");
    store_.Put("b");
  }
  loop_.RunDue();
  hub_.Join(subscriber, 2);
  loop_.RunDue();
  EXPECT_EQ(subscriber->joined, 2);
  EXPECT_THAT(subscriber->offered, ElementsAre(3, 5));
  EXPECT_EQ(subscriber->woken, 1);
  store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(subscriber->offered, ElementsAre(3, 5, 7));
}

TEST_F(WatchHubTest, AGapSendsSubscribersBackToTheLogAndObserversHearWhatFollows) {
  const auto subscriber = SubscriberOf({"a"});
  hub_.Join(subscriber, 0);
  const Observation observation = hub_.Observe(
      AssetKey("a"), [&](const store::ChangePtr& change) { heard_.push_back(change->revision); });
  store_.Put("a");
  loop_.RunDue();
  store_.Put("a");
  hub_.OnGap(7);
  loop_.RunDue();
  EXPECT_TRUE(subscriber->lost);
  EXPECT_THAT(subscriber->offered, ElementsAre(1));
  EXPECT_THAT(heard_, ElementsAre(1, 2));
  EXPECT_EQ(hub_.heard(), 7);
  // Who has nothing from before the gap is no help to anybody.
  const auto late = SubscriberOf({"a"});
  hub_.Join(late, 1);
  loop_.RunDue();
  EXPECT_TRUE(late->too_far_behind);
}

TEST_F(WatchHubTest, WhoIsTooFarBehindIsToldSo) {
  const auto subscriber = SubscriberOf({});
  for (std::size_t i = 0; i < Hub::kMaxRecent + 2; ++i) store_.Put("a");
  loop_.RunDue();
  hub_.Join(subscriber, 1);
  loop_.RunDue();
  EXPECT_TRUE(subscriber->too_far_behind);
  EXPECT_FALSE(subscriber->joined.has_value());
  hub_.Join(subscriber, 2);
  loop_.RunDue();
  EXPECT_EQ(subscriber->joined, 2);
  EXPECT_EQ(subscriber->offered.size(), Hub::kMaxRecent);
}

TEST_F(WatchHubTest, WhatCameBeforeTheFirstChangeHeardIsNotAtHand) {
  store_.SetListener(nullptr);
  for (int i = 0; i < 5; ++i) store_.Put("a");
  store_.SetListener(&hub_);
  store_.Put("a");
  loop_.RunDue();
  const auto subscriber = SubscriberOf({});
  hub_.Join(subscriber, 4);
  loop_.RunDue();
  EXPECT_TRUE(subscriber->too_far_behind);
  hub_.Join(subscriber, 5);
  loop_.RunDue();
  EXPECT_THAT(subscriber->offered, ElementsAre(6));
}

TEST_F(WatchHubTest, WhatASubscriberHasFromTheLogIsNotOfferedAgain) {
  const auto subscriber = SubscriberOf({});
  hub_.Join(subscriber, 2);
  loop_.RunDue();
  for (int i = 0; i < 3; ++i) store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(subscriber->offered, ElementsAre(3));
}

TEST_F(WatchHubTest, ASubscriberWithoutRoomIsNoMemberAnyMore) {
  const auto full = SubscriberOf({});
  const auto other = SubscriberOf({});
  full->answer = Subscriber::Offered::kOverflow;
  hub_.Join(full, 0);
  hub_.Join(other, 0);
  loop_.RunDue();
  store_.Put("a");
  store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(full->offered, ElementsAre(1));
  EXPECT_EQ(full->woken, 2);
  EXPECT_THAT(other->offered, ElementsAre(1, 2));
  full->answer = Subscriber::Offered::kWake;
  hub_.Join(full, 2);
  store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(full->offered, ElementsAre(1, 3));
}

TEST_F(WatchHubTest, WhoLeftIsNotOfferedAnything) {
  const auto subscriber = SubscriberOf({"a", "b"});
  hub_.Join(subscriber, 0);
  hub_.Leave(subscriber);
  hub_.Leave(subscriber);
  loop_.RunDue();
  store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(subscriber->offered, IsEmpty());
  EXPECT_EQ(subscriber.use_count(), 1);
}

TEST_F(WatchHubTest, WhoClosedBeforeItJoinedIsNotHeld) {
  const auto subscriber = SubscriberOf({});
  subscriber->accept = false;
  hub_.Join(subscriber, 0);
  loop_.RunDue();
  EXPECT_EQ(subscriber.use_count(), 1);
}

TEST_F(WatchHubTest, AWideFanOutDoesNotHoldUpObservers) {
  std::vector<std::shared_ptr<FakeSubscriber>> subscribers;
  for (std::size_t i = 0; i < 4 * Hub::kWakeSlice; ++i) {
    subscribers.push_back(SubscriberOf({}));
    subscribers.back()->answer = Subscriber::Offered::kWake;
    hub_.Join(subscribers.back(), 0);
  }
  loop_.RunDue();
  const auto woken = [&] {
    int count = 0;
    for (const auto& subscriber : subscribers) count += subscriber->woken - 1;
    return count;
  };
  int woken_before_observer = -1;
  const Observation observation = hub_.Observe(
      AssetKey("observed"), [&](const store::ChangePtr&) { woken_before_observer = woken(); });
  store_.Put("a");
  loop_.Post([&] { store_.Put("observed"); });
  loop_.RunDue();
  EXPECT_GE(woken_before_observer, 0);
  EXPECT_LE(woken_before_observer, static_cast<int>(2 * Hub::kWakeSlice));
  EXPECT_EQ(woken(), static_cast<int>(8 * Hub::kWakeSlice));
}

// On threads of its own.
TEST(WatchHubThreadTest, EndingAnObservationWaitsForACallUnderWay) {
  base::ThreadEventLoop loop("test-hub");
  Hub hub(loop);
  FakeStore store;
  store.SetListener(&hub);
  absl::Notification entered;
  absl::Notification go_on;
  std::atomic<bool> returned = false;
  Observation observation = hub.Observe(AssetKey("a"), [&](const store::ChangePtr&) {
    entered.Notify();
    go_on.WaitForNotification();
    returned = true;
  });
  store.Put("a");
  entered.WaitForNotification();
  std::thread releaser([&] { go_on.Notify(); });
  observation.Reset();
  EXPECT_TRUE(returned);
  releaser.join();
  loop.Stop();
}

TEST(WatchHubThreadTest, ObserversComeAndGoWhileChangesAreTold) {
  base::ThreadEventLoop loop("test-hub");
  Hub hub(loop);
  FakeStore store;
  store.SetListener(&hub);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) store.Put("a");
  });
  for (int i = 0; i < 2'000; ++i) {
    // Dies with the observation: a call afterwards would be seen by a sanitizer.
    auto state = std::make_unique<std::atomic<int>>(0);
    Observation observation =
        hub.Observe(AssetKey("a"), [&state](const store::ChangePtr&) { ++*state; });
    if (i % 100 == 0) {
      while (*state == 0) std::this_thread::yield();
    }
    observation.Reset();
  }
  stop = true;
  writer.join();
  loop.Stop();
}

}  // namespace
}  // namespace assetgate::watch
