#include "cli/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "base/error.h"
#include "base/testing/fake_clock.h"
#include "cli/testing/fake_gateway.h"
#include "cli/testing/fake_terminal.h"

namespace assetgate::cli {
namespace {

using base::Error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using SendAsset = std::function<bool(const v1::AssetEvent&)>;
using SendProvider = std::function<bool(const v1::ProviderEvent&)>;
using SendVideo = std::function<bool(const v1::VideoTaskEvent&)>;

constexpr FollowOptions kFast{.initial_backoff = absl::Milliseconds(1),
                              .max_backoff = absl::Milliseconds(5),
                              .first_contact_timeout = absl::Milliseconds(50)};

// Records each event in a few words.
class RecordingView final : public WatchView {
 public:
  void Show(const v1::AssetEvent& event) override {
    log.push_back(absl::StrCat(v1::EventType_Name(event.type()), " ", event.asset().name(),
                               event.resume_token()));
  }
  void Show(const v1::VideoTaskEvent& event) override {
    log.push_back(absl::StrCat(v1::EventType_Name(event.type()), " ", event.video_task().name(),
                               event.resume_token()));
  }
  void Show(const v1::ProviderEvent& event) override {
    log.push_back(absl::StrCat(v1::EventType_Name(event.type()), " ", event.provider().name()));
  }
  void ShowTrouble(const std::string& sentence) override { troubles.push_back(sentence); }
  absl::Time Refresh(const WatchModel&, bool) override { return absl::InfiniteFuture(); }
  void End(const WatchModel&) override { ++ends; }

