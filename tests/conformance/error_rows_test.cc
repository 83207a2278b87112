// Every row of every dialect's error tables, as the provider would send it in answer to the
// submission of a video or an asset.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "provider/failure.h"
#include "tests/conformance/profile.h"
#include "tests/conformance/world.h"
#include "tests/simulator/json.h"

namespace assetgate::conformance {
namespace {

using provider::Outcome;

struct Row {
  std::string dialect;
  Profile::Error error;
};

std::vector<Row> Rows() {
  std::vector<Row> rows;
  for (const std::string& dialect : World::Dialects()) {
    for (const Profile::Error& error : ProfileOf(dialect).errors) rows.push_back({dialect, error});
  }
  return rows;
}

// For the name of a failed test.
void PrintTo(const Row& row, std::ostream* out) { *out << row.dialect << " " << row.error.name; }

class ErrorRows : public ::testing::TestWithParam<Row> {
 protected:
  void SetUp() override {
    world_.Heal();
    world_.Fail(row_.call,
                absl::StrCat(R"({"kind":"status","retry_after":0,"status":)", row_.status,
                             ",\"body\":", simulator::Json(row_.body).text(), "}"),
                1);
  }
  void TearDown() override { world_.Heal(); }

  void ExpectRefusal(const google::rpc::Status& error) const {
    const google::rpc::ErrorInfo info = base::InfoOf(error);
    if (row_.reason != v1::ERROR_REASON_UNSPECIFIED) {
      EXPECT_EQ(info.reason(), v1::ErrorReason_Name(row_.reason)) << error.ShortDebugString();
    }
    if (!row_.message.empty()) {
      EXPECT_THAT(info.metadata().at("provider_message"), ::testing::HasSubstr(row_.message));
    }
    if (row_.status >= 300) {
      EXPECT_EQ(info.metadata().at("http_status"), absl::StrCat(row_.status));
    }
  }

  const Profile::Error& row_ = GetParam().error;
  World& world_ = World::Of(GetParam().dialect);
  const Account account_ = world_.NewAccount();
};

TEST_P(ErrorRows, HaveTheirOutcome) {
  const auto calls_before = world_.Calls(row_.call);
  if (row_.call == "asset.create") {
    const Answer<v1::Asset> asset = world_.CreateAsset(account_, "face");
    if (row_.outcome == Outcome::kRefused) {
      ASSERT_FALSE(asset.ok()) << asset.value.ShortDebugString();
      ExpectRefusal(asset.error);
      EXPECT_EQ(world_.Calls(row_.call), calls_before + 1);
      return;
    }
    ASSERT_TRUE(asset.ok()) << asset.error.ShortDebugString();
    const v1::Asset settled = world_.AwaitAsset(
        asset.value.name(), [](const v1::Asset& seen) { return IsSettled(seen); });
    EXPECT_EQ(settled.state(), v1::Asset::ACTIVE);
    EXPECT_EQ(world_.Calls(row_.call), calls_before + 2);
    return;
  }
  const auto made_before = world_.Made().videos_made;
  const Answer<v1::VideoTask> task = world_.CreateVideoTask(account_, "a cat");
  if (row_.outcome == Outcome::kRefused) {
    ASSERT_FALSE(task.ok()) << task.value.ShortDebugString();
    ExpectRefusal(task.error);
    EXPECT_EQ(world_.Made().videos_made, made_before);
    return;
  }
  ASSERT_TRUE(task.ok()) << task.error.ShortDebugString();
  const v1::VideoTask settled = world_.AwaitTask(
      task.value.name(), [](const v1::VideoTask& seen) { return IsSettled(seen); });
  const bool confirmed = row_.outcome == Outcome::kNotAccepted || world_.HasIdempotencyKey();
  EXPECT_EQ(settled.state(), confirmed ? v1::VideoTask::SUCCEEDED : v1::VideoTask::UNCONFIRMED)
      << settled.ShortDebugString();
  EXPECT_EQ(world_.Made().videos_made, made_before + (confirmed ? 1 : 0));
}

INSTANTIATE_TEST_SUITE_P(Of, ErrorRows, ::testing::ValuesIn(Rows()), [](const auto& test) {
  return test.param.dialect + "_" + test.param.error.name;
});

}  // namespace
}  // namespace assetgate::conformance
