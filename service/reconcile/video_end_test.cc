#include "model/video_end.h"

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "assetgate/v1/errors.pb.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/testing/harness.h"

namespace assetgate::reconcile {
namespace {

using base::VideoOutcome;
using testing::ElementsAre;
using testing::IsEmpty;

// The catalog has the providers alpha and beta, and a route that has "video-1" made at both.
class VideoEndTest : public testing::Test {
 protected:
  VideoEndTest() : catalog_(Harness::MakeCatalog({})) {}

  // A task that was made at alpha's video-1, and is in these states.
  static v1::VideoTask Task(v1::VideoTask::State state, v1::Attempt::State attempt_state,
                            v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED) {
    v1::VideoTask task;
    task.set_state(state);
    *task.mutable_create_time() = base::ToProto(absl::FromUnixSeconds(1'800'000'000));
    *task.mutable_end_time() = base::ToProto(absl::FromUnixSeconds(1'800'000'090));
    if (reason != v1::ERROR_REASON_UNSPECIFIED) {
      *task.mutable_error() =
          base::Error(absl::StatusCode::kFailedPrecondition, reason, "no").ToProto();
    }
    v1::Attempt& attempt = *task.add_attempts();
    attempt.set_provider("providers/alpha");
    attempt.set_provider_model("video-1");
    attempt.set_state(attempt_state);
    return task;
  }
  std::optional<model::VideoEnd> End(const v1::VideoTask& before, const v1::VideoTask& after) const {
    return model::EndOf(before, after, *catalog_);
  }

  const model::CatalogPtr catalog_;
};

TEST_F(VideoEndTest, OutcomesAreThoseOfTheTaskAndItsLastAttempt) {
  struct Row {
    v1::VideoTask::State state;
    v1::Attempt::State attempt;
    v1::ErrorReason reason;
    VideoOutcome outcome;
  };
  const v1::VideoTask running = Task(v1::VideoTask::RUNNING, v1::Attempt::RUNNING);
  for (const Row& row : std::vector<Row>{
           {v1::VideoTask::SUCCEEDED, v1::Attempt::SUCCEEDED, v1::ERROR_REASON_UNSPECIFIED,
            VideoOutcome::kSucceeded},
           {v1::VideoTask::CANCELLED, v1::Attempt::CANCELLED, v1::TASK_CANCELLED,
            VideoOutcome::kCancelled},
           {v1::VideoTask::FAILED, v1::Attempt::FAILED, v1::PROVIDER_WORK_FAILED,
            VideoOutcome::kFailed},
           {v1::VideoTask::FAILED, v1::Attempt::FAILED, v1::CONTENT_REJECTED,
            VideoOutcome::kContentRejected},
           {v1::VideoTask::FAILED, v1::Attempt::NOT_ACCEPTED, v1::CONTENT_REJECTED,
            VideoOutcome::kContentRejected},
           {v1::VideoTask::FAILED, v1::Attempt::FAILED, v1::RESULT_MISSING,
            VideoOutcome::kResultMissing},
           {v1::VideoTask::FAILED, v1::Attempt::FAILED, v1::RESULT_INLINE,
            VideoOutcome::kResultMissing},
           {v1::VideoTask::FAILED, v1::Attempt::FAILED, v1::PROVIDER_FORGOT, VideoOutcome::kLost},
           {v1::VideoTask::FAILED, v1::Attempt::FAILED, v1::TRACKING_EXPIRED, VideoOutcome::kLost},
           {v1::VideoTask::FAILED, v1::Attempt::NOT_ACCEPTED, v1::PROVIDER_REJECTED,
            VideoOutcome::kNotAccepted},
           {v1::VideoTask::FAILED, v1::Attempt::NOT_ACCEPTED, v1::NOT_SUBMITTED,
            VideoOutcome::kNotAccepted},
       }) {
    const auto end = End(running, Task(row.state, row.attempt, row.reason));
    ASSERT_TRUE(end.has_value());
    EXPECT_EQ(end->outcome, row.outcome) << v1::ErrorReason_Name(row.reason);
    EXPECT_EQ(end->provider, "alpha");
    EXPECT_EQ(end->model, "video-1");
  }
}

TEST_F(VideoEndTest, OnlyTheChangeThatEndsATaskIsItsEnd) {
  const v1::VideoTask running = Task(v1::VideoTask::RUNNING, v1::Attempt::RUNNING);
  const v1::VideoTask done = Task(v1::VideoTask::SUCCEEDED, v1::Attempt::SUCCEEDED);
  const v1::VideoTask doubted = Task(v1::VideoTask::UNCONFIRMED, v1::Attempt::UNCONFIRMED);
  EXPECT_FALSE(End(running, running).has_value());
  EXPECT_FALSE(End(running, doubted).has_value());
  EXPECT_FALSE(End(done, done).has_value()) << "labels of an ended task can still change";
  EXPECT_TRUE(End(running, done).has_value());
  EXPECT_TRUE(End(v1::VideoTask(), done).has_value());
}

TEST_F(VideoEndTest, TheTimeIsThatOfVideosThatTheGatewaySubmitted) {
  const v1::VideoTask running = Task(v1::VideoTask::RUNNING, v1::Attempt::RUNNING);
  v1::VideoTask done = Task(v1::VideoTask::SUCCEEDED, v1::Attempt::SUCCEEDED);
  EXPECT_EQ(End(running, done)->took, absl::Seconds(90));
  // A clock that was set back between the two.
  v1::VideoTask back = done;
  *back.mutable_end_time() = base::ToProto(absl::FromUnixSeconds(1'700'000'000));
  EXPECT_EQ(End(running, back)->took, absl::ZeroDuration());
  done.mutable_attempts(0)->mutable_import_time()->set_seconds(1);
  EXPECT_EQ(End(running, done)->took, std::nullopt);
  EXPECT_EQ(End(running, Task(v1::VideoTask::FAILED, v1::Attempt::FAILED))->took, std::nullopt);
}

TEST_F(VideoEndTest, LabelsAreOfTheConfigAndOfNobodyElse) {
  v1::VideoTask done = Task(v1::VideoTask::SUCCEEDED, v1::Attempt::SUCCEEDED);
  done.mutable_attempts(0)->set_provider_model("whatever a caller wrote");
  EXPECT_EQ(End({}, done)->provider, "alpha");
  EXPECT_EQ(End({}, done)->model, "other");
  done.mutable_attempts(0)->set_provider("providers/gone");
  EXPECT_EQ(End({}, done)->provider, "other");
  EXPECT_EQ(End({}, done)->model, "other");
  done.clear_attempts();
  EXPECT_EQ(End({}, done)->provider, "none");
  EXPECT_EQ(End({}, done)->model, "none");
}

TEST_F(VideoEndTest, UsageCountsByWhatItHasGrown) {
  const auto used = [](std::int64_t tokens, double credits) {
    v1::VideoTask task = Task(v1::VideoTask::RUNNING, v1::Attempt::RUNNING);
    task.mutable_attempts(0)->mutable_usage()->set_total_tokens(tokens);
    task.mutable_attempts(0)->mutable_usage()->set_credits(credits);
    return task;
  };
  const auto between = [&](const v1::VideoTask& before, const v1::VideoTask& after) {
    return model::UsageBetween(before, after, *catalog_);
  };
  EXPECT_THAT(between({}, used(100, 2.5)), ElementsAre(model::VideoUsage{"alpha", "video-1", 100, 2.5}));
  EXPECT_THAT(between(used(100, 2.5), used(100, 2.5)), IsEmpty());
  EXPECT_THAT(between(used(100, 2.5), used(130, 2.5)),
              ElementsAre(model::VideoUsage{"alpha", "video-1", 30, 0}));
  EXPECT_THAT(between(used(100, 2.5), used(90, 1)), IsEmpty()) << "a counter cannot go back";
  EXPECT_THAT(between({}, used(-5, std::numeric_limits<double>::infinity())), IsEmpty());
  EXPECT_THAT(between({}, used(0, std::nan(""))), IsEmpty());
}

}  // namespace
}  // namespace assetgate::reconcile
