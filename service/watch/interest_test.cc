#include "watch/interest.h"

#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace assetgate::watch {
namespace {

// A change, and its effect on a watch with and without a filter.
struct Case {
  const char* what;
  std::vector<std::string> before;
  std::vector<std::string> after;
  bool deleted;
  std::optional<Effect> filtered;    // with the filter `a AND (b OR c)`
  std::optional<Effect> unfiltered;  // without
};

TEST(InterestTest, EffectOfAChangeDependsOnTheFilterBeforeAndAfter) {
  const Case cases[] = {
      {"made, matching", {}, {"a", "b"}, false, Effect::kPut, Effect::kPut},
      {"made, not matching", {}, {"a"}, false, std::nullopt, Effect::kPut},
      {"enters", {"a"}, {"a", "c"}, false, Effect::kPut, Effect::kPut},
      {"stays", {"a", "b"}, {"a", "c"}, false, Effect::kPut, Effect::kPut},
      {"leaves", {"a", "b"}, {"a"}, false, Effect::kLeftFilter, Effect::kPut},
      {"stays outside", {"b"}, {"c"}, false, std::nullopt, Effect::kPut},
      {"deleted inside", {"a", "b"}, {}, true, Effect::kDeleted, Effect::kDeleted},
      {"deleted outside", {"a"}, {}, true, std::nullopt, Effect::kDeleted},
      {"loses all terms", {"a", "b"}, {}, false, Effect::kLeftFilter, Effect::kPut},
  };
  for (const Case& c : cases) {
    store::Change change;
    change.previous_terms = c.before;
    change.terms = c.after;
    change.deleted = c.deleted;
    EXPECT_EQ(EffectOf({{{"a"}, {"b", "c"}}}, change), c.filtered) << c.what;
    EXPECT_EQ(EffectOf({}, change), c.unfiltered) << c.what;
    EXPECT_EQ(EffectOf({{{}}}, change), std::nullopt) << c.what;
  }
}

TEST(InterestTest, FingerprintDependsOnTheMeaningNotTheOrder) {
  const Interest one = Interest::Normalized({"default",
                                             store::Kind::kAsset,
                                             {"b", "a", "b"},
                                             {{{"state:ACTIVE", "state:FAILED"}, {"x"}}}});
  const Interest same = Interest::Normalized(
      {"default", store::Kind::kAsset, {"a", "b"}, {{{"x"}, {"state:FAILED", "state:ACTIVE"}}}});
  EXPECT_EQ(one.Fingerprint(), same.Fingerprint());

  Interest other = same;
  other.tenant = "else";
  EXPECT_NE(other.Fingerprint(), same.Fingerprint());
  other = same;
  other.kind = store::Kind::kVideoTask;
  EXPECT_NE(other.Fingerprint(), same.Fingerprint());
  other = same;
  other.ids.pop_back();
  EXPECT_NE(other.Fingerprint(), same.Fingerprint());
  other = same;
  other.filter.clauses.pop_back();
  EXPECT_NE(other.Fingerprint(), same.Fingerprint());
  // The same words, in other clauses.
  other = same;
  other.filter.clauses = {{"x", "state:FAILED"}, {"state:ACTIVE"}};
  EXPECT_NE(other.Fingerprint(), same.Fingerprint());
}

TEST(InterestTest, FingerprintIsStableAcrossVersions) {
  const Interest interest =
      Interest::Normalized({"default", store::Kind::kAsset, {"a", "b"}, {{{"state:ACTIVE"}}}});
  EXPECT_EQ(interest.Fingerprint(), 0xa2bab3c85a74332dU);
}

}  // namespace
}  // namespace assetgate::watch
