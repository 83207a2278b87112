// The gateway with the wiring of the shipped program. It kills itself (SIGKILL: no destructor runs,
// nothing is flushed) at a step of the journal that the command line names. Commands on stdin step
// its clock, and let its store answer a commit with "unknown" and carry it out later.
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "assetgate/v1/video_task.pb.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/load.h"
#include "http/client.h"
#include "model/record.pb.h"
#include "providers/dialects.h"
#include "server/server.h"
#include "store/store.h"
#include "store/testing/forwarding_store.h"

namespace {

using assetgate::model::AssetRecord;
using assetgate::model::GroupRecord;
using assetgate::model::VideoTaskRecord;
namespace http = assetgate::http;
namespace store = assetgate::store;

// The subject of a commit, and its moments: before the store gets it, once it is durable and before
// watchers are notified, and after that but before its writer is notified. Then the calls to
// providers. An `erasure` ends the deletion of a copy at a provider; it has no watchers.
constexpr std::array<const char*, 25> kPoints = {
    "creation:before",    "creation:committed", "creation:told",         "intent:before",
    "intent:committed",   "intent:told",        "outcome:before",        "outcome:committed",
    "outcome:told",       "observation:before", "observation:committed", "observation:told",
    "cancel:before",      "cancel:committed",   "cancel:told",           "deletion:before",
    "deletion:committed", "deletion:told",      "erasure:before",        "erasure:told",
    "submission:before",  "submission:sent",    "submission:answered",   "poll:before",
    "poll:answered"};

// The machine's clock with an offset. Thread-safe.
class SteppedClock final : public assetgate::base::Clock {
 public:
  absl::Time Now() const override {
    return real_.Now() + absl::Milliseconds(offset_milliseconds_.load());
  }
  // Replaces the offset.
  void Set(absl::Duration offset) { offset_milliseconds_.store(absl::ToInt64Milliseconds(offset)); }

 private:
  assetgate::base::SystemClock real_;
  std::atomic<std::int64_t> offset_milliseconds_{0};
};

// Kills the process the n-th time that its point is reached. Thread-safe.
class CrashPoint {
 public:
  CrashPoint(std::string name, int occurrence) : name_(std::move(name)), left_(occurrence) {}

  void Reach(absl::string_view name) {
    if (name != name_ || left_.fetch_sub(1) != 1) return;
    kill(getpid(), SIGKILL);
    // The signal may be delayed; this thread must do nothing more.
    for (;;) pause();
  }

 private:
  const std::string name_;
  std::atomic<int> left_;
};

// Creations that the store answers with "unknown" and commits later, like a database whose
// connection was lost. Thread-safe.
class LateCommits {
 public:
  // Holds the next creation.
  void HoldNext() {
    absl::MutexLock lock(&mu_);
    ++wanted_;
  }
  bool Take() {
    absl::MutexLock lock(&mu_);
    if (wanted_ == 0) return false;
    --wanted_;
    return true;
  }
  void Keep(absl::AnyInvocable<void() &&> commit) {
    absl::MutexLock lock(&mu_);
    held_.push_back(std::move(commit));
  }
  // Carries out the held commits.
  void Release() {
    std::vector<absl::AnyInvocable<void() &&>> held;
    {
      absl::MutexLock lock(&mu_);
      held.swap(held_);
    }
    for (auto& commit : held) std::move(commit)();
  }

 private:
  absl::Mutex mu_;
  int wanted_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<absl::AnyInvocable<void() &&>> held_ ABSL_GUARDED_BY(mu_);
};

// Whether the record of a resource has an open submission.
template <typename Record>
bool HasOpen(const std::string& internal) {
  Record record;
  if (!record.ParseFromString(internal)) return false;
  for (const auto& unit : record.units()) {
    if (unit.submission().open()) return true;
  }
  return false;
}
bool HasOpen(const store::Write& write) {
  switch (write.key.kind) {
    case store::Kind::kAssetGroup:
      return HasOpen<GroupRecord>(write.content->internal);
    case store::Kind::kAsset:
      return HasOpen<AssetRecord>(write.content->internal);
    case store::Kind::kVideoTask:
      return HasOpen<VideoTaskRecord>(write.content->internal);
    default:
      return false;
  }
}

bool IsCancelled(const store::Write& write) {
  assetgate::v1::VideoTask task;
  return write.key.kind == store::Kind::kVideoTask &&
         task.ParseFromString(write.content->resource) &&
         task.state() == assetgate::v1::VideoTask::CANCELLED;
}

// Forwards all calls, kills the process around the commits that its point names, and holds commits
// on demand.
class CrashingStore final : public store::ForwardingStore, private store::ChangeListener {
 public:
  CrashingStore(store::Store& real, CrashPoint& crash, LateCommits& late)
      : ForwardingStore(real), crash_(crash), late_(late) {}

