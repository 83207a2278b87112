#include "provider/answers/failure_words.h"

#include <string>

#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::provider::answers {
namespace {

Words Of(const std::string& body, int status = 400) {
  const http::Response response{.status = status, .headers = {}, .body = body};
  return WordsOf(Answer(response));
}

struct Row {
  const char* body;
  const char* code;
  const char* message;
};

TEST(WordsOfTest, WordsAreReadFromEveryShape) {
  for (
      const Row& row : {
          Row{R"({"error":"text"})", "", "text"},
          Row{R"({"error":{"message":"text","code":"E1","type":"T"}})", "E1", "text"},
          Row{R"({"error":["first","second"]})", "", "first; second"},
          Row{R"({"state":0,"data":null,"error":["text"]})", "", "text"},
          Row{R"({"state":1,"data":{"Code":"E2","Message":"text"},"error":null})", "E2", "text"},
          Row{R"({"ResponseMetadata":{"Error":{"Code":"E3","Message":"text"}}})", "E3", "text"},
          Row{R"({"code":1001,"msg":"text"})", "1001", "text"},
          Row{R"({"code":"E4","message":"text"})", "E4", "text"},
          Row{R"({"error":"invalid_request","message":"text of it"})", "invalid_request",
              "text of it"},
          Row{R"({"errors":[{"message":"text"}]})", "", "text"},
          Row{R"({"detail":"text"})", "", "text"},
          Row{R"({"detail":[{"loc":["body","prompt"],"msg":"Field required"}]})", "",
              "body.prompt: Field required"},
          Row{R"({"error":"Validation failed","details":{"a.b":["Too big","Not whole"]}})", "",
              "Validation failed: a.b: Too big, Not whole"},
          Row{R"({"errorMessage":"text"})", "", "text"},
          Row{R"({"code":"E5"})", "E5", ""},
          Row{R"({"status":404,"error":"Not Found","path":"/x"})", "404", "Not Found"},
          Row{"{\"code\":400,\"msg\":\"\xB2\xCE\xCA\xFD\"}", "400", "\uFFFD\uFFFD\uFFFD\uFFFD"},
          Row{R"({"code":"fail_to_fetch_task","message":"{\"error\":{\"code\":\"E6\",\"message\":\"m\"}}"})",
              "E6", "m"},
          Row{R"j({"code":"fail_to_fetch_task","message":"status_code=400, {\"error\":{\"code\":\"E6\",\"message\":\"a \\\"}\\\" {\"}} (request id: 1)"})j",
              "E6", "a \"}\" {"},
          Row{R"({"code":"E7","message":"unknown field {prompt} in body"})", "E7",
              "unknown field {prompt} in body"},
          // Reason phrases are titles.
          Row{R"({"status":400,"error":"Bad Request","message":"text of it"})", "400",
              "text of it"},
          Row{R"({"statusCode":400,"message":["first","second"],"error":"Bad Request"})", "400",
              "first; second"},
          Row{R"({"statusCode":400,"code":"E8","error":"Bad Request","message":"text"})", "E8",
              "text"},
          Row{R"({"code":400,"error":"Internal Server Error","message":"text"})", "400",
              "Internal Server Error: text"},
          Row{R"({"code":400,"error":"do_request_failed","message":"text"})", "400",
              "do_request_failed: text"},
          // Faults by field.
          Row{R"({"message":"Invalid.","errors":{"prompt":["Required."],"seed":["Odd","Big"]}})",
              "", "Invalid.: prompt: Required.; seed: Odd, Big"},
          Row{R"({"title":"Invalid","status":400,"errors":{"Prompt":["Required"]}})", "400",
              "Invalid: Prompt: Required"},
          Row{R"({"prompt":["This field is required."]})", "", "prompt: This field is required."},
          Row{R"({"prompt":["text"],"model":"m"})", "", ""},
          Row{R"({"errors":[{"status":"400","title":"Invalid","detail":"text"}]})", "", "text"},
          Row{R"({"errors":[{"title":"text"}]})", "", "text"},
          Row{R"({"errors":[{"code":"E9","message":"text"}]})", "E9", "text"},
          Row{R"({"error":"Bad Request","details":"text of it"})", "400", "text of it"},
          Row{R"({"error":"Bad Request","details":["first","second"]})", "400", "first; second"},
          // Other names.
          Row{R"({"errno":40001,"errmsg":"text"})", "40001", "text"},
          Row{R"({"ret":-1,"err_msg":"text"})", "", "text"},
          Row{R"({"code":4,"description":"text"})", "4", "text"},
          Row{R"({"ok":false,"description":"text"})", "", "text"},
          Row{R"({"description":"what it is for","title":"mine"})", "", ""},
          Row{R"({"base_resp":{"status_code":1008,"status_msg":"text"},"task_id":""})", "1008",
              "text"},
          Row{R"({"errorCode":"E10","errorMessage":"text"})", "E10", "text"},
          Row{"plain words", "", "plain words"},
          Row{" 参数错误\r\n", "", "参数错误"},
          Row{"\x1f\x8b\x08 gzip", "", ""},
          Row{"a bell\x07", "", ""},
          Row{"\xB2\xCE\xCA\xFD", "", ""},
          Row{"12345", "", ""},
          Row{"<html><head><title> 521: Web server is down </title></head></html>", "",
              "521: Web server is down"},
          Row{"<html><body>x</body></html>", "", ""},
      }) {
    const Words words = Of(row.body);
    EXPECT_EQ(words.code, row.code) << row.body;
    EXPECT_EQ(words.message, row.message) << row.body;
  }
}

