// Another catalog while work is under way: what goes on by it, what ends as it began, and what was
// held up.
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "calls/unfinished_videos.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

Harness::Options WithMode(v1::Provider::Mode mode) {
  Harness::Options options = AlphaAlone();
  options.alpha_mode = mode;
  return options;
}

// Another key of alpha, under another name.
Harness::Options WithNewKey() {
  Harness::Options options = AlphaAlone();
  options.alpha_credential = "alpha-key-2";
  options.alpha_account = "new-alpha";
  return options;
}

// --- What was held up

TEST(ReconfigureTest, WorkOfADrainedProviderResumesWhenItServesAgain) {
  for (const v1::Provider::Mode mode : {v1::Provider::DRAIN, v1::Provider::OFF}) {
    Harness harness(AlphaAlone());
    v1::CreateAssetRequest asset = Harness::Asset("hero", {"alpha"});
    asset.mutable_max_wait()->set_seconds(0);
    harness.Create(asset);
    harness.FailNext(http::TransportError::Kind::kConnect, /*maybe_sent=*/false);
    harness.Reconfigure(WithMode(mode));
    harness.Create(NotWaitedFor("fox"));
    harness.Advance(absl::Minutes(1));
    EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
    EXPECT_EQ(harness.AssetNow("hero").placements(0).waiting().reason(),
              v1::Waiting::NEEDS_OPERATOR);
    EXPECT_EQ(harness.Provider("alpha").mode(), mode);
    EXPECT_EQ(harness.http().pending(), 0u);
    harness.Reconfigure(AlphaAlone());
    EXPECT_EQ(harness.Provider("alpha").mode(), v1::Provider::SERVE);
    EXPECT_EQ(harness.http().pending(), 2u) << "without a turn of the clock";
  }
}

TEST(ReconfigureTest, DrainedProviderIsPolledAndDisabledProviderIsNot) {
  Harness harness(AlphaAlone());
  Accept(harness, "old", "up-old");
  harness.Reconfigure(WithMode(v1::Provider::DRAIN));
  harness.Create(NotWaitedFor("new"));
  EXPECT_EQ(harness.Task("new").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  harness.Advance(absl::Seconds(30));
  EXPECT_EQ(harness.Take().request.path, "/videos/up-old");
  EXPECT_EQ(harness.http().pending(), 0u);

  Harness off(AlphaAlone());
  Accept(off, "old", "up-old");
  off.Reconfigure(WithMode(v1::Provider::OFF));
  off.Advance(absl::Minutes(5));
  EXPECT_EQ(off.http().pending(), 0u);
  EXPECT_EQ(off.Task("old").waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  off.Reconfigure(AlphaAlone());
  off.AnswerNext(200, "id=up-old state=done");
  EXPECT_EQ(off.Task("old").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReconfigureTest, VideoGoesToTheNextTargetWhenTheFirstIsDrained) {
  Harness::Options options;
  options.limits = {1000, 1};
  Harness harness(options);
  harness.Create(NotWaitedFor("first"));
  auto first = harness.Take();
  harness.Create(NotWaitedFor("second"));
  auto second = harness.Take();
  EXPECT_EQ(second.options.base_url, "https://beta.example");
  // Waits for a place at one of the two.
  harness.Create(NotWaitedFor("third"));
  EXPECT_EQ(harness.http().pending(), 0u);
  options.alpha_mode = v1::Provider::DRAIN;
  harness.Reconfigure(options);
  std::move(first).Answer(http::Response{200, {}, "id=up-1 state=running"});
  harness.Run();
  EXPECT_EQ(harness.http().pending(), 0u) << "alpha has a place, and takes nothing new";
  std::move(second).Answer(http::Response{200, {}, "id=up-2 state=running"});
  EXPECT_EQ(harness.Take().options.base_url, "https://beta.example");
}

// A place that was asked for before, and is granted after, must not be kept from others.
TEST(ReconfigureTest, PlaceGrantedTooLatePassesToWorkThatMayStillStart) {
  Harness::Options options = AlphaAlone();
  options.limits = {1000, 1};
  Harness harness(options);
  Accept(harness, "fox", "up-fox");
  harness.Create(Harness::Asset("hero", {"alpha"}));
  auto submission = harness.Take();
  // Another asset, and the poll of the video, wait for the one place.
  harness.Create(Harness::Asset("villain", {"alpha"}));
  harness.Advance(absl::Seconds(30));
  EXPECT_EQ(harness.http().pending(), 0u);
  options.alpha_mode = v1::Provider::DRAIN;
  harness.Reconfigure(options);
  std::move(submission).Answer(http::Response{200, {}, "id=up-hero state=done"});
  harness.Run();
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE) << "what was begun is heard of";
  ASSERT_EQ(harness.http().pending(), 1u);
  EXPECT_EQ(harness.Take().request.path, "/videos/up-fox");
}

TEST(ReconfigureTest, WorkHeldUpByARefusedKeyStartsAtOnceWithANewKey) {
  Harness harness(AlphaAlone());
  Accept(harness, "old", "up-old");
  harness.Create(NotWaitedFor("fox"));
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{401, {}, "bad key"});
  };
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_CREDENTIALS_REJECTED);
  EXPECT_EQ(harness.Task("old").waiting().reason(), v1::Waiting::PROVIDER_CREDENTIALS_REJECTED);
  EXPECT_EQ(harness.Provider("alpha").state(), v1::Provider::UNAVAILABLE);
  harness.script = nullptr;
  ASSERT_EQ(harness.http().pending(), 0u);
  // The same account's, under the same name: as when its file changes.
  Harness::Options options = AlphaAlone();
  options.alpha_account = "new-alpha";
  harness.Reconfigure(options);
  EXPECT_EQ(harness.Provider("alpha").state(), v1::Provider::AVAILABLE);
  ASSERT_EQ(harness.http().pending(), 2u) << "without a turn of the clock";
  for (int i = 0; i < 2; ++i) {
    auto call = harness.Take();
    EXPECT_EQ(AuthorizationOf(call.request), "Bearer secret-of-new-alpha");
    std::move(call).Answer(http::Response{200, {}, "id=up-2 state=running"});
  }
  harness.Run();
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(harness.Task("old").waiting().reason(), v1::Waiting::PROVIDER_WORKING);
}

