#include "base/event_loop.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "base/testing/fake_event_loop.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

using testing::ElementsAre;

TEST(ThreadEventLoopTest, RunsPostedTasksInOrderOnOneThread) {
  ThreadEventLoop loop("test");
  std::vector<int> order;
  std::thread::id first;
  absl::Notification done;
  loop.Post([&] { first = std::this_thread::get_id(); });
  for (int i = 0; i < 100; ++i) loop.Post([&order, i] { order.push_back(i); });
  loop.Post([&] {
    EXPECT_EQ(std::this_thread::get_id(), first);
    done.Notify();
  });
  done.WaitForNotification();
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_NE(first, std::this_thread::get_id());
}

TEST(ThreadEventLoopTest, TimersUseTheGivenClock) {
  FakeClock clock(absl::Now() + absl::Hours(1000));
  ThreadEventLoop loop("test", &clock);
  EXPECT_EQ(loop.Now(), clock.Now());
  // Far from due by the machine's clock, and due by the given one.
  absl::Notification done;
  loop.PostAt(clock.Now() - absl::Hours(1), [&] { done.Notify(); });
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Minutes(1)));
}

TEST(ThreadEventLoopTest, NeverRunsATaskInsidePost) {
  ThreadEventLoop loop("test");
  bool inside = false;
  absl::Notification done;
  loop.Post([&] {
    inside = true;
    loop.Post([&] {
      EXPECT_FALSE(inside);
      done.Notify();
    });
    inside = false;
  });
  done.WaitForNotification();
}

TEST(ThreadEventLoopTest, TimersRunInOrderOfTimeAndNotEarly) {
  ThreadEventLoop loop("test");
  std::vector<std::string> order;
  absl::Notification done;
  const absl::Time now = loop.Now();
  loop.PostAt(now + absl::Milliseconds(40), [&] {
    order.push_back("late");
    EXPECT_GE(loop.Now(), now + absl::Milliseconds(39));
    done.Notify();
  });
  loop.PostAt(now + absl::Milliseconds(20), [&] { order.push_back("early"); });
  loop.PostAt(now - absl::Hours(1), [&] { order.push_back("overdue"); });
  loop.PostAt(absl::InfinitePast(), [&] { order.push_back("long overdue"); });
  done.WaitForNotification();
  EXPECT_EQ(order.back(), "late");
  EXPECT_EQ(order[2], "early");
}

TEST(ThreadEventLoopTest, TimerAtInfiniteFutureNeverRuns) {
  ThreadEventLoop loop("test");
  absl::Notification done;
  std::atomic<bool> ran = false;
  loop.PostAt(absl::InfiniteFuture(), [&] { ran = true; });
  loop.PostAt(loop.Now() + absl::Milliseconds(5), [&] { done.Notify(); });
  done.WaitForNotification();
  loop.Stop();
  EXPECT_FALSE(ran);
}

TEST(ThreadEventLoopTest, StopRunsPostedTasksAndDropsScheduledOnes) {
  ThreadEventLoop loop("test");
  int posted = 0;
  bool scheduled = false;
  absl::Notification go;
  loop.Post([&] { go.WaitForNotification(); });
  for (int i = 0; i < 10; ++i) loop.Post([&] { ++posted; });
  auto witness = std::make_shared<int>();
  loop.PostAt(loop.Now() + absl::Hours(1), [&scheduled, witness] { scheduled = true; });
  std::thread stopper([&] { loop.Stop(); });
  go.Notify();
  stopper.join();
  EXPECT_EQ(posted, 10);
  EXPECT_FALSE(scheduled);
  loop.Post([&] { ++posted; });
  loop.Stop();
  EXPECT_EQ(posted, 10);
}

TEST(ThreadEventLoopTest, ManyThreadsMayPost) {
  ThreadEventLoop loop("test");
  int count = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) loop.Post([&] { ++count; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  loop.Stop();
  EXPECT_EQ(count, 4000);
}

TEST(FakeEventLoopTest, AdvanceStopsAtEachTimer) {
  FakeEventLoop loop;
  const absl::Time begin = loop.Now();
  std::vector<absl::Duration> seen;
  loop.PostAt(begin + absl::Seconds(2), [&] {
    seen.push_back(loop.Now() - begin);
    loop.PostAt(loop.Now() + absl::Seconds(1), [&] { seen.push_back(loop.Now() - begin); });
  });
  loop.PostAt(begin + absl::Seconds(9), [&] { seen.push_back(loop.Now() - begin); });
  loop.Advance(absl::Seconds(5));
  EXPECT_THAT(seen, ElementsAre(absl::Seconds(2), absl::Seconds(3)));
  EXPECT_EQ(loop.Now(), begin + absl::Seconds(5));
  EXPECT_EQ(loop.timers(), 1u);
  EXPECT_EQ(loop.NextTimer(), begin + absl::Seconds(9));
}

}  // namespace
}  // namespace assetgate::base
