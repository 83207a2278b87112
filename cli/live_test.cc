#include "cli/live.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "cli/testing/fake_gateway.h"

namespace assetgate::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr Look kAscii{.color = false, .utf8 = false};
const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

google::protobuf::Timestamp Ago(int seconds) {
  return base::ToProto(kNow - absl::Seconds(seconds));
}

v1::Placement MakePlacement(const std::string& provider, v1::Placement::State state, int age) {
  v1::Placement placement;
  placement.set_provider(absl::StrCat("providers/", provider));
  placement.set_state(state);
  *placement.mutable_create_time() = Ago(age);
  return placement;
}

v1::Asset Hero() {
  v1::Asset asset = MakeAsset("assets/hero", v1::Asset::ACTIVE);
  *asset.mutable_create_time() = Ago(20);
  v1::Placement active = MakePlacement("zerozero", v1::Placement::ACTIVE, 20);
  active.set_provider_asset_id("asset-77");
  *active.mutable_end_time() = Ago(12);
  *asset.add_placements() = active;
  v1::Placement busy = MakePlacement("kyy", v1::Placement::SUBMITTING, 20);
  busy.mutable_waiting()->set_reason(v1::Waiting::PROVIDER_BUSY);
  busy.mutable_waiting()->set_subject("providers/kyy");
  *busy.mutable_waiting()->mutable_next_try_time() = base::ToProto(kNow + absl::Seconds(4));
  *asset.add_placements() = busy;
  v1::Placement failed = MakePlacement("octopusx", v1::Placement::FAILED, 20);
  *failed.mutable_end_time() = Ago(17);
  *failed.mutable_error() =
      base::Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_REJECTED, "too large")
          .ToProto();
  *asset.add_placements() = failed;
  return asset;
}

v1::VideoTask Running() {
  v1::VideoTask task = MakeTask("videoTasks/clip", v1::VideoTask::RUNNING);
  *task.mutable_create_time() = Ago(30);
  *task.mutable_start_time() = Ago(9);
  task.set_progress_percent(50);
  auto* attempt = task.add_attempts();
  attempt->set_provider("providers/kyy");
  attempt->set_provider_state("in_progress");
  task.mutable_waiting()->set_reason(v1::Waiting::PROVIDER_WORKING);
  task.mutable_waiting()->set_subject("providers/kyy");
  return task;
}

v1::VideoTask Succeeded(const std::string& id, int created) {
  v1::VideoTask task = MakeTask(absl::StrCat("videoTasks/", id), v1::VideoTask::SUCCEEDED);
  *task.mutable_create_time() = Ago(created);
  *task.mutable_end_time() = Ago(1);
  task.mutable_video()->set_uri(absl::StrCat("https://cdn.example.com/", id, ".mp4"));
  return task;
}

template <typename... Resources>
WatchModel ModelOf(const Resources&... resources) {
  WatchModel model;
  model.assets.Apply(Reset<v1::AssetEvent>(v1::FRESH));
  model.videos.Apply(Reset<v1::VideoTaskEvent>(v1::FRESH));
  [[maybe_unused]] const auto apply = [&model](const auto& resource) {
    if constexpr (std::is_same_v<std::decay_t<decltype(resource)>, v1::Asset>) {
      model.assets.Apply(Put(resource));
    } else {
      model.videos.Apply(Put(resource));
    }
  };
  (apply(resources), ...);
  model.assets.Apply(Bookmark<v1::AssetEvent>("t", true));
  model.videos.Apply(Bookmark<v1::VideoTaskEvent>("t", true));
  return model;
}

TEST(RenderLiveTest, ShowsEveryPlacementAndWhyItWaits) {
  const LiveFrame frame{.assets = true, .videos = false, .now = kNow, .width = 90};
  EXPECT_THAT(RenderLive(ModelOf(Hero()), frame, kAscii),
              ElementsAre("Assets 1, placements 3   * 1 active   o 1 submitting   x 1 failed",
                          "ASSET         STATE          PROVIDER    TIME  DETAIL",
                          "hero          * ACTIVE       zerozero      8s  asset-77",
                          "              o SUBMITTING   kyy          20s  waits for its turn at "
                          "kyy, next try in 4s",
                          "              x FAILED       octopusx      3s  PROVIDER_REJECTED: too "
                          "large"));
}

