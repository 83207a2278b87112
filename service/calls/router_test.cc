#include "calls/router.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Draws these numbers, over and over.
Router::Random Draws(std::vector<double> numbers) {
  return [numbers = std::move(numbers), next = std::size_t{0}]() mutable {
    return numbers[next++ % numbers.size()];
  };
}

// Uniform in (0, 1], the same in every run.
Router::Random Seeded() {
  return [random = std::mt19937_64(7)]() mutable {
    return 1.0 - std::generate_canonical<double, 53>(random);
  };
}

class RouterTest : public testing::Test {
 protected:
  struct Weighted {
    std::string provider;
    int priority = 0;
    int weight = 1;
  };
  const model::ProviderEntry* ProviderOf(const std::string& id) {
    std::unique_ptr<model::ProviderEntry>& entry = providers_[id];
    if (entry == nullptr) {
      entry = std::make_unique<model::ProviderEntry>();
      entry->id = id;
    }
    return entry.get();
  }
  std::vector<model::Target> Targets(const std::vector<Weighted>& weighted) {
    std::vector<model::Target> targets;
    targets.reserve(weighted.size());
    for (const Weighted& each : weighted) {
      targets.push_back({ProviderOf(each.provider), "video-1", each.priority, each.weight, &can_});
    }
    return targets;
  }
  std::vector<std::string> Ordered(const Router& router, const std::vector<Weighted>& weighted) {
    std::vector<model::Target> targets = Targets(weighted);
    router.Order(targets);
    std::vector<std::string> names;
    names.reserve(targets.size());
    for (const model::Target& target : targets) names.push_back(target.provider->id);
    return names;
  }
  // How often each provider comes first, of so many draws.
  std::map<std::string, int> Shares(const std::vector<Weighted>& weighted, int draws) {
    const Router router(Seeded());
    std::map<std::string, int> shares;
    for (int i = 0; i < draws; ++i) ++shares[Ordered(router, weighted).front()];
    return shares;
  }

  v1::Capabilities can_;
  std::map<std::string, std::unique_ptr<model::ProviderEntry>> providers_;
};

TEST_F(RouterTest, LowestPriorityNumberIsTriedFirstWhateverTheDraw) {
  const Router router(Seeded());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_THAT(Ordered(router, {{"c", 7, 1000}, {"b", 1, 1}, {"a", 0, 1}}),
                ElementsAre("a", "b", "c"));
  }
}

TEST_F(RouterTest, DrawDecidesWithinAPriorityOnly) {
  // The larger number is the earlier place.
  EXPECT_THAT(Ordered(Router(Draws({0.1, 0.9})), {{"a", 0}, {"b", 0}}), ElementsAre("b", "a"));
  EXPECT_THAT(Ordered(Router(Draws({0.9, 0.1})), {{"a", 0}, {"b", 0}}), ElementsAre("a", "b"));
  EXPECT_THAT(
      Ordered(Router(Draws({0.1, 0.9, 0.1, 0.9})), {{"a", 0}, {"b", 0}, {"c", 1}, {"d", 1}}),
      ElementsAre("b", "a", "d", "c"));
}

TEST_F(RouterTest, TargetsComeFirstInTheShareOfTheirWeights) {
  constexpr int kDraws = 20'000;
  const auto shares = Shares({{"a", 0, 1}, {"b", 0, 3}, {"c", 0, 6}}, kDraws);
  // The standard deviation is below 0.4 %.
  EXPECT_NEAR(shares.at("a"), 0.1 * kDraws, 0.015 * kDraws);
  EXPECT_NEAR(shares.at("b"), 0.3 * kDraws, 0.015 * kDraws);
  EXPECT_NEAR(shares.at("c"), 0.6 * kDraws, 0.015 * kDraws);
}

