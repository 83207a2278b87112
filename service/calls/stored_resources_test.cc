#include "calls/stored_resources.h"

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

// What gRPC's clients accept in one message by default.
constexpr std::size_t kMessageLimit = 4 << 20;

// Puts the asset into the store as an earlier release did.
void Store(reconcile::Harness& harness, const std::string& id, const v1::Asset& asset) {
  store::Content content;
  content.resource = asset.SerializeAsString();
  store::Transaction transaction;
  transaction.writes.push_back(
      {{std::string(model::kDefaultTenant), store::Kind::kAsset, id}, 0, std::move(content), {}});
  auto outcome = store::CommitResult::Outcome::kUnavailable;
  harness.store().Commit(std::move(transaction),
                         [&](const store::CommitResult& result) { outcome = result.outcome; });
  harness.Run();
  ASSERT_EQ(outcome, store::CommitResult::Outcome::kCommitted);
}

TEST(StoredResourcesTest, ResourceThatAnEarlierReleaseStoredTooLargeHidesNoOther) {
  reconcile::Harness harness;
  v1::Asset asset;
  asset.set_name("assets/plain");
  Store(harness, "plain", asset);
  asset.set_name("assets/unknown");
  asset.GetReflection()->MutableUnknownFields(&asset)->AddLengthDelimited(
      900, std::string(5 << 20, 'x'));
  Store(harness, "unknown", asset);
  asset.Clear();
  asset.set_name("assets/known");
  asset.set_display_name(std::string(5 << 20, 'x'));
  Store(harness, "known", asset);

  std::vector<std::string> names;
  v1::ListAssetsRequest request;
  do {
    const auto page = harness.gateway().ListAssets(Caller(), request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LT(page->ByteSizeLong(), kMessageLimit);
    for (const v1::Asset& each : page->assets()) names.push_back(each.name());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(names, (std::vector<std::string>{"assets/unknown", "assets/plain"}));
  harness.Run();
  EXPECT_EQ(harness.telemetry().unreadable.size(), 1u);
}

}  // namespace
}  // namespace assetgate::calls
