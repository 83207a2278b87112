#include "provider/answers/failure_words.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "provider/json.h"

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
          Row{"plain words", "", "plain words"},
          Row{"<html><head><title> 521: Web server is down </title></head></html>", "",
              "521: Web server is down"},
          Row{"<html><body>x</body></html>", "", ""},
      }) {
    const Words words = Of(row.body);
    EXPECT_EQ(words.code, row.code) << row.body;
    EXPECT_EQ(words.message, row.message) << row.body;
  }
}

TEST(WordsOfTest, ASuccessIsNoReason) {
  for (const char* const body :
       {R"({})", R"({"code":0,"message":"success"})", R"({"code":"0","msg":"ok"})",
        R"({"code":200,"msg":"OK","data":null})", R"({"error":{"code":0,"message":""}})",
        R"({"error":null})", R"({"error":false})", R"({"error":[]})", R"({"error":""})"}) {
    EXPECT_TRUE(Of(body, 200).empty()) << body;
  }
}

TEST(WordsOfTest, LayersOfRelaysHaveABound) {
  std::string text = R"({"code":"innermost","message":"m"})";
  for (int i = 0; i < 8; ++i) {
    rapidjson::Document doc(rapidjson::kObjectType);
    SetJson(doc, doc, "code", "fail_to_fetch_task");
    SetJson(doc, doc, "message", text);
    text = WriteJson(doc);
  }
  const Words words = Of(text);
  EXPECT_EQ(words.code, "fail_to_fetch_task");
  EXPECT_TRUE(words.from_upstream);
}

TEST(FailureWordsOfTest, AFailedUnitTellsWhyInManyFields) {
  for (const char* const body :
       {R"({"error":"why"})", R"({"error":{"message":"why"}})", R"({"fail_reason":"why"})",
        R"({"failReason":"why"})", R"({"errorMsg":"why"})", R"({"errorMessage":"why"})",
        R"({"error_msg":"why"})", R"({"reason":"why"})", R"({"message":"why"})",
        R"({"Error":{"Code":"E","Message":"why"}})", R"({"detail":"why"})",
        R"({"fail_reason":"{\"error\":{\"message\":\"why\"}}"})"}) {
    const auto doc = ParseAnswer(body);
    ASSERT_TRUE(doc.has_value());
    EXPECT_EQ(FailureWordsOf(*doc).message, "why") << body;
  }
  for (const char* const plain : {"no faces", "[1]", "{}", "17"}) {
    rapidjson::Document doc(rapidjson::kObjectType);
    SetJson(doc, doc, "fail_reason", plain);
    EXPECT_EQ(FailureWordsOf(doc).message, plain);
  }
}

TEST(MeaningTest, TheDialectsTableWinsOverTheSharedOne) {
  constexpr DocumentedCode kCodes[] = {{"500", Meaning::kInvalid}, {"E*", Meaning::kOperator}};
  EXPECT_EQ(MeaningOfCode("500", kCodes), Meaning::kInvalid);
  EXPECT_EQ(MeaningOfCode("500", {}), Meaning::kDoubt);
  EXPECT_EQ(MeaningOfCode("e77", kCodes), Meaning::kOperator);
  EXPECT_EQ(MeaningOfCode("E77", {}), Meaning::kNone);
}

TEST(MeaningTest, OnlySomeCodesOfARefusedCallNameTheKey) {
  for (const char* code : {"invalid_api_key", "InvalidApiKey.NotFound", "AuthenticationError",
                           " unauthorized", "SignatureDoesNotMatch"}) {
    EXPECT_TRUE(NamesTheKey(code)) << code;
    EXPECT_EQ(MeaningOfCode(code, {}), Meaning::kCredentials) << code;
  }
  for (const char* code : {"", "403", "forbidden", "access_denied", "AccessDenied.Model",
                           "permission_denied", "model_not_found", "insufficient_quota"}) {
    EXPECT_FALSE(NamesTheKey(code)) << code;
  }
}

TEST(MeaningTest, DoubtWinsOverEveryOtherWordOfAText) {
  EXPECT_EQ(MeaningOfText("invalid response from upstream"), Meaning::kDoubt);
  EXPECT_EQ(MeaningOfText("prompt is required"), Meaning::kInvalid);
  EXPECT_EQ(MeaningOfText("something else"), Meaning::kNone);
}

}  // namespace
}  // namespace assetgate::provider::answers