TEST_F(RouterTest, TargetsBehindTheFirstAreInTheShareOfTheirWeightsToo) {
  constexpr int kDraws = 20'000;
  const Router router(Seeded());
  std::map<std::string, int> second;
  int draws = 0;
  while (draws < kDraws) {
    const auto order = Ordered(router, {{"a", 0, 1}, {"b", 0, 3}, {"c", 0, 6}});
    if (order[0] != "c") continue;
    ++draws;
    ++second[order[1]];
  }
  EXPECT_NEAR(second["a"], 0.25 * kDraws, 0.02 * kDraws);
  EXPECT_NEAR(second["b"], 0.75 * kDraws, 0.02 * kDraws);
}

TEST_F(RouterTest, EqualWeightsShareEqually) {
  constexpr int kDraws = 10'000;
  const auto shares = Shares({{"a", 0, 1}, {"b", 0, 1}}, kDraws);
  EXPECT_NEAR(shares.at("a"), 0.5 * kDraws, 0.025 * kDraws);
}

TEST_F(RouterTest, TargetOfWeightZeroIsTriedLastOfItsPriority) {
  const Router router(Seeded());
  for (int i = 0; i < 1000; ++i) {
    EXPECT_THAT(Ordered(router, {{"spare", 0, 0}, {"a", 0, 1}, {"next", 1, 1}}),
                ElementsAre("a", "spare", "next"));
  }
  // The smallest number that can be drawn.
  EXPECT_THAT(Ordered(Router(Draws({5e-324})), {{"spare", 0, 0}, {"a", 0, 1}}),
              ElementsAre("a", "spare"));
}

TEST_F(RouterTest, TargetsOfWeightZeroAloneKeepTheOrderOfTheConfig) {
  const Router router(Seeded());
  for (int i = 0; i < 100; ++i) {
    EXPECT_THAT(Ordered(router, {{"b", 0, 0}, {"a", 0, 0}}), ElementsAre("b", "a"));
  }
}

TEST_F(RouterTest, EqualDrawsKeepTheOrderOfTheConfig) {
  EXPECT_THAT(Ordered(Router(Draws({1.0})), {{"b", 0}, {"a", 0, 100}}), ElementsAre("b", "a"));
}

TEST_F(RouterTest, OneTargetOrNoneNeedsNoOrder) {
  EXPECT_THAT(Ordered(Router(), {{"a", 0}}), ElementsAre("a"));
  EXPECT_THAT(Ordered(Router(), {}), IsEmpty());
}

TEST_F(RouterTest, UniformDrawIsAboveZeroAndAtMostOne) {
  for (int i = 0; i < 10'000; ++i) {
    const double drawn = Router::DrawUniform();
    ASSERT_GT(drawn, 0.0);
    ASSERT_LE(drawn, 1.0);
  }
}

// What a caller gets of a model with the targets a, b and c.
class RouteTest : public RouterTest {
 protected:
  RouteTest() {
    can_.add_modes(v1::Capabilities::TEXT);
    model_.id = "film";
    model_.targets = Targets({{"c", 1}, {"a", 0}, {"b", 0}});
  }
  absl::StatusOr<Eligibility> Route(const Caller& caller, std::vector<std::string> providers = {}) {
    return Router().Route(caller, {model_, task_, task_, {}, providers}, faults_);
  }
  static std::vector<std::string> NamesOf(const std::vector<model::Target>& targets) {
    std::vector<std::string> names;
    names.reserve(targets.size());
    for (const model::Target& target : targets) names.push_back(target.provider->id);
    return names;
  }

  model::ModelEntry model_;
  v1::VideoTask task_;
  base::Faults faults_;
};

TEST_F(RouteTest, TargetsComeByPriorityAndThenInTheOrderOfTheConfig) {
  const auto found = Route(Caller());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(NamesOf(found->targets), ElementsAre("a", "b", "c"));
}

TEST_F(RouteTest, TargetsThatTheRequestDoesNotNameArePassedOver) {
  const auto found = Route(Caller(), {"b"});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(NamesOf(found->targets), ElementsAre("b"));
  EXPECT_EQ(found->passed.size(), 2u);
}

