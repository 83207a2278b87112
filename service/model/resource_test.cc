#include "model/resource.h"

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace assetgate::model {
namespace {

TEST(ResourceTest, NamesMustMatchTheirCollectionAndBeWellFormed) {
  EXPECT_EQ(ParseName(kAssets, "assets/hero-1"), "hero-1");
  for (const char* bad : {"", "assets", "assets/", "asset/hero", "assets/Hero", "assets/a b",
                          "assets/a/b", "assetsx/hero", "/assets/hero", "assets/h\xC3\xA9ro"}) {
    EXPECT_EQ(ParseName(kAssets, bad), std::nullopt) << bad;
  }
  EXPECT_TRUE(IsResourceId(std::string(63, 'a')));
  EXPECT_FALSE(IsResourceId(std::string(64, 'a')));
  EXPECT_EQ(ParseProvider("providers/kyy"), "kyy");
  EXPECT_EQ(ParseProvider("kyy"), "kyy");
  EXPECT_EQ(ParseProvider("models/kyy"), std::nullopt);
}

TEST(ResourceTest, NewIdsAreWellFormedDistinctAndOrderedByTime) {
  std::set<std::string> ids;
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  for (int i = 0; i < 1000; ++i) ids.insert(NewResourceId(now));
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_TRUE(std::all_of(ids.begin(), ids.end(), [](const auto& id) { return IsResourceId(id); }));
  EXPECT_LT(*ids.rbegin(), NewResourceId(now + absl::Milliseconds(1)));
}

TEST(ResourceTest, RowsKeepEverythingExceptTheRevision) {
  AssetEntity entity;
  entity.key = {kDefaultTenant, store::Kind::kAsset, "hero"};
  entity.resource.set_name("assets/hero");
  entity.resource.set_revision(99);
  entity.record.add_units()->set_handle("h");
  store::Row row;
  row.key = entity.key;
  row.revision = 7;
  row.content = ToContent(entity);
  AssetEntity back;
  FromRow(row, back);
  EXPECT_EQ(back.revision, 7);
  EXPECT_EQ(back.resource.revision(), 7);
  EXPECT_EQ(back.resource.name(), "assets/hero");
  EXPECT_EQ(back.record.units(0).handle(), "h");
}

TEST(ResourceTest, TaskIsSettledWhenOnlyAnOperatorCanAdvanceIt) {
  v1::VideoTask task;
  task.set_state(v1::VideoTask::UNCONFIRMED);
  EXPECT_FALSE(IsSettled(task));
  task.mutable_waiting()->set_reason(v1::Waiting::NEEDS_OPERATOR);
  EXPECT_TRUE(IsSettled(task));
  VideoEntity entity;
  entity.resource = task;
  EXPECT_TRUE(ToContent(entity).settled);
  EXPECT_TRUE(ToContent(entity).unfinished);
  EXPECT_TRUE(IsUnfinished(entity));
}

TEST(ResourceTest, GivenUpTaskIsUnfinishedWhileAResultCanStillArrive) {
  VideoEntity entity;
  entity.resource.set_state(v1::VideoTask::FAILED);
  EXPECT_FALSE(IsUnfinished(entity));
  entity.resource.add_attempts()->set_state(v1::Attempt::UNCONFIRMED);
  EXPECT_TRUE(IsUnfinished(entity));
  EXPECT_TRUE(ToContent(entity).unfinished);
  entity.resource.mutable_attempts(0)->set_state(v1::Attempt::SUCCEEDED);
  EXPECT_FALSE(IsUnfinished(entity));
  EXPECT_FALSE(ToContent(entity).unfinished);
}

// Random resources and filters over few values, so that they match about half of the time.
class TermsTest : public testing::Test {
 protected:
  int Pick(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  std::string Word(const char* prefix, int n) { return absl::StrCat(prefix, Pick(n)); }
  std::mt19937 random_{20240607};
};

template <typename Values, typename T>
bool In(const Values& values, const T& value) {
  return values.empty() || std::find(values.begin(), values.end(), value) != values.end();
}

bool HasLabels(const google::protobuf::Map<std::string, std::string>& labels,
               const google::protobuf::Map<std::string, std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    const auto it = labels.find(pair.first);
    return it != labels.end() && it->second == pair.second;
  });
}

TEST_F(TermsTest, CompiledFilterMatchesTheAssetsThatThePlainFilterMatches) {
  int matches = 0;
  for (int round = 0; round < 20'000; ++round) {
    AssetEntity entity;
    v1::Asset& asset = entity.resource;
    asset.set_state(static_cast<v1::Asset::State>(1 + Pick(4)));
    asset.set_media_type(static_cast<v1::MediaType>(1 + Pick(4)));
    if (Pick(2) == 0) asset.set_asset_group(Word("assetGroups/g", 2));
    for (int i = Pick(3); i > 0; --i) (*asset.mutable_labels())[Word("k", 2)] = Word("v=", 2);
    for (int i = Pick(3); i > 0; --i) {
      auto* placement = asset.add_placements();
      placement->set_provider(Word("providers/p", 3));
      if (Pick(2) == 0) placement->set_provider_asset_id(Word("up-", 3));
    }
    v1::AssetFilter filter;
    if (Pick(4) == 0) filter.add_states(static_cast<v1::Asset::State>(1 + Pick(4)));
    if (Pick(8) == 0) filter.add_states(static_cast<v1::Asset::State>(1 + Pick(4)));
    if (Pick(4) == 0) filter.add_media_types(static_cast<v1::MediaType>(1 + Pick(4)));
    if (Pick(4) == 0) filter.add_asset_groups(Word("assetGroups/g", 2));
    if (Pick(4) == 0) (*filter.mutable_labels())[Word("k", 2)] = Word("v=", 2);
    for (int i = Pick(4) == 0 ? 2 : 0; i > 0; --i) {
      filter.add_providers(Pick(2) == 0 ? Word("providers/p", 3) : Word("p", 3));
    }
    if (Pick(6) == 0) filter.add_provider_asset_ids(Word("up-", 3));

    bool provider = filter.providers().empty();
    bool upstream = filter.provider_asset_ids().empty();
    for (const auto& placement : asset.placements()) {
      for (const std::string& wanted : filter.providers()) {
        provider |= placement.provider() == MakeName(kProviders, *ParseProvider(wanted));
      }
      for (const std::string& wanted : filter.provider_asset_ids()) {
        upstream |= placement.provider_asset_id() == wanted;
      }
    }
    const bool expected = In(filter.states(), asset.state()) &&
                          In(filter.media_types(), asset.media_type()) &&
                          In(filter.asset_groups(), asset.asset_group()) &&
                          HasLabels(asset.labels(), filter.labels()) && provider && upstream;
    matches += expected;
    ASSERT_EQ(Compile(filter).Matches(ToContent(entity).terms), expected)
        << asset.DebugString() << filter.DebugString();
  }
  EXPECT_GT(matches, 2'000);
  EXPECT_LT(matches, 18'000);
}

TEST_F(TermsTest, CompiledFilterMatchesTheTasksThatThePlainFilterMatches) {
  int matches = 0;
  for (int round = 0; round < 20'000; ++round) {
    VideoEntity entity;
    v1::VideoTask& task = entity.resource;
    task.set_state(static_cast<v1::VideoTask::State>(1 + Pick(7)));
    task.set_model(Word("model-", 2));
    for (int i = Pick(3); i > 0; --i) (*task.mutable_labels())[Word("k", 2)] = Word("v", 2);
    for (int i = Pick(3); i > 0; --i) task.add_references()->set_asset(Word("assets/a", 3));
    for (int i = Pick(3); i > 0; --i) {
      auto* attempt = task.add_attempts();
      attempt->set_provider(Word("providers/p", 3));
      if (Pick(2) == 0) attempt->set_provider_task_id(Word("up-", 3));
    }
    v1::VideoTaskFilter filter;
    for (int i = Pick(2) * Pick(4); i > 0; --i) {
      filter.add_states(static_cast<v1::VideoTask::State>(1 + Pick(7)));
    }
    if (Pick(4) == 0) filter.add_models(Word("model-", 2));
    if (Pick(4) == 0) (*filter.mutable_labels())[Word("k", 2)] = Word("v", 2);
    if (Pick(4) == 0) filter.add_assets(Word("assets/a", 3));
    if (Pick(4) == 0) filter.add_providers(Word("p", 3));
    if (Pick(6) == 0) filter.add_provider_task_ids(Word("up-", 3));

    bool provider = filter.providers().empty();
    bool upstream = filter.provider_task_ids().empty();
    bool asset = filter.assets().empty();
    for (const auto& attempt : task.attempts()) {
      for (const std::string& wanted : filter.providers()) {
        provider |= attempt.provider() == MakeName(kProviders, wanted);
      }
      for (const std::string& wanted : filter.provider_task_ids()) {
        upstream |= attempt.provider_task_id() == wanted;
      }
    }
    for (const auto& reference : task.references()) {
      for (const std::string& wanted : filter.assets()) asset |= reference.asset() == wanted;
    }
    const bool expected = In(filter.states(), task.state()) && In(filter.models(), task.model()) &&
                          HasLabels(task.labels(), filter.labels()) && provider && upstream &&
                          asset;
    matches += expected;
    ASSERT_EQ(Compile(filter).Matches(ToContent(entity).terms), expected)
        << task.DebugString() << filter.DebugString();
  }
  EXPECT_GT(matches, 2'000);
  EXPECT_LT(matches, 18'000);
}

}  // namespace
}  // namespace assetgate::model
