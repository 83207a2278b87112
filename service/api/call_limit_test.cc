#include "api/call_limit.h"

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "gtest/gtest.h"

namespace assetgate::api {
namespace {

using Place = CallLimit::Place;
using Sort = CallLimit::Sort;

constexpr CallLimit::Limits kSmall = {
    .calls = 3, .calls_per_caller = 2, .unsent = 100, .unsent_per_caller = 60};

void ExpectRefused(const absl::Status& status, v1::ErrorReason reason) {
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(base::ReasonOf(status), reason) << status;
  EXPECT_EQ(base::RetryDelayOf(base::ToRpcStatus(status)), absl::Seconds(1));
}

TEST(CallLimitTest, CallBeyondALimitIsRefused) {
  struct Held {
    std::string caller;
    Sort sort;
  };
  const std::vector<Held> two_of_a = {{"a", Sort::kOther}, {"a", Sort::kOther}};
  const std::vector<Held> three = {{"a", Sort::kOther}, {"a", Sort::kOther}, {"b", Sort::kOther}};
  struct Case {
    std::string name;
    std::vector<Held> held;
    Held next;
    // Absent: it gets a place.
    std::optional<v1::ErrorReason> refusal;
  };
  const std::vector<Case> cases = {
      {"nothing is under way", {}, {"a", Sort::kOther}, std::nullopt},
      {"its share is used up", two_of_a, {"a", Sort::kOther}, v1::CALLER_LIMIT},
      {"another caller's share is not", two_of_a, {"b", Sort::kOther}, std::nullopt},
      {"reads do not wait behind its own creates", two_of_a, {"a", Sort::kRead}, std::nullopt},
      {"all places are taken", three, {"c", Sort::kOther}, v1::OVERLOADED},
      {"reads do not wait behind anybody's creates", three, {"c", Sort::kRead}, std::nullopt},
      {"nobody is authenticated: all places are one's",
       {{"", Sort::kRead}, {"", Sort::kRead}},
       {"", Sort::kRead},
       std::nullopt},
      {"nobody is authenticated, and all places are taken",
       {{"", Sort::kRead}, {"", Sort::kRead}, {"", Sort::kRead}},
       {"", Sort::kRead},
       v1::OVERLOADED},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    CallLimit limit(kSmall);
    std::vector<Place> places;
    for (const Held& held : c.held) {
      auto place = limit.Take(held.caller, held.sort);
      ASSERT_TRUE(place.ok()) << place.status();
      places.push_back(*std::move(place));
    }
    const auto next = limit.Take(c.next.caller, c.next.sort);
    if (c.refusal.has_value()) {
      ExpectRefused(next.status(), *c.refusal);
      places.pop_back();
      EXPECT_TRUE(limit.Take(c.next.caller, c.next.sort).ok()) << "one was given back";
    } else {
      EXPECT_TRUE(next.ok()) << next.status();
    }
  }
}

TEST(CallLimitTest, PlaceThatIsMovedCountsOnce) {
  CallLimit limit({.calls = 1, .calls_per_caller = 1});
  auto taken = limit.Take("a", Sort::kRead);
  ASSERT_TRUE(taken.ok());
  {
    Place place;
    place = *std::move(taken);
    EXPECT_FALSE(limit.Take("a", Sort::kRead).ok());
  }
  auto again = limit.Take("a", Sort::kRead);
  EXPECT_TRUE(again.ok());
  EXPECT_FALSE(limit.Take("a", Sort::kRead).ok()) << "the first was given back twice";
}

TEST(CallLimitTest, UnreadAnswersHoldUpFurtherCalls) {
  CallLimit limit(kSmall);
  auto unread = limit.Take("a", Sort::kRead);
  ASSERT_TRUE(unread.ok());
  unread->Hold(59);
  auto last = limit.Take("a", Sort::kRead);
  ASSERT_TRUE(last.ok()) << "there is room for one more, however large it is";
  last->Hold(1000);
  for (const Sort sort : {Sort::kRead, Sort::kOther}) {
    ExpectRefused(limit.Take("a", sort).status(), v1::CALLER_LIMIT);
    ExpectRefused(limit.Take("b", sort).status(), v1::OVERLOADED);
  }
  *last = Place();
  EXPECT_TRUE(limit.Take("a", Sort::kRead).ok()) << "that one was read";
  EXPECT_TRUE(limit.Take("b", Sort::kRead).ok());
}

TEST(CallLimitTest, UnreadAnswersOfOneCallerHoldUpNoOther) {
  CallLimit limit(kSmall);
  auto unread = limit.Take("a", Sort::kRead);
  ASSERT_TRUE(unread.ok());
  unread->Hold(60);
  ExpectRefused(limit.Take("a", Sort::kRead).status(), v1::CALLER_LIMIT);
  EXPECT_TRUE(limit.Take("b", Sort::kRead).ok());
}

}  // namespace
}  // namespace assetgate::api
