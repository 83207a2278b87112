#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/testing/commands_fixture.h"
#include "cli/testing/fake_gateway.h"
#include "cli/testing/fake_terminal.h"

namespace assetgate::cli {
namespace {

using base::Error;
using ::testing::HasSubstr;
using ::testing::Not;

using InspectCommandsTest = CommandsFixture;

TEST_F(InspectCommandsTest, WatchDrawsATableOnATerminal) {
  SettleAssets({MakeAsset("assets/a", v1::Asset::ACTIVE)});
  gateway_.watch_videos = [](const v1::WatchVideoTasksRequest&, const auto& send) {
    send(Reset<v1::VideoTaskEvent>(v1::FRESH));
    v1::VideoTask task = MakeTask("videoTasks/v", v1::VideoTask::SUCCEEDED);
    task.mutable_video()->set_uri("https://x/v.mp4");
    send(Put(task));
    return grpc::Status::OK;
  };
  FakeTerminal terminal(90, 20);
  EXPECT_EQ(Run({"watch", "--until-settled"}, &terminal), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "");
  const auto screen = terminal.Screen();
  EXPECT_THAT(screen.front(), HasSubstr("Assets 1"));
  EXPECT_EQ(screen.back(), "videoTasks/v  https://x/v.mp4");
  EXPECT_TRUE(terminal.cursor_visible());
}

TEST_F(InspectCommandsTest, JsonOfTwoWatchesNamesTheWatch) {
  SettleAssets({});
  gateway_.watch_videos = [](const v1::WatchVideoTasksRequest&, const auto& send) {
    send(Reset<v1::VideoTaskEvent>(v1::FRESH));
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"-o", "json", "watch", "--until-settled"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr(R"({"asset_event":{"type":"RESET","reset_reason":"FRESH"}})"));
  EXPECT_THAT(out_.str(),
              HasSubstr(R"({"video_task_event":{"type":"RESET","reset_reason":"FRESH"}})"));
}

TEST_F(InspectCommandsTest, ModelsShowTheirTargetsSideBySide) {
  gateway_.get_model = [](const v1::GetModelRequest& request, v1::Model* model) {
    EXPECT_EQ(request.name(), "models/m");
    model->set_name("models/m");
    for (const char* provider : {"kyy", "zz"}) {
      auto* target = model->add_targets();
      target->set_provider(absl::StrCat("providers/", provider));
      target->mutable_capabilities()->mutable_duration()->set_expressible(provider[0] == 'k');
      target->mutable_capabilities()->mutable_duration()->set_min(4);
      target->mutable_capabilities()->mutable_duration()->set_max(15);
      target->mutable_capabilities()->mutable_watermark()->add_implied(false);
    }
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"models", "get", "m"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("duration (s)                4 to 15         -\n"));
  EXPECT_THAT(out_.str(), HasSubstr("watermark                   only no         only no\n"));
}

TEST_F(InspectCommandsTest, ProvidersShowTheirHealth) {
  gateway_.list_providers = [](const v1::ListProvidersRequest&,
                               v1::ListProvidersResponse* response) {
    auto* provider = response->add_providers();
    provider->set_name("providers/kyy");
    provider->set_dialect("kyy");
    provider->set_mode(v1::Provider::SERVE);
    provider->set_state(v1::Provider::DEGRADED);
    provider->set_state_reason("limits the rate");
    provider->set_unfinished_attempts(3);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"providers"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("kyy       kyy      SERVE  DEGRADED       0       3  limits"));
}

TEST_F(InspectCommandsTest, ExplainPrintsForPeopleAndAsJson) {
  std::string requested;
  gateway_.explain = [&](const v1::ExplainRequest& request, v1::Explanation* explanation) {
    requested = request.name();
    explanation->set_name(request.name());
    explanation->set_state("UNCONFIRMED");
    explanation->set_summary("the outcome is not known");
    explanation->set_needs_person(true);
    explanation->set_command("assetctl videos resolve videoTasks/fox");
    explanation->set_gateway("pod-1");
    explanation->mutable_time()->set_seconds(1000);
    auto* unit = explanation->add_units();
    unit->set_provider("providers/kyy");
    unit->set_state("RUNNING");
    unit->set_provider_state("processing");
    unit->mutable_submission()->set_sends(2);
    unit->mutable_submission()->set_outcome(v1::Explanation::Submission::NOT_ACCEPTED);
    unit->mutable_calls()->set_polls(12);
    unit->mutable_calls()->mutable_last_poll_time()->set_seconds(995);
    unit->mutable_calls()->mutable_last_answer()->set_http_status(503);
    unit->mutable_calls()->mutable_last_answer()->set_message("too \x1b[31mbusy");
    unit->mutable_next()->mutable_due_time()->set_seconds(1007);
    unit->mutable_next()->set_message("it is not due yet");
    auto* passed = explanation->add_passed_targets();
    passed->set_provider("providers/apiframe");
    passed->set_message("it cannot express the seed");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"explain", "fox"}), ExitCode::kOk);
  EXPECT_EQ(requested, "videoTasks/fox");
  for (const char* words :
       {"UNCONFIRMED", "the outcome is not known", "a person has to act",
        "assetctl videos resolve videoTasks/fox", "gateway pod-1", "RUNNING (processing)",
        "2, not accepted", "12", "5s ago", "HTTP 503: too ", "in 7s", "it is not due yet",
        "apiframe", "it cannot express the seed"}) {
    EXPECT_THAT(out_.str(), HasSubstr(words));
  }
  EXPECT_THAT(out_.str(), Not(HasSubstr("\x1b")));
  EXPECT_EQ(Run({"explain", "assets/hero", "--json"}), ExitCode::kOk);
  EXPECT_EQ(requested, "assets/hero");
  EXPECT_THAT(out_.str(), HasSubstr("\"summary\": \"the outcome is not known\""));
  EXPECT_EQ(Run({"explain", "assetGroups/summer"}), ExitCode::kOk);
  EXPECT_EQ(requested, "assetGroups/summer");
  EXPECT_EQ(Run({"explain", "providers/kyy"}), ExitCode::kUsage);
}

