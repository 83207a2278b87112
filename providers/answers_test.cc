// The shared decoding of answers, for every dialect and every kind of unit: an answer that one
// relay has given may come from another.
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "provider/dialect.h"
#include "providers/dialects.h"
#include "tests/conformance/profile.h"

namespace assetgate::providers {
namespace {

using provider::Observation;
using provider::Outcome;
using provider::PollResult;
using provider::SubmitResult;
using provider::UnitKind;
using Progress = provider::Observation::Progress;

// One kind of unit at one dialect, and the names in its provider's answers.
struct Subject : conformance::Profile::Unit {
  std::string dialect;
};

std::string NameOf(const Subject& subject) {
  const char* const kind = subject.kind == UnitKind::kAssetGroup ? "Group"
                           : subject.kind == UnitKind::kAsset    ? "Asset"
                                                                 : "Video";
  return absl::StrCat(subject.dialect, kind);
}

void PrintTo(const Subject& subject, std::ostream* out) { *out << NameOf(subject); }

std::vector<Subject> Subjects() {
  std::vector<Subject> subjects;
  for (const provider::DialectFactory* const factory : AllDialects()) {
    for (const auto& unit : conformance::ProfileOf(factory->name).units) {
      subjects.push_back({unit, factory->name});
    }
  }
  return subjects;
}

std::unique_ptr<const provider::Dialect> Make(const std::string& name) {
  for (const provider::DialectFactory* const factory : AllDialects()) {
    if (factory->name != name) continue;
    auto dialect = factory->create(*factory->new_options());
    EXPECT_TRUE(dialect.ok()) << dialect.status();
    if (dialect.ok()) return *std::move(dialect);
  }
  ADD_FAILURE() << "no dialect " << name;
  return nullptr;
}

class AnswersTest : public ::testing::TestWithParam<Subject> {
 protected:
  AnswersTest() : subject_(GetParam()), dialect_(Make(subject_.dialect)) {}

  SubmitResult Submit(int status, const std::string& body, std::vector<http::Header> headers = {},
                      bool replay = false) {
    http::Request request;
    request.method = "POST";
    request.body = R"({"model":"seedance-2-0","platform":"JIMENG"})";
    return dialect_->DecodeSubmit(
        subject_.kind, request,
        {.status = status, .headers = std::move(headers), .body = Filled(body)}, replay);
  }

  PollResult Poll(int status, const std::string& body, std::vector<http::Header> headers = {}) {
    const SubmitResult made = Submit(200, R"({"ID_NAME":"ID"})");
    EXPECT_EQ(made.outcome, Outcome::kAccepted);
    const provider::Handle handles[] = {made.handle};
    return dialect_->DecodePoll(
        subject_.kind, {.status = status, .headers = std::move(headers), .body = Filled(body)},
        handles);
  }

  // The observation in the answer to a poll; fails the test where there is none.
  Observation Seen(const std::string& body) {
    const PollResult result = Poll(200, body);
    EXPECT_FALSE(result.trouble.has_value()) << body << ": " << result.trouble->message;
    if (result.trouble.has_value() || result.news.size() != 1) return {};
    EXPECT_EQ(result.news[0].kind, provider::UnitNews::Kind::kObserved) << body;
    return result.news[0].observation;
  }

  std::string Filled(const std::string& body) const {
    return absl::StrReplaceAll(
        body, {{"ID_NAME", subject_.id_name}, {"ID", subject_.id}, {"STATE", subject_.state_name}});
  }

  // The unit's id as a caller sees it.
  static std::string IdOf(const SubmitResult& result) {
    return result.observation.provider_id.empty() ? result.observation.provider_tracking_id
                                                  : result.observation.provider_id;
  }

  bool is_video() const { return subject_.kind == UnitKind::kVideo; }