TEST(ReconfigureTest, ChangedBaseUrlEndsTheBackOff) {
  Harness harness(AlphaAlone());
  harness.Create(NotWaitedFor("fox"));
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(
        http::TransportError{http::TransportError::Kind::kConnect, false, "refused"});
  };
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.Task("fox").waiting().reason(), v1::Waiting::PROVIDER_UNAVAILABLE);
  harness.script = nullptr;
  Harness::Options options = AlphaAlone();
  options.alpha_url = "https://elsewhere.example";
  harness.Reconfigure(options);
  ASSERT_EQ(harness.http().pending(), 1u) << "without a turn of the clock";
  EXPECT_EQ(harness.Take().options.base_url, "https://elsewhere.example");
}

TEST(ReconfigureTest, ShorterPollIntervalAppliesAtOnce) {
  Harness::Options options = AlphaAlone();
  options.alpha_video_polling = {absl::Hours(1), absl::Hours(1), absl::Hours(1)};
  Harness harness(options);
  Accept(harness, "fox", "up-fox");
  harness.Advance(absl::Minutes(10));
  EXPECT_EQ(harness.http().pending(), 0u);
  options.alpha_video_polling = {absl::Seconds(1), absl::Seconds(2), absl::Seconds(3)};
  harness.Reconfigure(options);
  EXPECT_EQ(harness.http().pending(), 0u);
  harness.Advance(absl::Seconds(4));
  harness.AnswerNext(200, "id=up-fox state=running");
  harness.Advance(absl::Seconds(4));
  harness.AnswerNext(200, "id=up-fox state=done");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReconfigureTest, ChangedPollIntervalDoesNotShortenABackOff) {
  Harness::Options options = AlphaAlone();
  options.alpha_video_polling = {absl::Seconds(1), absl::Seconds(1), absl::Seconds(1)};
  Harness harness(options);
  Accept(harness, "fox", "up-fox");
  // The fourth makes it eight seconds, more or less.
  for (int i = 0; i < 4; ++i) {
    while (harness.http().pending() == 0) harness.Advance(absl::Seconds(1));
    harness.AnswerNext(500);
  }
  options.alpha_video_polling = {absl::Seconds(1), absl::Seconds(2), absl::Seconds(2)};
  harness.Reconfigure(options);
  harness.Advance(absl::Seconds(5));
  EXPECT_EQ(harness.http().pending(), 0u);
  harness.Advance(absl::Seconds(5));
  EXPECT_EQ(harness.http().pending(), 1u);
}

TEST(ReconfigureTest, ShorterSubmitTimeoutEndsTasksThatAlreadyWaitLonger) {
  Harness harness(WithMode(v1::Provider::DRAIN));
  harness.Create(NotWaitedFor("fox"));
  harness.Advance(absl::Minutes(3));
  Harness::Options options = WithMode(v1::Provider::DRAIN);
  options.settings.submit_timeout = absl::Minutes(2);
  harness.Reconfigure(options);
  EXPECT_EQ(base::ReasonOf(harness.Task("fox").error()), v1::NOT_SUBMITTED);
}