TEST(WordsOfTest, BinaryDataIsNotReadAsWords) {
  EXPECT_TRUE(Of(std::string("\0\1\2", 3)).empty());
  EXPECT_TRUE(Of(std::string("text\0", 5)).empty());
  EXPECT_EQ(Of(std::string(2000, 'x')).message, std::string(1024, 'x'));
}

TEST(WordsOfTest, FaultsByFieldAreReadOnlyInFailures) {
  EXPECT_TRUE(Of(R"({"files":["not found.png"]})", 200).empty());
}

TEST(WordsOfTest, ASuccessIsNotAReason) {
  for (const char* const body :
       {R"({})", R"({"code":0,"message":"success"})", R"({"code":"0","msg":"ok"})",
        R"({"code":200,"msg":"OK","data":null})", R"({"error":{"code":0,"message":""}})",
        R"({"code":0,"message":"操作成功"})", R"({"code":"0","msg":"Success!"})",
        R"({"error":"none"})", R"({"error":"null"})", R"({"errors":{}})", R"({"error":null})",
        R"({"error":false})", R"({"error":[]})", R"({"error":""})"}) {
    EXPECT_TRUE(Of(body, 200).empty()) << body;
  }
}

TEST(WordsOfTest, LayersOfRelaysAreLimited) {
  std::string text = R"({"code":"innermost","message":"m"})";
  for (int i = 0; i < 8; ++i) {
    rapidjson::Document doc(rapidjson::kObjectType);
    base::SetJson(doc, doc, "code", "fail_to_fetch_task");
    base::SetJson(doc, doc, "message", text);
    text = base::WriteJson(doc);
  }
  const Words words = Of(text);
  EXPECT_EQ(words.code, "fail_to_fetch_task");
  EXPECT_TRUE(words.from_upstream);
}

