#include "calls/provider_watcher.h"

#include <atomic>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using ::google::protobuf::util::MessageDifferencer;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CountingReader final : public watch::Reader {
 public:
  void OnReady() override { ready_.fetch_add(1); }
  int ready() const { return ready_.load(); }

 private:
  std::atomic<int> ready_{0};
};

// A stream with its reader; closes it at the end.
class Watching {
 public:
  explicit Watching(ProviderWatcher& watcher, const Caller& caller = {})
      : source_(watcher.Open(caller, reader_)) {}
  ~Watching() { source_->Close(); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  // All there is right now.
  std::vector<watch::EventPtr> Read() {
    std::vector<watch::EventPtr> events;
    for (bool more = false;;) {
      watch::Source::Pulled pulled = source_->Next();
      end_ = pulled.end;
      // What is written is kept back where more is promised.
      EXPECT_TRUE(!more || pulled.event != nullptr || end_.has_value());
      if (pulled.event == nullptr) return events;
      more = pulled.more;
      events.push_back(std::move(pulled.event));
    }
  }
  // "RESET FRESH", "PUT alpha UNAVAILABLE", "DELETE alpha", "BOOKMARK complete".
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (const watch::EventPtr& event : Read()) {
      std::string& text = texts.emplace_back(v1::EventType_Name(event->type()));
      if (event->type() == v1::RESET) {
        absl::StrAppend(&text, " ", v1::ResetReason_Name(event->reset_reason()));
      }
      if (event->snapshot_complete()) absl::StrAppend(&text, " complete");
      const v1::Provider* provider = event->provider();
      if (provider == nullptr) continue;
      absl::StrAppend(&text, " ", *model::ParseProvider(provider->name()));
      if (event->type() == v1::DELETE) continue;
      absl::StrAppend(&text, " ", v1::Provider::State_Name(provider->state()));
    }
    return texts;
  }
  const std::optional<absl::Status>& end() const { return end_; }
  int ready() const { return reader_->ready(); }

 private:
  std::shared_ptr<CountingReader> reader_ = std::make_shared<CountingReader>();
  std::shared_ptr<watch::Source> source_;
  std::optional<absl::Status> end_;
};

class ProviderWatcherTest : public ::testing::Test {
 protected:
  ProviderWatcherTest() { harness_.reconciler().SetProviderListener(&watcher_); }

  // One that has read its snapshot, when the next look may come at once.
  std::unique_ptr<Watching> Settled(const Caller& caller = {}) {
    auto watching = std::make_unique<Watching>(watcher_, caller);
    harness_.Advance(kOptions.look_pause);
    watching->Read();
    return watching;
  }
  void Create(absl::string_view id) {
    v1::CreateVideoTaskRequest request = reconcile::Harness::Video(id);
    request.mutable_max_wait()->set_seconds(0);
    harness_.Create(request);
  }
  // Creates a video at alpha, which answers with that.
  void Submit(absl::string_view id, int status, std::string body = "") {
    Create(id);
    harness_.AnswerNext(status, std::move(body));
  }

  static constexpr ProviderWatcher::Options kOptions;
  reconcile::Harness harness_{[] {
    reconcile::Harness::Options options;
    options.film_targets = {"alpha"};
    return options;
  }()};
  ProviderWatcher watcher_{harness_.reconciler(), harness_.loop(), kOptions};
};

TEST_F(ProviderWatcherTest, OpensWithEveryProviderAsGetProviderShowsIt) {
  Submit("one", 401, "bad key");
  Watching watching(watcher_);
  EXPECT_THAT(watching.Texts(), ElementsAre("RESET FRESH"));
  harness_.Run();
  EXPECT_EQ(watching.ready(), 1);
  const std::vector<watch::EventPtr> events = watching.Read();
  ASSERT_EQ(events.size(), 3U);
  const v1::Provider alpha = harness_.Provider("alpha");
  EXPECT_EQ(alpha.state(), v1::Provider::UNAVAILABLE);
  EXPECT_TRUE(alpha.has_last_error());
  EXPECT_TRUE(MessageDifferencer::Equals(*events[0]->provider(), alpha));
  EXPECT_TRUE(MessageDifferencer::Equals(*events[1]->provider(), harness_.Provider("beta")));
  EXPECT_TRUE(events[2]->snapshot_complete());
}

TEST_F(ProviderWatcherTest, AStateThatChangesIsToldAtOnce) {
  const auto watching = Settled();
  Submit("one", 401, "bad key");
  EXPECT_EQ(watching->ready(), 1);
  EXPECT_THAT(watching->Texts(), ElementsAre("PUT alpha UNAVAILABLE"));
}

