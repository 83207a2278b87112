#include "provider/failure.h"

#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace assetgate::provider {
namespace {

using ::testing::HasSubstr;
using ::testing::Optional;

struct Row {
  int status;
  Outcome outcome;
  v1::ErrorReason reason;
};

class MeaningOfStatusTest : public ::testing::TestWithParam<Row> {};

TEST_P(MeaningOfStatusTest, FollowsTheTable) {
  const StatusMeaning meaning = MeaningOfStatus(GetParam().status);
  EXPECT_EQ(meaning.outcome, GetParam().outcome);
  EXPECT_EQ(meaning.reason, GetParam().reason);
}

INSTANTIATE_TEST_SUITE_P(
    Statuses, MeaningOfStatusTest,
    ::testing::Values(Row{0, Outcome::kUnknown, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{200, Outcome::kUnknown, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{204, Outcome::kUnknown, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{301, Outcome::kNotAccepted, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{302, Outcome::kUnknown, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{303, Outcome::kUnknown, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{304, Outcome::kUnknown, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{307, Outcome::kNotAccepted, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{308, Outcome::kNotAccepted, v1::PROVIDER_PROTOCOL_ERROR},
                      Row{400, Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
                      Row{401, Outcome::kNotAccepted, v1::PROVIDER_CREDENTIALS_REJECTED},
                      Row{402, Outcome::kRefused, v1::PROVIDER_OUT_OF_CREDIT},
                      Row{403, Outcome::kNotAccepted, v1::PROVIDER_CREDENTIALS_REJECTED},
                      Row{404, Outcome::kRefused, v1::PROVIDER_REJECTED},
                      Row{405, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{408, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{409, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{413, Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
                      Row{422, Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT},
                      Row{425, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{423, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{424, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{444, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{460, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{429, Outcome::kNotAccepted, v1::PROVIDER_RATE_LIMITED},
                      Row{451, Outcome::kRefused, v1::PROVIDER_REJECTED},
                      Row{499, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{500, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{503, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{504, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE},
                      Row{599, Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE}),
    [](const auto& row) { return absl::StrCat("Http", row.param.status); });

std::optional<absl::Duration> RetryAfter(const std::string& value, const std::string& date = "") {
  http::Response response{.status = 429, .headers = {{"retry-after", value}}};
  if (!date.empty()) response.headers.push_back({"Date", date});
  return FailureOf(response, "", "").retry_after;
}

TEST(FailureOfTest, RetryAfterIsReadInSecondsOrRelativeToTheDateHeader) {
  EXPECT_THAT(RetryAfter("7"), Optional(absl::Seconds(7)));
  EXPECT_THAT(RetryAfter(" 1.5 "), Optional(absl::Milliseconds(1500)));
  EXPECT_THAT(RetryAfter("Wed, 01 Jul 2026 10:00:30 GMT", "Wed, 01 Jul 2026 10:00:00 GMT"),
              Optional(absl::Seconds(30)));
  EXPECT_THAT(RetryAfter("Wed, 01 Jul 2026 09:00:00 GMT", "Wed, 01 Jul 2026 10:00:00 GMT"),
              Optional(absl::ZeroDuration()));
}

TEST(FailureOfTest, RetryAfterIsReadInEveryFormOfADate) {
  const std::string now = "Wed, 01 Jul 2026 10:00:00 GMT";
  EXPECT_THAT(RetryAfter("Wednesday, 01-Jul-26 10:00:30 GMT", now), Optional(absl::Seconds(30)));
  EXPECT_THAT(RetryAfter("Wed Jul  1 10:00:30 2026", now), Optional(absl::Seconds(30)));
}

TEST(FailureOfTest, RetryAfterIsRelativeToOurClockWithoutADateHeader) {
  http::Response response{.status = 429,
                          .headers = {{"Retry-After", "Wed, 01 Jul 2026 10:00:30 GMT"}}};
  response.receive_time =
      absl::FromCivil(absl::CivilSecond(2026, 7, 1, 10, 0, 10), absl::UTCTimeZone());
  EXPECT_THAT(FailureOf(response, "", "").retry_after, Optional(absl::Seconds(20)));
}

TEST(FailureOfTest, InvalidRetryAfterIsAbsentAndLongOnesAreCapped) {
  EXPECT_EQ(RetryAfter("Wed, 01 Jul 2026 10:00:30 GMT"), std::nullopt) << "no Date to compare with";
  EXPECT_EQ(RetryAfter("soon"), std::nullopt);
  EXPECT_EQ(RetryAfter("-5"), std::nullopt);
  EXPECT_EQ(RetryAfter("inf"), std::nullopt);
  EXPECT_THAT(RetryAfter("99999999999999999999"), Optional(absl::Hours(1)));
  EXPECT_EQ(FailureOf(http::Response{.status = 429}, "", "").retry_after, std::nullopt);
}

TEST(FailureOfTest, StatusAndWordsAreKept) {
  const Failure failure = FailureOf(http::Response{.status = 402}, "E1", "no money");
  EXPECT_EQ(failure.reason, v1::PROVIDER_OUT_OF_CREDIT);
  EXPECT_EQ(failure.act, base::Act::kOperator);
  EXPECT_EQ(failure.http_status, 402);
  EXPECT_EQ(failure.code, "E1");
  EXPECT_EQ(failure.message, "no money");
}

TEST(FailureOfTest, ACallWithoutAnAnswerIsUnavailable) {
  const Failure failure =
      FailureOf(http::TransportError{.kind = http::TransportError::Kind::kConnect,
                                     .maybe_sent = false,
                                     .message = "connection refused"});
  EXPECT_EQ(failure.reason, v1::PROVIDER_UNAVAILABLE);
  EXPECT_EQ(failure.http_status, 0);
  EXPECT_EQ(failure.message, "connection refused");
}

TEST(ToErrorTest, TheErrorHoldsEverythingThatACallerCanActOn) {
  Failure failure = FailureOf(http::Response{.status = 429, .headers = {{"Retry-After", "3"}}},
                              "busy", "slow\ndown");
  const google::rpc::Status status = ToError(failure, "kyy").ToProto();
  EXPECT_EQ(status.code(), static_cast<int>(absl::StatusCode::kResourceExhausted));
  EXPECT_THAT(status.message(), HasSubstr("slow down"));
  const google::rpc::ErrorInfo info = base::InfoOf(status);
  EXPECT_EQ(info.domain(), "assetgate");
  EXPECT_EQ(info.reason(), "PROVIDER_RATE_LIMITED");
  EXPECT_EQ(info.metadata().at("act"), "WAIT");
  EXPECT_EQ(info.metadata().at("provider"), "kyy");
  EXPECT_EQ(info.metadata().at("http_status"), "429");
  EXPECT_EQ(info.metadata().at("provider_code"), "busy");
  EXPECT_EQ(info.metadata().at("provider_message"), "slow down");
  EXPECT_THAT(base::RetryDelayOf(status), Optional(absl::Seconds(3)));
}

TEST(ToErrorTest, ARateLimitAlwaysHasARetryDelay) {
  const Failure failure = FailureOf(http::Response{.status = 429}, "", "");
  EXPECT_TRUE(base::RetryDelayOf(ToError(failure, "p").ToProto()).has_value());
}

TEST(ToErrorTest, TheActOfTheFailureTakesPrecedence) {
  const Failure failure = FailureOf(http::Response{.status = 404}, "", "no such model");
  const google::rpc::Status status = ToError(failure, "p").ToProto();
  EXPECT_EQ(base::InfoOf(status).metadata().at("act"), "OPERATOR");
  EXPECT_EQ(base::InfoOf(status).metadata().count("provider_code"), 0u);
}

TEST(ToErrorTest, CodesFollowTheReason) {
  const auto code = [](v1::ErrorReason reason) {
    return static_cast<absl::StatusCode>(ToError(Failure{.reason = reason}, "p").ToProto().code());
  };
  EXPECT_EQ(code(v1::PROVIDER_INVALID_ARGUMENT), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(code(v1::PROVIDER_REJECTED), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(v1::PROVIDER_CREDENTIALS_REJECTED), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(v1::PROVIDER_OUT_OF_CREDIT), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(v1::PROVIDER_RATE_LIMITED), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(code(v1::PROVIDER_UNAVAILABLE), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code(v1::PROVIDER_PROTOCOL_ERROR), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code(v1::PROVIDER_WORK_FAILED), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(v1::ASSET_FAILED), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(code(v1::NOT_SUBMITTED), absl::StatusCode::kUnavailable);
  EXPECT_EQ(code(v1::SUBMISSION_UNKNOWN), absl::StatusCode::kUnknown);
  EXPECT_EQ(code(v1::PROVIDER_FORGOT), absl::StatusCode::kNotFound);
  EXPECT_EQ(code(v1::TRACKING_EXPIRED), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(code(v1::TASK_CANCELLED), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace assetgate::provider