  const Subject subject_;
  const std::unique_ptr<const provider::Dialect> dialect_;
};

TEST_P(AnswersTest, AReadableIdIsAnAcceptanceInEveryEnvelope) {
  for (const char* const body : {
           R"({"ID_NAME":"ID"})",
           R"({"code":0,"message":"ok","data":{"ID_NAME":"ID"}})",
           R"({"code":200,"msg":"success","data":{"ID_NAME":"ID"}})",
           R"({"code":"0","data":{"id":"ID"}})",
           R"({"code":200,"data":[{"ID_NAME":"ID","status":"submitted"}]})",
           R"({"code":"success","data":"ID"})",
           R"({"code":"success","ID_NAME":"ID"})",
           R"({"ResponseMetadata":{"RequestId":"r-1"},"Result":{"ID_NAME":"ID"}})",
           R"({"ID_NAME":"ID","error":{"code":0,"message":""}})",
           R"({"ID_NAME":"ID","error":null,"message":"queued"})",
           R"({"ID_NAME":" ID\n"})",
           R"({"code":20000,"message":"success","data":{"ID_NAME":"ID"}})",
           R"({"code":1,"msg":"提交成功","data":{"ID_NAME":"ID"}})",
           R"({"code":1,"description":"提交成功","result":"ID"})",
           R"({"output":{"ID_NAME":"ID","task_status":"PENDING"}})",
           R"({"code":0,"data":{"list":[{"ID_NAME":"ID"}]}})",
           R"({"code":0,"data":{"items":[{"ID_NAME":"ID"}]}})",
           R"({"payload":{"ID_NAME":"ID"}})",
           R"("{\"ID_NAME\":\"ID\"}")",
           "data: {\"ID_NAME\":\"ID\"}\n\ndata: [DONE]\n\n",
           "PHP Warning: x in y on line 3\n{\"ID_NAME\":\"ID\"}",
           R"({"ID_NAME":"ID",} // made)",
           "{\"note\":\"\xB0\xA1\",\"ID_NAME\":\"ID\"}",
           "\xEF\xBB\xBF{\"ID_NAME\":\"ID\"}",
       }) {
    for (const int status : {200, 201, 202}) {
      const SubmitResult result = Submit(status, body);
      ASSERT_EQ(result.outcome, Outcome::kAccepted) << status << " " << body;
      EXPECT_EQ(IdOf(result), subject_.id) << body;
    }
  }
}

TEST_P(AnswersTest, AServerErrorOrAnUnknownCodeInside200IsUnknown) {
  for (const char* const body : {
           R"({"code":504,"msg":"upstream request timeout"})",
           R"({"code":500,"msg":"Read timed out"})",
           R"({"code":"502"})",
           R"({"code":"do_request_failed","message":"x"})",
           R"({"code":"bad_response_status_code","message":"x"})",
           R"({"error":{"code":504}})",
           R"({"error":{"message":"bad gateway","code":"bad_response"}})",
           R"({"code":408,"msg":"x"})",
           R"({"code":425,"msg":"x"})",
           R"({"code":499,"msg":"x"})",
           R"({"code":31337,"msg":"xyzzy"})",
           R"({"code":0,"msg":"success","data":null})",
           R"({})",
           "",
           "<html>ok</html>",
       }) {
    EXPECT_EQ(Submit(200, body).outcome, Outcome::kUnknown) << body;
  }
  for (const int status : {302, 303, 405, 408, 409, 410, 423, 424, 425, 444,
                           460, 499, 500, 502, 504, 520, 522, 524, 527, 599}) {
    EXPECT_EQ(Submit(status, R"({"message":"no"})").outcome, Outcome::kUnknown) << status;
  }
}

TEST_P(AnswersTest, ASuccessWithAnyWordsIsNotARefusal) {
  for (const char* const body : {
           R"({"code":0,"msg":"提交成功，不支持取消","data":null})",
           R"({"success":true,"message":"Task submitted; cancellation is not supported"})",
           R"({"code":200,"message":"Accepted. Processing must not exceed 10 minutes.","data":{}})",
           R"({"status":"queued","message":"duration is not supported and was replaced"})",
           R"({"success":true,"data":{"status":"failed"}})",
           R"({"status":"error"})",
           R"({"status":"timeout"})",
       }) {
    EXPECT_EQ(Submit(200, body).outcome, Outcome::kUnknown) << body;
  }
}

TEST_P(AnswersTest, AnAnswerWithoutAnIdIsNotAnAcceptance) {
  for (const char* const body : {
           R"({"code":0,"data":"false"})",
           R"({"code":0,"data":1})",
           R"({"success":true,"data":"2026-11-30T09:00:00Z"})",
           R"({"code":0,"data":"<xml/>"})",
           R"({"data":"inserted"})",
           R"({"task":"text2video"})",
           R"({"success":false,"message":"no","id":"req-8f2a"})",
       }) {
    EXPECT_NE(Submit(200, body).outcome, Outcome::kAccepted) << body;
  }
}

TEST_P(AnswersTest, AnIdBesideAnErrorOfTheCallIsAccepted) {
  const SubmitResult result =
      Submit(200, R"({"status":"error","error":{"code":0},"data":{"ID_NAME":"ID"}})");
  ASSERT_EQ(result.outcome, Outcome::kAccepted);
  EXPECT_NE(result.observation.progress, Progress::kFailed);
}

TEST_P(AnswersTest, ACertainRefusalIsRefused) {
  EXPECT_EQ(Submit(400, R"({"error":"prompt is required"})").outcome, Outcome::kRefused);
  EXPECT_EQ(Submit(402, R"({"error":"Insufficient credits"})").failure.reason,
            v1::PROVIDER_OUT_OF_CREDIT);
  EXPECT_EQ(Submit(404, R"({"error":"model not found"})").outcome, Outcome::kRefused);
  EXPECT_EQ(Submit(413, "").outcome, Outcome::kRefused);
  EXPECT_EQ(Submit(422, R"({"detail":"x"})").outcome, Outcome::kRefused);
  EXPECT_EQ(Submit(200, R"({"code":400,"msg":"bad url"})").failure.reason,
            v1::PROVIDER_INVALID_ARGUMENT);
  EXPECT_EQ(Submit(401, R"({"error":"invalid key"})").outcome, Outcome::kNotAccepted);
  EXPECT_EQ(Submit(429, R"({"error":"slow down"})").outcome, Outcome::kNotAccepted);
  const SubmitResult content =
      Submit(451, R"({"error":{"code":"InputImageSensitiveContentDetected.PrivacyInformation"}})");
  EXPECT_EQ(content.outcome, Outcome::kRefused);
  EXPECT_EQ(content.failure.reason, v1::CONTENT_REJECTED);
}

TEST_P(AnswersTest, RedirectsAreNotFollowedAndNameTheNewHost) {
  const std::vector<http::Header> moved = {{"Location", "https://new.acme.test/v1?k=s"}};
  for (const int status : {301, 307, 308}) {
    const SubmitResult result = Submit(status, "", moved);
    EXPECT_EQ(result.outcome, Outcome::kNotAccepted) << status;
    EXPECT_THAT(result.failure.message, ::testing::HasSubstr("https://new.acme.test;"));
  }
  for (const int status : {302, 303}) {
    EXPECT_EQ(Submit(status, "", moved).outcome, Outcome::kUnknown) << status;
  }
  if (!subject_.polled) return;
  for (const int status : {301, 302, 303, 307, 308}) {
    EXPECT_TRUE(Poll(status, "", moved).trouble.has_value()) << status;
  }
}

TEST_P(AnswersTest, AnswersOfEdgesSayNothingAboutTheKey) {
  for (const int status : {521, 523, 525, 526, 530}) {
    const SubmitResult result = Submit(status, absl::StrCat("error code: ", status));
    EXPECT_EQ(result.outcome, Outcome::kNotAccepted) << status;
    EXPECT_EQ(result.failure.reason, v1::PROVIDER_UNAVAILABLE) << status;
  }
  const SubmitResult json = Submit(403, R"({"type":"https://developers.cloudflare.com/support/",)"
                                        R"("title":"Error 1010: Access denied","status":403,)"
                                        R"("error_code":1010,"cloudflare_error":true})");
  EXPECT_EQ(json.outcome, Outcome::kNotAccepted);
  EXPECT_TRUE(json.failure.from_edge);
  for (const int status : {403, 429, 503}) {
    const SubmitResult result = Submit(status, "error code: 1010");
    EXPECT_EQ(result.outcome, Outcome::kNotAccepted) << status;
    EXPECT_EQ(result.failure.reason, v1::PROVIDER_UNAVAILABLE) << status;
    EXPECT_TRUE(result.failure.from_edge);
    if (!subject_.polled) continue;
    const PollResult poll = Poll(status, "error code: 1010");
    ASSERT_TRUE(poll.trouble.has_value());
    EXPECT_TRUE(poll.trouble->from_edge) << "no verdict on the key";
  }
}

TEST_P(AnswersTest, ARepetitionIsNeverRefused) {
  for (const int status : {400, 401, 402, 403, 404, 409, 413, 422, 429, 451}) {
    if (dialect_->traits().idempotency_window == absl::ZeroDuration()) return;
    if (!is_video()) return;
    EXPECT_EQ(Submit(status, R"({"error":"Invalid API key"})", {}, /*replay=*/true).outcome,
              Outcome::kUnknown)
        << status;
  }
}

TEST_P(AnswersTest, StateWordsAreReadInAnyForm) {
  if (!subject_.polled) return;
  struct Row {
    const char* word;
    Progress progress;
  };
  std::vector<Row> rows = {{"PROCESSING", Progress::kRunning}, {" failed\\n", Progress::kFailed},
                           {"FAIL", Progress::kFailed},        {"error", Progress::kFailed},
                           {"pending", Progress::kQueued},     {"in progress", Progress::kRunning},
                           {"PONDERING", Progress::kRunning}};
  if (is_video()) {
    for (const char* const word :
         {"succeeded", "SUCCESS ", "completed", "DONE", "finished", "Complete"}) {
      rows.push_back({word, Progress::kSucceeded});
    }
    rows.push_back({"Cancelled", Progress::kCancelled});
    rows.push_back({"expired", Progress::kFailed});
  } else {
    rows.push_back({"ACTIVE ", Progress::kSucceeded});
    rows.push_back({"EXPIRED", Progress::kGone});
    rows.push_back({"DELETED", Progress::kGone});
  }
  for (const Row& row : rows) {
    for (const char* const dress : {R"({"ID_NAME":"ID","STATE":"WORD"})", R"({"STATE":"WORD"})",
                                    R"({"code":0,"data":{"ID_NAME":"ID","STATE":"WORD"}})",
                                    R"({"code":200,"message":"ok","data":{"STATE":"WORD"}})",
                                    R"({"Result":{"ID_NAME":"ID","STATE":"WORD"}})"}) {
      const std::string body = absl::StrReplaceAll(dress, {{"WORD", row.word}});
      const Observation seen = Seen(body);
      EXPECT_EQ(seen.progress, row.progress) << body;
      EXPECT_EQ(seen.unknown_state, std::string(row.word) == "PONDERING") << body;
      EXPECT_EQ(seen.failure.has_value(), row.progress == Progress::kFailed ||
                                              row.progress == Progress::kCancelled ||
                                              row.progress == Progress::kGone)
          << body;
    }
  }
}

TEST_P(AnswersTest, AnAnswerAboutAnotherUnitIsNotTakenForThisOne) {
  if (!subject_.polled) return;
  const std::string other = absl::StrCat(subject_.id.substr(0, subject_.id.size() - 4), "0000");
  const auto list = [&](const char* shape) {
    return absl::StrReplaceAll(shape, {{"OTHER", other}});
  };
  for (const char* const shape :
       {R"([{"ID_NAME":"OTHER","STATE":"failed"},{"ID_NAME":"ID","STATE":"processing"}])",
        R"({"data":[{"ID_NAME":"OTHER","STATE":"failed"},{"ID_NAME":"ID","STATE":"processing"}]})",
        R"({"data":{"list":[{"ID_NAME":"OTHER","STATE":"failed"},)"
        R"({"ID_NAME":"ID","STATE":"processing"}]}})"}) {
    EXPECT_EQ(Seen(list(shape)).progress, Progress::kRunning) << shape;
  }
  EXPECT_TRUE(Poll(200, list(R"({"ID_NAME":"OTHER","STATE":"failed"})")).trouble.has_value());
  EXPECT_TRUE(Poll(200, list(R"({"code":0,"data":{"ID_NAME":"OTHER","STATE":"failed"}})"))
                  .trouble.has_value());
}

TEST_P(AnswersTest, AFailureOfTheCallIsNotAFailureOfTheUnit) {
  if (!subject_.polled) return;
  for (const char* const body : {
           R"({"STATE":"error","message":"Too many requests"})",
           R"({"STATE":"error","code":"unauthorized","message":"invalid api key"})",
           R"({"code":500,"STATE":"error","msg":"Read timed out"})",
           R"({"STATE":"fail","message":"系统繁忙，请稍后再试"})",
           R"({"STATE":"failed","code":429,"message":"rate limited"})",
           R"({"STATE":"expired","message":"token expired"})",
       }) {
    EXPECT_TRUE(Poll(200, body).trouble.has_value()) << body;
  }
  EXPECT_TRUE(Poll(500, R"({"ID_NAME":"ID","STATE":"failed","error":"boom"})").trouble.has_value());
}

TEST_P(AnswersTest, ASuccessOfTheCallIsNotASuccessOfTheUnit) {
  if (!subject_.polled) return;
  for (const char* const body : {
           R"({"STATE":"success","data":null})",
           R"({"STATE":"success","data":{"ID_NAME":"ID","progress":"50%"}})",
           R"({"STATE":"ok","message":"task not found","data":{}})",
       }) {
    const PollResult result = Poll(200, body);
    EXPECT_TRUE(result.trouble.has_value()) << body;
  }
  if (subject_.state_name != "status") return;
  for (const char* const body : {
           R"({"status":"success","ID_NAME":"ID","task_status":"processing"})",
           R"({"status":"ok","state":"processing","ID_NAME":"ID"})",
           R"({"id":"req-1","status":"success","data":{"ID_NAME":"ID","task_status":"running"}})",
       }) {
    EXPECT_EQ(Seen(body).progress, Progress::kRunning) << body;
  }
}

TEST_P(AnswersTest, TheStateOfTheUnitCountsWithAnyHttpStatus) {
  if (!is_video()) return;
  for (const int status : {404, 500}) {
    const PollResult result =
        Poll(status,
             R"({"ID_NAME":"ID","STATE":"succeeded","video_url":"https://out.acme.test/v.mp4"})");
    ASSERT_FALSE(result.trouble.has_value()) << status;
    ASSERT_EQ(result.news[0].kind, provider::UnitNews::Kind::kObserved) << status;
    EXPECT_EQ(result.news[0].observation.video->uri(), "https://out.acme.test/v.mp4");
  }
}

TEST_P(AnswersTest, ALinkIsFoundInEveryPlace) {
  if (!is_video()) return;
  for (const char* const shape :
       {R"("video":{"url":"@"})", R"("video_url":"@")", R"("content":{"video_url":"@"})",
        R"("result":"@")", R"("result":{"videoUrl":"@"})", R"("result":{"url":"@"})",
        R"("result":{"video":{"url":"@"}})", R"("result":{"output":["@"]})", R"("result":["@"])",
        R"("result_url":"@")", R"("output":"@")", R"("videos":[{"url":"@"}])",
        R"("data":{"video_url":"@"})"}) {
    const std::string body = absl::StrCat(
        R"({"ID_NAME":"ID","STATE":"succeeded",)",
        absl::StrReplaceAll(shape, {{"@", "https://out.acme.test/v.mp4?s=1%2F"}}), "}");
    const Observation seen = Seen(body);
    ASSERT_TRUE(seen.video.has_value()) << body;
    EXPECT_EQ(seen.video->uri(), "https://out.acme.test/v.mp4?s=1%2F") << body;
  }
}

TEST_P(AnswersTest, ASuccessWithoutALinkHasAMissingResult) {
  if (!is_video()) return;
  const Observation missing = Seen(R"({"ID_NAME":"ID","STATE":"succeeded","video":{}})");
  EXPECT_EQ(missing.progress, Progress::kSucceeded);
  EXPECT_EQ(missing.result, Observation::Result::kMissing);
  EXPECT_THAT(missing.answer, ::testing::HasSubstr("succeeded"));
  const Observation inside =
      Seen(R"({"ID_NAME":"ID","STATE":"succeeded","video_url":"data:video/mp4;base64,AAAA"})");
  EXPECT_EQ(inside.result, Observation::Result::kInline);
}

TEST_P(AnswersTest, AFinalInnerStateIsKeptBesideALaggingOuterOne) {
  if (!is_video()) return;
  const Observation seen =
      Seen(R"({"data":{"ID_NAME":"ID","STATE":"processing","data":{"status":"succeeded",)"
           R"("content":{"video_url":"https://out.acme.test/v.mp4"}}}})");
  EXPECT_EQ(seen.progress, Progress::kRunning);
  ASSERT_NE(seen.inner, nullptr);
  EXPECT_EQ(seen.inner->progress, Progress::kSucceeded);
  EXPECT_EQ(seen.inner->video->uri(), "https://out.acme.test/v.mp4");
}

TEST_P(AnswersTest, OnlyTheProviderItselfReportsAnUnknownUnit) {
  if (!subject_.polled) return;
  const PollResult own = Poll(404, R"({"error":"Not found"})");
  ASSERT_FALSE(own.trouble.has_value());
  EXPECT_EQ(own.news[0].kind, provider::UnitNews::Kind::kNotFound);
  for (const char* const body :
       {"<html>404 Not Found</html>", "", R"({"message":"no Route matched with those values"})",
        R"({"error_msg":"404 Route Not Found"})",
        R"j({"error":{"message":"Invalid URL (GET /v1/x)","type":"invalid_request_error"}})j",
        R"({"code":"fail_to_fetch_task","message":"x"})"}) {
    EXPECT_TRUE(Poll(404, body).trouble.has_value()) << body;
  }
}

TEST_P(AnswersTest, AnUnreadableAnswerSaysNothingAboutTheProvidersHealth) {
  if (!subject_.polled) return;
  const PollResult result = Poll(200, R"({"foo":1})");
  ASSERT_TRUE(result.trouble.has_value());
  EXPECT_TRUE(result.trouble->unreadable);
}

TEST_P(AnswersTest, TheReasonOfAFailureIsReadFromEveryField) {
  if (!subject_.polled) return;
  for (const char* const field :
       {R"("error":"why")", R"("error":{"message":"why"})", R"("fail_reason":"why")",
        R"("errorMsg":"why")", R"("error_message":"why")", R"("message":"why")",
        R"("reason":"why")", R"("error":["why"])", R"("detail":"why")"}) {
    const Observation seen = Seen(absl::StrCat(R"({"ID_NAME":"ID","STATE":"failed",)", field, "}"));
    ASSERT_TRUE(seen.failure.has_value()) << field;
    EXPECT_EQ(seen.failure->message, "why") << field;
    EXPECT_EQ(seen.failure->reason, v1::PROVIDER_WORK_FAILED) << field;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, AnswersTest, ::testing::ValuesIn(Subjects()),
                         [](const auto& test) { return NameOf(test.param); });

}  // namespace
}  // namespace assetgate::providers
