#include "provider/answers/states.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::provider::answers {
namespace {

using Progress = Observation::Progress;

constexpr absl::string_view kIds[] = {"task_id", "id"};
constexpr StateWord kWords[] = {{"frobbed", Progress::kSucceeded}, {"unknown", std::nullopt}};
constexpr StateNames kTask = {UnitKind::kVideo, {.names = kIds}, kWords};

struct Read {
  std::string word;
  Progress progress = Progress::kRunning;
  bool unknown = false;
  bool no_news = false;
  bool lags = false;
};

std::optional<Read> Of(const std::string& body) {
  const http::Response response{.status = 200, .headers = {}, .body = body};
  const Answer answer(response);
  const std::optional<State> state = FindState(answer, kTask);
  if (!state.has_value()) return std::nullopt;
  return Read{state->word, state->progress, state->unknown, state->no_news, state->lags()};
}

TEST(FindStateTest, AWordIsReadInAnySpelling) {
  struct Row {
    const char* word;
    Progress progress;
  };
  for (const Row& row :
       {Row{"succeeded", Progress::kSucceeded}, Row{"SUCCESS ", Progress::kSucceeded},
        Row{" Done\\n", Progress::kSucceeded}, Row{"Completed", Progress::kSucceeded},
        Row{"FINISHED", Progress::kSucceeded}, Row{"In Progress", Progress::kRunning},
        Row{"in-progress", Progress::kRunning}, Row{"PENDING", Progress::kQueued},
        Row{"Failure", Progress::kFailed}, Row{"expired", Progress::kFailed},
        Row{"canceled", Progress::kCancelled}, Row{"CANCELLED", Progress::kCancelled},
        Row{"frobbed", Progress::kSucceeded}, Row{"失败", Progress::kFailed}}) {
    const auto read = Of(absl::StrCat(R"({"id":"t","status":")", row.word, R"("})"));
    ASSERT_TRUE(read.has_value()) << row.word;
    EXPECT_EQ(read->progress, row.progress) << row.word;
    EXPECT_FALSE(read->unknown) << row.word;
  }
}

TEST(FindStateTest, AnUnknownWordMeansInProgressAndIsMarked) {
  const auto read = Of(R"({"id":"t","status":"PONDERING"})");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->progress, Progress::kRunning);
  EXPECT_TRUE(read->unknown);
  EXPECT_EQ(read->word, "PONDERING");
}

TEST(FindStateTest, AWordForAnUnknownStateIsNoNews) {
  EXPECT_TRUE(Of(R"({"id":"t","status":"UNKNOWN"})")->no_news);
}

TEST(FindStateTest, TheUnitIsFoundInsideItsEnvelope) {
  for (const char* const body :
       {R"({"status":"failed"})", R"({"code":0,"data":{"status":"failed"}})",
        R"({"code":200,"data":[{"status":"failed"}]})", R"({"Result":{"Status":"failed"}})",
        R"({"status":"success","data":{"id":"t","status":"failed"}})",
        R"({"status":"ok","data":{"status":"failed"}})",
        R"({"status":200,"data":{"task_status":"failed"}})"}) {
    const auto read = Of(body);
    ASSERT_TRUE(read.has_value()) << body;
    EXPECT_EQ(read->progress, Progress::kFailed) << body;
  }
}

TEST(FindStateTest, ANumberIsTheStatusOfTheCall) {
  EXPECT_FALSE(Of(R"({"status":404,"error":"Not Found"})").has_value());
  EXPECT_FALSE(Of(R"({"status":"500"})").has_value());
  EXPECT_FALSE(Of(R"({"status":null})").has_value());
  EXPECT_FALSE(Of(R"({"status":{"a":1}})").has_value());
}

TEST(FindStateTest, AnUnfinishedStateAroundAFinalOneLags) {
  EXPECT_TRUE(
      Of(R"({"data":{"task_id":"t","status":"IN_PROGRESS","data":{"status":"failed"}}})")->lags);
  EXPECT_FALSE(
      Of(R"({"data":{"task_id":"t","status":"IN_PROGRESS","data":{"status":"running"}}})")->lags);
  EXPECT_FALSE(
      Of(R"({"data":{"task_id":"t","status":"FAILURE","data":{"status":"succeeded"}}})")->lags);
}

TEST(ProgressOfTest, AssetsAndGroupsCanBeGone) {
  bool unknown = false;
  for (const char* const word : {"EXPIRED", "Deleted", "removed"}) {
    EXPECT_EQ(ProgressOf(word, UnitKind::kAsset, {}, unknown), Progress::kGone) << word;
    EXPECT_FALSE(unknown);
  }
  EXPECT_EQ(ProgressOf("Available", UnitKind::kAsset, {}, unknown), Progress::kSucceeded);
  EXPECT_EQ(ProgressOf("expired", UnitKind::kVideo, {}, unknown), Progress::kFailed);
}

}  // namespace
}  // namespace assetgate::provider::answers