  void Commit(store::Transaction transaction, store::CommitDone done) override {
    const std::set<std::string> about = AboutOf(transaction);
    for (const std::string& what : about) crash_.Reach(what + ":before");
    if (about.contains("creation") && late_.Take()) {
      late_.Keep([this, transaction = std::move(transaction)]() mutable {
        real().Commit(std::move(transaction), [](const store::CommitResult&) {});
      });
      // Never within the call itself.
      std::thread([done = std::move(done)]() mutable {
        store::CommitResult result;
        result.outcome = store::CommitResult::Outcome::kUnknown;
        std::move(done)(std::move(result));
      }).detach();
      return;
    }
    {
      absl::MutexLock lock(&mu_);
      for (const store::Write& write : transaction.writes) under_way_[write.key] = about;
    }
    real().Commit(std::move(transaction),
                  [this, about, done = std::move(done)](store::CommitResult result) mutable {
                    if (result.outcome == store::CommitResult::Outcome::kCommitted) {
                      for (const std::string& what : about) crash_.Reach(what + ":told");
                    }
                    std::move(done)(std::move(result));
                  });
  }
  void SetListener(store::ChangeListener* listener) override {
    {
      absl::MutexLock lock(&mu_);
      listener_ = listener;
    }
    real().SetListener(listener == nullptr ? nullptr : this);
  }

 private:
  // Of the real store.
  void OnChanges(const std::vector<store::ChangePtr>& changes, store::Revision head) override {
    store::ChangeListener* listener = nullptr;
    std::set<std::string> about;
    {
      absl::MutexLock lock(&mu_);
      listener = listener_;
      for (const store::ChangePtr& change : changes) {
        about.merge(std::set<std::string>(under_way_[change->key]));
        under_way_.erase(change->key);
      }
    }
    for (const std::string& what : about) crash_.Reach(what + ":committed");
    if (listener != nullptr) listener->OnChanges(changes, head);
  }
  void OnGap(store::Revision upto) override {
    store::ChangeListener* listener = nullptr;
    {
      absl::MutexLock lock(&mu_);
      listener = listener_;
    }
    if (listener != nullptr) listener->OnGap(upto);
  }

  // A commit can have several subjects: a creation that is submitted at once is an intent as well.
  std::set<std::string> AboutOf(const store::Transaction& transaction) {
    std::set<std::string> about;
    absl::MutexLock lock(&mu_);
    for (const store::Write& write : transaction.writes) {
      if (write.key.kind == store::Kind::kUpstreamDeletion) {
        if (!write.content.has_value()) about.insert("erasure");
        continue;
      }
      if (!write.content.has_value()) {
        about.insert("deletion");
        continue;
      }
      const bool is_open = HasOpen(write);
      const bool was_open = open_.contains(write.key);
      if (write.expected_revision == 0) about.insert("creation");
      if (is_open) about.insert("intent");
      if (!is_open && was_open) about.insert("outcome");
      if (!is_open && !was_open && write.expected_revision != 0) {
        about.insert(IsCancelled(write) ? "cancel" : "observation");
      }
      if (is_open) {
        open_.insert(write.key);
      } else {
        open_.erase(write.key);
      }
    }
    return about;
  }

  CrashPoint& crash_;
  LateCommits& late_;
  absl::Mutex mu_;
  store::ChangeListener* listener_ ABSL_GUARDED_BY(mu_) = nullptr;
  std::map<store::Key, std::set<std::string>> under_way_ ABSL_GUARDED_BY(mu_);
  std::set<store::Key> open_ ABSL_GUARDED_BY(mu_);
};

// Forwards all calls, and kills the process around those that its point names.
class CrashingClient final : public http::Client {
 public:
  CrashingClient(http::Client& real, CrashPoint& crash) : real_(real), crash_(crash) {}

