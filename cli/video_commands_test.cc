#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/testing/commands_fixture.h"
#include "cli/testing/fake_gateway.h"
#include "cli/testing/fake_terminal.h"

namespace assetgate::cli {
namespace {

using base::Error;
using ::testing::HasSubstr;

using VideoCommandsTest = CommandsFixture;

TEST_F(VideoCommandsTest, ValidateOnlyShowsPossibleAndPassedTargets) {
  gateway_.create_video = [](const v1::CreateVideoTaskRequest& request, v1::VideoTask* task) {
    EXPECT_TRUE(request.validate_only());
    task->set_state(v1::VideoTask::PENDING);
    auto* target = task->mutable_validation()->add_targets();
    target->set_provider("providers/zerozero");
    target->set_provider_model("seedance-2-0");
    auto* passed = task->mutable_validation()->add_passed_targets();
    passed->set_provider("providers/kyy");
    passed->set_provider_model("seedance-2.0");
    auto* reason = passed->add_reasons();
    reason->set_field("video_task.resolution");
    reason->set_message("cannot express it; leave it unset");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"videos", "create", "--model", "m", "--validate-only"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("can go to        zerozero (seedance-2-0)\n"));
  EXPECT_THAT(out_.str(), HasSubstr("passed over      kyy (seedance-2.0): video_task.resolution: "
                                    "cannot express it; leave it unset\n"));
}

TEST_F(VideoCommandsTest, UnknownOutcomeIsReportedWithTheRequestId) {
  gateway_.create_video = [](const v1::CreateVideoTaskRequest&, v1::VideoTask*) {
    return ToGrpc(Error(absl::StatusCode::kUnknown, v1::COMMIT_UNKNOWN, "maybe"));
  };
  EXPECT_EQ(Run({"videos", "create", "--model", "m", "--request-id", "r1"}),
            ExitCode::kUnavailable);
  EXPECT_THAT(err_.str(), HasSubstr("request id: r1"));
}

TEST_F(VideoCommandsTest, ResolveSendsTheOutcomeThatThePersonStates) {
  v1::ResolveVideoTaskRequest seen;
  gateway_.resolve_video = [&](const v1::ResolveVideoTaskRequest& request, v1::VideoTask* task) {
    seen = request;
    *task = MakeTask(request.name(), v1::VideoTask::QUEUED);
    auto* attempt = task->add_attempts();
    attempt->set_provider("providers/zerozero");
    attempt->mutable_resolve_time()->set_seconds(1);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"videos", "resolve", "maybe", "--provider-task-id", "vt-71c0"}), ExitCode::kOk);
  EXPECT_EQ(seen.name(), "videoTasks/maybe");
  EXPECT_EQ(seen.provider_task_id(), "vt-71c0");
  EXPECT_THAT(out_.str(), HasSubstr("resolved by a person"));
  EXPECT_EQ(Run({"videos", "resolve", "maybe", "--not-accepted"}), ExitCode::kOk);
  EXPECT_TRUE(seen.not_accepted() && !seen.resubmit());
  EXPECT_EQ(Run({"videos", "resolve", "maybe", "--not-accepted", "--resubmit"}), ExitCode::kOk);
  EXPECT_TRUE(seen.not_accepted() && seen.resubmit());
  EXPECT_FALSE(seen.has_attempt());
  EXPECT_EQ(Run({"videos", "resolve", "maybe", "--attempt", "0", "--not-accepted"}), ExitCode::kOk);
  EXPECT_TRUE(seen.has_attempt());
  EXPECT_EQ(seen.attempt(), 0);
}

TEST_F(VideoCommandsTest, AttemptsAreNumberedAsResolveExpects) {
  gateway_.resolve_video = [](const v1::ResolveVideoTaskRequest& request, v1::VideoTask* task) {
    *task = MakeTask(request.name(), v1::VideoTask::UNCONFIRMED);
    task->add_attempts()->set_provider("providers/zerozero");
    task->add_attempts()->set_provider("providers/kyy");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"videos", "resolve", "maybe", "--attempt", "1", "--not-accepted"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("0  zerozero"));
  EXPECT_THAT(out_.str(), HasSubstr("1  kyy"));
}