TEST(RenderLiveTest, ShowsProgressAndResultsOfVideos) {
  const LiveFrame frame{.assets = false, .videos = true, .now = kNow, .width = 110};
  EXPECT_THAT(
      RenderLive(ModelOf(Running(), Succeeded("done", 25)), frame, kAscii),
      ElementsAre("Videos 2   * 1 succeeded   > 1 running",
                  "VIDEO         STATE          PROVIDER    TIME  PROGRESS               DETAIL",
                  "clip          > RUNNING      kyy           9s  ########........  50%  kyy is "
                  "working on it (in_progress)",
                  "done          * SUCCEEDED                 24s  ################ 100%  "
                  "https://cdn.example.com/done.mp4"));
}

TEST(RenderLiveTest, BothTablesShareTheirColumns) {
  const LiveFrame frame{.now = kNow, .width = 110};
  v1::VideoTask task = Running();
  task.set_name("videoTasks/a-much-longer-name");
  const auto lines = RenderLive(ModelOf(Hero(), task), frame, kAscii);
  EXPECT_EQ(lines[1].find("STATE"), lines[7].find("STATE"));
  EXPECT_EQ(lines[1].find("TIME"), lines[7].find("TIME"));
  EXPECT_EQ(lines[5], "");
}

v1::ProviderEvent KyyIsOut() {
  v1::ProviderEvent event;
  event.set_type(v1::PUT);
  v1::Provider& kyy = *event.mutable_provider();
  kyy.set_name("providers/kyy");
  kyy.set_mode(v1::Provider::DRAIN);
  kyy.set_state(v1::Provider::UNAVAILABLE);
  kyy.set_state_reason("the provider refuses the gateway's credentials");
  kyy.set_unfinished_attempts(2);
  return event;
}

TEST(RenderLiveTest, ShowsProvidersAndTheirFaults) {
  WatchModel model;
  model.providers.Apply(KyyIsOut());
  const LiveFrame frame{
      .assets = false, .videos = false, .providers = true, .now = kNow, .width = 120};
  EXPECT_THAT(RenderLive(model, frame, kAscii),
              ElementsAre("Providers 1   x 1 unavailable", "PROVIDER      STATE          DETAIL",
                          "kyy           x UNAVAILABLE  mode DRAIN; the provider refuses the "
                          "gateway's credentials; unfinished: 0 assets, 2 videos"));
}

TEST(RenderEventTest, AProviderIsOneLine) {
  EXPECT_THAT(RenderEvent(KyyIsOut(), kNow, kAscii),
              HasSubstr("  providers/kyy  UNAVAILABLE     -  -  mode DRAIN; the provider refuses"));
  v1::ProviderEvent gone = KyyIsOut();
  gone.set_type(v1::DELETE);
  EXPECT_THAT(RenderEvent(gone, kNow, kAscii),
              HasSubstr("  providers/kyy  no longer configured     -  -"));
}

TEST(RenderLiveTest, DistinguishesAnEmptyListFromAnIncompleteOne) {
  const LiveFrame frame{.now = kNow, .width = 80};
  EXPECT_THAT(RenderLive(ModelOf(), frame, kAscii),
              ElementsAre("Assets 0   none", "", "Videos 0   none"));
  EXPECT_THAT(RenderLive(WatchModel(), frame, kAscii),
              ElementsAre("Assets 0   ...", "", "Videos 0   ..."));
}

TEST(RenderLiveTest, NoFrameIsWiderOrHigherThanTheTerminal) {
  WatchModel model = ModelOf(Hero(), Running(), Succeeded("done", 25));
  v1::Asset wide = Hero();
  wide.set_name("assets/视频视频视频视频视频视频视频视频");
  model.assets.Apply(Put(wide));
  for (int width = 10; width < 130; width += 7) {
    for (int height = 1; height < 20; ++height) {
      const LiveFrame frame{
          .trouble = "lost the watch", .now = kNow, .width = width, .height = height};
      const auto lines = RenderLive(model, frame, {.color = false, .utf8 = true});
      EXPECT_LE(lines.size(), static_cast<std::size_t>(height));
      for (const std::string& line : lines) EXPECT_LE(DisplayWidth(line), width) << line;
    }
  }
}

TEST(RenderLiveTest, SuccessfulWorkIsHiddenFirst) {
  WatchModel model = ModelOf(Running());
  for (int i = 0; i < 20; ++i) {
    model.videos.Apply(Put(Succeeded(absl::StrCat("old-", i), 1000 - i)));
  }
  v1::VideoTask failed = MakeTask("videoTasks/bad", v1::VideoTask::FAILED);
  *failed.mutable_create_time() = Ago(2000);
  model.videos.Apply(Put(failed));
  const LiveFrame frame{.assets = false, .now = kNow, .width = 80, .height = 7};
  const auto lines = RenderLive(model, frame, kAscii);
  ASSERT_THAT(lines, SizeIs(7));
  EXPECT_THAT(lines[0], HasSubstr("Videos 22"));
  EXPECT_THAT(lines[2], HasSubstr("bad"));
  EXPECT_THAT(lines[3], HasSubstr("old-18"));
  EXPECT_THAT(lines[4], HasSubstr("old-19"));
  EXPECT_THAT(lines[5], HasSubstr("clip"));
  EXPECT_EQ(lines[6], "... 18 more, not shown here");
}

