#include "watch/hub.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/testing/fake_event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "watch/testing/fake_store.h"

namespace assetgate::watch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WatchHubTest : public ::testing::Test {
 protected:
  WatchHubTest() { store_.SetListener(&hub_); }

  FakeStore store_;
  base::FakeEventLoop loop_;
  Hub hub_{loop_};
};

TEST_F(WatchHubTest, LagIsMeasuredFromTheFirstChangeOfARoundToItsEnd) {
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

TEST_F(WatchHubTest, OfferedUptoAdvancesWithEveryChange) {
  EXPECT_EQ(hub_.offered_upto(), 0);
  store_.Put("a");
  EXPECT_EQ(hub_.offered_upto(), 0);
  loop_.RunDue();
  EXPECT_EQ(hub_.offered_upto(), 1);
}

// A subscriber that returns the answers that a test sets.
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

TEST_F(WatchHubTest, LateSubscriberGetsTheEventsItMissed) {
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

TEST_F(WatchHubTest, OverrunDropsTheQueueAndSendsSubscribersBackToTheLog) {
  const auto subscriber = SubscriberOf({"a"});
  hub_.Join(subscriber, 0);
  loop_.RunDue();
  for (std::size_t i = 0; i < 2 * Hub::kMaxInbox; ++i) store_.Put("b");
  const store::Revision newest = store_.Put("a");
  EXPECT_LE(hub_.queue_depth(), Hub::kMaxInbox);
  loop_.RunDue();
  EXPECT_TRUE(subscriber->lost);
  EXPECT_THAT(subscriber->offered, IsEmpty());
  EXPECT_EQ(hub_.overruns(), 1);
  EXPECT_EQ(hub_.offered_upto(), newest);
}

TEST_F(WatchHubTest, GapSendsSubscribersBackToTheLog) {
  const auto subscriber = SubscriberOf({"a"});
  hub_.Join(subscriber, 0);
  store_.Put("a");
  loop_.RunDue();
  store_.Put("a");
  hub_.OnGap(7);
  loop_.RunDue();
  EXPECT_TRUE(subscriber->lost);
  EXPECT_THAT(subscriber->offered, ElementsAre(1));
  EXPECT_EQ(hub_.offered_upto(), 7);
  // The hub keeps no changes from before the gap.
  const auto late = SubscriberOf({"a"});
  hub_.Join(late, 1);
  loop_.RunDue();
  EXPECT_TRUE(late->too_far_behind);
}

TEST_F(WatchHubTest, SubscriberTooFarBehindIsNotified) {
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

TEST_F(WatchHubTest, ChangesBeforeTheFirstReceivedOneAreNotKept) {
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

TEST_F(WatchHubTest, ChangesReadFromTheLogAreNotOfferedAgain) {
  const auto subscriber = SubscriberOf({});
  hub_.Join(subscriber, 2);
  loop_.RunDue();
  for (int i = 0; i < 3; ++i) store_.Put("a");
  loop_.RunDue();
  EXPECT_THAT(subscriber->offered, ElementsAre(3));
}

TEST_F(WatchHubTest, SubscriberWithoutRoomIsNoLongerAMember) {
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

TEST_F(WatchHubTest, SubscriberThatLeftIsNotOfferedEvents) {
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

TEST_F(WatchHubTest, SubscriberThatClosedBeforeJoiningIsReleased) {
  const auto subscriber = SubscriberOf({});
  subscriber->accept = false;
  hub_.Join(subscriber, 0);
  loop_.RunDue();
  EXPECT_EQ(subscriber.use_count(), 1);
}

TEST_F(WatchHubTest, LargeFanOutLetsOtherWorkRunInBetween) {
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
  int woken_before_other_work = -1;
  store_.Put("a");
  loop_.Post([&] { loop_.Post([&] { woken_before_other_work = woken(); }); });
  loop_.RunDue();
  EXPECT_GE(woken_before_other_work, 0);
  EXPECT_LE(woken_before_other_work, static_cast<int>(2 * Hub::kWakeSlice));
  EXPECT_EQ(woken(), static_cast<int>(4 * Hub::kWakeSlice));
}

}  // namespace
}  // namespace assetgate::watch