TEST_F(VideoCommandsTest, ImportSendsTheProvidersTask) {
  v1::ImportVideoTaskRequest seen;
  gateway_.import_video = [&](const v1::ImportVideoTaskRequest& request, v1::VideoTask* task) {
    seen = request;
    *task = MakeTask("videoTasks/found", v1::VideoTask::QUEUED);
    auto* attempt = task->add_attempts();
    attempt->set_provider("providers/kyy");
    attempt->mutable_import_time()->set_seconds(1);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"videos", "import", "video_71c0", "--provider", "kyy", "--model", "seedance-2",
                 "--id", "found", "--label", "a=b", "--prompt", "a fox"}),
            ExitCode::kOk);
  EXPECT_EQ(seen.provider(), "providers/kyy");
  EXPECT_EQ(seen.provider_task_id(), "video_71c0");
  EXPECT_EQ(seen.model(), "seedance-2");
  EXPECT_EQ(seen.video_task_id(), "found");
  EXPECT_EQ(seen.prompt(), "a fox");
  EXPECT_EQ(seen.labels().at("a"), "b");
  EXPECT_NE(seen.request_id(), "");
  EXPECT_THAT(out_.str(), HasSubstr("imported"));
  EXPECT_EQ(Run({"videos", "import", "video_71c0", "--provider", "kyy"}), ExitCode::kUsage);
}

TEST_F(VideoCommandsTest, ResolveRequiresExactlyOneOutcome) {
  gateway_.resolve_video = [](const v1::ResolveVideoTaskRequest&, v1::VideoTask*) {
    ADD_FAILURE() << "an invalid command must not be sent";
    return grpc::Status::OK;
  };
  for (const std::vector<std::string>& flags : {std::vector<std::string>{},
                                                {"--resubmit"},
                                                {"--attempt", "0"},
                                                {"--not-accepted", "--attempt", "-1"},
                                                {"--provider-task-id", "vt-1", "--not-accepted"},
                                                {"--provider-task-id", "vt-1", "--resubmit"}}) {
    std::vector<std::string> words = {"videos", "resolve", "maybe"};
    words.insert(words.end(), flags.begin(), flags.end());
    EXPECT_EQ(Run(words), ExitCode::kUsage);
    EXPECT_THAT(err_.str(), HasSubstr("--"));
  }
}

TEST_F(VideoCommandsTest, ErrorsOfResolveNameTheFlagAndARemedy) {
  gateway_.resolve_video = [](const v1::ResolveVideoTaskRequest&, v1::VideoTask*) {
    return ToGrpc(Error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, "wrong")
                      .Violation("provider_task_id", "is not the id of a task"));
  };
  EXPECT_EQ(Run({"videos", "resolve", "maybe", "--provider-task-id", "x"}),
            ExitCode::kInvalidArgument);
  EXPECT_THAT(err_.str(), HasSubstr("provider_task_id (--provider-task-id): is not the id"));
  gateway_.resolve_video = [](const v1::ResolveVideoTaskRequest&, v1::VideoTask*) {
    return ToGrpc(Error(absl::StatusCode::kFailedPrecondition, v1::NOT_UNCONFIRMED, "is RUNNING"));
  };
  EXPECT_EQ(Run({"videos", "resolve", "maybe", "--not-accepted"}), ExitCode::kFailedPrecondition);
  EXPECT_THAT(err_.str(), HasSubstr("what to do: see its present state"));
}

TEST_F(VideoCommandsTest, FailedWorkHasItsOwnExitCode) {
  gateway_.create_video = [](const v1::CreateVideoTaskRequest&, v1::VideoTask* task) {
    *task = MakeTask("videoTasks/v", v1::VideoTask::PENDING);
    return grpc::Status::OK;
  };
  for (const auto state : {v1::VideoTask::FAILED, v1::VideoTask::CANCELLED,
                           v1::VideoTask::UNCONFIRMED, v1::VideoTask::SUCCEEDED}) {
    gateway_.watch_videos = [state](const v1::WatchVideoTasksRequest& request, const auto& send) {
      EXPECT_EQ(request.names(0), "videoTasks/v");
      send(Reset<v1::VideoTaskEvent>(v1::FRESH));
      send(Put(MakeTask("videoTasks/v", state)));
      return grpc::Status::OK;
    };
    EXPECT_EQ(Run({"videos", "create", "--model", "m", "--wait"}),
              state == v1::VideoTask::SUCCEEDED ? ExitCode::kOk : ExitCode::kWorkFailed);
  }
}

}  // namespace
}  // namespace assetgate::cli
