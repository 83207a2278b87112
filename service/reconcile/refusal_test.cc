// Submissions that a provider surely did not accept: the next provider, the next try, the verdict.
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using http::TransportError;
using testing::AllOf;
using testing::HasSubstr;

TEST(RefusalTest, UnknownOutcomeIsNotSentToTheNextProvider) {
  Harness harness(WithKeys(absl::Hours(6)));
  harness.script = [&](const http::Request& request,
                       const http::SendOptions& options) -> std::optional<http::Result> {
    EXPECT_TRUE(absl::StrContains(options.base_url, "alpha")) << request.path;
    return http::Response{500, {}, ""};
  };
  harness.Create(Harness::Video("fox"));
  harness.Advance(absl::Hours(8));
  EXPECT_EQ(harness.Task("fox").attempts_size(), 1);
}

TEST(RefusalTest, NextProviderIsTriedAfterACertainRejection) {
  for (const int status : {401, 402, 403, 404, 429}) {
    SCOPED_TRACE(status);
    Harness harness;
    const auto created = harness.Create(Harness::Video("fox"));
    harness.AnswerNext(status);
    const auto next = harness.Take();
    EXPECT_TRUE(IsTo(next, "beta"));
    const v1::VideoTask task = harness.Task("fox");
    ASSERT_EQ(task.attempts_size(), 2);
    EXPECT_EQ(task.attempts(0).state(), v1::Attempt::NOT_ACCEPTED);
    EXPECT_EQ(task.attempts(0).billing(), v1::Attempt::NOT_BILLED);
    EXPECT_EQ(task.attempts(1).state(), v1::Attempt::SUBMITTING);
    EXPECT_EQ(task.attempts(1).credential_id(), "beta-key");
    EXPECT_FALSE(created.has());
  }
}

TEST(RefusalTest, NextProviderIsTriedWhenNothingWasSent) {
  for (const auto kind : {TransportError::Kind::kResolve, TransportError::Kind::kConnect,
                          TransportError::Kind::kTls, TransportError::Kind::kExpired}) {
    Harness harness;
    const auto created = harness.Create(Harness::Video("fox"));
    harness.FailNext(kind, /*maybe_sent=*/false);
    harness.AnswerNext(200, "id=up-2 state=queued");
    ASSERT_TRUE(created.has());
    EXPECT_EQ(created->attempts(1).provider(), "providers/beta");
    EXPECT_EQ(created->state(), v1::VideoTask::QUEUED);
  }
}

TEST(RefusalTest, RefusalThatTheCallerMustFixEndsTheTask) {
  for (const int status : {400, 413, 422}) {
    Harness harness;
    v1::CreateVideoTaskRequest request = Harness::Video("fox");
    request.set_request_id("r-1");
    const auto created = harness.Create(request);
    harness.AnswerNext(status, "prompt_is_forbidden");
    ASSERT_TRUE(created.has());
    EXPECT_EQ(created.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(base::ReasonOf(created.status()), v1::PROVIDER_INVALID_ARGUMENT);
    EXPECT_THAT(std::string(created.status().message()), HasSubstr("prompt_is_forbidden"));
    EXPECT_EQ(harness.http().sent(), 1u);
    // Nothing exists, and the request id is free.
    EXPECT_FALSE(harness.StoredVideo("fox").has_value());
    const auto again = harness.Create(request);
    EXPECT_EQ(harness.http().sent(), 2u);
    harness.AnswerNext(200, "id=up-1 state=queued");
    ASSERT_TRUE(again.has());
    EXPECT_TRUE(again.get().ok()) << again.status();
  }
}

TEST(RefusalTest, FailureEnvelopeWithStatus200IsARefusal) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(200, "refused=too_dark");
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::PROVIDER_REJECTED);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(RefusalTest, CreateFailsWhenEveryKeyIsRefused) {
  Harness harness;
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.set_request_id("r-1");
  const auto created = harness.Create(request);
  harness.AnswerNext(401);
  harness.AnswerNext(403);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(base::ReasonOf(created.status()), v1::PROVIDER_CREDENTIALS_REJECTED);
  EXPECT_THAT(std::string(created.status().message()),
              AllOf(HasSubstr("alpha"), HasSubstr("beta")));
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
  harness.Advance(absl::Minutes(20));
  EXPECT_EQ(harness.http().sent(), 2u);
}

// Both providers take their time to refuse, so that the first could be tried again meanwhile.
TEST(RefusalTest, CreateFailsWhenEveryKeyIsRefusedSlowly) {
  Harness harness;
  const auto created = harness.Create(Harness::Video("fox"));
  harness.AnswerNext(401);
  harness.Advance(absl::Seconds(4));
  harness.AnswerNext(402);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(harness.http().sent(), 2u);
  EXPECT_FALSE(harness.StoredVideo("fox").has_value());
}

