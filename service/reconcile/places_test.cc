// Places at the gates.
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;

// Whatever becomes of calls, their places are free afterwards: as many as allowed go out at once.
TEST(PlacesTest, EveryOutcomeFreesItsPlace) {
  Harness::Options options;
  options.limits = {1000, 3};
  options.alpha.can_delete = true;
  Harness harness(options);
  int turn = 0;
  harness.script = [&](const http::Request& request,
                       const http::SendOptions&) -> std::optional<http::Result> {
    switch (++turn % 7) {
      case 0:
        return http::Response{400, {}, ""};
      case 1:
        return TransportError{TransportError::Kind::kConnect, false, ""};
      case 2:
        return TransportError{TransportError::Kind::kTimeout, true, ""};
      case 3:
        return http::Response{401, {}, ""};
      default:
        return Ok(
            absl::StrCat("id=up-", turn, " state=", request.method == "GET" ? "done" : "running"));
    }
  };
  for (int i = 0; i < 12; ++i) {
    harness.Create(Harness::Asset(absl::StrCat("a-", i), {"alpha", "beta"}));
    harness.Create(VideoOf(absl::StrCat("v-", i), absl::StrCat("a-", i)));
    harness.Cancel(absl::StrCat("v-", i));
    harness.DeleteAsset(absl::StrCat("a-", i));
  }
  harness.Advance(absl::Hours(30));
  // Only what nobody can settle is left.
  const auto unfinished = *harness.store().ListUnfinished({.limit = 1000});
  for (const store::Row& row : unfinished) {
    EXPECT_EQ(model::VideoTaskFromRow(row).state(), v1::VideoTask::UNCONFIRMED) << row.key.id;
  }
  harness.script = nullptr;
  ASSERT_EQ(harness.http().pending(), 0u);
  for (int i = 0; i < 4; ++i) {
    harness.Create(Harness::Asset(absl::StrCat("z-", i), {"alpha", "beta"}));
  }
  EXPECT_EQ(harness.http().pending(), 6u);
}

}  // namespace
}  // namespace assetgate::reconcile
