#include "provider/answers/verdict.h"

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "provider/answers/edge.h"

namespace assetgate::provider::answers {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr DocumentedCode kCodes[] = {{"-1", Meaning::kNotFound}, {"1001", Meaning::kInvalid}};
constexpr FailureRules kRules = {.codes = kCodes};

http::Response Response(int status, std::string body, std::vector<http::Header> headers = {}) {
  return {.status = status, .headers = std::move(headers), .body = std::move(body)};
}

Verdict JudgeOf(const http::Response& response) { return Judge(Answer(response), kRules, "no id"); }

struct Row {
  int status;
  const char* body;
  Outcome outcome;
  v1::ErrorReason reason;
};

TEST(JudgeTest, ARefusalIsCertain) {
  for (const Row& row : {
           Row{400, R"({"error":"prompt is required"})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{402, R"({"detail":"insufficient balance"})", Outcome::kRefused,
               v1::PROVIDER_OUT_OF_CREDIT},
           Row{404, R"({"detail":"not_found"})", Outcome::kRefused, v1::PROVIDER_REJECTED},
           Row{404, "404 page not found", Outcome::kRefused, v1::PROVIDER_REJECTED},
           Row{413, "<html>413 Request Entity Too Large</html>", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{422, R"({"detail":[{"loc":["body"],"msg":"Field required"}]})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{451, R"({"error":{"code":"InvalidParameter","message":"x"}})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{409, R"({"error":{"code":"InvalidParameter.Foo","message":"x"}})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{200, R"({"code":400,"msg":"bad url"})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{200, R"({"code":"422","msg":"no"})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{200, R"({"code":1001,"msg":"read timed out"})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{200, R"j({"code":77,"msg":"ERROR: value too long (22001)"})j", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{200, R"({"code":"invalid_request","message":"prompt"})", Outcome::kRefused,
               v1::PROVIDER_INVALID_ARGUMENT},
           Row{200, R"({"code":1201,"message":"prompt rejected"})", Outcome::kRefused,
               v1::PROVIDER_REJECTED},
           Row{200, R"({"code":9,"msg":"余额不足"})", Outcome::kRefused,
               v1::PROVIDER_OUT_OF_CREDIT},
           Row{200, R"({"code":"success","data":{"status":"FAILURE","fail_reason":"no muse"}})",
               Outcome::kRefused, v1::PROVIDER_REJECTED},
           Row{400, R"({"error":{"code":"InputImageSensitiveContentDetected","message":"x"}})",
               Outcome::kRefused, v1::CONTENT_REJECTED},
           Row{200, R"({"error":{"message":"may violates our content policy"}})", Outcome::kRefused,
               v1::CONTENT_REJECTED},
           Row{200, R"({"code":400,"msg":"图片包含敏感内容"})", Outcome::kRefused,
               v1::CONTENT_REJECTED},
           Row{400, R"({"error":{"code":"invalid_request","message":"a real person is shown"}})",
               Outcome::kRefused, v1::CONTENT_REJECTED},
           Row{403, R"({"error":"blocked by our moderation"})", Outcome::kRefused,
               v1::CONTENT_REJECTED},
           Row{422, R"({"detail":"nsfw"})", Outcome::kRefused, v1::CONTENT_REJECTED},
           Row{451, R"({"message":"copyright"})", Outcome::kRefused, v1::CONTENT_REJECTED},
       }) {
    const http::Response response = Response(row.status, row.body);
    const Verdict verdict = JudgeOf(response);
    EXPECT_EQ(verdict.outcome, row.outcome) << row.status << " " << row.body;
    EXPECT_EQ(verdict.failure.reason, row.reason) << row.status << " " << row.body;
    EXPECT_EQ(verdict.failure.http_status, row.status);
  }
}

TEST(JudgeTest, AnAnswerThatMayFollowTheWorkIsUnknown) {
  for (const Row& row : {
           Row{200, R"({"code":504,"msg":"x"})", {}, {}},
           Row{200, R"({"code":"500","msg":"Read timed out"})", {}, {}},
           Row{200, R"({"code":408,"msg":"x"})", {}, {}},
           Row{200, R"({"code":499})", {}, {}},
           Row{200, R"({"code":409,"msg":"x"})", {}, {}},
           Row{200, R"({"error":{"code":504}})", {}, {}},
           Row{200, R"({"code":"do_request_failed","message":"x"})", {}, {}},
           Row{200, R"({"error":{"code":"bad_response_status_code","message":"x"}})", {}, {}},
           Row{400, R"({"error":{"code":"bad_response_status_code","message":"x"}})", {}, {}},
           Row{400, R"({"code":"do_request_failed","message":"x"})", {}, {}},
           Row{400, R"({"code":500,"msg":"x"})", {}, {}},
           Row{400, R"({"error":"context deadline exceeded"})", {}, {}},
           Row{200, R"({"code":400,"msg":"upstream timed out"})", {}, {}},
           Row{200, R"({"error":"upstream closed the connection"})", {}, {}},
           Row{200, R"({"msg":"系统繁忙，请稍后再试"})", {}, {}},
           Row{200, R"({"data":{"status":"failed","fail_reason":"upstream timeout"}})", {}, {}},
           Row{200, R"({"code":"E77","msg":"no"})", {}, {}},
           Row{200, R"({"status":"timeout"})", {}, {}},
           Row{200, R"({"status":"error"})", {}, {}},
           Row{200, R"({"status":"aborted","message":"no"})", {}, {}},
           Row{200, R"({"status":"failed","code":31337,"msg":"xyzzy"})", {}, {}},
           Row{200,
               R"({"code":31337,"msg":"invalid character '<' looking for beginning of value"})",
               {},
               {}},
           Row{200, R"({"code":31337,"msg":"json: cannot unmarshal object"})", {}, {}},
           Row{200, R"({"code":31337,"msg":"missing task id in response"})", {}, {}},
           Row{200, R"({"code":31337,"msg":"record not found"})", {}, {}},
           Row{200, R"({"code":-77,"msg":"violates unique key"})", {}, {}},
           Row{400, R"({"message":"do request failed"})", {}, {}},
           Row{422,
               R"({"error":{"code":"invalid_request","message":"bad response status 502"}})",
               {},
               {}},
           Row{402, R"({"message":"read upstream: unexpected EOF"})", {}, {}},
           Row{200, R"({"code":40017})", {}, {}},
           Row{200, R"({"code":0,"msg":"success","data":null})", {}, {}},
           Row{200, R"({"code":200,"msg":"OK","data":{"foo":1}})", {}, {}},
           Row{200, R"({})", {}, {}},
           Row{200, R"([])", {}, {}},
           Row{200, "", {}, {}},
           Row{200, "<html>", {}, {}},
           Row{204, "", {}, {}},
           Row{400, "<html><head><title>400 Bad Request</title></head></html>", {}, {}},
           Row{404, "", {}, {}},
           Row{404, "<!DOCTYPE html><h1>gone</h1>", {}, {}},
           Row{502, "<html>Bad Gateway</html>", {}, {}},
           Row{503, "<html>503</html>", {}, {}},
           Row{500, R"({"error":{"code":"InvalidParameter","message":"x"}})", {}, {}},
       }) {
    const http::Response response = Response(row.status, row.body);
    EXPECT_EQ(JudgeOf(response).outcome, Outcome::kUnknown) << row.status << " " << row.body;
  }
  for (const int status : {302, 303, 304, 405, 406, 408, 409, 410, 412, 415, 421, 423, 424, 425,
                           426, 428, 431, 444, 460, 494, 499, 500, 502, 504, 520, 522, 524, 527}) {
    const http::Response response = Response(status, R"({"message":"no"})");
    EXPECT_EQ(JudgeOf(response).outcome, Outcome::kUnknown) << status;
  }
  const http::Response conflict =
      Response(409, R"({"code":"invalid_request","message":"used before"})");
  EXPECT_EQ(JudgeOf(conflict).outcome, Outcome::kUnknown);
}

TEST(JudgeTest, ARefusedKeyOrARateLimitIsNotAccepted) {
  for (const Row& row : {
           Row{401, R"({"error":"Invalid API key"})", {}, v1::PROVIDER_CREDENTIALS_REJECTED},
           Row{403, R"({"error":"API key is inactive"})", {}, v1::PROVIDER_CREDENTIALS_REJECTED},
           Row{429, R"({"error":"Too many requests"})", {}, v1::PROVIDER_RATE_LIMITED},
           Row{200, R"({"code":401,"msg":"AK expired"})", {}, v1::PROVIDER_CREDENTIALS_REJECTED},
           Row{200, R"({"code":"429","msg":"slow down"})", {}, v1::PROVIDER_RATE_LIMITED},
       }) {
    const http::Response response = Response(row.status, row.body);
    const Verdict verdict = JudgeOf(response);
    EXPECT_EQ(verdict.outcome, Outcome::kNotAccepted) << row.status << " " << row.body;
    EXPECT_EQ(verdict.failure.reason, row.reason) << row.status << " " << row.body;
  }
}

TEST(JudgeTest, RedirectsNameTheNewHostAndTheConfigField) {
  for (const int status : {301, 307, 308}) {
    const http::Response response =
        Response(status, "", {{"Location", "https://u:p@new.acme.test/v1/x?sig=s3cr3t#f"}});
    const Verdict verdict = JudgeOf(response);
    EXPECT_EQ(verdict.outcome, Outcome::kNotAccepted) << status;
    EXPECT_EQ(verdict.failure.act, base::Act::kOperator);
    EXPECT_THAT(verdict.failure.message, HasSubstr("https://new.acme.test;"));
    EXPECT_THAT(verdict.failure.message, HasSubstr("base_url"));
    EXPECT_THAT(verdict.failure.message, Not(HasSubstr("s3cr3t")));
    EXPECT_THAT(verdict.failure.message, Not(HasSubstr("u:p")));
  }
  for (const char* const location : {"", "/elsewhere", "https://evil host/", "https://"}) {
    const http::Response response = Response(308, "", {{"Location", location}});
    EXPECT_EQ(RedirectHost(Answer(response)), "") << location;
  }
}

TEST(JudgeTest, AnswersOfEdgesSayNothingAboutTheKey) {
  for (const int status : {521, 523, 525, 526, 530}) {
    const http::Response page = Response(status, absl::StrCat("error code: ", status));
    const Verdict verdict = JudgeOf(page);
    EXPECT_EQ(verdict.outcome, Outcome::kNotAccepted) << status;
    EXPECT_EQ(verdict.failure.reason, v1::PROVIDER_UNAVAILABLE);
    EXPECT_TRUE(verdict.failure.from_edge);
    const http::Response silent = Response(status, "");
    EXPECT_EQ(JudgeOf(silent).outcome, Outcome::kUnknown) << status << ": nobody says who spoke";
    const http::Response json = Response(status, R"({"error":"x"})");
    EXPECT_EQ(JudgeOf(json).outcome, Outcome::kUnknown) << status << ": the provider itself";
  }
  for (const int status : {403, 429, 503}) {
    for (const char* const body :
         {"error code: 1010", "<html><title>Just a moment...</title></html>",
          "<html>Attention Required! | Cloudflare</html>"}) {
      const http::Response page = Response(status, body);
      const Verdict verdict = JudgeOf(page);
      EXPECT_EQ(verdict.outcome, Outcome::kNotAccepted) << status << body;
      EXPECT_EQ(verdict.failure.reason, v1::PROVIDER_UNAVAILABLE) << status << body;
      EXPECT_THAT(verdict.failure.message, HasSubstr("blocked at the provider's edge"));
      EXPECT_TRUE(verdict.failure.from_edge);
    }
  }
  for (const int status : {502, 504, 520, 522, 524, 527}) {
    const http::Response page = Response(status, "<html>x</html>");
    EXPECT_EQ(JudgeOf(page).outcome, Outcome::kUnknown) << status;
  }
  // An edge that says that the origin failed, in the words of its pages for everything.
  for (const char* const body :
       {"<html>ERROR: The request could not be satisfied. The origin closed the connection.</html>",
        "<html>Reference #11.2c (errors.edgesuite.net)</html>", "<html>error 100 of Sucuri</html>",
        "<html>Request unsuccessful. Incapsula incident ID: 1</html>"}) {
    const http::Response page = Response(503, body);
    EXPECT_EQ(JudgeOf(page).outcome, Outcome::kUnknown) << body;
    const http::Response block = Response(403, body);
    EXPECT_EQ(JudgeOf(block).outcome, Outcome::kNotAccepted) << body;
  }
}

TEST(JudgeTest, AnUnreadableAnswerSaysNothingAboutTheProvidersHealth) {
  const http::Response json = Response(200, R"({"foo":1})");
  EXPECT_TRUE(JudgeOf(json).failure.unreadable);
  const http::Response page = Response(200, "<html>maintenance</html>");
  EXPECT_FALSE(JudgeOf(page).failure.unreadable);
}

TEST(WithoutIdTest, ARepetitionIsNeverRefused) {
  for (const int status : {400, 401, 402, 403, 404, 409, 413, 422, 429, 451, 301, 521}) {
    const http::Response response = Response(status, R"({"error":"invalid api key"})");
    EXPECT_EQ(WithoutId(Answer(response), kRules, "no id", /*replay=*/true).outcome,
              Outcome::kUnknown)
        << status;
  }
}

TEST(WithoutStateTest, OnlyTheProviderItselfReportsAnUnknownUnit) {
  for (const Row& row :
       {Row{404, R"({"error":"Not found"})", {}, {}}, Row{404, "404 page not found", {}, {}},
        Row{200, R"({"code":-1,"msg":"no such task"})", {}, {}},
        Row{200, R"({"code":404,"msg":"x"})", {}, {}},
        Row{400, R"({"code":"task_not_exist","message":"x"})", {}, {}}}) {
    const http::Response response = Response(row.status, row.body);
    const PollResult result = WithoutState(Answer(response), kRules, "no status");
    ASSERT_FALSE(result.trouble.has_value()) << row.body;
    EXPECT_EQ(result.news.front().kind, UnitNews::Kind::kNotFound) << row.body;
  }
  for (const Row& row :
       {Row{404, "<html>404</html>", {}, {}}, Row{404, "", {}, {}},
        Row{404, R"({"code":"fail_to_fetch_task","message":"x"})", {}, {}},
        Row{451, R"({"code":"fail_to_fetch_task","message":"x"})", {}, {}},
        Row{500, R"({"code":-1,"msg":"system error"})", {}, {}}, Row{302, "", {}, {}}}) {
    const http::Response response = Response(row.status, row.body);
    EXPECT_TRUE(WithoutState(Answer(response), kRules, "no status").trouble.has_value())
        << row.status << row.body;
  }
}

}  // namespace
}  // namespace assetgate::provider::answers
