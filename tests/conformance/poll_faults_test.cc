// A fault of a poll is never a failure of the asset or video. The resource shows why it does not
// advance, and ends as the provider ends it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "tests/conformance/world.h"

namespace assetgate::conformance {
namespace {

using ::testing::AnyOf;

struct Fault {
  std::string name;
  std::string json;
  // The reason that the resource shows while the fault lasts; unset where it shows none.
  v1::Waiting::Reason waiting = v1::Waiting::REASON_UNSPECIFIED;
  bool needs_impatience = false;

  bool is_shown() const { return waiting != v1::Waiting::REASON_UNSPECIFIED; }
  // How many calls fail. A fault that the resource must show lasts until the test has seen it.
  int times() const { return is_shown() ? 0 : 3; }
};

// For the name of a failed test.
void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

std::string Status(int status) {
  return absl::StrCat(R"({"kind":"status","retry_after":0,"status":)", status, "}");
}

const std::vector<Fault>& Faults() {
  constexpr v1::Waiting::Reason kUnavailable = v1::Waiting::PROVIDER_UNAVAILABLE;
  static const auto* const faults = new std::vector<Fault>{
      {"Status401", Status(401), v1::Waiting::PROVIDER_CREDENTIALS_REJECTED},
      {"Status402", Status(402), v1::Waiting::PROVIDER_OUT_OF_CREDIT},
      {"Status403", Status(403), v1::Waiting::PROVIDER_CREDENTIALS_REJECTED},
      {"Status400", Status(400)},
      {"Status409", Status(409)},
      {"Status413", Status(413)},
      {"Status422", Status(422)},
      {"Status429", Status(429), v1::Waiting::PROVIDER_RATE_LIMITED},
      {"Status500", Status(500), kUnavailable},
      {"Status502", Status(502), kUnavailable},
      {"Status503", Status(503), kUnavailable},
      {"Status504", Status(504), kUnavailable},
      {"BusinessFailure", R"({"kind":"business_failure","message":"no muse"})"},
      {"UnknownStateWord", R"({"kind":"state","state":"Reticulating"})"},
      {"Garbage", R"({"kind":"garbage"})", kUnavailable},
      {"Truncated", R"({"kind":"truncate"})", kUnavailable},
      {"Reset", R"({"kind":"reset"})", kUnavailable},
      {"Close", R"({"kind":"close"})", kUnavailable},
      {"Hang", R"({"kind":"hang","duration":"5s"})", kUnavailable, true},
      {"Drip", R"({"kind":"drip","bytes":16,"duration":"1ms"})"},
      {"ContentType", R"({"kind":"content_type","content_type":"text/html"})"},
      {"Huge", R"({"kind":"huge","bytes":9000000})", kUnavailable},
      {"ManyHeaders", R"({"kind":"headers","count":100,"bytes":100})"},
  };
  return *faults;
}

class PollFaults : public ::testing::TestWithParam<std::tuple<std::string, Fault>> {
 protected:
  void TearDown() override { world_.Heal(); }

  const std::string dialect_ = std::get<0>(GetParam());
  const Fault fault_ = std::get<1>(GetParam());
  World& world_ = World::Of(dialect_);
  const Account account_ = world_.NewAccount(fault_.needs_impatience ? World::Patience::kShort
                                                                     : World::Patience::kNormal);
};

TEST_P(PollFaults, DoNotFailAVideo) {
  const auto made_before = world_.Made().videos_made;
  world_.Fail("video.get", fault_.json, fault_.times());
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account_, "a cat at sea");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const auto no_verdict = [](const v1::VideoTask& seen) {
    return seen.state() != v1::VideoTask::FAILED && seen.state() != v1::VideoTask::UNCONFIRMED &&
           seen.state() != v1::VideoTask::CANCELLED;
  };
  if (fault_.is_shown()) {
    const v1::VideoTask told = world_.AwaitTask(
        task.value.name(),
        [&](const v1::VideoTask& seen) { return seen.waiting().reason() == fault_.waiting; },
        no_verdict);
    ASSERT_EQ(told.waiting().reason(), fault_.waiting)
        << "the resource did not show why it does not advance";
    world_.Heal();
  }
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); }, no_verdict);
  EXPECT_EQ(settled.state(), v1::VideoTask::SUCCEEDED) << settled.ShortDebugString();
  EXPECT_FALSE(settled.has_waiting());
  EXPECT_FALSE(settled.has_error());
  EXPECT_NE(settled.video().uri(), "");
  EXPECT_EQ(settled.attempts_size(), 1);
  EXPECT_EQ(world_.Made().videos_made, made_before + 1);
}