TEST_F(ProviderWatcherTest, AModeThatChangesIsToldAtOnce) {
  const auto watching = Settled();
  reconcile::Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_mode = v1::Provider::DRAIN;
  harness_.Reconfigure(options);
  const std::vector<watch::EventPtr> events = watching->Read();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]->provider()->mode(), v1::Provider::DRAIN);
}

TEST_F(ProviderWatcherTest, CountsAloneAreToldOnceASecond) {
  const auto watching = Settled();
  for (int i = 0; i < 5; ++i) {
    Create(absl::StrCat("v", i));
    harness_.Advance(absl::Milliseconds(100));
    EXPECT_THAT(watching->Texts(), IsEmpty());
  }
  harness_.Advance(absl::Seconds(1));
  const std::vector<watch::EventPtr> events = watching->Read();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0]->provider()->name(), "providers/alpha");
  EXPECT_EQ(events[0]->provider()->unfinished_attempts(), 5);
  harness_.Advance(absl::Seconds(3));
  EXPECT_THAT(watching->Texts(), IsEmpty());
}

TEST_F(ProviderWatcherTest, AStateThatChangesBringsNoCountsOfOthers) {
  const auto watching = Settled();
  v1::CreateAssetRequest asset = reconcile::Harness::Asset("hero", {"beta"});
  asset.mutable_max_wait()->set_seconds(0);
  harness_.Create(asset);
  harness_.Take();
  Submit("one", 401, "bad key");
  EXPECT_THAT(watching->Texts(), ElementsAre("PUT alpha UNAVAILABLE"));
  harness_.Advance(absl::Seconds(1));
  EXPECT_THAT(watching->Texts(), Contains("PUT beta AVAILABLE"));
}

TEST_F(ProviderWatcherTest, AStateThatFlapsIsToldOnceInAPause) {
  const auto watching = Settled();
  Submit("one", 401, "bad key");
  EXPECT_THAT(watching->Texts(), ElementsAre("PUT alpha UNAVAILABLE"));
  // Back and forth within the pause.
  Submit("two", 200, "id=up-two state=running");
  Submit("three", 401, "bad key");
  Submit("four", 200, "id=up-four state=running");
  EXPECT_THAT(watching->Texts(), IsEmpty());
  harness_.Advance(kOptions.look_pause);
  EXPECT_THAT(watching->Texts(), ElementsAre("PUT alpha AVAILABLE"));
}

TEST_F(ProviderWatcherTest, ASlowReaderIsToldTheNewestAlone) {
  const auto slow = Settled();
  const auto fast = Settled();
  for (int i = 0; i < 20; ++i) {
    Submit(absl::StrCat("bad", i), 403, "bad key");
    harness_.Advance(kOptions.look_pause);
    Submit(absl::StrCat("good", i), 200, absl::StrCat("id=up-", i, " state=running"));
    harness_.Advance(kOptions.look_pause);
    EXPECT_GE(fast->Read().size(), 1U);
  }
  // It is not called again before it has read.
  EXPECT_EQ(slow->ready(), 1);
  harness_.Advance(absl::Seconds(1));
  EXPECT_THAT(slow->Texts(), ElementsAre("PUT alpha AVAILABLE"));
}

TEST_F(ProviderWatcherTest, OneLookServesAllReaders) {
  const auto one = Settled();
  const auto two = Settled();
  Submit("one", 401, "bad key");
  const std::vector<watch::EventPtr> told_one = one->Read();
  const std::vector<watch::EventPtr> told_two = two->Read();
  ASSERT_EQ(told_one.size(), 1U);
  EXPECT_EQ(told_one, told_two);
}

TEST_F(ProviderWatcherTest, WhoComesLaterNeedsNoLook) {
  const auto first = Settled();
  Submit("one", 401, "bad key");
  Watching second(watcher_);
  EXPECT_THAT(second.Texts(), ElementsAre("RESET FRESH", "PUT beta AVAILABLE",
                                          "PUT alpha UNAVAILABLE", "BOOKMARK complete"));
}

TEST_F(ProviderWatcherTest, NobodyIsLookedAtForWhoHasGone) {
  const std::size_t timers = harness_.loop().timers();
  {
    const auto watching = Settled();
    EXPECT_EQ(harness_.loop().timers(), timers + 1);
  }
  harness_.Advance(absl::Seconds(1));
  EXPECT_EQ(harness_.loop().timers(), timers);
  // Meanwhile things change; the next reader is told how they are, not how they were.
  Submit("one", 401, "bad key");
  Watching watching(watcher_);
  EXPECT_THAT(watching.Texts(), ElementsAre("RESET FRESH"));
  harness_.Run();
  EXPECT_THAT(watching.Texts(),
              ElementsAre("PUT alpha UNAVAILABLE", "PUT beta AVAILABLE", "BOOKMARK complete"));
}

