#include "base/error.h"

#include <string>

#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::base {
namespace {

using testing::HasSubstr;

TEST(SharedErrorsTest, EachIsUnavailableAndWorthATryInASecond) {
  for (const absl::Status& status :
       {absl::Status(Draining("try again")), absl::Status(StoreUnreadable()),
        absl::Status(StoreUnwritable())}) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
    EXPECT_EQ(RetryDelayOf(ToRpcStatus(status)), absl::Seconds(1)) << status;
    EXPECT_EQ(InfoOf(ToRpcStatus(status)).metadata().at("act"), "WAIT") << status;
  }
  EXPECT_EQ(ReasonOf(absl::Status(StoreUnreadable())), v1::STORE_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(absl::Status(StoreUnwritable())), v1::STORE_UNAVAILABLE);
}

TEST(SharedErrorsTest, DrainingTellsWhatToDo) {
  const absl::Status status = Draining("reconnect with the last resume token");
  EXPECT_EQ(ReasonOf(status), v1::DRAINING);
  EXPECT_THAT(std::string(status.message()), HasSubstr("reconnect with the last resume token"));
}

}  // namespace
}  // namespace assetgate::base
