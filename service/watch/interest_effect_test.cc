#include <optional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "watch/interest.h"

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

TEST(InterestTest, EffectOfAChange) {
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

}  // namespace
}  // namespace assetgate::watch
