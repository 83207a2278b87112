#include "provider/result.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace assetgate::provider {
namespace {

http::Response Answer(int status, const std::string& body = "") {
  return {.status = status, .headers = {{"Retry-After", "5"}}, .body = body};
}

TEST(ObjectOfTest, OnlyObjects) {
  EXPECT_TRUE(ObjectOf(Answer(200, "{}")).has_value());
  for (const char* const body : {"", "[]", "null", "\"x\"", "1", "{"}) {
    EXPECT_FALSE(ObjectOf(Answer(200, body)).has_value()) << body;
  }
}

TEST(RefusalTest, ByStatusIsTheOneTable) {
  const Refusal refusal = RefusalByStatus(Answer(429), "E7", "slow down");
  EXPECT_EQ(refusal.outcome, Outcome::kNotAccepted);
  EXPECT_EQ(refusal.failure.reason, v1::PROVIDER_RATE_LIMITED);
  EXPECT_EQ(refusal.failure.code, "E7");
  EXPECT_EQ(refusal.failure.message, "slow down");
  EXPECT_EQ(refusal.failure.retry_after, absl::Seconds(5));
}

TEST(RefusalTest, ACodeThatLooksLikeAStatusIsTakenForIt) {
  for (const int status : {400, 401, 402, 403, 404, 413, 422, 429}) {
    const Refusal refusal = RefusalByCode(Answer(200), absl::StrCat(status), "no");
    EXPECT_EQ(refusal.outcome, MeaningOfStatus(status).outcome) << status;
    EXPECT_EQ(refusal.failure.reason, MeaningOfStatus(status).reason) << status;
    EXPECT_EQ(refusal.failure.http_status, 200) << "what was really answered";
  }
}

TEST(RefusalTest, EveryOtherCodeIsARefusal) {
  for (const char* const code : {"", "0", "1", "-1", "200", "302", "409", "499", "500", "503",
                                 "40017", "InvalidParameter", "4e2", "99999999999999999999"}) {
    const Refusal refusal = RefusalByCode(Answer(200), code, "no");
    EXPECT_EQ(refusal.outcome, Outcome::kRefused) << code;
    EXPECT_EQ(refusal.failure.reason, v1::PROVIDER_REJECTED) << code;
    EXPECT_EQ(refusal.failure.code, code);
  }
}

TEST(SubmitResultTest, UnclearIsUnknownInOurWords) {
  const SubmitResult result = Unclear(Answer(200), "no id");
  EXPECT_EQ(result.outcome, Outcome::kUnknown);
  EXPECT_EQ(result.failure.reason, v1::PROVIDER_PROTOCOL_ERROR);
  EXPECT_EQ(result.failure.message, "no id");
}

TEST(SubmitResultTest, AcceptedCarriesHandleAndObservation) {
  Observation seen;
  seen.provider_id = "a";
  const SubmitResult result = Accepted("{\"id\":\"a\"}", seen);
  EXPECT_EQ(result.outcome, Outcome::kAccepted);
  EXPECT_EQ(result.handle, "{\"id\":\"a\"}");
  EXPECT_EQ(result.observation.provider_id, "a");
}

TEST(PollResultTest, TroubleIsNewsOfNobody) {
  const PollResult result = Trouble(FailureOf(Answer(503), "", ""));
  EXPECT_TRUE(result.trouble.has_value());
  EXPECT_TRUE(result.news.empty());
}

TEST(PollResultTest, OneUnitOneNews) {
  ASSERT_EQ(Observed({}).news.size(), 1u);
  EXPECT_EQ(Observed({}).news[0].kind, UnitNews::Kind::kObserved);
  const PollResult missing = NotFound(FailureOf(Answer(404), "", "gone"));
  ASSERT_EQ(missing.news.size(), 1u);
  EXPECT_EQ(missing.news[0].kind, UnitNews::Kind::kNotFound);
  EXPECT_EQ(missing.news[0].failure.message, "gone");
}

TEST(EndedWorkTest, IsTheProvidersVerdictAndNothingToWaitFor) {
  const Failure failed = WorkFailed(Answer(200), "E", "policy");
  EXPECT_EQ(failed.reason, v1::PROVIDER_WORK_FAILED);
  EXPECT_EQ(failed.message, "policy");
  EXPECT_EQ(failed.retry_after, std::nullopt);
  EXPECT_EQ(failed.act, std::nullopt);
  EXPECT_EQ(WorkCancelled(Answer(200), "", "").reason, v1::TASK_CANCELLED);
}

}  // namespace
}  // namespace assetgate::provider
