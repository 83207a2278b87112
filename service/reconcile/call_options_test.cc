// How calls leave for a provider: time limits per operation, headers and proxy.
#include <utility>

#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "http/message.h"
#include "http/testing/fake_client.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/replicas.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

TEST(CallOptionsTest, EachOperationHasItsOwnTimeout) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_timeouts.submit_asset = absl::Seconds(150);
  options.alpha_timeouts.submit_video = absl::Seconds(90);
  options.alpha_timeouts.poll = absl::Seconds(10);
  Harness harness(options);
  harness.Create(Harness::Asset("a", {"alpha"}));
  http::FakeHttpClient::Call asset = harness.Take();
  EXPECT_EQ(asset.options.timeout, absl::Seconds(150));
  std::move(asset).Answer(http::Response{200, {}, "id=up-a state=done"});
  harness.Create(NotWaitedFor("v"));
  http::FakeHttpClient::Call video = harness.Take();
  EXPECT_EQ(video.options.timeout, absl::Seconds(90));
  std::move(video).Answer(http::Response{200, {}, "id=up-v state=running"});
  harness.Advance(absl::Seconds(3));
  EXPECT_EQ(harness.Take().options.timeout, absl::Seconds(10));
}

// 15 s to begin, 150 s to be answered, 5 s of skew.
TEST(CallOptionsTest, SubmissionIsNotLostForASuccessorBeforeItsTimeoutIsOver) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_timeouts.submit_asset = absl::Seconds(150);
  Replicas replicas(2, options);
  replicas.Create(kA, Harness::Asset("a", {"alpha"}));
  ASSERT_EQ(replicas.http(kA).pending(), 1u);
  replicas.Kill(kA);
  replicas.TakeAll(kB);
  replicas.Advance(absl::Seconds(150));
  EXPECT_EQ(replicas.http(kB).pending(), 0u) << "it may still be under way";
  replicas.Advance(absl::Seconds(25));
  EXPECT_EQ(replicas.http(kB).pending(), 1u);
}

TEST(CallOptionsTest, EveryCallUsesTheConfiguredHeadersAndProxy) {
  Harness::Options options;
  options.film_targets = {"alpha"};
  options.alpha_egress.headers = {{"User-Agent", "studio/1"}, {"authorization", "mine"}};
  options.alpha_egress.proxy = "http://proxy.example:3128";
  Harness harness(options);
  Accept(harness, "one", "up-one");
  harness.Advance(absl::Seconds(3));
  const http::FakeHttpClient::Call poll = harness.Take();
  const http::Response headers{.headers = poll.request.headers};
  EXPECT_EQ(headers.HeaderValue("User-Agent"), "studio/1");
  EXPECT_EQ(headers.HeaderValue("Authorization"), "Bearer secret-of-alpha")
      << "what the dialect writes stays";
  EXPECT_EQ(poll.options.proxy, "http://proxy.example:3128");
}

}  // namespace
}  // namespace assetgate::reconcile
