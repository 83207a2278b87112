// Submissions whose outcome is not known: what the gateway may do by itself, and what it says while
// that is not enough.
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"
#include "reconcile/testing/requests.h"

namespace assetgate::reconcile {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(UnconfirmedTest, TaskThatOnlyAPersonCanResolveSaysWhatHappenedAndWhatToDo) {
  Harness harness;
  const absl::Time sent = harness.Now();
  CreateUnconfirmed(harness, Harness::Video("fox"));
  const v1::VideoTask task = harness.Task("fox");
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::NEEDS_OPERATOR);
  EXPECT_EQ(task.waiting().subject(), "providers/alpha");
  EXPECT_EQ(base::FromProto(task.waiting().since()), sent);
  EXPECT_THAT(
      task.waiting().message(),
      AllOf(HasSubstr("alpha"),
            HasSubstr(absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", sent, absl::UTCTimeZone())),
            HasSubstr("the test says so"), HasSubstr("no idempotency key"),
            HasSubstr("ResolveVideoTask"), HasSubstr("videos resolve videoTasks/fox --attempt 0")));
}

TEST(UnconfirmedTest, TaskThatARepetitionCanSettleIsNotUnconfirmedYet) {
  Harness::Options options = WithKeys();
  options.alpha.idempotency_window = absl::Hours(6);
  Harness harness(options);
  CreateUnconfirmed(harness, Harness::Video("fox"));
  v1::VideoTask task = harness.Task("fox");
  EXPECT_FALSE(model::IsSettled(task));
  EXPECT_EQ(task.waiting().reason(), v1::Waiting::PROVIDER_UNAVAILABLE);
  EXPECT_THAT(task.waiting().message(), AllOf(HasSubstr("idempotency key"), HasSubstr("until")));
  harness.script = [](const http::Request&, const http::SendOptions&) {
    return http::Result(http::Response{503, {}, ""});
  };
  harness.Advance(absl::Hours(4));
  EXPECT_FALSE(model::IsSettled(harness.Task("fox")));
  harness.Advance(absl::Hours(1) + absl::Minutes(1));
  task = harness.Task("fox");
  EXPECT_TRUE(model::IsSettled(task));
  EXPECT_THAT(task.waiting().message(), HasSubstr("may be forgotten by now"));
}

TEST(UnconfirmedTest, IsRepeatedOnlyWithTheAccountOfTheFirstTry) {
  Harness harness(WithKeys());
  CreateUnconfirmed(harness, Harness::Video("fox"));
  // The key was replaced by another account's, and the old one is gone.
  Harness::Options replaced = WithKeys();
  replaced.alpha_credential = "new-key";
  replaced.alpha_account = "new-alpha";
  harness.Restart(replaced);
  harness.Advance(absl::Hours(30));
  EXPECT_EQ(harness.http().sent(), 0u);
  v1::VideoTask task = harness.Task("fox");
  EXPECT_TRUE(model::IsSettled(task));
  EXPECT_THAT(task.waiting().message(), HasSubstr("\"alpha-key\""));
}

TEST(UnconfirmedTest, IsRepeatedWithThePreviousCredentialWhileConfigured) {
  Harness harness(WithKeys());
  CreateUnconfirmed(harness, Harness::Video("fox"));
  Harness::Options replaced = WithKeys();
  replaced.alpha_credential = "new-key";
  replaced.alpha_account = "new-alpha";
  replaced.alpha_previous_credential = "alpha-key";
  replaced.alpha_previous_account = "alpha";
  harness.Restart(replaced);
  const auto again = harness.Take();
  EXPECT_EQ(AuthorizationOf(again.request), "Bearer secret-of-alpha");
  EXPECT_EQ(harness.Task("fox").attempts(0).credential_id(), "alpha-key");
}

TEST(UnconfirmedTest, DisabledProviderIsNotAskedAndNothingIsSettled) {
  Harness harness(WithKeys());
  CreateUnconfirmed(harness, Harness::Video("fox"));
  Harness::Options off = WithKeys();
  off.alpha_mode = v1::Provider::OFF;
  harness.Restart(off);
  harness.Advance(absl::Hours(1));
  EXPECT_EQ(harness.http().sent(), 0u);
  // Switched on again it would be confirmed.
  EXPECT_FALSE(model::IsSettled(harness.Task("fox")));
  harness.Restart(WithKeys());
  harness.AnswerNext(200, "id=up-1 state=queued");
  EXPECT_EQ(harness.Task("fox").state(), v1::VideoTask::QUEUED);
}

TEST(UnconfirmedTest, CannotBeCancelledOrDeletedAndTheErrorsNameTheRemedy) {
  Harness harness;
  CreateUnconfirmed(harness, Harness::Video("fox"));
  const auto cancelled = harness.Cancel("fox");
  EXPECT_EQ(base::ReasonOf(cancelled.status()), v1::CANCEL_UNSUPPORTED);
  EXPECT_THAT(std::string(cancelled.status().message()), HasSubstr("ResolveVideoTask"));
  const auto deleted = harness.DeleteVideo("fox");
  EXPECT_EQ(base::ReasonOf(deleted.status()), v1::IN_USE);
  EXPECT_THAT(std::string(deleted.status().message()), HasSubstr("ResolveVideoTask"));
}

}  // namespace
}  // namespace assetgate::reconcile
