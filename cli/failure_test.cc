#include "cli/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/error.h"
#include "cli/client.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace assetgate::cli {
namespace {

using base::Error;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Look kPlain{.color = false, .utf8 = true};

std::string Text(const absl::Status& status, const CallContext& context = {"host:1", ""}) {
  return absl::StrJoin(DescribeError(status, context, kPlain), "\n");
}

TEST(ExitCodeTest, AgreesWithTheHelp) {
  struct Case {
    absl::Status status;
    int code;
  };
  for (const Case& c : std::initializer_list<Case>{
           {absl::OkStatus(), 0},
           {PlainError(absl::StatusCode::kInternal, ""), 1},
           {PlainError(absl::StatusCode::kUnknown, ""), 1},
           {PlainError(absl::StatusCode::kPermissionDenied, ""), 1},
           {PlainError(absl::StatusCode::kUnimplemented, ""), 1},
           {PlainError(absl::StatusCode::kInvalidArgument, ""), 3},
           {PlainError(absl::StatusCode::kNotFound, ""), 4},
           {PlainError(absl::StatusCode::kAlreadyExists, ""), 5},
           {PlainError(absl::StatusCode::kFailedPrecondition, ""), 6},
           {PlainError(absl::StatusCode::kUnavailable, ""), 7},
           {PlainError(absl::StatusCode::kResourceExhausted, ""), 7},
           {Error(absl::StatusCode::kResourceExhausted, v1::OVERLOADED, ""), 7},
           {Error(absl::StatusCode::kResourceExhausted, v1::MESSAGE_TOO_LARGE, ""), 3},
           {Error(absl::StatusCode::kUnknown, v1::COMMIT_UNKNOWN, ""), 7},
           {PlainError(absl::StatusCode::kDeadlineExceeded, ""), 8},
       }) {
    EXPECT_EQ(static_cast<int>(ExitCodeOf(c.status)), c.code) << c.status;
  }
}

TEST(DescribeErrorTest, EveryInvalidFieldIsShownWithItsFlag) {
  const absl::Status status =
      Error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, "2 fields are wrong")
          .Violation("video_task.duration", "must be whole seconds")
          .Violation("video_task.references[1].uri", "must be https");
  EXPECT_THAT(
      DescribeError(status, {"host:1", ""}, kPlain),
      ElementsAre("error: INVALID_ARGUMENT INVALID_FIELD: 2 fields are wrong",
                  "  video_task.duration (--duration): must be whole seconds",
                  "  video_task.references[1].uri (--first-frame, --last-frame, --reference): "
                  "must be https",
                  "  what to do: correct the request and send it again"));
}

TEST(DescribeErrorTest, TheProviderIsQuoted) {
  const absl::Status status =
      Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_REJECTED, "kyy refused it")
          .Metadata("provider", "kyy")
          .Metadata("http_status", "400")
          .Metadata("provider_code", "1001")
          .Metadata("provider_message", "face not allowed");
  EXPECT_THAT(Text(status),
              HasSubstr("provider: kyy said (HTTP 400, code 1001): face not allowed"));
}

TEST(DescribeErrorTest, EveryProviderThatRefusedIsNamed) {
  v1::ProviderFailures failures;
  for (const char* provider : {"providers/kyy", "providers/zz"}) {
    auto* failure = failures.add_failures();
    failure->set_provider(provider);
    *failure->mutable_status() =
        Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_OUT_OF_CREDIT, "no credit")
            .ToProto();
  }
  const absl::Status status =
      Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_OUT_OF_CREDIT, "all refused")
          .Failures(failures);
  EXPECT_THAT(Text(status), HasSubstr("providers/kyy: PROVIDER_OUT_OF_CREDIT: no credit\n"));
  EXPECT_THAT(Text(status), HasSubstr("providers/zz: PROVIDER_OUT_OF_CREDIT: no credit\n"));
  EXPECT_THAT(Text(status), HasSubstr("the gateway's operator has to top up"));
}

TEST(DescribeErrorTest, SaysWhoCanResolveTheErrorAndWhen) {
  EXPECT_THAT(Text(Error(absl::StatusCode::kResourceExhausted, v1::OVERLOADED, "full")
                       .RetryAfter(absl::Seconds(3))),
              HasSubstr("it resolves by itself: try again in 3s"));
  EXPECT_THAT(Text(Error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR, "oops")),
              HasSubstr("the gateway's operator"));
  EXPECT_THAT(Text(Error(absl::StatusCode::kAlreadyExists, v1::REQUEST_ID_REUSED, "reused")),
              HasSubstr("--request-id"));
}

TEST(DescribeErrorTest, AnUnreachableGatewayIsNamedByItsAddress) {
  EXPECT_THAT(Text(PlainError(absl::StatusCode::kUnavailable, "connection refused")),
              HasSubstr("is the gateway running at host:1?"));
}

