// What goes along with the calls to providers while a caller waits, and what is counted for them.
#include "upstream/waited_call.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/trace_context.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::calls {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kTrace[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-";

std::vector<std::string> HeadersOf(const http::Request& request, absl::string_view name) {
  std::vector<std::string> values;
  for (const http::Header& header : request.headers) {
    if (header.name == name) values.push_back(header.value);
  }
  return values;
}

class WaitedCallTest : public ::testing::Test {
 protected:
  // A call whose caller waits. As long as `keeper` is there: the reply has it.
  static calls::Caller Waiting(std::shared_ptr<upstream::WaitedCall> keeper) {
    calls::Caller caller;
    caller.waited = std::move(keeper);
    return caller;
  }
  static std::shared_ptr<upstream::WaitedCall> InTrace() {
    auto call = std::make_shared<upstream::WaitedCall>();
    call->trace = base::ParseTraceContext("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
                                          "vendor=1");
    return call;
  }
  // Keeps how the call was when it was answered.
  template <typename T>
  reconcile::Reply<T> Answered(std::shared_ptr<upstream::WaitedCall> call) {
    return [this, call = std::move(call)](absl::StatusOr<T> answer) {
      EXPECT_TRUE(answer.ok()) << answer.status();
      answered_ = *call;
    };
  }
  void Create(reconcile::Harness& harness, const std::shared_ptr<upstream::WaitedCall>& call) {
    harness.gateway().CreateVideoTask(Waiting(call), reconcile::Harness::Video("fox"),
                                      Answered<v1::VideoTask>(call));
    harness.Run();
  }

  std::optional<upstream::WaitedCall> answered_;
};

TEST_F(WaitedCallTest, EachSubmissionIsASpanOfTheCallersTrace) {
  reconcile::Harness harness;
  Create(harness, InTrace());
  auto first = harness.Take();
  const std::vector<std::string> one = HeadersOf(first.request, "traceparent");
  std::move(first).Answer(http::Response{429, {}, ""});
  harness.Run();
  auto second = harness.Take();
  const std::vector<std::string> other = HeadersOf(second.request, "traceparent");
  EXPECT_THAT(one, ElementsAre(testing::MatchesRegex(std::string(kTrace) + "[0-9a-f]{16}-00")));
  EXPECT_THAT(other, ElementsAre(testing::MatchesRegex(std::string(kTrace) + "[0-9a-f]{16}-00")));
  EXPECT_NE(one, other);
  EXPECT_THAT(one, Not(Contains(HasSubstr("00f067aa0ba902b7")))) << "the span is ours";
  EXPECT_THAT(HeadersOf(second.request, "tracestate"), ElementsAre("vendor=1"));
  EXPECT_FALSE(answered_.has_value());
  std::move(second).Answer(http::Response{200, {}, "id=up-1 state=running"});
  harness.Run();
  ASSERT_TRUE(answered_.has_value());
  EXPECT_EQ(answered_->upstream_calls, 2);
  EXPECT_THAT(answered_->providers, ElementsAre("alpha", "beta"));
}

TEST_F(WaitedCallTest, NobodyWaitsForPolls) {
  reconcile::Harness harness;
  Create(harness, InTrace());
  harness.AnswerNext(200, "id=up-1 state=running");
  harness.Advance(absl::Seconds(2));
  const auto poll = harness.Take();
  EXPECT_EQ(poll.request.path, "/videos/up-1");
  EXPECT_THAT(HeadersOf(poll.request, "traceparent"), IsEmpty());
  EXPECT_THAT(HeadersOf(poll.request, "tracestate"), IsEmpty());
  ASSERT_TRUE(answered_.has_value());
  EXPECT_EQ(answered_->upstream_calls, 1);
}