TEST(FailureWordsOfTest, TheReasonOfAFailedUnitIsReadFromManyFields) {
  for (const char* const body : {
           R"({"error":"why"})",
           R"({"error":["why"]})",
           R"({"error":{"message":"why"}})",
           R"({"error":{"details":"why"}})",
           R"({"error":{"info":"why"}})",
           R"({"error":{"error_msg":"why"}})",
           R"({"Error":{"Code":"E","Message":"why"}})",
           R"({"error":true,"message":"why"})",
           R"({"errors":["why"]})",
           R"({"fail_reason":"why"})",
           R"({"failReason":"why"})",
           R"({"errorMsg":"why"})",
           R"({"errorMessage":"why"})",
           R"({"error_msg":"why"})",
           R"({"errmsg":"why"})",
           R"({"err":"why"})",
           R"({"error_info":"why"})",
           R"({"errorInfo":{"message":"why"}})",
           R"({"error_detail":"why"})",
           R"({"error_reason":"why"})",
           R"({"task_error":{"message":"why"}})",
           R"({"task_status_msg":"why"})",
           R"({"status_msg":"why"})",
           R"({"status_message":"why"})",
           R"({"failMsg":"why"})",
           R"({"fail_msg":"why"})",
           R"({"failed_msg":"why"})",
           R"({"failure":"why"})",
           R"({"failure_message":"why"})",
           R"({"output":{"message":"why"}})",
           R"({"cause":"why"})",
           R"({"reason":"why"})",
           R"({"message":"why"})",
           R"({"detail":"why"})",
           R"({"details":"why"})",
           R"({"remark":"why"})",
           R"({"description":"why"})",
           R"({"fail_reason":"{\"error\":{\"message\":\"why\"}}"})",
           R"j({"error":"{\"message\":\"why\"} (request id: 9)"})j",
       }) {
    const auto doc = base::ParseAnswer(body);
    ASSERT_TRUE(doc.has_value());
    EXPECT_EQ(FailureWordsOf(*doc).message, "why") << body;
  }
  for (const char* const plain : {"no faces", "[1]", "{}", "17"}) {
    rapidjson::Document doc(rapidjson::kObjectType);
    base::SetJson(doc, doc, "fail_reason", plain);
    EXPECT_EQ(FailureWordsOf(doc).message, plain);
  }
}

TEST(FailureWordsOfTest, ASuccessOrAStateIsNotAReason) {
  for (const char* const body :
       {R"({"message":"查询成功"})", R"({"msg":"操作成功","status":"failed"})",
        R"({"msg":"Success!"})", R"({"error":"none"})", R"({"error":"no error"})",
        R"({"error":"false","message":"OK."})"}) {
    const auto doc = base::ParseAnswer(body);
    ASSERT_TRUE(doc.has_value());
    EXPECT_TRUE(FailureWordsOf(*doc).empty()) << body;
  }
  for (const Row& row : {
           Row{R"({"error":"TASK_FAILED","message":"why"})", "TASK_FAILED", "why"},
           Row{R"({"error":"failed","reason":"why"})", "", "why"},
           Row{R"({"error":"1","message":"why it failed"})", "1", "why it failed"},
           Row{R"({"error":"failed"})", "", "failed"},
           Row{R"({"error":"nsfw","message":"failed"})", "", "nsfw"},
           Row{R"({"fail_reason":"{\"code\":\"E\",\"message\":\"why\"}","message":"it failed"})",
               "E", "why"},
           Row{R"({"msg":"success","error_msg":"why"})", "", "why"},
           Row{R"({"reason":"task was not successful"})", "", "task was not successful"},
           Row{R"({"error":{"code":"E"},"message":"why"})", "E", "why"},
           Row{R"({"output":{"code":"E","message":"why"}})", "E", "why"},
           Row{R"({"fail_code":"E","fail_reason":"why"})", "E", "why"},
           Row{R"({"errors":{"prompt":["why"]}})", "", "prompt: why"},
       }) {
    const auto doc = base::ParseAnswer(row.body);
    ASSERT_TRUE(doc.has_value());
    const Words words = FailureWordsOf(*doc);
    EXPECT_EQ(words.code, row.code) << row.body;
    EXPECT_EQ(words.message, row.message) << row.body;
  }
}

