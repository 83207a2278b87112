#include "provider/answers/answer.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::provider::answers {
namespace {

constexpr absl::string_view kTaskIds[] = {"task_id", "id"};
constexpr IdNames kOpaque = {.names = kTaskIds};
constexpr IdNames kFormed = {.names = kTaskIds, .has_form = [](absl::string_view id) {
                               return absl::StartsWith(id, "vt-");
                             }};

std::string IdIn(const std::string& body, const IdNames& names = kOpaque, int status = 200) {
  const http::Response response{.status = status, .headers = {}, .body = body};
  return FindId(Answer(response), names);
}

TEST(FindIdTest, AnIdIsReadFromEveryEnvelope) {
  for (const char* const body : {
           R"({"task_id":"t-7"})",
           R"({"id":"t-7"})",
           R"({"taskId":"t-7"})",
           R"({"TaskId":"t-7"})",
           R"({"code":0,"message":"ok","data":{"task_id":"t-7"}})",
           R"({"code":200,"data":[{"task_id":"t-7","status":"submitted"}]})",
           R"({"code":"success","data":"t-7"})",
           R"({"code":"success","data":["t-7"]})",
           R"({"ResponseMetadata":{"RequestId":"r"},"Result":{"Id":"t-7"}})",
           R"({"result":{"task":{"id":"t-7"}}})",
           R"([{"id":"t-7"}])",
           R"({"code":0,"data":"{\"task_id\":\"t-7\"}"})",
           R"({"task_id":"t-7","error":{"code":0,"message":""}})",
           R"({"task_id":"t-7","error":{"code":500,"message":"late"}})",
           R"({"task_id":" t-7\n"})",
           "\xEF\xBB\xBF{\"task_id\":\"t-7\"}",
           "{\"note\":\"\xB0\xA1\",\"task_id\":\"t-7\"}",
           R"({"progress":1e999,"task_id":"t-7"})",
           R"({"duration":NaN,"task_id":"t-7"})",
       }) {
    EXPECT_EQ(IdIn(body), "t-7") << body;
  }
}

TEST(FindIdTest, TheDocumentedNameTakesPrecedence) {
  EXPECT_EQ(IdIn(R"({"id":"other","task_id":"t-7"})"), "t-7");
  EXPECT_EQ(IdIn(R"({"id":"req-1","data":{"task_id":"t-7"}})"), "t-7");
}

TEST(FindIdTest, AnIdOfTheDocumentedFormTakesPrecedence) {
  EXPECT_EQ(IdIn(R"({"task_id":"req-1","data":{"id":"vt-7"}})", kFormed), "vt-7");
}

TEST(FindIdTest, NumbersAreReadExactlyFromTheirText) {
  EXPECT_EQ(IdIn(R"({"id":1800657071180349901})"), "1800657071180349901");
  EXPECT_EQ(IdIn(R"({"id":18006570711803499012})"), "18006570711803499012");
  EXPECT_EQ(IdIn(R"({"id":180065707118034990123456789})"), "180065707118034990123456789");
  EXPECT_EQ(IdIn(R"({"id":1.8006570711803499e18})"), "1800657071180349900");
  EXPECT_EQ(IdIn(R"({"id":17.0})"), "17");
  EXPECT_EQ(IdIn(R"({"id":1.5})"), "");
}

TEST(FindIdTest, OtherValuesAreNotTakenForIds) {
  for (const char* const body : {
           R"({})",
           R"({"id":null})",
           R"({"id":""})",
           R"({"id":"  "})",
           R"({"id":"a b"})",
           R"({"id":"null"})",
           R"({"id":"undefined"})",
           R"({"id":0})",
           R"({"id":-1})",
           R"({"id":true})",
           R"({"id":["a"]})",
           R"({"id":{"id":"a"}})",
           R"({"id":"é"})",
           R"({"code":"success","data":"success"})",
           R"({"result":"https://a.test/v.mp4"})",
           R"({"code":500,"data":"busy"})",
           R"("t-7")",
           R"(["t-7"])",
           "t-7",
           "",
       }) {
    EXPECT_EQ(IdIn(body), "") << body;
  }
  EXPECT_EQ(IdIn("{\"id\":\"t-\xB0\"}"), "") << "a byte of it was not readable";
  EXPECT_EQ(IdIn(absl::StrCat(R"({"id":")", std::string(256, 'a'), R"("})")).size(), 256u);
  EXPECT_EQ(IdIn(absl::StrCat(R"({"id":")", std::string(257, 'a'), R"("})")), "");
}

TEST(FindIdTest, AnIdUnderACommonNameInAFailureMustHaveTheForm) {
  const std::string refusal = R"({"code":1201,"message":"prompt rejected","id":"req-1"})";
  EXPECT_EQ(IdIn(refusal, kFormed), "");
  EXPECT_EQ(IdIn(R"({"error":{"message":"x"},"id":"req-1"})", kFormed, 400), "");
  EXPECT_EQ(IdIn(R"({"code":500,"message":"late","id":"vt-7"})", kFormed), "vt-7");
  EXPECT_EQ(IdIn(R"({"code":"success","id":"vt-q8"})", kFormed), "vt-q8");
  EXPECT_EQ(IdIn(R"({"task_id":"t-7"})", kOpaque, 502), "t-7") << "whatever stands beside it";
}

TEST(AtTest, NamesAreReadInAnySpellingAndArraysByIndex) {
  const std::optional<rapidjson::Document> doc =
      base::ParseAnswer(R"({"Video_URL":"a","videos":[{"url":"b"}],"x":null})");
  ASSERT_TRUE(doc.has_value());
  EXPECT_EQ(TextAt(*doc, "videoUrl"), "a");
  EXPECT_EQ(TextAt(*doc, "videos.0.url"), "b");
  EXPECT_EQ(At(*doc, "videos.1.url"), nullptr);
  EXPECT_EQ(At(*doc, "videos.url"), nullptr);
  EXPECT_EQ(At(*doc, "x"), nullptr);
}

}  // namespace
}  // namespace assetgate::provider::answers