TEST(RenderLiveTest, OfUnfinishedWorkTheNewestIsHiddenFirst) {
  WatchModel model = ModelOf();
  for (int i = 0; i < 5; ++i) {
    v1::VideoTask task = Running();
    task.set_name(absl::StrCat("videoTasks/run-", i));
    *task.mutable_create_time() = Ago(100 - i);
    model.videos.Apply(Put(task));
  }
  const LiveFrame frame{.assets = false, .now = kNow, .width = 80, .height = 5};
  const auto lines = RenderLive(model, frame, kAscii);
  ASSERT_THAT(lines, SizeIs(5));
  EXPECT_THAT(lines[2], HasSubstr("run-0"));
  EXPECT_THAT(lines[3], HasSubstr("run-1"));
  EXPECT_EQ(lines[4], "... 3 more, not shown here");
}

TEST(RenderLiveTest, TroubleIsBelowTheTables) {
  const LiveFrame frame{
      .videos = false, .trouble = "lost the watch; \x1b[2J", .now = kNow, .width = 80};
  const auto lines = RenderLive(ModelOf(), frame, kAscii);
  EXPECT_EQ(lines.back(), "lost the watch; \uFFFD[2J");
}

TEST(RenderLiveTest, ControlCharactersCannotLeaveTheirCell) {
  v1::Asset asset = Hero();
  asset.mutable_placements(2)->mutable_error()->set_message("no\x1b[1A\r\nfake line");
  asset.mutable_placements(0)->set_provider("providers/\x1b]0;x\x07");
  for (const std::string& line : RenderLive(ModelOf(asset), {.now = kNow, .width = 100}, kAscii)) {
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
  }
}

TEST(HoldingsTest, ANewSnapshotReplacesTheOldOneWhenItIsComplete) {
  Holdings<AssetWatch> held;
  held.Apply(Reset<v1::AssetEvent>(v1::FRESH));
  held.Apply(Put(MakeAsset("assets/a", v1::Asset::ACTIVE)));
  EXPECT_THAT(held.shown(), SizeIs(1));  // The first snapshot is shown while it arrives.
  EXPECT_FALSE(held.complete());
  held.Apply(Bookmark<v1::AssetEvent>("t1", true));
  EXPECT_TRUE(held.complete());

  held.Apply(Reset<v1::AssetEvent>(v1::COMPACTED));
  held.Apply(Put(MakeAsset("assets/b", v1::Asset::ACTIVE)));
  EXPECT_TRUE(held.shown().contains("assets/a"));  // Still visible: no flicker.
  EXPECT_TRUE(held.newest().contains("assets/b"));
  held.Apply(Bookmark<v1::AssetEvent>("t2", true));
  EXPECT_FALSE(held.shown().contains("assets/a"));  // Replaced.
  EXPECT_TRUE(held.shown().contains("assets/b"));
}

TEST(HoldingsTest, DeletedResourcesAreRemoved) {
  Holdings<AssetWatch> held;
  held.Apply(Put(MakeAsset("assets/a", v1::Asset::ACTIVE)));
  v1::AssetEvent gone = Put(MakeAsset("assets/a", v1::Asset::ACTIVE));
  gone.set_type(v1::DELETE);
  held.Apply(gone);
  EXPECT_THAT(held.shown(), SizeIs(0));
}

TEST(RenderEventTest, AnEventIsOneLineWithEveryPlacement) {
  v1::Asset hero = Hero();
  *hero.mutable_update_time() = Ago(0);
  EXPECT_EQ(RenderEvent(Put(hero), kNow, kAscii),
            "2027-01-15T08:00:00Z  assets/hero  ACTIVE          -  zerozero=ACTIVE,kyy=SUBMITTING,"
            "octopusx=FAILED  waits for its turn at kyy, next try in 4s  PROVIDER_REJECTED: too "
            "large");
  EXPECT_EQ(RenderEvent(Put(Running()), kNow, kAscii),
            "2027-01-15T08:00:00Z  videoTasks/clip  RUNNING       50%  kyy  kyy is working on it "
            "(in_progress)");
}