TEST_F(ProviderWatcherTest, ABookmarkComesAtLeastEveryInterval) {
  const auto watching = Settled();
  absl::Time last = harness_.Now();
  for (int i = 0; i < 100; ++i) {
    harness_.Advance(absl::Seconds(1));
    // Changes do not put it off.
    if (i > 50) Create(absl::StrCat("v", i));
    for (const watch::EventPtr& event : watching->Read()) {
      if (event->type() != v1::BOOKMARK) continue;
      EXPECT_FALSE(event->snapshot_complete());
      EXPECT_GE(harness_.Now() - last, kOptions.bookmark_interval - kOptions.look_interval);
      last = harness_.Now();
    }
    ASSERT_LE(harness_.Now() - last, kOptions.bookmark_interval);
  }
}

TEST_F(ProviderWatcherTest, ACallerIsToldOfItsProvidersAlone) {
  Caller caller;
  caller.providers = std::make_shared<const std::set<std::string>>(std::set<std::string>{"beta"});
  Watching watching(watcher_, caller);
  harness_.Run();
  EXPECT_THAT(watching.Texts(),
              ElementsAre("RESET FRESH", "PUT beta AVAILABLE", "BOOKMARK complete"));
  harness_.Advance(absl::Seconds(1));
  Submit("one", 401, "bad key");
  EXPECT_THAT(watching.Texts(), IsEmpty());
}

TEST_F(ProviderWatcherTest, AProviderThatLeavesTheConfigIsDeleted) {
  const auto watching = Settled();
  reconcile::Harness::Options options;
  options.has_alpha = false;
  harness_.Reconfigure(options);
  EXPECT_THAT(watching->Texts(), ElementsAre("DELETE alpha"));
  // Who has not held it is told nothing.
  Watching late(watcher_);
  EXPECT_THAT(late.Texts(), ElementsAre("RESET FRESH", "PUT beta AVAILABLE", "BOOKMARK complete"));
  options.has_alpha = true;
  harness_.Advance(kOptions.look_pause);
  harness_.Reconfigure(options);
  EXPECT_THAT(watching->Texts(), ElementsAre("PUT alpha AVAILABLE"));
  EXPECT_THAT(late.Texts(), ElementsAre("PUT alpha AVAILABLE"));
}

TEST_F(ProviderWatcherTest, DrainEndsStreamsAndThoseYetToCome) {
  const auto watching = Settled();
  watcher_.Drain();
  EXPECT_EQ(watching->ready(), 1);
  Watching late(watcher_);
  for (Watching* each : {watching.get(), &late}) {
    EXPECT_THAT(each->Texts(), IsEmpty());
    ASSERT_TRUE(each->end().has_value());
    EXPECT_EQ(each->end()->code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(base::ReasonOf(*each->end()), v1::DRAINING);
    EXPECT_TRUE(base::RetryDelayOf(base::ToRpcStatus(*each->end())).has_value());
  }
}

TEST_F(ProviderWatcherTest, ReadersOnOtherThreadsComeAndGo) {
  constexpr int kReaders = 3;
  std::atomic<int> reading{kReaders};
  std::vector<std::thread> threads;
  threads.reserve(kReaders);
  for (int t = 0; t < kReaders; ++t) {
    threads.emplace_back([this, &reading] {
      for (int i = 0; i < 10; ++i) {
        Watching watching(watcher_);
        std::vector<watch::EventPtr> events;
        while (events.empty() || !events.back()->snapshot_complete()) {
          for (watch::EventPtr& event : watching.Read()) events.push_back(std::move(event));
          std::this_thread::yield();
        }
        // The snapshot is whole, whoever else comes and goes.
        std::set<std::string> names;
        for (const watch::EventPtr& event : events) {
          if (event->provider() != nullptr) names.insert(event->provider()->name());
        }
        EXPECT_THAT(names, ElementsAre("providers/alpha", "providers/beta"));
      }
      reading.fetch_sub(1);
    });
  }
  for (int i = 0; reading.load() > 0; ++i) {
    if (i < 10) Submit(absl::StrCat("v", i), i % 2 == 0 ? 403 : 200, "id=up state=running");
    harness_.Advance(kOptions.look_pause);
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace assetgate::calls