TEST(ReconfigureTest, ReconfigurationReachesMoreThanAPageOfWork) {
  Harness::Options options;
  options.limits = {2000, 1000};
  Harness harness(options);
  // Not 401: that would hold further submissions.
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{403, {}, "bad key"});
  };
  constexpr int kBatches = 6;
  constexpr int kEach = 100;
  for (int batch = 0; batch < kBatches; ++batch) {
    v1::BatchCreateAssetsRequest request;
    request.mutable_max_wait()->set_seconds(0);
    for (int i = 0; i < kEach; ++i) {
      *request.add_requests() = Harness::Asset(absl::StrCat("a-", batch, "-", i), {"alpha"});
    }
    harness.Create(request);
  }
  harness.script = nullptr;
  ASSERT_EQ(harness.http().pending(), 0u);
  options.alpha_account = "new-alpha";
  harness.Reconfigure(options);
  EXPECT_EQ(harness.http().pending(), std::size_t{kBatches * kEach}) << "at the same moment";
}

// --- What ends as it began

TEST(ReconfigureTest, UnitIsPolledWithTheKeyOfItsSubmissionWhileConfigured) {
  Harness harness(AlphaAlone());
  Accept(harness, "fox", "up-fox");
  Harness::Options options = WithNewKey();
  options.alpha_previous_credential = "alpha-key";
  harness.Reconfigure(options);
  harness.Advance(absl::Seconds(30));
  auto poll = harness.Take();
  EXPECT_EQ(AuthorizationOf(poll.request), "Bearer secret-of-old-alpha");
  std::move(poll).Answer(http::Response{200, {}, "id=up-fox state=running"});
  harness.Run();
  // What is new goes with the new one.
  harness.Create(Harness::Video("owl"));
  auto submission = harness.Take();
  EXPECT_EQ(AuthorizationOf(submission.request), "Bearer secret-of-new-alpha");
  std::move(submission).Answer(http::Response{200, {}, "id=up-owl state=done"});
  harness.Run();
  EXPECT_EQ(harness.Task("owl").attempts(0).credential_id(), "alpha-key-2");
  EXPECT_EQ(harness.Task("fox").attempts(0).credential_id(), "alpha-key");
  // Gone: then with the one that there is.
  harness.Reconfigure(WithNewKey());
  harness.Advance(absl::Seconds(30));
  EXPECT_EQ(AuthorizationOf(harness.Take().request), "Bearer secret-of-new-alpha");
}

