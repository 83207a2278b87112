#include "cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "base/testing/fake_clock.h"
#include "cli/testing/fake_gateway.h"
#include "cli/testing/fake_terminal.h"

namespace assetgate::cli {
namespace {

using base::Error;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Runs the whole program against a fake gateway.
class CommandsTest : public testing::Test {
 protected:
  ExitCode Run(std::vector<std::string> words, Terminal* terminal = nullptr) {
    words.insert(words.begin(), {"--server", gateway_.address()});
    out_.str("");
    err_.str("");
    const Environment environment{
        .in = in_,
        .out = out_,
        .err = err_,
        .terminal = terminal,
        .color = false,
        .utf8 = false,
        .clock = clock_,
        .interrupted = interrupt_.get_token(),
        .follow = {.first_pause = absl::Milliseconds(1), .first_contact = absl::Milliseconds(50)}};
    return cli::Run(words, environment);
  }

  // Answers a watch with one snapshot and the end.
  void SettleAssets(const std::vector<v1::Asset>& assets) {
    gateway_.watch_assets = [assets](const v1::WatchAssetsRequest& request, const auto& send) {
      EXPECT_TRUE(request.until_settled());
      send(Reset<v1::AssetEvent>(v1::FRESH));
      for (const v1::Asset& asset : assets) send(Put(asset));
      send(Bookmark<v1::AssetEvent>("t", true));
      return grpc::Status::OK;
    };
  }