TEST_F(RouteTest, RequestThatNamesNoProviderOfTheModelIsRefused) {
  const auto found = Route(Caller(), {"d"});
  EXPECT_EQ(base::ReasonOf(found.status()), v1::INVALID_FIELD);
  EXPECT_NE(found.status().ToString().find("\"film\""), std::string::npos) << found.status();
}

TEST_F(RouteTest, CallerThatMayUseNoTargetIsNotAllowed) {
  Caller caller;
  caller.providers = std::make_shared<const std::set<std::string>>(std::set<std::string>{"d"});
  EXPECT_EQ(base::ReasonOf(Route(caller).status()), v1::NOT_ALLOWED);
  caller.providers = std::make_shared<const std::set<std::string>>(std::set<std::string>{"c"});
  const auto found = Route(caller);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(NamesOf(found->targets), ElementsAre("c"));
  EXPECT_THAT(found->passed, IsEmpty());
}

TEST_F(RouteTest, FaultsFoundBeforeAreReportedTogetherWithItsOwn) {
  faults_.Add("video_task.references[0].asset", "is VIDEO; a frame has to be IMAGE");
  const auto found = Route(Caller(), {"d"});
  const std::string text = found.status().ToString();
  EXPECT_NE(text.find("references[0]"), std::string::npos) << text;
  EXPECT_NE(text.find("providers"), std::string::npos) << text;
}

// The order that is drawn for a task, as it is stored.
std::vector<std::string> StoredOrder(reconcile::Harness& harness) {
  std::vector<std::string> providers;
  const auto stored = harness.StoredVideo("fox");
  if (!stored.has_value()) return providers;
  for (const auto& target : stored->record.targets()) providers.push_back(target.provider());
  return providers;
}

// Alpha and beta have one priority; the draw is turned over while the gateway runs.
class StickyOrderTest : public testing::Test {
 protected:
  StickyOrderTest() {
    request_.set_request_id("r-1");
    request_.mutable_max_wait()->set_seconds(0);
  }
  static reconcile::Harness::Options Options(double* alpha, double* beta) {
    reconcile::Harness::Options options;
    options.one_priority = true;
    options.random = [alpha, beta, turn = false]() mutable {
      turn = !turn;
      return turn ? *alpha : *beta;
    };
    return options;
  }

  double alpha_ = 0.1;
  double beta_ = 0.9;
  reconcile::Harness harness_{Options(&alpha_, &beta_)};
  v1::CreateVideoTaskRequest request_ = reconcile::Harness::Video("fox");
};

TEST_F(StickyOrderTest, RepeatedRequestKeepsTheOrderThatWasDrawnFirst) {
  const auto created = harness_.Create(request_);
  ASSERT_TRUE(created.status().ok()) << created.status();
  EXPECT_THAT(StoredOrder(harness_), ElementsAre("beta", "alpha"));
  std::swap(alpha_, beta_);
  const auto repeated = harness_.Create(request_);
  ASSERT_TRUE(repeated.status().ok()) << repeated.status();
  EXPECT_EQ(repeated->name(), created->name());
  EXPECT_THAT(StoredOrder(harness_), ElementsAre("beta", "alpha"));
  EXPECT_EQ(harness_.http().sent(), 1u);
  // Another request draws again.
  request_.set_request_id("r-2");
  request_.set_video_task_id("wolf");
  harness_.Create(request_);
  EXPECT_EQ(harness_.StoredVideo("wolf")->record.targets(0).provider(), "alpha");
}

TEST_F(StickyOrderTest, RetriesAndRestartsKeepTheOrderThatWasDrawnFirst) {
  harness_.Create(request_);
  EXPECT_EQ(harness_.Take().options.base_url, "https://beta.example");
  std::swap(alpha_, beta_);
  harness_.Restart();
  EXPECT_THAT(StoredOrder(harness_), ElementsAre("beta", "alpha"));
}

}  // namespace
}  // namespace assetgate::calls