TEST(RefusalTest, UnavailableProviderLeavesTheTaskPendingWithTheReason) {
  Harness harness;
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(TransportError{TransportError::Kind::kConnect, false, "refused"});
  };
  const auto created = harness.Create(Harness::Video("fox"));
  harness.Advance(absl::Seconds(9));
  EXPECT_FALSE(created.has());
  harness.Advance(absl::Seconds(2));
  ASSERT_TRUE(created.has());
  ASSERT_TRUE(created.get().ok()) << created.status();
  EXPECT_EQ(created->state(), v1::VideoTask::PENDING);
  EXPECT_EQ(created->waiting().reason(), v1::Waiting::PROVIDER_UNAVAILABLE);
  EXPECT_TRUE(created->waiting().has_next_try_time());
  // At most one attempt per target, however often it is tried.
  harness.Advance(absl::Minutes(10));
  EXPECT_EQ(harness.Task("fox").attempts_size(), 2);
  harness.Advance(absl::Minutes(6));
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.state(), v1::VideoTask::FAILED);
  EXPECT_EQ(base::ReasonOf(task.error()), v1::NOT_SUBMITTED);
  for (const auto& attempt : task.attempts()) {
    EXPECT_EQ(attempt.billing(), v1::Attempt::NOT_BILLED);
    EXPECT_EQ(attempt.state(), v1::Attempt::NOT_ACCEPTED);
  }
  // It is over.
  const std::size_t sent = harness.answered.size();
  harness.Advance(absl::Hours(2));
  EXPECT_EQ(harness.answered.size(), sent);
}

TEST(RefusalTest, PendingTaskIsSubmittedWhenTheProviderIsBack) {
  Harness harness;
  bool up = false;
  harness.script = [&](const http::Request& request,
                       const http::SendOptions&) -> std::optional<http::Result> {
    if (!up) return TransportError{TransportError::Kind::kConnect, false, "refused"};
    return http::Response{
        200, {}, request.method == "POST" ? "id=up-1 state=queued" : "id=up-1 state=done"};
  };
  harness.Create(Harness::Video("fox"));
  harness.Advance(absl::Minutes(5));
  up = true;
  harness.Advance(absl::Minutes(5));
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::SUCCEEDED);
}

TEST(RefusalTest, RetryAfterIsObeyed) {
  Harness::Options options;
  Harness harness(options);
  v1::CreateVideoTaskRequest request = Harness::Video("fox");
  request.add_providers("providers/alpha");
  const auto created = harness.Create(request);
  harness.AnswerNext(429, "", {{"Retry-After", "90"}});
  harness.Advance(absl::Seconds(89));
  EXPECT_EQ(harness.http().sent(), 1u);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created->state(), v1::VideoTask::PENDING);
  EXPECT_EQ(created->waiting().reason(), v1::Waiting::PROVIDER_RATE_LIMITED);
  harness.Advance(absl::Seconds(2));
  EXPECT_EQ(harness.http().sent(), 2u);
  // Nobody else is sent there either.
  harness.AnswerNext(200, "id=up-1 state=queued");
  EXPECT_EQ(harness.Task("fox").attempts_size(), 1);
  EXPECT_EQ(harness.Task("fox").attempts(0).tries(), 2);
}

// "Not accepted" is what somebody in front of the provider may have said after it had accepted.

TEST(RefusalTest, FailureThatOnlyAnOperatorCanFixIsRetriedAFewTimes) {
  for (const int status : {301, 308, 404}) {
    SCOPED_TRACE(status);
    Harness harness;
    harness.script = [&](const http::Request&, const http::SendOptions&) {
      return http::Result(http::Response{status, {}, ""});
    };
    v1::CreateVideoTaskRequest request = Harness::Video("fox");
    request.add_providers("providers/alpha");
    request.mutable_max_wait()->set_seconds(0);
    harness.Create(request);
    harness.Advance(absl::Minutes(16));
    EXPECT_EQ(base::ReasonOf(harness.Task("fox").error()), v1::NOT_SUBMITTED);
    EXPECT_GE(harness.answered.size(), 3u);
    EXPECT_LE(harness.answered.size(), 6u);
  }
}

TEST(RefusalTest, KeyThatIsRefusedLaterLeavesTheWorkPending) {
  Harness harness;
  v1::CreateAssetRequest request = Harness::Asset("hero", {"alpha"});
  request.mutable_max_wait()->set_seconds(0);
  const auto created = harness.Create(request);
  ASSERT_TRUE(created.has());
  EXPECT_EQ(created->placements(0).state(), v1::Placement::SUBMITTING);
  harness.AnswerNext(401);
  const v1::Asset asset = harness.AssetNow("hero");
  EXPECT_EQ(asset.placements(0).state(), v1::Placement::SUBMITTING);
  EXPECT_EQ(asset.placements(0).waiting().reason(), v1::Waiting::PROVIDER_CREDENTIALS_REJECTED);
  harness.Advance(absl::Seconds(5));
  harness.AnswerNext(200, "id=up-1 state=done");
  EXPECT_EQ(harness.AssetNow("hero").state(), v1::Asset::ACTIVE);
}

}  // namespace
}  // namespace assetgate::reconcile