TEST_F(WaitedCallTest, TheTraceIsNotStoredAndNotRepeatedAfterARestart) {
  reconcile::Harness::Options options;
  options.alpha.idempotency_window = absl::Hours(24);
  reconcile::Harness harness(options);
  Create(harness, InTrace());
  EXPECT_THAT(HeadersOf(harness.Take().request, "traceparent"), ElementsAre(StartsWith(kTrace)));
  EXPECT_THAT(harness.StoredVideo("fox")->record.SerializeAsString(),
              Not(HasSubstr("4bf92f3577b34da6a3ce929d0e0e4736")));
  harness.Restart();
  const auto again = harness.Take();
  EXPECT_EQ(again.request.path, "/videos");
  EXPECT_THAT(HeadersOf(again.request, "traceparent"), IsEmpty());
}

TEST_F(WaitedCallTest, WithoutATraceNothingGoesAlong) {
  reconcile::Harness harness;
  Create(harness, std::make_shared<upstream::WaitedCall>());
  auto call = harness.Take();
  EXPECT_THAT(HeadersOf(call.request, "traceparent"), IsEmpty());
  std::move(call).Answer(http::Response{200, {}, "id=up-1 state=running"});
  harness.Run();
  ASSERT_TRUE(answered_.has_value());
  EXPECT_EQ(answered_->upstream_calls, 1);
}

TEST_F(WaitedCallTest, TheGroupThatAnAssetNeedsIsMadeForItsCaller) {
  reconcile::Harness::Options options;
  options.alpha.native_groups = true;
  reconcile::Harness harness(options);
  {
    auto call = InTrace();
    harness.gateway().CreateAsset(Waiting(call), reconcile::Harness::Asset("hero", {"alpha"}),
                                  Answered<v1::Asset>(call));
  }
  harness.Run();
  auto group = harness.Take();
  EXPECT_EQ(group.request.path, "/groups");
  EXPECT_THAT(HeadersOf(group.request, "traceparent"), ElementsAre(StartsWith(kTrace)));
  std::move(group).Answer(http::Response{200, {}, "id=g-1 state=done"});
  harness.Run();
  auto asset = harness.Take();
  EXPECT_THAT(HeadersOf(asset.request, "traceparent"), ElementsAre(StartsWith(kTrace)));
  std::move(asset).Answer(http::Response{200, {}, "id=a-1 state=running"});
  harness.Run();
  ASSERT_TRUE(answered_.has_value());
  EXPECT_EQ(answered_->upstream_calls, 2);
}

TEST_F(WaitedCallTest, WhoRepeatsACallAndHangsUpIsNotKept) {
  reconcile::Harness harness;
  v1::CreateVideoTaskRequest request = reconcile::Harness::Video("fox");
  request.set_request_id("r-1");
  const auto first = harness.Create(request);
  ASSERT_FALSE(first.has()) << "it is being submitted";
  // Each caller waits for the first one's answer, and hangs up.
  std::vector<std::weak_ptr<int>> replies;
  for (int i = 0; i < 5; ++i) {
    auto call = std::make_shared<upstream::WaitedCall>();
    auto kept = std::make_shared<int>(i);
    replies.push_back(kept);
    harness.gateway().CreateVideoTask(
        Waiting(call), request, [kept = std::move(kept)](const absl::StatusOr<v1::VideoTask>&) {
          ADD_FAILURE() << "answered " << *kept;
        });
    harness.Run();
  }
  // One more, who waits on.
  auto call = std::make_shared<upstream::WaitedCall>();
  std::optional<absl::StatusOr<v1::VideoTask>> answer;
  harness.gateway().CreateVideoTask(
      Waiting(call), request,
      [&answer](absl::StatusOr<v1::VideoTask> task) { answer = std::move(task); });
  harness.Run();
  for (const auto& reply : replies) EXPECT_TRUE(reply.expired());
  harness.AnswerNext(200, "id=up-1 state=running");
  EXPECT_TRUE(first.has());
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok()) << answer->status();
}

}  // namespace
}  // namespace assetgate::calls