TEST(ReconfigureTest, CallsInFlightOutliveTheirCatalog) {
  Harness harness(AlphaAlone());
  harness.Create(Harness::Video("fox"));
  auto submission = harness.Take();
  harness.Reconfigure(WithNewKey());
  harness.Reconfigure(WithNewKey());
  std::move(submission).Answer(http::Response{200, {}, "id=up-1 state=running secret-of-alpha"});
  harness.Run();
  ASSERT_EQ(harness.Task("fox").state(), v1::VideoTask::RUNNING);
  EXPECT_EQ(harness.Task("fox").attempts(0).credential_id(), "alpha-key");
  harness.Advance(absl::Seconds(30));
  auto poll = harness.Take();
  Harness::Options other = WithNewKey();
  other.alpha_url = "https://elsewhere.example";
  harness.Reconfigure(other);
  std::move(poll).Answer(http::Response{200, {}, "id=up-1 state=done"});
  harness.Run();
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(ReconfigureTest, JournalledSubmissionUsesTheKeyNamedInTheJournal) {
  Harness harness(AlphaAlone());
  // Between the intent and its call.
  bool once = false;
  harness.store().judge = [&](const store::Transaction&) {
    if (!std::exchange(once, true)) {
      harness.reconciler().Reconfigure(Harness::MakeCatalog(WithNewKey()), [] {});
    }
    return store::FaultyStore::Outcome::kCommitted;
  };
  harness.Create(Harness::Video("fox"));
  harness.store().judge = nullptr;
  auto call = harness.Take();
  EXPECT_EQ(AuthorizationOf(call.request), "Bearer secret-of-alpha");
  EXPECT_EQ(harness.Task("fox").attempts(0).credential_id(), "alpha-key");
  // What the provider says of that key is no news of the present one.
  std::move(call).Answer(http::Response{401, {}, "bad key"});
  harness.Run();
  EXPECT_EQ(harness.Provider("alpha").state(), v1::Provider::AVAILABLE);
}

TEST(ReconfigureTest, LateRefusalOfTheFormerKeyDelaysOnlyTheNextTry) {
  Harness harness(AlphaAlone());
  harness.Create(NotWaitedFor("fox"));
  auto call = harness.Take();
  harness.Reconfigure(WithNewKey());
  std::move(call).Answer(http::Response{403, {}, "bad key"});
  harness.Run();
  EXPECT_EQ(harness.Provider("alpha").state(), v1::Provider::AVAILABLE);
  harness.Advance(absl::Seconds(2));
  auto again = harness.Take();
  EXPECT_EQ(AuthorizationOf(again.request), "Bearer secret-of-new-alpha");
  std::move(again).Answer(http::Response{200, {}, "id=up-1 state=running"});
  harness.Run();
  EXPECT_EQ(harness.Task("fox").attempts(0).credential_id(), "alpha-key-2");
}

// --- What calls see

TEST(ReconfigureTest, ChangedRouteAppliesToLaterTasks) {
  Harness harness(WithMode(v1::Provider::DRAIN));
  harness.Create(NotWaitedFor("before"));
  Harness::Options options = WithMode(v1::Provider::DRAIN);
  options.film_targets = {"beta"};
  harness.Reconfigure(options);
  const auto models = harness.gateway().ListModels(calls::Caller(), {});
  ASSERT_TRUE(models.ok());
  ASSERT_EQ(models->models(0).targets_size(), 1);
  EXPECT_EQ(models->models(0).targets(0).provider(), "providers/beta");
  EXPECT_EQ(harness.http().pending(), 0u) << "it was for alpha";
  harness.Create(Harness::Video("after"));
  EXPECT_EQ(harness.Take().options.base_url, "https://beta.example");
}

TEST(ReconfigureTest, AddedProviderIsUsedAtOnce) {
  Harness::Options options;
  options.has_alpha = false;
  Harness harness(options);
  EXPECT_FALSE(harness.catalog()->FindModel("providers/alpha/models/video-1").ok());
  harness.Reconfigure(AlphaAlone());
  EXPECT_EQ(harness.Provider("alpha").state(), v1::Provider::AVAILABLE);
  EXPECT_EQ(harness.telemetry().provider_states.back().first, "alpha");
  Accept(harness, "fox", "up-fox");
  EXPECT_EQ(harness.Task("fox").attempts(0).provider(), "providers/alpha");
}

TEST(ReconfigureTest, ChangedLimitsApplyToWaitingWork) {
  Harness::Options options = AlphaAlone();
  options.limits = {1000, 1};
  Harness harness(options);
  for (const char* id : {"a", "b", "c"}) harness.Create(NotWaitedFor(id));
  EXPECT_EQ(harness.http().pending(), 1u);
  options.limits = {1000, 3};
  harness.Reconfigure(options);
  EXPECT_EQ(harness.http().pending(), 3u);
}

// A call goes by one catalog, and none is let go too soon: for the sanitizers.
TEST(ReconfigureTest, ConcurrentCallsSurviveCatalogChanges) {
  store::sqlite::TemporaryDirectory directory;
  store::SqliteStore::Options store_options;
  store_options.path = directory.path() + "/store.db";
  const base::SystemClock clock;
  store_options.clock = &clock;
  auto store = store::SqliteStore::Open(std::move(store_options));
  ASSERT_TRUE(store.ok()) << store.status();
  base::ThreadEventLoop loop("ag-test");
  http::FakeHttpClient http;
  RecordedTelemetry telemetry;
  model::CurrentCatalog catalog(Harness::MakeCatalog(AlphaAlone()));
  Reconciler reconciler({loop, **store, http, catalog, telemetry});
  calls::UnfinishedVideos unfinished_videos(**store);
  Gateway gateway(catalog, **store, reconciler, unfinished_videos, loop.clock());

  std::atomic<bool> stop = false;
  std::atomic<int> calls = 0;
  constexpr int kCallers = 3;
  std::vector<std::thread> callers;
  callers.reserve(kCallers);
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&] {
      while (!stop) {
        v1::CreateVideoTaskRequest request = NotWaitedFor("");
        request.set_validate_only(true);
        absl::Notification answered;
        gateway.CreateVideoTask(calls::Caller(), request,
                                [&](absl::StatusOr<v1::VideoTask> answer) {
                                  EXPECT_TRUE(answer.ok()) << answer.status();
                                  answered.Notify();
                                });
        answered.WaitForNotification();
        // All of one catalog: "film" has one target in each.
        const auto models = gateway.ListModels(calls::Caller(), {});
        EXPECT_TRUE(models.ok() && models->models(0).targets_size() == 1);
        ++calls;
      }
    });
  }
  for (int turn = 0; turn < 100 || calls < 30; ++turn) {
    Harness::Options options = turn % 2 == 0 ? WithNewKey() : AlphaAlone();
    options.film_targets = {turn % 3 == 0 ? "beta" : "alpha"};
    absl::Notification in_force;
    reconciler.Reconfigure(Harness::MakeCatalog(options), [&] { in_force.Notify(); });
    in_force.WaitForNotification();
    const auto film = catalog.Get()->FindModel("film");
    EXPECT_EQ(film->targets.at(0).provider->id, options.film_targets[0]);
  }
  stop = true;
  for (std::thread& caller : callers) caller.join();
  loop.Stop();
}

}  // namespace
}  // namespace assetgate::reconcile
