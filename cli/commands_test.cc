#include "cli/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "cli/testing/commands_fixture.h"
#include "cli/testing/fake_gateway.h"
#include "cli/testing/fake_terminal.h"

namespace assetgate::cli {
namespace {

using base::Error;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using CommandsTest = CommandsFixture;

TEST_F(CommandsTest, CreatePrintsTheNewResource) {
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

TEST_F(CommandsTest, WaitPrintsTheFinalState) {
  gateway_.create_asset = [](const v1::CreateAssetRequest&, v1::Asset* asset) {
    *asset = MakeAsset("assets/hero", v1::Asset::PROCESSING);
    return grpc::Status::OK;
  };
  SettleAssets({MakeAsset("assets/hero", v1::Asset::ACTIVE)});
  EXPECT_EQ(Run({"assets", "create", "https://x/a.png", "--wait"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("ACTIVE"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("PROCESSING")));
}

TEST_F(CommandsTest, WaitingForADeletedResourceFails) {
  gateway_.create_asset = [](const v1::CreateAssetRequest&, v1::Asset* asset) {
    *asset = MakeAsset("assets/hero", v1::Asset::PROCESSING);
    return grpc::Status::OK;
  };
  SettleAssets({});
  EXPECT_EQ(Run({"assets", "create", "https://x/a.png", "--wait"}), ExitCode::kWorkFailed);
  EXPECT_THAT(err_.str(), HasSubstr("1 of the awaited resources deleted meanwhile"));
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

TEST_F(CommandsTest, AListContinuesAfterAnEmptyPage) {
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

TEST_F(CommandsTest, DeleteListsTheProvidersThatKeepACopy) {
  gateway_.delete_asset = [](const v1::DeleteAssetRequest& request,
                             v1::DeleteAssetResponse* response) {
    EXPECT_EQ(request.name(), "assets/hero");
    response->add_retained_by_providers("providers/kyy");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"assets", "delete", "hero"}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("providers/kyy keeps its copy"));
}

TEST_F(CommandsTest, BatchesAreSplitAndOneFailureDoesNotStopTheOthers) {
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

TEST_F(CommandsTest, AnAwaitedBatchIsPrintedAsAList) {
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

TEST_F(CommandsTest, UnreadableBatchFilesAreUsageErrors) {
  EXPECT_EQ(Run({"assets", "batch-create", "--file", "/nonexistent"}), ExitCode::kUsage);
  in_.str("{oops\n");
  EXPECT_EQ(Run({"assets", "batch-create", "--file", "-"}), ExitCode::kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("line 1"));
}

TEST_F(CommandsTest, WatchPrintsLinesToAPipe) {
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

TEST_F(CommandsTest, IdsNamesAndLinksAreNeverCut) {
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

TEST_F(CommandsTest, InterruptionHasItsOwnExitCode) {
  gateway_.get_asset = [&](const v1::GetAssetRequest&, v1::Asset*) {
    interrupt_.request_stop();
    gateway_.WaitUntilOver();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"assets", "get", "hero"}), ExitCode::kInterrupted);
}

TEST_F(CommandsTest, TheTimeoutLimitsACall) {
  gateway_.get_asset = [&](const v1::GetAssetRequest&, v1::Asset*) {
    gateway_.WaitUntilOver();
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({"assets", "get", "hero", "--timeout", "50ms"}), ExitCode::kDeadline);
}

TEST_F(CommandsTest, MistakesAreUsageErrors) {
  EXPECT_EQ(Run({"assets", "get"}), ExitCode::kUsage);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(Run({"--help"}), ExitCode::kOk);
  EXPECT_EQ(err_.str(), "");
}

}  // namespace
}  // namespace assetgate::cli