TEST(DescribeErrorTest, RefusedCallersAreAdvisedToChangeTheirCredentialsAndNotTheRequest) {
  const Error unauthenticated(absl::StatusCode::kUnauthenticated, v1::NOT_AUTHENTICATED,
                              "send a token");
  const Error forbidden(absl::StatusCode::kPermissionDenied, v1::NOT_ALLOWED, "not allowed");
  struct Case {
    absl::Status status;
    bool shows_credential;
    std::string advice;
  };
  const Case cases[] = {
      {unauthenticated, false, "pass a credential: --token-file FILE"},
      {unauthenticated, true, "check --token-file or --certificate"},
      {forbidden, true, "ask the gateway's operator to allow it"},
      // From a proxy, without an ErrorInfo.
      {PlainError(absl::StatusCode::kUnauthenticated, "no"), false, "pass a credential"},
      {PlainError(absl::StatusCode::kPermissionDenied, "no"), true,
       "ask the gateway's operator to allow it"},
  };
  for (const Case& each : cases) {
    const std::string text = absl::StrJoin(
        DescribeError(each.status, {"host:1", "r1", each.shows_credential, ""}, kPlain), "\n");
    EXPECT_THAT(text, HasSubstr(absl::StrCat("what to do: ", each.advice)));
    EXPECT_THAT(text, Not(HasSubstr("correct the request")));
  }
}

TEST(DescribeErrorTest, OnlyCallsWithARequestIdAreToBeRepeatedWithIt) {
  for (const v1::ErrorReason reason : {v1::COMMIT_UNKNOWN, v1::CALLER_GONE}) {
    const absl::Status status = Error(absl::StatusCode::kUnknown, reason, "not known");
    EXPECT_THAT(RemedyFor(status, {"host:1", "r1", false, ""}), HasSubstr("--request-id"));
    EXPECT_THAT(RemedyFor(status, {"host:1", "", false, ""}), Not(HasSubstr("--request-id")));
  }
}

TEST(DescribeErrorTest, AKnownConnectionFaultReplacesTheGuess) {
  const std::string remedy =
      RemedyFor(PlainError(absl::StatusCode::kUnavailable, "connection reset"),
                {"host:1", "", false, "it uses TLS: pass --ca FILE"});
  EXPECT_EQ(remedy, "host:1 is reachable, but it uses TLS: pass --ca FILE");
}

TEST(DescribeErrorTest, ErrorsOfACreateShowItsRequestId) {
  const absl::Status status = PlainError(absl::StatusCode::kDeadlineExceeded, "too late");
  EXPECT_THAT(Text(status, {"host:1", "r-1"}), HasSubstr("request id: r-1"));
  EXPECT_THAT(Text(status, {"host:1", "r-1"}), HasSubstr("repeat the call with the same"));
  EXPECT_THAT(Text(status), Not(HasSubstr("request id")));
  // Repeating does not help after a final refusal.
  EXPECT_THAT(Text(Error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, "wrong"),
                   {"host:1", "r-1"}),
              Not(HasSubstr("request id")));
}

TEST(DescribeErrorTest, NotFoundNamesTheListToLookIn) {
  EXPECT_THAT(Text(Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND, "no such thing")
                       .Resource("assetgate.v1.VideoTask", "videoTasks/x")),
              HasSubstr("assetctl videos list"));
  EXPECT_THAT(Text(Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND, "no such thing")
                       .Resource("assetgate.v1.Model", "providers/kyy/models/x")),
              HasSubstr("assetctl models"));
}

TEST(DescribeErrorTest, ControlCharactersFromOutsideAreReplaced) {
  const absl::Status status =
      Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_REJECTED, "no\x1b[2J")
          .Violation("x\x1b[0m", "y\x9b")
          .Resource("t", "r\x1b")
          .Metadata("provider_message", "\x1b]0;pwned\x07\nok");
  for (const std::string& line : DescribeError(status, {}, kPlain)) {
    for (const char c : line) EXPECT_GE(static_cast<unsigned char>(c), 0x20) << line;
  }
}

TEST(ErrorSummaryTest, IsOneLineWithReason) {
  EXPECT_EQ(ErrorSummary(Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_WORK_FAILED,
                               "kyy could not make it")
                             .Metadata("provider_message", "content policy")
                             .ToProto()),
            "PROVIDER_WORK_FAILED: kyy could not make it - content policy");
}

TEST(ErrorToJsonTest, IsOneDocumentWithTheWholeStatus) {
  const absl::Status status =
      Error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, "wrong").Violation("a", "b");
  const std::string json = ErrorToJson(status, {"host:1", "r\"1"});
  google::protobuf::Struct parsed;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(json, &parsed).ok()) << json;
  EXPECT_EQ(parsed.fields().at("request_id").string_value(), "r\"1");
  const auto& error = parsed.fields().at("error").struct_value();
  EXPECT_EQ(error.fields().at("code").number_value(), 3);
  EXPECT_EQ(error.fields().at("details").list_value().values_size(), 2);
}

}  // namespace
}  // namespace assetgate::cli