TEST(SaysTest, FailureAndSuccessOfTheCallAreRecognised) {
  enum Says { kNeither, kFailed, kSucceeded };
  struct Envelope {
    Says says;
    const char* body;
  };
  for (const Envelope& envelope : {
           Envelope{kNeither, ""},
           Envelope{kNeither, "[]"},
           Envelope{kNeither, R"({})"},
           Envelope{kNeither, R"({"task_id":"t1","error":null,"errors":[]})"},
           Envelope{kNeither, R"({"state":1,"data":{},"error":null})"},
           Envelope{kNeither, R"({"status":"pondering"})"},
           Envelope{kNeither, R"({"code":0,"data":{"code":1001,"msg":"x"}})"},
           Envelope{kNeither, R"({"code":0,"data":{"error":{"code":"E","message":"x"}}})"},
           Envelope{kNeither, R"({"code":0,"data":{"status":"FAILURE","fail_reason":"x y"}})"},
           Envelope{kFailed, R"({"error":"x"})"},
           Envelope{kFailed, R"({"ResponseMetadata":{"Error":{"Code":"E"}}})"},
           Envelope{kFailed, R"({"errors":[{"message":"x"}]})"},
           Envelope{kFailed, R"({"errors":{"prompt":["x"]},"status":"queued"})"},
           Envelope{kFailed, R"({"code":1001})"},
           Envelope{kFailed, R"({"error_code":336003})"},
           Envelope{kFailed, R"({"errno":40001,"code":0})"},
           Envelope{kFailed, R"({"errCode":"E"})"},
           Envelope{kFailed, R"({"errcode":40001})"},
           Envelope{kFailed, R"({"base_resp":{"status_code":1008}})"},
           Envelope{kFailed, R"({"success":false})"},
           Envelope{kFailed, R"({"ok":false,"status":"ok"})"},
           Envelope{kFailed, R"({"state":0,"data":null,"error":null})"},
           Envelope{kFailed, R"({"status":"error"})"},
           Envelope{kFailed, R"({"status":"FAILED"})"},
           Envelope{kFailed, R"({"status":"fail"})"},
           Envelope{kSucceeded, R"({"code":0,"msg":"不支持取消","data":null})"},
           Envelope{kSucceeded, R"({"code":"200"})"},
           Envelope{kSucceeded, R"({"code":1,"description":"提交成功","result":"t1"})"},
           Envelope{kSucceeded, R"({"code":20000,"message":"success"})"},
           Envelope{kFailed, R"({"code":500,"message":"success"})"},
           Envelope{kFailed, R"({"code":1,"msg":"扣费成功，任务失败"})"},
           Envelope{kFailed, R"({"code":1,"msg":"not successful"})"},
           Envelope{kSucceeded, R"({"Code":"Success"})"},
           Envelope{kSucceeded, R"({"errno":0,"error":""})"},
           Envelope{kSucceeded, R"({"success":true,"message":"cancellation is not supported"})"},
           Envelope{kSucceeded, R"({"ok":true,"error":"none"})"},
           Envelope{kSucceeded, R"({"status":"submitted"})"},
           Envelope{kSucceeded, R"({"state":"Processing"})"},
           Envelope{kSucceeded, R"({"status":"success","data":{"status":"failed"}})"},
       }) {
    const http::Response response{.status = 200, .headers = {}, .body = envelope.body};
    const Answer answer(response);
    EXPECT_EQ(SaysFailed(answer), envelope.says == kFailed) << envelope.body;
    EXPECT_EQ(SaysSucceeded(answer), envelope.says == kSucceeded) << envelope.body;
  }
  const http::Response response{.status = 400, .headers = {}, .body = R"({"code":0})"};
  EXPECT_TRUE(SaysFailed(Answer(response)));
  EXPECT_TRUE(SaysSucceeded(Answer(response)));
}

}  // namespace
}  // namespace assetgate::provider::answers
