#include "api/call_limit.h"

#include <utility>

#include "base/error.h"
#include "gtest/gtest.h"

namespace assetgate::api {
namespace {

TEST(CallLimitTest, RefusesWhatIsTooManyUntilOneHasEnded) {
  CallLimit limit(2);
  auto first = limit.Take();
  auto second = limit.Take();
  ASSERT_TRUE(first.ok() && second.ok());
  const absl::Status refused = limit.Take().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(base::ReasonOf(refused), v1::OVERLOADED);
  EXPECT_EQ(base::RetryDelayOf(base::ToRpcStatus(refused)), absl::Seconds(1));
  first->reset();
  EXPECT_TRUE(limit.Take().ok());
}

TEST(CallLimitTest, APlaceThatMovesIsStillOne) {
  CallLimit limit(1);
  auto taken = limit.Take();
  ASSERT_TRUE(taken.ok());
  CallLimit::Place place = *std::move(taken);
  EXPECT_FALSE(limit.Take().ok());
  place.reset();
  EXPECT_TRUE(limit.Take().ok());
  EXPECT_TRUE(limit.Take().ok()) << "the one before was given back at once";
}

}  // namespace
}  // namespace assetgate::api