  std::vector<std::string> log;
  std::vector<std::string> troubles;
  int ends = 0;
};

WatchPlan AssetsPlan() {
  WatchPlan plan;
  plan.assets.emplace();
  return plan;
}

WatchPlan VideosPlan() {
  WatchPlan plan;
  plan.videos.emplace();
  return plan;
}

absl::Status Unavailable() {
  return Error(absl::StatusCode::kUnavailable, v1::DRAINING, "shutting down")
      .RetryAfter(absl::Milliseconds(2));
}

TEST(WatchTest, EndsWhenTheGatewayEndsIt) {
  FakeGateway gateway;
  gateway.watch_assets = [](const v1::WatchAssetsRequest& request, const SendAsset& send) {
    EXPECT_TRUE(request.until_settled());
    send(Reset<v1::AssetEvent>(v1::FRESH));
    send(Put(MakeAsset("assets/a", v1::Asset::ACTIVE)));
    send(Bookmark<v1::AssetEvent>("t1", true));
    return grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  WatchPlan plan = AssetsPlan();
  plan.assets->set_until_settled(true);
  const WatchOutcome outcome = Watch(client, plan, kFast, view, nullptr, {});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(view.log, ElementsAre("RESET ", "PUT assets/a", "BOOKMARK t1"));
  EXPECT_THAT(outcome.model.assets.newest(), SizeIs(1));
  EXPECT_EQ(view.ends, 1);
  EXPECT_THAT(view.troubles, IsEmpty());
}

TEST(WatchTest, ResumesWithTheNewestTokenWhenTheGatewayGoesAway) {
  FakeGateway gateway;
  std::atomic<int> calls = 0;
  gateway.watch_assets = [&](const v1::WatchAssetsRequest& request, const SendAsset& send) {
    switch (++calls) {
      case 1:
        EXPECT_EQ(request.resume_token(), "");
        send(Reset<v1::AssetEvent>(v1::FRESH));
        send(Put(MakeAsset("assets/a", v1::Asset::PROCESSING)));
        send(Bookmark<v1::AssetEvent>("t1", true));
        return ToGrpc(Unavailable());
      case 2:
        EXPECT_EQ(request.resume_token(), "t1");
        send(Bookmark<v1::AssetEvent>("t2", false));
        return ToGrpc(Unavailable());
      default:
        EXPECT_EQ(request.resume_token(), "t2");
        send(Put(MakeAsset("assets/a", v1::Asset::ACTIVE)));
        return grpc::Status::OK;
    }
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  const WatchOutcome outcome = Watch(client, AssetsPlan(), kFast, view, nullptr, {});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_EQ(calls, 3);
  EXPECT_EQ(outcome.model.assets.newest().at("assets/a").state(), v1::Asset::ACTIVE);
  // Two disconnections and two reconnections.
  ASSERT_THAT(view.troubles, SizeIs(4));
  EXPECT_THAT(view.troubles[0], HasSubstr("shutting down"));
  EXPECT_EQ(view.troubles[1], "");
}

TEST(WatchTest, AnUnparsableEventEndsTheWatchWithAnError) {
  FakeGateway gateway;
  gateway.watch_assets = [](const v1::WatchAssetsRequest&, const SendAsset& send) {
    send(Reset<v1::AssetEvent>(v1::FRESH));
    v1::Asset damaged = MakeAsset("assets/a", v1::Asset::ACTIVE);
    damaged.set_source_uri("https://example.com/\xe4\xb8");
    send(Put(damaged));
    // A gateway does not notice, and continues.
    while (send(Bookmark<v1::AssetEvent>("t", false))) {
    }
    return grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  FollowOptions options = kFast;
  options.status_timeout = absl::Milliseconds(50);
  const WatchOutcome outcome = Watch(client, AssetsPlan(), options, view, nullptr, {});
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kDataLoss) << outcome.status;
}

TEST(WatchTest, ContinuesAtTheNextAddressWhenTheFirstIsUnreachable) {
  std::optional<FakeGateway> first(std::in_place);
  first->watch_assets = [&gateway = *first](const v1::WatchAssetsRequest&, const SendAsset& send) {
    send(Reset<v1::AssetEvent>(v1::FRESH));
    send(Put(MakeAsset("assets/a", v1::Asset::PROCESSING)));
    send(Bookmark<v1::AssetEvent>("t1", true));
    gateway.WaitUntilOver();
    return ToGrpc(Unavailable());
  };
  FakeGateway second;
  second.watch_assets = [](const v1::WatchAssetsRequest& request, const SendAsset& send) {
    EXPECT_EQ(request.resume_token(), "t1");
    send(Put(MakeAsset("assets/a", v1::Asset::ACTIVE)));
    return grpc::Status::OK;
  };
  class EndingView final : public WatchView {
   public:
    explicit EndingView(std::optional<FakeGateway>& gateway) : gateway_(gateway) {}
    void Show(const v1::AssetEvent& event) override {
      if (event.type() == v1::BOOKMARK) gateway_.reset();
    }
    void Show(const v1::VideoTaskEvent&) override {}
    void Show(const v1::ProviderEvent&) override {}
    void ShowTrouble(const std::string&) override {}
    absl::Time Refresh(const WatchModel&, bool) override { return absl::InfiniteFuture(); }
    void End(const WatchModel&) override {}

   private:
    std::optional<FakeGateway>& gateway_;
  } view(first);
  Client client(
      *Connect({.server = absl::StrCat("ipv4:", first->address(), ",", second.address())}));
  WatchPlan plan = AssetsPlan();
  plan.timeout = absl::Seconds(30);
  const WatchOutcome outcome = Watch(client, plan, kFast, view, nullptr, {});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_FALSE(first.has_value());
  EXPECT_EQ(outcome.model.assets.newest().at("assets/a").state(), v1::Asset::ACTIVE);
}

TEST(WatchTest, AResetDropsTheTokenAndTheOldResources) {
  FakeGateway gateway;
  std::atomic<int> calls = 0;
  gateway.watch_assets = [&](const v1::WatchAssetsRequest& request, const SendAsset& send) {
    switch (++calls) {
      case 1:
        send(Reset<v1::AssetEvent>(v1::FRESH));
        send(Put(MakeAsset("assets/old", v1::Asset::ACTIVE)));
        send(Bookmark<v1::AssetEvent>("t1", true));
        return ToGrpc(Unavailable());
      case 2:
        EXPECT_EQ(request.resume_token(), "t1");
        send(Reset<v1::AssetEvent>(v1::COMPACTED));
        return ToGrpc(Unavailable());  // Before the snapshot is complete: t1 is no longer valid.
      default:
        EXPECT_EQ(request.resume_token(), "");
        send(Reset<v1::AssetEvent>(v1::FRESH));
        send(Put(MakeAsset("assets/new", v1::Asset::ACTIVE)));
        send(Bookmark<v1::AssetEvent>("t2", true));
        return grpc::Status::OK;
    }
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  const WatchOutcome outcome = Watch(client, AssetsPlan(), kFast, view, nullptr, {});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_FALSE(outcome.model.assets.shown().contains("assets/old"));
  EXPECT_TRUE(outcome.model.assets.shown().contains("assets/new"));
}

TEST(WatchTest, APermanentErrorEndsTheWatch) {
  FakeGateway gateway;
  std::atomic<int> calls = 0;
  gateway.watch_assets = [&](const v1::WatchAssetsRequest&, const SendAsset&) {
    ++calls;
    return ToGrpc(Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND, "no such asset"));
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  const WatchOutcome outcome = Watch(client, AssetsPlan(), kFast, view, nullptr, {});
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(base::ReasonOf(outcome.status), v1::RESOURCE_NOT_FOUND);
  EXPECT_EQ(calls, 1);
}

TEST(WatchTest, AnAddressWhereNothingListensIsGivenUp) {
  Client client(*Connect({.server = "127.0.0.1:1"}));
  RecordingView view;
  const WatchOutcome outcome = Watch(client, AssetsPlan(), kFast, view, nullptr, {});
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kUnavailable);
}

TEST(WatchTest, InterruptionEndsAnOpenStream) {
  FakeGateway gateway;
  std::stop_source interrupt;
  gateway.watch_assets = [&](const v1::WatchAssetsRequest&, const SendAsset& send) {
    send(Reset<v1::AssetEvent>(v1::FRESH));
    interrupt.request_stop();
    gateway.WaitUntilOver();
    return grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  const WatchOutcome outcome =
      Watch(client, AssetsPlan(), kFast, view, nullptr, interrupt.get_token());
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(view.ends, 1);
}

TEST(WatchTest, InterruptionEndsALongBackoff) {
  FakeGateway gateway;
  gateway.watch_assets = [&](const v1::WatchAssetsRequest&, const SendAsset&) {
    return ToGrpc(Error(absl::StatusCode::kUnavailable, v1::DRAINING, "shutting down")
                      .RetryAfter(absl::Hours(1)));
  };
  Client client(*Connect({.server = gateway.address()}));
  std::stop_source interrupt;
  class InterruptingView final : public WatchView {
   public:
    explicit InterruptingView(std::stop_source& source) : source_(source) {}
    void Show(const v1::AssetEvent&) override {}
    void Show(const v1::VideoTaskEvent&) override {}
    void Show(const v1::ProviderEvent&) override {}
    void ShowTrouble(const std::string&) override { source_.request_stop(); }
    absl::Time Refresh(const WatchModel&, bool) override { return absl::InfiniteFuture(); }
    void End(const WatchModel&) override {}

   private:
    std::stop_source& source_;
  } view(interrupt);
  const WatchOutcome outcome =
      Watch(client, AssetsPlan(), kFast, view, nullptr, interrupt.get_token());
  EXPECT_EQ(outcome.status.code(), absl::StatusCode::kCancelled);
}

TEST(WatchTest, TheTimeoutEndsTheWatch) {
  FakeGateway gateway;
  gateway.watch_assets = [&](const v1::WatchAssetsRequest&, const SendAsset& send) {
    send(Reset<v1::AssetEvent>(v1::FRESH));
    gateway.WaitUntilOver();
    return grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  WatchPlan plan = AssetsPlan();
  plan.timeout = absl::Milliseconds(20);
  EXPECT_EQ(Watch(client, plan, kFast, view, nullptr, {}).status.code(),
            absl::StatusCode::kDeadlineExceeded);
}

TEST(WatchTest, AnIdleStreamIsReopened) {
  FakeGateway gateway;
  std::atomic<int> calls = 0;
  gateway.watch_assets = [&](const v1::WatchAssetsRequest& request, const SendAsset& send) {
    if (++calls == 1) {
      send(Reset<v1::AssetEvent>(v1::FRESH));
      send(Bookmark<v1::AssetEvent>("t1", true));
      gateway.WaitUntilOver();  // As if the network had lost the rest.
      return grpc::Status::OK;
    }
    EXPECT_EQ(request.resume_token(), "t1");
    return grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  FollowOptions options = kFast;
  options.idle_timeout = absl::Milliseconds(50);
  const WatchOutcome outcome = Watch(client, AssetsPlan(), options, view, nullptr, {});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  ASSERT_FALSE(view.troubles.empty());
  EXPECT_THAT(view.troubles[0], HasSubstr("no event arrived"));
}

TEST(WatchTest, TheWatchEndsWhenBothStreamsHaveEnded) {
  FakeGateway gateway;
  gateway.watch_assets = [](const v1::WatchAssetsRequest&, const SendAsset& send) {
    send(Reset<v1::AssetEvent>(v1::FRESH));
    send(Put(MakeAsset("assets/a", v1::Asset::ACTIVE)));
    return grpc::Status::OK;
  };
  gateway.watch_videos = [](const v1::WatchVideoTasksRequest&, const SendVideo& send) {
    send(Reset<v1::VideoTaskEvent>(v1::FRESH));
    send(Put(MakeTask("videoTasks/v", v1::VideoTask::SUCCEEDED)));
    return grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  WatchPlan plan = AssetsPlan();
  plan.videos.emplace();
  const WatchOutcome outcome = Watch(client, plan, kFast, view, nullptr, {});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(outcome.model.assets.newest(), SizeIs(1));
  EXPECT_THAT(outcome.model.videos.newest(), SizeIs(1));
}

TEST(WatchTest, AProviderWatchStartsOverAtEveryGateway) {
  FakeGateway gateway;
  std::atomic<int> calls = 0;
  gateway.watch_providers = [&](const v1::WatchProvidersRequest&, const SendProvider& send) {
    v1::ProviderEvent put;
    put.set_type(v1::PUT);
    put.mutable_provider()->set_name(++calls == 1 ? "providers/kyy" : "providers/ark");
    v1::ProviderEvent complete;
    complete.set_type(v1::BOOKMARK);
    complete.set_snapshot_complete(true);
    send(Reset<v1::ProviderEvent>(v1::FRESH));
    send(put);
    send(complete);
    return calls == 1 ? ToGrpc(Unavailable()) : grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  RecordingView view;
  WatchPlan plan;
  plan.providers.emplace();
  const WatchOutcome outcome = Watch(client, plan, kFast, view, nullptr, {});
  EXPECT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(view.log, ElementsAre("RESET ", "PUT providers/kyy", "BOOKMARK ", "RESET ",
                                    "PUT providers/ark", "BOOKMARK "));
  ASSERT_THAT(outcome.model.providers.newest(), SizeIs(1));
  EXPECT_EQ(outcome.model.providers.newest().begin()->first, "providers/ark");
}

TEST(WatchTest, TheResumeTokenFileCarriesOverToTheNextRun) {
  const std::string path = testing::TempDir() + "/assetctl-resume-token";
  std::remove(path.c_str());
  FakeGateway gateway;
  std::vector<std::string> tokens;
  const std::string binary("\0\xFF\n token", 9);
  gateway.watch_assets = [&](const v1::WatchAssetsRequest& request, const SendAsset& send) {
    tokens.push_back(request.resume_token());
    send(Bookmark<v1::AssetEvent>(binary, false));
    return grpc::Status::OK;
  };
  Client client(*Connect({.server = gateway.address()}));
  for (int run = 0; run < 2; ++run) {
    RecordingView view;
    WatchPlan plan = AssetsPlan();
    plan.resume_token_file = path;
    ASSERT_TRUE(Watch(client, plan, kFast, view, nullptr, {}).status.ok());
  }
  EXPECT_THAT(tokens, ElementsAre("", binary));
  std::remove(path.c_str());
}

TEST(BookmarksTest, AForeignFileIsRejected) {
  const std::string path = testing::TempDir() + "/assetctl-not-a-token";
  std::ofstream(path) << "another program's file\n";
  EXPECT_FALSE(ReadBookmarks(path).ok());
  std::remove(path.c_str());
  EXPECT_TRUE(ReadBookmarks(path).ok());
  EXPECT_FALSE(WriteBookmarks("/nonexistent/file", {}).ok());
}

TEST(BackoffAfterTest, GrowsToItsMaximumAndObeysTheGateway) {
  const FollowOptions options;
  EXPECT_EQ(BackoffAfter(1, absl::ZeroDuration(), 0.5, options), absl::Milliseconds(500));
  EXPECT_EQ(BackoffAfter(2, absl::ZeroDuration(), 0.5, options), absl::Milliseconds(800));
  EXPECT_EQ(BackoffAfter(100, absl::ZeroDuration(), 0.5, options), absl::Seconds(10));
  EXPECT_EQ(BackoffAfter(100, absl::ZeroDuration(), 1.0, options), absl::Seconds(12));
  EXPECT_EQ(BackoffAfter(1, absl::Seconds(30), 0.5, options), absl::Seconds(30));
}

TEST(IsWorthRepeatingTest, OnlyTemporaryErrorsAre) {
  EXPECT_TRUE(IsWorthRepeating(PlainError(absl::StatusCode::kUnavailable, ""), false));
  EXPECT_TRUE(IsWorthRepeating(
      Error(absl::StatusCode::kResourceExhausted, v1::OVERLOADED, "").RetryAfter(absl::Seconds(1)),
      false));
  EXPECT_TRUE(IsWorthRepeating(PlainError(absl::StatusCode::kUnknown, "Stream removed"), true));
  EXPECT_FALSE(IsWorthRepeating(PlainError(absl::StatusCode::kUnknown, ""), false));
  EXPECT_FALSE(IsWorthRepeating(Error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR, ""), true));
  EXPECT_FALSE(
      IsWorthRepeating(Error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, ""), true));
}

// The table on a terminal, with a fake clock.
class LiveViewTest : public testing::Test {
 protected:
  static v1::VideoTask Done(const std::string& uri) {
    v1::VideoTask task = MakeTask("videoTasks/v", v1::VideoTask::SUCCEEDED);
    task.mutable_video()->set_uri(uri);
    return task;
  }

  base::FakeClock clock_;
  FakeTerminal terminal_{100, 30};
  Look look_{.color = false, .utf8 = false};
};

TEST_F(LiveViewTest, ABurstOfEventsIsOneFrame) {
  LiveView view(terminal_, look_, AssetsPlan(), true, clock_);
  WatchModel model;
  const absl::Time next = view.Refresh(model, true);
  EXPECT_EQ(terminal_.writes(), 1);
  EXPECT_EQ(next, clock_.Now() + absl::Seconds(1));  // Ages change every second.
  absl::Time again;
  for (int i = 0; i < 10; ++i) again = view.Refresh(model, true);
  EXPECT_EQ(terminal_.writes(), 1);
  EXPECT_EQ(again, clock_.Now() + absl::Milliseconds(80));
  clock_.Set(again);
  view.Refresh(model, false);
  EXPECT_EQ(terminal_.writes(), 2);
}

TEST_F(LiveViewTest, TheLastFrameStaysWithTheResults) {
  WatchModel model;
  model.videos.Apply(Reset<v1::VideoTaskEvent>(v1::FRESH));
  model.videos.Apply(Put(Done("https://x/v.mp4")));
  {
    LiveView view(terminal_, look_, VideosPlan(), true, clock_);
    view.Refresh(model, true);
    view.End(model);
  }
  EXPECT_THAT(terminal_.Screen().front(), HasSubstr("Videos 1"));
  EXPECT_EQ(terminal_.Screen().back(), "videoTasks/v  https://x/v.mp4");
  EXPECT_TRUE(terminal_.cursor_visible());
}

TEST_F(LiveViewTest, ATemporaryTableLeavesNothingBehind) {
  WatchModel model;
  {
    LiveView view(terminal_, look_, AssetsPlan(), false, clock_);
    view.Refresh(model, true);
    view.End(model);
  }
  EXPECT_THAT(terminal_.Screen(), IsEmpty());
  EXPECT_TRUE(terminal_.cursor_visible());
}

TEST_F(LiveViewTest, TroubleIsShownBelowTheTable) {
  LiveView view(terminal_, look_, AssetsPlan(), true, clock_);
  view.ShowTrouble("lost the watch");
  view.Refresh({}, true);
  EXPECT_EQ(terminal_.Screen().back(), "lost the watch");
}

}  // namespace
}  // namespace assetgate::cli
