#include "provider/answers/meaning.h"

#include <string>

#include "gtest/gtest.h"

namespace assetgate::provider::answers {
namespace {

struct CodeRow {
  Meaning meaning;
  const char* code;
};

TEST(MeaningOfCodeTest, FollowsTheSharedTable) {
  for (const CodeRow& row : {
           CodeRow{Meaning::kNone, ""},
           CodeRow{Meaning::kNone, "E77"},
           CodeRow{Meaning::kNone, "31337"},
           CodeRow{Meaning::kNone, "40017"},
           CodeRow{Meaning::kNone, "99999999999999999999"},
           CodeRow{Meaning::kSuccess, "0"},
           CodeRow{Meaning::kSuccess, " SUCCESS "},
           CodeRow{Meaning::kInvalid, "400"},
           CodeRow{Meaning::kInvalid, "InvalidParameter.Duration"},
           CodeRow{Meaning::kInvalid, "invalid_request"},
           CodeRow{Meaning::kInvalid, "INVALID_ARGUMENT"},
           CodeRow{Meaning::kInvalid, "MissingParameter"},
           CodeRow{Meaning::kInvalid, "missing_prompt"},
           CodeRow{Meaning::kInvalid, "Bad Request"},
           CodeRow{Meaning::kContent, "InputImageSensitiveContentDetected.PrivacyInformation"},
           CodeRow{Meaning::kContent, "InvalidParameter.SensitiveContent"},
           CodeRow{Meaning::kContent, "sensitive_words_detected"},
           CodeRow{Meaning::kContent, "sensitive_content"},
           CodeRow{Meaning::kContent, "DataInspectionFailed"},
           CodeRow{Meaning::kContent, "data_inspection_failed"},
           CodeRow{Meaning::kContent, "content_violation"},
           CodeRow{Meaning::kContent, "content_policy_violation"},
           CodeRow{Meaning::kContent, "ResponsibleAIPolicyViolation"},
           CodeRow{Meaning::kContent, "InputTextRiskDetection"},
           CodeRow{Meaning::kContent, "CONTENT_MODERATION_FAILED"},
           CodeRow{Meaning::kContent, "PROHIBITED_CONTENT"},
           CodeRow{Meaning::kContent, "ContentRestricted"},
           CodeRow{Meaning::kContent, "prompt_blocked"},
           CodeRow{Meaning::kContent, "risk_control"},
           CodeRow{Meaning::kContent, "SAFETY"},
           CodeRow{Meaning::kOutOfCredit, "insufficient_user_quota"},
           CodeRow{Meaning::kOutOfCredit, "insufficient_quota"},
           CodeRow{Meaning::kOutOfCredit, "InsufficientBalance"},
           CodeRow{Meaning::kOutOfCredit, "INSUFFICIENT_CREDITS"},
           CodeRow{Meaning::kOutOfCredit, "Arrearage"},
           CodeRow{Meaning::kOutOfCredit, "AccountOverdueError"},
           CodeRow{Meaning::kCredentials, "insufficient_permissions"},
           CodeRow{Meaning::kCredentials, "AccessDenied.Model"},
           CodeRow{Meaning::kRateLimited, "rate_limit_exceeded"},
           CodeRow{Meaning::kRateLimited, "TooManyRequests"},
           CodeRow{Meaning::kRateLimited, "Throttling.RateQuota"},
           CodeRow{Meaning::kRateLimited, "concurrency_limit"},
           CodeRow{Meaning::kRateLimited, "slots_full"},
           CodeRow{Meaning::kRateLimited, "no_free_slots"},
           CodeRow{Meaning::kOperator, "model_not_found"},
           CodeRow{Meaning::kOperator, "InvalidEndpointOrModel.NotFound"},
           CodeRow{Meaning::kNotFound, "NotFound.group_id"},
       }) {
    EXPECT_EQ(MeaningOfCode(row.code, {}), row.meaning) << row.code;
  }
}

TEST(MeaningOfCodeTest, CodesOfServerErrorsAndLostAnswersMeanDoubt) {
  for (const char* const code : {"500",
                                 "502",
                                 "599",
                                 "5001",
                                 "50000",
                                 "59999",
                                 "500 INTERNAL_SERVER_ERROR",
                                 "E500",
                                 "HTTP_502",
                                 "ERR_TIMEOUT",
                                 "request_timeout",
                                 "SERVER_ERR",
                                 "INTERNAL_SERVER_ERROR",
                                 "InternalServiceError",
                                 "PROVIDER_ERROR",
                                 "UPSTREAM_ERROR",
                                 "TASK_SAVE_FAILED",
                                 "do_request_failed",
                                 "fail_to_fetch_task",
                                 "bad_response_status_code",
                                 "unmarshal_response_body_failed",
                                 "copy_response_body_failed",
                                 "parse_response_failed",
                                 "insert_task_failed",
                                 "invalid_response",
                                 "invalid_upstream_response",
                                 "missing_task_id",
                                 "invalid_task_id",
                                 "BadGateway",
                                 "ServiceUnavailable",
                                 "moderation_timeout"}) {
    EXPECT_EQ(MeaningOfCode(code, {}), Meaning::kDoubt) << code;
  }
}

TEST(MeaningOfCodeTest, TheDialectsTableTakesPrecedence) {
  constexpr DocumentedCode kCodes[] = {{"500", Meaning::kInvalid},
                                       {"E*", Meaning::kOperator},
                                       {"*_full", Meaning::kRateLimited},
                                       {"*queue*", Meaning::kNothingDone},
                                       {"-1", Meaning::kNotFound}};
  EXPECT_EQ(MeaningOfCode("500", kCodes), Meaning::kInvalid);
  EXPECT_EQ(MeaningOfCode("e77", kCodes), Meaning::kOperator);
  EXPECT_EQ(MeaningOfCode("DiskFull", kCodes), Meaning::kRateLimited);
  EXPECT_EQ(MeaningOfCode("no_queue_left", kCodes), Meaning::kNothingDone);
  EXPECT_EQ(MeaningOfCode("-1", kCodes), Meaning::kNotFound);
  EXPECT_EQ(MeaningOfCode("1", kCodes), Meaning::kNone);
}

TEST(MeaningOfCodeTest, OnlySomeCodesOfARefusedCallNameTheKey) {
  for (const char* code : {"invalid_api_key", "InvalidApiKey.NotFound", "AuthenticationError",
                           " unauthorized", "SignatureDoesNotMatch", "InvalidAccessKeyId"}) {
    EXPECT_TRUE(NamesTheKey(code)) << code;
    EXPECT_EQ(MeaningOfCode(code, {}), Meaning::kCredentials) << code;
  }
  for (const char* code : {"", "403", "forbidden", "access_denied", "AccessDenied.Model",
                           "permission_denied", "model_not_found", "insufficient_quota"}) {
    EXPECT_FALSE(NamesTheKey(code)) << code;
  }
}

TEST(MeaningOfTextTest, LostAnswersAndFailedProgramsMeanDoubt) {
  for (const char* const text : {
           "runtime error: invalid memory address or nil pointer dereference",
           "list index out of range",
           "runtime error: index out of range [0] with length 0",
           "Maximum call stack size exceeded",
           "Cannot read properties of undefined (reading 'task_id')",
           "'NoneType' object is not subscriptable",
           "KeyError: 'task_id'",
           "java.lang.NullPointerException",
           "Undefined array key \"Id\"",
           "undefined index: id",
           "Trying to access array offset on value of type null",
           "Internal server error",
           "internal_error",
           "系统异常",
           "系统繁忙，请稍后再试",
           "pq: sorry, too many clients already",
           "too many connections",
           "数据库异常",
           "database is locked",
           "SQLSTATE[HY000]: General error: 2006 MySQL server has gone away",
           "Deadlock found when trying to get lock",
           "do_request_failed",
           "provider did not return a task id (missing id)",
           "Provider returned an invalid task",
           "no task id in response",
           "missing task_id in answer",
           "获取任务ID失败",
           "上游接口异常",
           "上游返回为空",
           "请求上游失败",
           "upstream returned status 500",
           "failed to parse upstream response: missing field id",
           "socket hang up",
           "ECONNRESET",
           "fetch failed",
           "EOF",
           "create task failed: EOF",
           "SSL: UNEXPECTED_EOF_WHILE_READING",
           "unexpected end of stream",
           "stream disconnected before completion",
           "write: broken pipe",
           "context canceled",
           "net/http: request canceled",
           "The operation was aborted",
           "The operation was canceled.",
           "Remote end closed connection without response",
           "HTTPSConnectionPool(host='a', port=443): Max retries exceeded with url: /v3",
           "502 Server Error: Bad Gateway for url: https://a.test",
           "Request failed with status code 502",
           "Expecting value: line 1 column 1 (char 0)",
           "Unexpected token < in JSON at position 0",
           "JSON parse error: unexpected end of input",
           "I/O error on POST request: Connection refused",
           "task created but could not be saved: value too long",
           "failed to save task: invalid column",
           "任务已提交，但保存失败：参数过长",
           "order created but payment callback missing",
           "扣费成功，任务创建失败",
           "任务失败，费用已扣除",
           "invalid request, your account was charged",
       }) {
    EXPECT_TRUE(SpeaksOfLostCall(text)) << text;
    EXPECT_EQ(MeaningOfText(text), Meaning::kDoubt) << text;
  }
}

struct TextRow {
  Meaning meaning;
  const char* text;
};

TEST(MeaningOfTextTest, RefusalsAreNotTakenForLostCalls) {
  for (const TextRow& row : {
           TextRow{Meaning::kNone, "something else"},
           TextRow{Meaning::kNone, "the geofence is closed"},
           TextRow{Meaning::kInvalid, "prompt is required"},
           TextRow{Meaning::kInvalid, "duration is out of range"},
           TextRow{Meaning::kInvalid, "prompt is too long"},
           TextRow{Meaning::kInvalid, "invalid parameter"},
           TextRow{Meaning::kInvalid, "timeout must be at least 5"},
           TextRow{Meaning::kInvalid, "invalid timeout"},
           TextRow{Meaning::kInvalid, "ERROR: value too long (22001)"},
           TextRow{Meaning::kInvalid, "duration is missing; you have not been charged"},
           TextRow{Meaning::kInvalid, "参数过长，未扣费"},
           TextRow{Meaning::kInvalid, "文件大小超出限制"},
           TextRow{Meaning::kInvalid, "仅支持mp4"},
           TextRow{Meaning::kInvalid, "image url not found"},
           TextRow{Meaning::kOperator, "model not found"},
           TextRow{Meaning::kNotFound, "group not found in the database"},
           TextRow{Meaning::kRateLimited, "concurrency limit reached: 3 tasks running"},
           TextRow{Meaning::kOutOfCredit, "Insufficient credits"},
           TextRow{Meaning::kOutOfCredit, "预扣费额度失败, 用户剩余额度: 0, 需要预扣费额度: 1"},
           TextRow{Meaning::kOutOfCredit, "积分余额不够"},
           TextRow{Meaning::kOutOfCredit, "点数不足"},
           TextRow{Meaning::kOutOfCredit, "餘額不足"},
           TextRow{Meaning::kNone, "You have insufficient permissions for this operation."},
           TextRow{Meaning::kRejected, "prompt rejected"},
       }) {
    EXPECT_FALSE(SpeaksOfLostCall(row.text)) << row.text;
    EXPECT_FALSE(SpeaksOfTimeout(row.text)) << row.text;
    EXPECT_EQ(MeaningOfText(row.text), row.meaning) << row.text;
  }
}

TEST(MeaningOfTextTest, RefusedContentIsRecognisedByManyWords) {
  for (const char* const text : {
           "prompt contains banned words",
           "banned prompt: nude",
           "Prompt contains sensitive words",
           "input new_sensitive",
           "Your request was rejected as a result of our safety system",
           "The prompt contains prohibited content",
           "unsafe content detected",
           "Content flagged as harmful",
           "The content you provided is blocked by our content filter",
           "This prompt contains words that violate Vertex AI's usage guidelines",
           "may violates our content policy",
           "Provider returned an error: content policy",
           "Text Risk Not Pass",
           "Failure to pass the risk control system",
           "Real-person authentication is required for this image",
           "blocked by our moderation; try again with another prompt",
           "提示词包含违禁词",
           "内容不合规",
           "輸入內容違規",
           "人脸检测未通过：检测到名人",
           "输入图片涉黄",
           "内容安全检测失败",
           "プロンプトに不適切な内容が含まれています",
       }) {
    EXPECT_EQ(MeaningOfText(text), Meaning::kContent) << text;
  }
  EXPECT_NE(MeaningOfText("duration violates the minimum of 4"), Meaning::kContent);
}

TEST(MeaningOfTextTest, DoubtTakesPrecedence) {
  for (const char* const text :
       {"invalid response from upstream", "Moderation service unavailable, please retry",
        "content policy check timed out", "prompt is required, network error"}) {
    EXPECT_EQ(MeaningOfText(text), Meaning::kDoubt) << text;
  }
}

}  // namespace
}  // namespace assetgate::provider::answers