// A script finds a column by its number.
TEST(RenderEventTest, EveryLineHasTheSameColumns) {
  v1::VideoTaskEvent gone = Put(MakeTask("videoTasks/a", v1::VideoTask::FAILED));
  gone.set_type(v1::DELETE);
  gone.set_delete_cause(v1::PURGED);
  struct Case {
    std::string line;
    std::vector<std::string> columns;
  };
  const std::string stamp = "2027-01-15T08:00:00Z";
  const Case cases[] = {
      {RenderEvent(Put(Running()), kNow, kAscii), {"videoTasks/clip", "RUNNING", "50%", "kyy"}},
      {RenderEvent(Put(MakeTask("videoTasks/a", v1::VideoTask::PENDING)), kNow, kAscii),
       {"videoTasks/a", "PENDING", "-", "-"}},
      {RenderEvent(gone, kNow, kAscii), {"videoTasks/a", "PURGED", "-", "-"}},
      {RenderEvent(Reset<v1::VideoTaskEvent>(v1::COMPACTED), kNow, kAscii),
       {"videoTasks", "RESET", "-", "-"}},
      {RenderEvent(Put(MakeAsset("assets/a", v1::Asset::REGISTERED)), kNow, kAscii),
       {"assets/a", "REGISTERED", "-", "-"}},
  };
  for (const Case& each : cases) {
    const std::vector<std::string> words = absl::StrSplit(each.line, ' ', absl::SkipEmpty());
    ASSERT_GE(words.size(), 5u) << each.line;
    EXPECT_EQ(words[0], stamp) << each.line;
    EXPECT_THAT(std::vector<std::string>(words.begin() + 1, words.begin() + 5),
                ElementsAreArray(each.columns))
        << each.line;
  }
}

TEST(RenderEventTest, BookmarksAndFreshStartsAreSilent) {
  EXPECT_EQ(RenderEvent(Bookmark<v1::AssetEvent>("t", true), kNow, kAscii), "");
  EXPECT_EQ(RenderEvent(Reset<v1::AssetEvent>(v1::FRESH), kNow, kAscii), "");
  EXPECT_THAT(RenderEvent(Reset<v1::VideoTaskEvent>(v1::COMPACTED), kNow, kAscii),
              HasSubstr("COMPACTED"));
  v1::AssetEvent gone = Put(MakeAsset("assets/a", v1::Asset::ACTIVE));
  gone.set_type(v1::DELETE);
  gone.set_delete_cause(v1::LEFT_FILTER);
  EXPECT_THAT(RenderEvent(gone, kNow, kAscii), HasSubstr("assets/a  LEFT_FILTER     -  -"));
}

TEST(RenderResultsTest, UrlsAreNotCut) {
  EXPECT_THAT(
      RenderResults(ModelOf(Running(), Succeeded("done", 25), Succeeded("longer", 9)), kAscii),
      ElementsAre("videoTasks/done    https://cdn.example.com/done.mp4",
                  "videoTasks/longer  https://cdn.example.com/longer.mp4"));
}

TEST(ProviderOfTest, IsTheLastOneThatHasNotRefused) {
  v1::VideoTask task;
  EXPECT_EQ(ProviderOf(task), "");
  auto* refused = task.add_attempts();
  refused->set_provider("providers/kyy");
  refused->set_state(v1::Attempt::NOT_ACCEPTED);
  EXPECT_EQ(ProviderOf(task), "");
  auto* running = task.add_attempts();
  running->set_provider("providers/zz");
  running->set_state(v1::Attempt::RUNNING);
  *task.add_attempts() = *refused;
  EXPECT_EQ(ProviderOf(task), "zz");
}

TEST(WhyWaitingTest, EveryReasonHasAText) {
  for (int reason = 1; reason <= v1::Waiting::Reason_MAX; ++reason) {
    v1::Waiting waiting;
    waiting.set_reason(static_cast<v1::Waiting::Reason>(reason));
    waiting.set_subject("providers/kyy");
    EXPECT_THAT(WhyWaiting(waiting, kNow), Not("")) << reason;
  }
}

TEST(WhyWaitingTest, ATimeThatHasPassedIsNotShown) {
  v1::Waiting waiting;
  waiting.set_reason(v1::Waiting::PROVIDER_RATE_LIMITED);
  waiting.set_message("kyy limits the rate");
  *waiting.mutable_next_try_time() = Ago(1);
  EXPECT_EQ(WhyWaiting(waiting, kNow), "kyy limits the rate");
}

}  // namespace
}  // namespace assetgate::cli