  void Send(http::Request request, http::SendOptions options, http::Done done) override {
    const std::string what = options.submission ? "submission" : "poll";
    crash_.Reach(what + ":before");
    real_.Send(std::move(request), std::move(options),
               [this, what, done = std::move(done)](http::Result result) mutable {
                 crash_.Reach(what + ":answered");
                 std::move(done)(std::move(result));
               });
    crash_.Reach(what + ":sent");
  }

 private:
  http::Client& real_;
  CrashPoint& crash_;
};

// Executes commands from stdin, one a line: a number of seconds, the new offset of the clock;
// `hold-commit`, which holds the next creation; and `release-commits`. Answers each on stdout, so
// that the sender knows when it is done.
void Obey(SteppedClock& clock, LateCommits& late) {
  for (std::string line; std::getline(std::cin, line);) {
    double seconds = 0;
    if (line == "hold-commit") {
      late.HoldNext();
      std::puts("the next creation is held");
    } else if (line == "release-commits") {
      late.Release();
      std::puts("held commits are released");
    } else if (absl::SimpleAtod(line, &seconds)) {
      clock.Set(absl::Seconds(seconds));
      std::printf("clock %s\n", line.c_str());
    } else {
      std::printf("\"%s\" is no number of seconds\n", line.c_str());
    }
    std::fflush(stdout);
  }
}

int Serve(const std::string& config_path, const std::string& point, int occurrence,
          double clock_offset) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A write beyond the file size limit then fails with an error, which the store reports and
  // survives.
  signal(SIGXFSZ, SIG_IGN);

  assetgate::config::Environment environment;
  environment.dialects = assetgate::providers::AllDialects();
  auto config = assetgate::config::Load(config_path, environment);
  if (!config.ok()) {
    std::fprintf(stderr, "%s\n", std::string(config.status().message()).c_str());
    return 2;
  }
  const assetgate::base::Log log(config->log_format, config->log_level);
  CrashPoint crash(point, occurrence);
  // Never destroyed: their thread waits for input and is never joined.
  auto& clock = *new SteppedClock();
  auto& late = *new LateCommits();
  clock.Set(absl::Seconds(clock_offset));
  assetgate::Decorators decorators;
  decorators.clock = &clock;
  decorators.store = [&crash, &late](store::Store& real) {
    return std::make_unique<CrashingStore>(real, crash, late);
  };
  decorators.http = [&crash](http::Client& real) {
    return std::make_unique<CrashingClient>(real, crash);
  };
  auto server = assetgate::Server::Start(*std::move(config), log, decorators);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", std::string(server.status().message()).c_str());
    return 1;
  }
  std::thread([&clock, &late] { Obey(clock, late); }).detach();
  for (int received = SIGHUP; received == SIGHUP;) {
    sigwait(&signals, &received);
    if (received == SIGHUP) (*server)->Reload(assetgate::config::Load(config_path, environment));
  }
  (*server)->Shutdown();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  CLI::App app{
      "assetgate that kills itself at a step of the journal: for tests.\n\n"
      "A commit has three moments: `before` it is handed to the store, `committed` (durable, and "
      "nobody\nhas heard of it) and `told` (watchers have heard of it, its writer has not)."};
  std::string config;
  std::string point;
  int occurrence = 1;
  double clock_offset = 0;
  bool list = false;
  app.add_option("--config", config, "As of assetgate")->type_name("FILE");
  app.add_option("--crash-at", point, "The step; see --list")
      ->check(CLI::IsMember(std::set<std::string>(kPoints.begin(), kPoints.end())));
  app.add_option("--occurrence", occurrence, "Die the n-th time that the step is reached")
      ->check(CLI::PositiveNumber);
  app.add_option("--clock-offset", clock_offset,
                 "Seconds that the clock is off by; a number on stdin sets it anew");
  app.add_flag("--list", list, "Print the names of the steps, and exit");
  CLI11_PARSE(app, argc, argv);
  if (list) {
    for (const char* name : kPoints) std::puts(name);
    return 0;
  }
  return Serve(config, point, occurrence, clock_offset);
}
