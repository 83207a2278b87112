// What the `tsan` preset detects, and what it accepts. Built only with that preset.
//
// Each way in which the gateway's code hands data from one thread to another is tested twice: used
// correctly, which must pass without a report (any report ends the program), and without the
// synchronising step, which must be reported. Without the second half, a check that detects nothing
// would pass.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/base/call_once.h"
#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/event_loop.h"

namespace assetgate {
namespace {

constexpr absl::Duration kLong = absl::Seconds(30);

// Runs both concurrently and waits for them. Whichever runs first: without synchronisation neither
// happens before the other, and that is what is reported.
template <typename First, typename Second>
void RunBoth(First first, Second second) {
  std::thread one(first);
  std::thread two(second);
  one.join();
  two.join();
}

class ThreadSanitizerDeathTest : public testing::Test {
 protected:
  // Death tests need their own process, because there are threads.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

#define EXPECT_RACE(statement) EXPECT_DEATH(statement, "ThreadSanitizer: data race")

TEST(ThreadSanitizerTest, MutexSynchronises) {
  absl::Mutex mu;
  std::string shared;
  const auto append = [&] {
    for (int i = 0; i < 100; ++i) {
      absl::MutexLock lock(&mu);
      shared += 'x';
    }
  };
  RunBoth(append, append);
  EXPECT_EQ(shared.size(), 200U);
}

TEST_F(ThreadSanitizerDeathTest, WriteWithoutTheMutexIsReported) {
  absl::Mutex mu;
  int shared = 0;
  EXPECT_RACE(RunBoth(
      [&] {
        absl::MutexLock lock(&mu);
        ++shared;
      },
      [&] { ++shared; }));
}

TEST_F(ThreadSanitizerDeathTest, AnotherMutexDoesNotSynchronise) {
  absl::Mutex mu;
  absl::Mutex other;
  int shared = 0;
  const auto increment = [&](absl::Mutex& held) {
    absl::MutexLock lock(&held);
    ++shared;
  };
  EXPECT_RACE(RunBoth([&] { increment(mu); }, [&] { increment(other); }));
}

TEST_F(ThreadSanitizerDeathTest, AccessThroughAPointerOutsideTheMutexIsReported) {
  absl::Mutex mu;
  int shared = 0;
  const auto increment = [&] {
    int* leaked = nullptr;
    {
      absl::MutexLock lock(&mu);
      leaked = &shared;
    }
    ++*leaked;
  };
  EXPECT_RACE(RunBoth(increment, increment));
}

TEST_F(ThreadSanitizerDeathTest, TakingTwoMutexesInEitherOrderIsReported) {
  absl::Mutex mu;
  absl::Mutex other;
  const auto take = [](absl::Mutex& first, absl::Mutex& second) {
    absl::MutexLock outer(&first);
    absl::MutexLock inner(&second);
  };
  // One after the other: nothing blocks, and the inversion is reported nevertheless.
  EXPECT_DEATH(
      {
        std::thread([&] { take(mu, other); }).join();
        std::thread([&] { take(other, mu); }).join();
      },
      "ThreadSanitizer: lock-order-inversion");
}

TEST(ThreadSanitizerTest, AwaitSynchronises) {
  absl::Mutex mu;
  bool full = false;
  std::unique_ptr<std::string> handed;
  RunBoth(
      [&] {
        auto made = std::make_unique<std::string>("made here");
        absl::MutexLock lock(&mu);
        handed = std::move(made);
        full = true;
      },
      [&] {
        std::unique_ptr<std::string> taken;
        {
          absl::MutexLock lock(&mu);
          ASSERT_TRUE(mu.AwaitWithTimeout(absl::Condition(&full), kLong));
          taken = std::move(handed);
        }
        EXPECT_EQ(*taken, "made here");
      });
}

TEST(ThreadSanitizerTest, AwaitWakesEveryWaiterWhoseConditionBecameTrue) {
  absl::Mutex mu;
  int turn = 0;
  const auto play = [&](int mine) {
    for (int i = 0; i < 50; ++i) {
      absl::MutexLock lock(&mu);
      const auto is_mine = [&] { return turn == mine; };
      ASSERT_TRUE(mu.AwaitWithTimeout(absl::Condition(&is_mine), kLong));
      turn = 1 - mine;
    }
  };
  RunBoth([&] { play(0); }, [&] { play(1); });
  EXPECT_EQ(turn, 0);
}

TEST(ThreadSanitizerTest, AwaitReturnsAtItsDeadline) {
  absl::Mutex mu;
  const bool never = false;
  absl::MutexLock lock(&mu);
  EXPECT_FALSE(mu.AwaitWithDeadline(absl::Condition(&never), absl::Now() + absl::Milliseconds(5)));
}

TEST(ThreadSanitizerTest, CondVarSynchronises) {
  absl::Mutex mu;
  absl::CondVar changed;
  int step = 0;
  RunBoth(
      [&] {
        absl::MutexLock lock(&mu);
        step = 1;
        changed.SignalAll();
        while (step != 2) changed.Wait(&mu);
      },
      [&] {
        absl::MutexLock lock(&mu);
        while (step != 1) {
          ASSERT_FALSE(changed.WaitWithTimeout(&mu, kLong));
        }
        step = 2;
        changed.Signal();
      });
  EXPECT_EQ(step, 2);
}

TEST(ThreadSanitizerTest, CondVarWaitWakesWaitersInAwait) {
  absl::Mutex mu;
  absl::CondVar changed;
  bool asked = false;
  bool answered = false;
  RunBoth(
      [&] {
        absl::MutexLock lock(&mu);
        asked = true;
        while (!answered) changed.Wait(&mu);
      },
      [&] {
        absl::MutexLock lock(&mu);
        ASSERT_TRUE(mu.AwaitWithTimeout(absl::Condition(&asked), kLong));
        answered = true;
        changed.Signal();
      });
}

TEST_F(ThreadSanitizerDeathTest, SignalAloneDoesNotSynchronise) {
  absl::CondVar changed;
  int shared = 0;
  const auto increment = [&] {
    ++shared;
    changed.SignalAll();
  };
  EXPECT_RACE(RunBoth(increment, increment));
}

TEST(ThreadSanitizerTest, NotificationSynchronises) {
  for (int i = 0; i < 100; ++i) {
    auto made = std::make_unique<absl::Notification>();
    absl::Notification& done = *made;
    int shared = 0;
    std::thread writer([&] {
      shared = 7;
      done.Notify();
    });
    done.WaitForNotification();
    EXPECT_EQ(shared, 7);
    made.reset();  // Allowed once the notification was received.
    writer.join();
  }
}

TEST(ThreadSanitizerTest, HasBeenNotifiedSynchronises) {
  absl::Notification done;
  int shared = 0;
  RunBoth(
      [&] {
        shared = 7;
        done.Notify();
      },
      [&] {
        while (!done.HasBeenNotified()) std::this_thread::yield();
        EXPECT_EQ(shared, 7);
      });
}

TEST_F(ThreadSanitizerDeathTest, WriteAfterTheNotificationIsReported) {
  absl::Notification done;
  int shared = 0;
  EXPECT_RACE(RunBoth(
      [&] {
        done.Notify();
        shared = 7;
      },
      [&] {
        done.WaitForNotification();
        ++shared;
      }));
}

TEST(ThreadSanitizerTest, BlockingCounterSynchronises) {
  absl::BlockingCounter left(2);
  int first = 0;
  int second = 0;
  std::thread one([&] {
    first = 1;
    left.DecrementCount();
  });
  std::thread two([&] {
    second = 2;
    left.DecrementCount();
  });
  left.Wait();
  EXPECT_EQ(first + second, 3);
  one.join();
  two.join();
}

TEST_F(ThreadSanitizerDeathTest, WriteAfterTheCountIsReported) {
  EXPECT_RACE({
    absl::BlockingCounter left(1);
    int shared = 0;
    std::thread one([&] {
      left.DecrementCount();
      shared = 1;
    });
    left.Wait();
    shared = 2;
    one.join();
  });
}

TEST(ThreadSanitizerTest, CallOnceSynchronises) {
  for (int i = 0; i < 200; ++i) {
    absl::once_flag once;
    std::string made;
    int calls = 0;
    const auto use = [&] {
      absl::call_once(once, [&] {
        ++calls;
        made = "made by whoever came first";
      });
      EXPECT_EQ(made.size(), 26U);
    };
    RunBoth(use, use);
    EXPECT_EQ(calls, 1);
  }
}

TEST(ThreadSanitizerTest, CopiesOfOneStatusSynchronise) {
  for (int i = 0; i < 100; ++i) {
    absl::Status first = absl::UnavailableError("a text that both of them read");
    absl::Status second = first;
    const auto use = [](absl::Status& status) {
      EXPECT_EQ(status.message().size(), 29U);
      status = absl::OkStatus();
    };
    RunBoth([&] { use(first); }, [&] { use(second); });
  }
}

TEST_F(ThreadSanitizerDeathTest, RelaxedAtomicDoesNotSynchronise) {
  std::atomic<bool> written{false};
  int shared = 0;
  EXPECT_RACE(RunBoth(
      [&] {
        shared = 7;
        written.store(true, std::memory_order_relaxed);
      },
      [&] {
        while (!written.load(std::memory_order_relaxed)) std::this_thread::yield();
        ++shared;
      }));
}

// One of the gateway's classes, used against its contract.
TEST_F(ThreadSanitizerDeathTest, AccessToStateOfAnEventLoopIsReported) {
  EXPECT_RACE({
    int owned = 0;
    std::atomic<bool> ran{false};
    base::ThreadEventLoop loop("owner");
    loop.Post([&] {
      ++owned;
      ran.store(true, std::memory_order_relaxed);
    });
    while (!ran.load(std::memory_order_relaxed)) std::this_thread::yield();
    ++owned;
    loop.Stop();
  });
}

TEST(ThreadSanitizerTest, StoppingAnEventLoopSynchronises) {
  int owned = 0;
  base::ThreadEventLoop loop("owner");
  loop.Post([&] { ++owned; });
  loop.Stop();
  ++owned;
  EXPECT_EQ(owned, 2);
}

}  // namespace
}  // namespace assetgate