TEST_F(InspectCommandsTest, ExplainOfAnUnknownResourceIsNotFound) {
  gateway_.explain = [](const v1::ExplainRequest&, v1::Explanation*) {
    return ToGrpc(Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND, "no such task"));
  };
  EXPECT_EQ(Run({"explain", "fox"}), ExitCode::kNotFound);
  EXPECT_THAT(err_.str(), HasSubstr("no such task"));
}

TEST_F(InspectCommandsTest, DoctorChecksTheGatewayAndItsProviders) {
  v1::ListProvidersResponse listed;
  listed.set_gateway_version("1.2.3");
  auto* kyy = listed.add_providers();
  kyy->set_name("providers/kyy");
  kyy->set_mode(v1::Provider::SERVE);
  kyy->set_state(v1::Provider::AVAILABLE);
  gateway_.list_providers = [&](const v1::ListProvidersRequest&, v1::ListProvidersResponse* out) {
    *out = listed;
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("answers; version 1.2.3"));
  EXPECT_THAT(out_.str(), HasSubstr("ok       health: SERVING"));
  EXPECT_THAT(out_.str(), HasSubstr("ok       provider kyy: AVAILABLE, mode SERVE\n"));

  // A provider that takes no new work is a warning; one that does and is unavailable has failed.
  listed.mutable_providers(0)->set_mode(v1::Provider::DRAIN);
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("warning  provider kyy"));
  listed.mutable_providers(0)->set_mode(v1::Provider::SERVE);
  listed.mutable_providers(0)->set_state(v1::Provider::UNAVAILABLE);
  listed.mutable_providers(0)->set_state_reason("calls fail");
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr("FAILED   provider kyy: UNAVAILABLE, mode SERVE: calls fail"));
  EXPECT_THAT(out_.str(), HasSubstr("assetgate --doctor --config FILE"));
  EXPECT_EQ(Run({"doctor", "-o", "json"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr(R"("verdict":"FAILED")"));
}

TEST_F(InspectCommandsTest, DoctorReportsARejectedConfig) {
  gateway_.list_providers = [](const v1::ListProvidersRequest&, v1::ListProvidersResponse* out) {
    out->mutable_config_rejected_time()->set_seconds(1'800'000'000);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr("FAILED   config: the gateway rejected a changed config or "
                                    "secret at 2027-01-15T08:00:00+00:00"));
  EXPECT_THAT(out_.str(), HasSubstr("assetgate --check-config FILE"));
}

TEST_F(InspectCommandsTest, DoctorReportsAGatewayThatIsNotServingOrDoesNotAnswer) {
  gateway_.list_providers = [](const v1::ListProvidersRequest&, v1::ListProvidersResponse*) {
    return grpc::Status::OK;
  };
  gateway_.SetServing(false);
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr("FAILED   health: NOT_SERVING"));
  gateway_.list_providers = [](const v1::ListProvidersRequest&, v1::ListProvidersResponse*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "connection refused");
  };
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr(": does not answer: connection refused"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("health"))) << "a check without an answer is left out";
}

}  // namespace
}  // namespace assetgate::cli
