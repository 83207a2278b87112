#include "config/catalog_of.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/testing/config_fixture.h"

namespace assetgate::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

using CatalogOfTest = ConfigTest;

TEST_F(CatalogOfTest, CatalogHoldsProvidersAndRoutesOfTheFile) {
  Config config = Good(R"(
providers:
  - {id: east, dialect: fake, credential: {api_key: {env: KEY}}, limits: {max_in_flight: 3}}
  - {id: west, dialect: fake, credential: {api_key: {env: KEY}}}
asset_providers: [west]
routes: [{model: m, targets: [{provider: west, model: small}], defaults: {seed: -1}}]
)");
  const model::CatalogPtr catalog = CatalogOf(config);
  ASSERT_THAT(catalog->providers(), SizeIs(2));
  EXPECT_EQ(catalog->FindProvider("east")->limits.max_in_flight, 3);
  EXPECT_EQ(catalog->FindProvider("west")->credential.id, "west");
  EXPECT_THAT(catalog->asset_providers(), ElementsAre("west"));
  ASSERT_THAT(catalog->routes(), SizeIs(1));
  const model::Target& target = catalog->routes()[0].targets.at(0);
  EXPECT_EQ(target.provider, catalog->FindProvider("west"));
  EXPECT_EQ(target.capabilities, target.provider->dialect->FindModel("small"));
  EXPECT_EQ(catalog->routes()[0].defaults.seed(), -1);
}

TEST_F(CatalogOfTest, TimeoutsOfTheFileReplaceThoseOfTheDialect) {
  using Operation = base::UpstreamOperation;
  const Config silent = GoodProvider("mode: SERVE");
  EXPECT_EQ(CatalogOf(silent)->FindProvider("fake")->TimeoutFor(Operation::kSubmitAsset),
            absl::Seconds(120))
      << "the dialect's";
  EXPECT_EQ(CatalogOf(silent)->FindProvider("fake")->TimeoutFor(Operation::kPollVideo),
            absl::Minutes(1));
  const Config general = GoodProvider("timeout: 5s");
  EXPECT_EQ(CatalogOf(general)->FindProvider("fake")->TimeoutFor(Operation::kSubmitAsset),
            absl::Seconds(5));
  const Config own = GoodProvider(
      "timeout: 5s\n  timeouts: {submit_group: 6s, submit_asset: 7s, submit_video: 8s, poll: 9s, "
      "delete: 10s}");
  const model::CatalogPtr catalog = CatalogOf(own);
  const model::ProviderEntry& entry = *catalog->FindProvider("fake");
  EXPECT_EQ(entry.TimeoutFor(Operation::kSubmitAssetGroup), absl::Seconds(6));
  EXPECT_EQ(entry.TimeoutFor(Operation::kSubmitAsset), absl::Seconds(7));
  EXPECT_EQ(entry.TimeoutFor(Operation::kSubmitVideo), absl::Seconds(8));
  EXPECT_EQ(entry.TimeoutFor(Operation::kPollAsset), absl::Seconds(9));
  EXPECT_EQ(entry.TimeoutFor(Operation::kDeleteAsset), absl::Seconds(10));
  EXPECT_EQ(entry.MaxSubmissionTimeout(), absl::Seconds(8));
  EXPECT_THAT(ProviderFaults("timeouts: {poll: 500ms}"),
              HasSubstr("providers[0].timeouts.poll: 500ms is not between 1s and 10m"));
}

}  // namespace
}  // namespace assetgate::config