TEST_P(PollFaults, DoNotFailAnAsset) {
  world_.Fail("asset.get", fault_.json, fault_.times());
  const Answer<v1::Asset> asset = world_.CreateAsset(account_, fault_.name);
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  const auto no_verdict = [](const v1::Asset& seen) { return seen.state() != v1::Asset::FAILED; };
  if (fault_.is_shown()) {
    const v1::Asset told = world_.AwaitAsset(
        asset.value.name(),
        [&](const v1::Asset& seen) {
          return seen.placements(0).waiting().reason() == fault_.waiting;
        },
        no_verdict);
    ASSERT_EQ(told.placements(0).waiting().reason(), fault_.waiting)
        << "the resource did not show why it does not advance";
    world_.Heal();
  }
  const v1::Asset settled = world_.AwaitAsset(
      asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); }, no_verdict);
  EXPECT_EQ(settled.state(), v1::Asset::ACTIVE) << settled.ShortDebugString();
  EXPECT_EQ(settled.placements_size(), 1);
  EXPECT_FALSE(settled.placements(0).has_waiting());
}

INSTANTIATE_TEST_SUITE_P(Every, PollFaults,
                         ::testing::Combine(::testing::ValuesIn(World::Dialects()),
                                            ::testing::ValuesIn(Faults())),
                         [](const auto& test) {
                           return std::get<0>(test.param) + "_" + std::get<1>(test.param).name;
                         });

class Poll : public ::testing::TestWithParam<std::string> {
 protected:
  void TearDown() override { world_.Heal(); }
  // Providers report an unknown unit in different ways, some with a 400 or inside a 200: the tests
  // make the simulated provider forget a unit.
  World& world_ = World::Of(GetParam());
};

TEST_P(Poll, WithAnUnknownStateKeepsTheWord) {
  const Account account = world_.NewAccount();
  world_.Fail("video.get", R"({"kind":"state","state":"Reticulating"})", 0);
  world_.Fail("asset.get", R"({"kind":"state","state":"Reticulating"})", 0);
  // [stuck]: a relay's inner state would otherwise end the task.
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, "a [stuck] cat");
  const Answer<v1::Asset> asset = world_.CreateAsset(account, "face");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  const v1::VideoTask seen_task =
      world_.AwaitTask(task.value.name(), [](const v1::VideoTask& seen) {
        return seen.attempts(0).provider_state() == "Reticulating";
      });
  EXPECT_THAT(seen_task.state(), AnyOf(v1::VideoTask::QUEUED, v1::VideoTask::RUNNING));
  const v1::Asset seen_asset = world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) {
    return seen.placements(0).provider_state() == "Reticulating";
  });
  EXPECT_EQ(seen_asset.state(), v1::Asset::PROCESSING);
  world_.Heal();
  const absl::Status released = world_.simulator()
                                    .FindProvider(GetParam())
                                    ->library.Force(simulator::Library::Kind::kVideo,
                                                    task.value.attempts(0).provider_task_id(),
                                                    "succeed", "", world_.simulator().Now());
  ASSERT_TRUE(released.ok()) << released;
  EXPECT_EQ(
      world_.AwaitTask(task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); })
          .state(),
      v1::VideoTask::SUCCEEDED);
  EXPECT_EQ(
      world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); })
          .state(),
      v1::Asset::ACTIVE);
}

TEST_P(Poll, ThatFindsNothingForLongFailsTheVideoWithUnknownBilling) {
  const Account account = world_.NewAccount();
  simulator::Library& library = world_.simulator().FindProvider(GetParam())->library;
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account, "a [stuck] cat");
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  ASSERT_NE(task.value.attempts(0).provider_task_id(), "");
  const absl::Status forgotten =
      library.Force(simulator::Library::Kind::kVideo, task.value.attempts(0).provider_task_id(),
                    "forget", "", world_.simulator().Now());
  ASSERT_TRUE(forgotten.ok()) << forgotten;
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  EXPECT_EQ(settled.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(settled.error()), v1::PROVIDER_FORGOT);
  EXPECT_EQ(settled.attempts(0).billing(), v1::Attempt::UNKNOWN);
}

TEST_P(Poll, ThatFindsNothingForLongPlacesTheAssetAgainOnce) {
  const Account account = world_.NewAccount();
  simulator::Library& library = world_.simulator().FindProvider(GetParam())->library;
  const Answer<v1::Asset> asset = world_.CreateAsset(account, "stuck");
  ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
  ASSERT_NE(asset.value.placements(0).provider_asset_id(), "");
  const absl::Status forgotten =
      library.Force(simulator::Library::Kind::kAsset, asset.value.placements(0).provider_asset_id(),
                    "forget", "", world_.simulator().Now());
  ASSERT_TRUE(forgotten.ok()) << forgotten;
  const v1::Asset anew = world_.AwaitAsset(asset.value.name(), [](const v1::Asset& seen) {
    return seen.placements_size() == 2 && seen.placements(1).provider_asset_id() != "";
  });
  EXPECT_EQ(anew.placements(0).state(), v1::Placement::LOST);
  EXPECT_EQ(base::ReasonOf(anew.placements(0).error()), v1::PROVIDER_FORGOT);
  EXPECT_EQ(anew.state(), v1::Asset::PROCESSING);
  EXPECT_NE(anew.placements(1).provider_asset_id(), anew.placements(0).provider_asset_id());
}

INSTANTIATE_TEST_SUITE_P(Every, Poll, ::testing::ValuesIn(World::Dialects()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace assetgate::conformance