  FakeGateway gateway_;
  std::istringstream in_;
  std::ostringstream out_;
  std::ostringstream err_;
  base::FakeClock clock_;
  std::stop_source interrupt_;
};

TEST_F(CommandsTest, CreatePrintsWhatWasMade) {
  v1::CreateAssetRequest seen;
  gateway_.create_asset = [&](const v1::CreateAssetRequest& request, v1::Asset* asset) {
    seen = request;
    *asset = request.asset();
    asset->set_name("assets/hero");
    asset->set_state(v1::Asset::PROCESSING);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"assets", "create", "https://x/a.png", "--id", "hero"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("assets/hero\n"));
  EXPECT_THAT(out_.str(), HasSubstr("PROCESSING"));
  EXPECT_EQ(seen.asset_id(), "hero");
  EXPECT_EQ(seen.request_id().size(), 36u);

  EXPECT_EQ(Run({"-o", "name", "assets", "create", "https://x/a.png"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "assets/hero\n");
  EXPECT_EQ(Run({"-o", "json", "assets", "create", "https://x/a.png"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(),
            "{\n \"name\": \"assets/hero\",\n \"source_uri\": \"https://x/a.png\",\n "
            "\"media_type\": \"IMAGE\",\n \"state\": \"PROCESSING\"\n}\n");
}

TEST_F(CommandsTest, ValidateOnlyShowsWhereTheTaskCanGoAndWhereNot) {
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

TEST_F(CommandsTest, ErrorsGoToStandardErrorWithTheirExitCode) {
  gateway_.create_video = [](const v1::CreateVideoTaskRequest&, v1::VideoTask*) {
    return ToGrpc(Error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, "wrong")
                      .Violation("video_task.duration", "too long"));
  };
  EXPECT_EQ(Run({"videos", "create", "--model", "m", "--request-id", "r1"}),
            ExitCode::kInvalidArgument);
  EXPECT_EQ(out_.str(), "");
  EXPECT_THAT(err_.str(), HasSubstr("video_task.duration (--duration): too long"));

  EXPECT_EQ(Run({"-o", "json", "videos", "create", "--model", "m", "--request-id", "r1"}),
            ExitCode::kInvalidArgument);
  EXPECT_THAT(err_.str(), HasSubstr(R"({"error":{"code":3,"message":"wrong")"));
  EXPECT_THAT(err_.str(), HasSubstr(R"("request_id":"r1"})"));
}

TEST_F(CommandsTest, AnOutcomeThatIsNotKnownComesWithTheRequestId) {
  gateway_.create_video = [](const v1::CreateVideoTaskRequest&, v1::VideoTask*) {
    return ToGrpc(Error(absl::StatusCode::kUnknown, v1::COMMIT_UNKNOWN, "maybe"));
  };
  EXPECT_EQ(Run({"videos", "create", "--model", "m", "--request-id", "r1"}),
            ExitCode::kUnavailable);
  EXPECT_THAT(err_.str(), HasSubstr("request id: r1"));
}

TEST_F(CommandsTest, ResolveSaysWhatAPersonFound) {
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

TEST_F(CommandsTest, AttemptsAreNumberedAsResolveNamesThem) {
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

TEST_F(CommandsTest, ImportSaysWhatTheProviderHas) {
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

TEST_F(CommandsTest, ResolveWantsOneWordAndOnlyOne) {
  gateway_.resolve_video = [](const v1::ResolveVideoTaskRequest&, v1::VideoTask*) {
    ADD_FAILURE() << "nothing may be sent";
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

TEST_F(CommandsTest, ErrorsOfResolveComeWithTheFlagAndARemedy) {
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
  EXPECT_THAT(err_.str(), HasSubstr("what to do: see how it stands"));
}

TEST_F(CommandsTest, WaitShowsWhatBecameOfIt) {
  gateway_.create_asset = [](const v1::CreateAssetRequest&, v1::Asset* asset) {
    *asset = MakeAsset("assets/hero", v1::Asset::PROCESSING);
    return grpc::Status::OK;
  };
  SettleAssets({MakeAsset("assets/hero", v1::Asset::ACTIVE)});
  EXPECT_EQ(Run({"assets", "create", "https://x/a.png", "--wait"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("ACTIVE"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("PROCESSING")));
}

TEST_F(CommandsTest, WaitingForWorkThatFailsHasAnExitCodeOfItsOwn) {
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

TEST_F(CommandsTest, WaitingForWhatIsDeletedMeanwhileFails) {
  gateway_.create_asset = [](const v1::CreateAssetRequest&, v1::Asset* asset) {
    *asset = MakeAsset("assets/hero", v1::Asset::PROCESSING);
    return grpc::Status::OK;
  };
  SettleAssets({});
  EXPECT_EQ(Run({"assets", "create", "https://x/a.png", "--wait"}), ExitCode::kWorkFailed);
  EXPECT_THAT(err_.str(), HasSubstr("deleted meanwhile"));
}

TEST_F(CommandsTest, ListsPageByPage) {
  gateway_.list_assets = [](const v1::ListAssetsRequest& request,
                            v1::ListAssetsResponse* response) {
    const bool first = request.page_token().empty();
    *response->add_assets() = MakeAsset(first ? "assets/b" : "assets/a", v1::Asset::ACTIVE);
    if (first) response->set_next_page_token("next");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"-o", "name", "assets", "list"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "assets/b\n");
  EXPECT_THAT(err_.str(), HasSubstr("--page-token next"));
  EXPECT_EQ(Run({"-o", "name", "assets", "list", "--all"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "assets/b\nassets/a\n");
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(Run({"-o", "json", "assets", "list", "--all"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(),
            "{\"name\":\"assets/b\",\"state\":\"ACTIVE\"}\n"
            "{\"name\":\"assets/a\",\"state\":\"ACTIVE\"}\n");
  EXPECT_EQ(Run({"assets", "list", "--all"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("ASSET  STATE"));
}

TEST_F(CommandsTest, AListGoesOnBeyondAPageThatIsEmpty) {
  gateway_.list_assets = [](const v1::ListAssetsRequest& request,
                            v1::ListAssetsResponse* response) {
    if (request.page_token().empty()) {
      response->set_next_page_token("second");
    } else if (request.page_token() == "second") {
      *response->add_assets() = MakeAsset("assets/a", v1::Asset::ACTIVE);
      response->set_next_page_token("third");
    }
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"-o", "name", "assets", "list"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "assets/a\n");
  EXPECT_THAT(err_.str(), HasSubstr("--page-token third"));
  EXPECT_EQ(Run({"-o", "name", "assets", "list", "--all"}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "assets/a\n");
  EXPECT_EQ(err_.str(), "");
  EXPECT_EQ(Run({"assets", "list"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("ACTIVE"));
}

TEST_F(CommandsTest, DeleteSaysWhoKeepsACopy) {
  gateway_.delete_asset = [](const v1::DeleteAssetRequest& request,
                             v1::DeleteAssetResponse* response) {
    EXPECT_EQ(request.name(), "assets/hero");
    response->add_retained_by_providers("providers/kyy");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"assets", "delete", "hero"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("providers/kyy keeps its copy"));
}

TEST_F(CommandsTest, BatchesAreCutAndEveryItemStandsOnItsOwn) {
  std::vector<v1::BatchCreateAssetsRequest> seen;
  gateway_.batch_create_assets = [&](const v1::BatchCreateAssetsRequest& request,
                                     v1::BatchCreateAssetsResponse* response) {
    seen.push_back(request);
    for (const auto& item : request.requests()) {
      auto* result = response->add_results();
      if (item.asset_id() == "bad") {
        *result->mutable_error() =
            Error(absl::StatusCode::kAlreadyExists, v1::RESOURCE_EXISTS, "taken").ToProto();
      } else {
        result->mutable_asset()->set_name(absl::StrCat("assets/", item.asset_id()));
      }
    }
    return grpc::Status::OK;
  };
  std::string lines;
  for (int i = 0; i < 130; ++i) {
    absl::StrAppend(&lines, R"({"asset_id":")", i == 7 ? "bad" : absl::StrCat("a", i),
                    R"(","asset":{"source_uri":"https://x/a.png"}})", "\n");
  }
  in_.str(lines);
  EXPECT_EQ(Run({"-o", "name", "assets", "batch-create", "--file", "-", "--request-id", "r",
                 "--provider", "kyy"}),
            ExitCode::kAlreadyExists);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].requests_size(), 100);
  EXPECT_EQ(seen[1].requests_size(), 30);
  EXPECT_EQ(seen[0].request_id(), "r.1");
  EXPECT_EQ(seen[1].request_id(), "r.2");
  EXPECT_EQ(seen[0].requests(0).providers(0), "providers/kyy");
  const std::vector<std::string> made = absl::StrSplit(out_.str(), '\n', absl::SkipEmpty());
  EXPECT_EQ(made.size(), 129u);
  EXPECT_THAT(err_.str(), HasSubstr("item 8 (https://x/a.png): error: ALREADY_EXISTS"));
}

TEST_F(CommandsTest, ABatchThatIsWaitedForEndsAsAList) {
  gateway_.batch_create_assets = [&](const v1::BatchCreateAssetsRequest&,
                                     v1::BatchCreateAssetsResponse* response) {
    response->add_results()->mutable_asset()->set_name("assets/a");
    response->add_results()->mutable_asset()->set_name("assets/b");
    return grpc::Status::OK;
  };
  SettleAssets(
      {MakeAsset("assets/a", v1::Asset::ACTIVE), MakeAsset("assets/b", v1::Asset::FAILED)});
  EXPECT_EQ(
      Run({"-o", "json", "assets", "batch-create", "https://x/a.png", "https://x/b.png", "--wait"}),
      ExitCode::kWorkFailed);
  EXPECT_EQ(out_.str(),
            "{\"name\":\"assets/a\",\"state\":\"ACTIVE\"}\n"
            "{\"name\":\"assets/b\",\"state\":\"FAILED\"}\n");
}

TEST_F(CommandsTest, BatchFilesThatCannotBeReadAreUsageErrors) {
  EXPECT_EQ(Run({"assets", "batch-create", "--file", "/nonexistent"}), ExitCode::kUsage);
  in_.str("{oops\n");
  EXPECT_EQ(Run({"assets", "batch-create", "--file", "-"}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("line 1"));
}

TEST_F(CommandsTest, WatchPrintsLinesWherePiped) {
  SettleAssets(
      {MakeAsset("assets/a", v1::Asset::ACTIVE), MakeAsset("assets/b", v1::Asset::FAILED)});
  EXPECT_EQ(Run({"assets", "watch", "--until-settled"}), ExitCode::kWorkFailed);
  EXPECT_THAT(out_.str(), HasSubstr("  assets/a  ACTIVE          -  -\n"));
  EXPECT_THAT(out_.str(), HasSubstr("  assets/b  FAILED          -  -\n"));

  EXPECT_EQ(Run({"-o", "json", "assets", "watch", "--until-settled"}), ExitCode::kWorkFailed);
  const std::vector<std::string> lines = absl::StrSplit(out_.str(), '\n', absl::SkipEmpty());
  EXPECT_THAT(lines, ElementsAre(R"({"type":"RESET","reset_reason":"FRESH"})",
                                 R"({"type":"PUT","asset":{"name":"assets/a","state":"ACTIVE"}})",
                                 R"({"type":"PUT","asset":{"name":"assets/b","state":"FAILED"}})",
                                 R"({"type":"BOOKMARK","resume_token":"dA==",)"
                                 R"("snapshot_complete":true})"));
}

TEST_F(CommandsTest, WhatTheNextCommandNeedsIsNeverCut) {
  const std::string id = "01a1fc54c91c-bf468e64913f22bd";
  const std::string link = "https://cdn.example.com/v/01a1fc54c91c.mp4?signature=0123456789abcdef";
  v1::VideoTask task = MakeTask("videoTasks/" + id, v1::VideoTask::SUCCEEDED);
  task.set_model("a-route-with-a-long-name");
  task.mutable_video()->set_uri(link);
  v1::Attempt& attempt = *task.add_attempts();
  attempt.set_provider("providers/octopusx");
  attempt.set_provider_model("doubao-seedance-2-0-260128");
  attempt.set_provider_task_id("cgt-20261130135723-x9tqw-and-more");
  gateway_.create_video = [&](const v1::CreateVideoTaskRequest&, v1::VideoTask* made) {
    *made = task;
    return grpc::Status::OK;
  };
  gateway_.list_assets = [&](const v1::ListAssetsRequest&, v1::ListAssetsResponse* page) {
    v1::Asset& asset = *page->add_assets();
    asset = MakeAsset("assets/" + id, v1::Asset::ACTIVE);
    asset.set_asset_group("assetGroups/" + id);
    return grpc::Status::OK;
  };
  for (const int width : {20, 80, 200}) {
    FakeTerminal terminal(width, 24);
    EXPECT_EQ(Run({"videos", "create", "--model", "m"}, &terminal), ExitCode::kOk);
    for (const std::string& whole :
         {task.name(), task.model(), link, attempt.provider_model(), attempt.provider_task_id()}) {
      EXPECT_THAT(out_.str(), HasSubstr(whole)) << width;
    }
    EXPECT_EQ(Run({"assets", "list"}, &terminal), ExitCode::kOk);
    EXPECT_THAT(out_.str(), ContainsRegex(id + ".*" + id)) << width;
  }
}

TEST_F(CommandsTest, WatchDrawsATableOnATerminal) {
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

TEST_F(CommandsTest, TheTwoWatchesAreToldApartInJson) {
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

TEST_F(CommandsTest, InterruptionIsTold) {
  gateway_.get_asset = [&](const v1::GetAssetRequest&, v1::Asset*) {
    interrupt_.request_stop();
    gateway_.WaitUntilOver();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"assets", "get", "hero"}), ExitCode::kInterrupted);
}

TEST_F(CommandsTest, TheTimeoutIsTheDeadline) {
  gateway_.get_asset = [&](const v1::GetAssetRequest&, v1::Asset*) {
    gateway_.WaitUntilOver();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"assets", "get", "hero", "--timeout", "50ms"}), ExitCode::kDeadline);
}

TEST_F(CommandsTest, ModelsShowTheirTargetsSideBySide) {
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

TEST_F(CommandsTest, ProvidersShowHowTheyAre) {
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

TEST_F(CommandsTest, MistakesAreUsageErrors) {
  EXPECT_EQ(Run({"assets", "get"}), ExitCode::kUsage);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(Run({"--help"}), ExitCode::kOk);
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CommandsTest, ExplainTellsWhyForPeopleAndAsJson) {
  std::string asked;
  gateway_.explain = [&](const v1::ExplainRequest& request, v1::Explanation* told) {
    asked = request.name();
    told->set_name(request.name());
    told->set_state("UNCONFIRMED");
    told->set_summary("the outcome is not known");
    told->set_needs_person(true);
    told->set_command("assetctl videos resolve videoTasks/fox");
    told->set_gateway("pod-1");
    told->mutable_time()->set_seconds(1000);
    auto* unit = told->add_units();
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
    auto* passed = told->add_passed_targets();
    passed->set_provider("providers/apiframe");
    passed->set_message("it cannot express the seed");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"explain", "fox"}), ExitCode::kOk);
  EXPECT_EQ(asked, "videoTasks/fox");
  for (const char* words :
       {"UNCONFIRMED", "the outcome is not known", "a person has to act",
        "assetctl videos resolve videoTasks/fox", "gateway pod-1", "RUNNING (processing)",
        "2, not accepted", "12", "5s ago", "HTTP 503: too ", "in 7s", "it is not due yet",
        "apiframe", "it cannot express the seed"}) {
    EXPECT_THAT(out_.str(), HasSubstr(words));
  }
  EXPECT_THAT(out_.str(), Not(HasSubstr("\x1b")));
  EXPECT_EQ(Run({"explain", "assets/hero", "--json"}), ExitCode::kOk);
  EXPECT_EQ(asked, "assets/hero");
  EXPECT_THAT(out_.str(), HasSubstr("\"summary\": \"the outcome is not known\""));
  EXPECT_EQ(Run({"explain", "assetGroups/summer"}), ExitCode::kOk);
  EXPECT_EQ(asked, "assetGroups/summer");
  EXPECT_EQ(Run({"explain", "providers/kyy"}), ExitCode::kUsage);
}

TEST_F(CommandsTest, ExplainHasTheExitCodesOfGet) {
  gateway_.explain = [](const v1::ExplainRequest&, v1::Explanation*) {
    return ToGrpc(Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND, "there is none"));
  };
  EXPECT_EQ(Run({"explain", "fox"}), ExitCode::kNotFound);
  EXPECT_THAT(err_.str(), HasSubstr("there is none"));
}

TEST_F(CommandsTest, DoctorLooksAtTheGatewayAndItsProviders) {
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

  // What is out of use is a warning, what is in use and does not work has failed.
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

TEST_F(CommandsTest, DoctorSaysWhenTheGatewayRefusedItsConfig) {
  gateway_.list_providers = [](const v1::ListProvidersRequest&, v1::ListProvidersResponse* out) {
    out->mutable_config_rejected_time()->set_seconds(1'800'000'000);
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr("FAILED   config: the gateway refused a changed config or "
                                    "secret at 2027-01-15T08:00:00+00:00"));
  EXPECT_THAT(out_.str(), HasSubstr("assetgate --check-config FILE"));
}

TEST_F(CommandsTest, DoctorSaysWhatIsNotServingAndWhatDoesNotAnswer) {
  gateway_.list_providers = [](const v1::ListProvidersRequest&, v1::ListProvidersResponse*) {
    return grpc::Status::OK;
  };
  gateway_.SetServing(false);
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr("FAILED   health: NOT_SERVING"));
  gateway_.list_providers = [](const v1::ListProvidersRequest&, v1::ListProvidersResponse*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone fishing");
  };
  EXPECT_EQ(Run({"doctor"}), ExitCode::kOther);
  EXPECT_THAT(out_.str(), HasSubstr(": does not answer: gone fishing"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("health"))) << "nothing is made up";
}

}  // namespace
}  // namespace assetgate::cli
