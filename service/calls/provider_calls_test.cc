#include "calls/provider_calls.h"

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

// A caller that may use these providers alone.
Caller LimitedTo(std::set<std::string> providers) {
  Caller caller;
  caller.providers = std::make_shared<const std::set<std::string>>(std::move(providers));
  return caller;
}

TEST(ModelsTest, CallerSeesOnlyTheTargetsThatItMayUse) {
  reconcile::Harness harness;
  const auto targets_of = [](const v1::Model& model) {
    std::vector<std::string> providers;
    for (const auto& target : model.targets()) providers.push_back(target.provider());
    return providers;
  };
  v1::GetModelRequest film;
  film.set_name("models/film");
  v1::GetModelRequest direct;
  direct.set_name("providers/alpha/models/video-1");
  struct Row {
    Caller caller;
    std::vector<std::string> targets;
    bool direct;
  };
  const std::vector<Row> rows = {
      {Caller(), {"providers/alpha", "providers/beta"}, true},
      {LimitedTo({"alpha"}), {"providers/alpha"}, true},
      {LimitedTo({"beta"}), {"providers/beta"}, false},
      {LimitedTo({"gamma"}), {}, false},
      {LimitedTo({}), {}, false},
  };
  for (std::size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(i);
    const Row& row = rows[i];
    const auto listed = harness.gateway().ListModels(row.caller, v1::ListModelsRequest());
    ASSERT_TRUE(listed.ok()) << listed.status();
    ASSERT_EQ(listed->models_size(), row.targets.empty() ? 0 : 1);
    const auto got = harness.gateway().GetModel(row.caller, film);
    ASSERT_EQ(got.ok(), !row.targets.empty()) << got.status();
    if (got.ok()) {
      EXPECT_EQ(targets_of(listed->models(0)), row.targets);
      EXPECT_EQ(targets_of(*got), row.targets);
    } else {
      EXPECT_EQ(base::ReasonOf(got.status()), v1::NOT_ALLOWED);
    }
    const auto named = harness.gateway().GetModel(row.caller, direct);
    EXPECT_EQ(named.ok(), row.direct) << named.status();
    if (!row.direct) {
      EXPECT_EQ(base::ReasonOf(named.status()), v1::NOT_ALLOWED);
    }
  }
}

TEST(ModelsTest, SuggestionsForAnUnknownModelNameOnlyProvidersThatTheCallerMayUse) {
  reconcile::Harness harness;
  for (const char* name : {"models/fil", "providers/beta/models/video-2"}) {
    v1::GetModelRequest request;
    request.set_name(name);
    const auto got = harness.gateway().GetModel(LimitedTo({"beta"}), request);
    EXPECT_EQ(base::ReasonOf(got.status()), v1::RESOURCE_NOT_FOUND);
    EXPECT_EQ(got.status().ToString().find("alpha"), std::string::npos) << got.status();
  }
}

}  // namespace
}  // namespace assetgate::calls
