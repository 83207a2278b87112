#include "server/reload_thread.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"

namespace assetgate {
namespace {

using ::testing::HasSubstr;

// A config that has a fault: what it says is enough here.
constexpr char kPath[] = "assetgate.yaml";

class ReloadThreadTest : public ::testing::Test {
 protected:
  ReloadThreadTest() {
    environment_.read_file = [this](const std::string&,
                                    std::size_t) -> absl::StatusOr<std::string> {
      absl::Notification* hang = nullptr;
      {
        absl::MutexLock lock(&mu_);
        ++reads_;
        hang = hang_;
      }
      if (hang != nullptr) hang->WaitForNotification();
      absl::MutexLock lock(&mu_);
      return text_;
    };
    reader_ = std::make_unique<config::Reader>(kPath, environment_);
    EXPECT_FALSE(reader_->Read().ok());
  }

  void Start(absl::Duration interval = absl::Hours(1)) {
    ReloadThread::Options options;
    options.interval = interval;
    options.read_patience = hangs_ ? absl::Milliseconds(10) : absl::Seconds(60);
    thread_ = std::make_unique<ReloadThread>(
        *reader_,
        ReloadThread::Actions{[this](absl::StatusOr<config::Config> config) {
                                absl::MutexLock lock(&mu_);
                                said_.emplace_back(config.status().message());
                              },
                              [this] {
                                absl::MutexLock lock(&mu_);
                                ++looks_;
                              }},
        options);
  }
  void Write(const std::string& text) {
    absl::MutexLock lock(&mu_);
    text_ = text;
  }
  void HangFrom(absl::Notification* until) {
    hangs_ = true;
    absl::MutexLock lock(&mu_);
    hang_ = until;
  }
  void WaitForReads(int count) {
    absl::MutexLock lock(&mu_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return reads_ >= count; };
    ASSERT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(60)));
  }
  void WaitForLooks(int count) {
    absl::MutexLock lock(&mu_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return looks_ >= count; };
    ASSERT_TRUE(mu_.AwaitWithTimeout(absl::Condition(&reached), absl::Seconds(60)));
  }
  std::vector<std::string> said() {
    absl::MutexLock lock(&mu_);
    return said_;
  }

  absl::Mutex mu_;
  std::string text_ ABSL_GUARDED_BY(mu_) = "first: 1\n";
  absl::Notification* hang_ ABSL_GUARDED_BY(mu_) = nullptr;
  int reads_ ABSL_GUARDED_BY(mu_) = 0;
  int looks_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::string> said_ ABSL_GUARDED_BY(mu_);
  bool hangs_ = false;
  config::Environment environment_;
  std::unique_ptr<config::Reader> reader_;
  // Last: it uses the others.
  std::unique_ptr<ReloadThread> thread_;
};

TEST_F(ReloadThreadTest, ChangedFileIsReadUnasked) {
  Start(/*interval=*/absl::Milliseconds(1));
  WaitForLooks(3);
  EXPECT_THAT(said(), ::testing::IsEmpty()) << "nothing has changed";
  Write("second: 1\n");
  int looks = 0;
  {
    absl::MutexLock lock(&mu_);
    looks = looks_;
  }
  WaitForLooks(looks + 2);
  EXPECT_THAT(said(), ::testing::ElementsAre(HasSubstr("second")));
}

TEST_F(ReloadThreadTest, WakeReadsAlthoughNothingHasChanged) {
  Start();
  EXPECT_EQ(thread_->Wake(), absl::ZeroDuration());
  WaitForLooks(1);
  EXPECT_THAT(said(), ::testing::ElementsAre(HasSubstr("first")));
  EXPECT_TRUE(thread_->Stop());
}

TEST_F(ReloadThreadTest, FileThatDoesNotAnswerBlocksNoOtherThread) {
  absl::Notification answer;
  HangFrom(&answer);
  Start();
  thread_->Wake();
  WaitForReads(2);  // The fixture's was the first.
  EXPECT_GT(thread_->Wake(), absl::ZeroDuration());
  EXPECT_FALSE(thread_->Stop()) << "it hangs";
  answer.Notify();
  thread_.reset();
  EXPECT_THAT(said(), ::testing::IsEmpty()) << "no action after Stop";
}

TEST_F(ReloadThreadTest, StopWaitsForTheActionUnderWay) {
  absl::Notification acting;
  absl::Notification go_on;
  bool done = false;
  ReloadThread thread(*reader_, {[&](const absl::StatusOr<config::Config>&) {
                                   acting.Notify();
                                   go_on.WaitForNotification();
                                   done = true;
                                 },
                                 [] {}});
  thread.Wake();
  acting.WaitForNotification();
  std::thread stopping([&] {
    EXPECT_TRUE(thread.Stop());
    EXPECT_TRUE(done);
  });
  go_on.Notify();
  stopping.join();
}

}  // namespace
}  // namespace assetgate
