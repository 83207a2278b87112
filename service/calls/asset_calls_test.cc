#include "calls/asset_calls.h"

#include <cstddef>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "google/protobuf/struct.pb.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

// What gRPC's clients accept in one message by default.
constexpr std::size_t kMessageLimit = 4 << 20;

// Options of so many bytes, for a dialect that takes any.
google::protobuf::Struct Options(std::size_t bytes) {
  google::protobuf::Struct options;
  (*options.mutable_fields())["note"].set_string_value(std::string(bytes, 'x'));
  return options;
}

TEST(BatchCreateAssetsTest, BatchWhoseAnswerWouldNotFitCreatesNothing) {
  reconcile::Harness harness;
  v1::BatchCreateAssetsRequest request;
  for (int i = 0; i < 60; ++i) {
    v1::CreateAssetRequest item = reconcile::Harness::Asset(absl::StrCat("asset-", i), {});
    (*item.mutable_asset()->mutable_provider_options())["alpha"] = Options(60'000);
    *request.add_requests() = std::move(item);
  }
  const auto made = harness.Create(request);
  EXPECT_EQ(base::ReasonOf(made.status()), v1::INVALID_FIELD) << made.status();
  EXPECT_NE(made.status().ToString().find("requests"), std::string::npos);
  EXPECT_EQ(harness.gateway().ListAssets(Caller(), v1::ListAssetsRequest())->assets_size(), 0);
  request.mutable_requests()->DeleteSubrange(50, 10);
  const auto fewer = harness.Create(request);
  ASSERT_TRUE(fewer.get().ok()) << fewer.status();
  EXPECT_LT(fewer.get()->ByteSizeLong(), kMessageLimit);
}

}  // namespace
}  // namespace assetgate::calls
