#include "api/status_conversion.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "assetgate/v1/errors.pb.h"
#include "base/error.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace assetgate::api {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  EXPECT_EQ(details.code(), static_cast<int>(status.error_code()));
  EXPECT_EQ(details.message(), status.error_message());
  EXPECT_LE(status.error_details().size(), kMaxDetailsBytes);
  return details;
}

template <typename Detail>
Detail Get(const google::rpc::Status& status) {
  Detail detail;
  for (const auto& any : status.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  ADD_FAILURE() << "no " << Detail::descriptor()->full_name();
  return detail;
}

// What grpc-message takes on the wire.
std::size_t EncodedSize(const std::string& message) {
  std::size_t size = 0;
  for (const char c : message) size += c < 0x20 || c > 0x7e || c == '%' ? 3 : 1;
  return size;
}

TEST(StatusConversionTest, OkIsOk) { EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok()); }

TEST(StatusConversionTest, EveryCodeKeepsItsNumber) {
  for (int code = 1; code <= 16; ++code) {
    const grpc::Status status =
        ToGrpcStatus(base::Error(static_cast<absl::StatusCode>(code), v1::INVALID_FIELD, "why"));
    EXPECT_EQ(status.error_code(), code);
    EXPECT_EQ(status.error_message(), "why");
  }
}

TEST(StatusConversionTest, DetailsOfAnErrorAreSent) {
  const absl::Status error =
      base::Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND, "no asset \"assets/x\"")
          .Resource("assetgate.v1.Asset", "assets/x")
          .RetryAfter(absl::Seconds(3));
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(error));
  EXPECT_EQ(details.details_size(), 3);
  const auto info = Get<google::rpc::ErrorInfo>(details);
  EXPECT_EQ(info.domain(), "assetgate");
  EXPECT_EQ(info.reason(), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(info.metadata().at("act"), "CALLER");
  EXPECT_EQ(Get<google::rpc::ResourceInfo>(details).resource_name(), "assets/x");
  EXPECT_EQ(Get<google::rpc::RetryInfo>(details).retry_delay().seconds(), 3);
}

TEST(StatusConversionTest, StatusMadeElsewhereGetsAnErrorInfo) {
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(absl::InternalError("oops")));
  EXPECT_EQ(base::ReasonOf(details), v1::INTERNAL_ERROR);
}

TEST(StatusConversionTest, StatusNotMadeForCallersRevealsNothingInternal) {
  const std::string inside =
      "connection to server at \"db.internal\" (10.0.0.7), port 5432, user \"gw\" failed";
  struct Row {
    absl::Status status;
    grpc::StatusCode code;
    v1::ErrorReason reason;
  };
  const Row rows[] = {
      {absl::UnavailableError(inside), grpc::StatusCode::UNAVAILABLE, v1::STORE_UNAVAILABLE},
      {absl::DataLossError(inside), grpc::StatusCode::INTERNAL, v1::INTERNAL_ERROR},
      {absl::InternalError(inside), grpc::StatusCode::INTERNAL, v1::INTERNAL_ERROR},
      {absl::NotFoundError(inside), grpc::StatusCode::INTERNAL, v1::INTERNAL_ERROR},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.status.ToString());
    const grpc::Status told = ToGrpcStatus(row.status);
    EXPECT_EQ(told.error_code(), row.code);
    EXPECT_EQ(base::ReasonOf(DetailsOf(told)), row.reason);
    EXPECT_EQ((told.error_message() + told.error_details()).find("db.internal"), std::string::npos);
  }
}

TEST(StatusConversionTest, MessageIsCleanedBeforeItIsSent) {
  const auto message_of = [](const std::string& text) {
    google::rpc::Status status;
    status.set_message(text);
    return Bounded(status).message();
  };
  EXPECT_EQ(message_of("one\r\ntwo\tthree\x7f"), "one  two three ");
  EXPECT_EQ(message_of("Größe 图 🎬"), "Größe 图 🎬");
  EXPECT_EQ(message_of("broken \xff\xc3( \xe5\x9b"),
            "broken ?"
            "?( ?"
            "?");
  EXPECT_EQ(message_of("overlong \xc0\xaf surrogate \xed\xa0\x80"), "overlong ?? surrogate ???");
  EXPECT_EQ(message_of(""), "");
}

TEST(StatusConversionTest, LongMessageIsCutBetweenCharacters) {
  for (const std::string character : {"a", "%", "ö", "图", "🎬"}) {
    for (const int count : {300, 1536, 1537, 100'000}) {
      std::string text;
      for (int i = 0; i < count; ++i) text += character;
      const grpc::Status status =
          ToGrpcStatus(base::Error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR, text));
      EXPECT_LE(EncodedSize(status.error_message()), kMaxMessageBytes);
      DetailsOf(status);
      if (status.error_message() == text) continue;
      EXPECT_THAT(status.error_message(), ::testing::EndsWith("…"));
      EXPECT_THAT(text, StartsWith(status.error_message().substr(
                            0, status.error_message().size() - std::string("…").size())));
      EXPECT_GT(EncodedSize(status.error_message()), kMaxMessageBytes - 24);
    }
  }
}

TEST(StatusConversionTest, ManyViolationsAreCutAndCounted) {
  base::Error error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, "faulty batch");
  for (int i = 0; i < 300; ++i) {
    error.Violation(absl::StrCat("requests[", i, "].asset.source_uri"),
                    "must be an http or https URL that providers can fetch");
  }
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(error));
  const auto bad = Get<google::rpc::BadRequest>(details);
  EXPECT_GT(bad.field_violations_size(), 25);
  EXPECT_EQ(bad.field_violations(0).field(), "requests[0].asset.source_uri");
  EXPECT_THAT(details.message(),
              HasSubstr(absl::StrCat(300 - bad.field_violations_size(), " more violations")));
  EXPECT_EQ(base::ReasonOf(details), v1::INVALID_FIELD);
}

TEST(StatusConversionTest, LongRefusalsOfManyProvidersAreCut) {
  v1::ProviderFailures failures;
  for (int i = 0; i < 20; ++i) {
    auto* failure = failures.add_failures();
    failure->set_provider(absl::StrCat("providers/p", i));
    *failure->mutable_status() = base::Error(absl::StatusCode::kInvalidArgument,
                                             v1::PROVIDER_INVALID_ARGUMENT, std::string(2'000, 'm'))
                                     .Metadata("provider_message", std::string(1'024, 'w'))
                                     .ToProto();
  }
  const absl::Status error =
      base::Error(absl::StatusCode::kInvalidArgument, v1::PROVIDER_INVALID_ARGUMENT, "all refused")
          .Metadata("provider_message", std::string(1'024, 'w'))
          .RetryAfter(absl::Seconds(1))
          .Failures(failures);
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(error));
  const auto kept = Get<v1::ProviderFailures>(details);
  EXPECT_GE(kept.failures_size(), 3);
  EXPECT_EQ(kept.failures(0).provider(), "providers/p0");
  EXPECT_EQ(base::ReasonOf(kept.failures(0).status()), v1::PROVIDER_INVALID_ARGUMENT);
  EXPECT_EQ(base::ReasonOf(details), v1::PROVIDER_INVALID_ARGUMENT);
  Get<google::rpc::RetryInfo>(details);
}

TEST(StatusConversionTest, StatusWithEveryDetailTooLargeStillFits) {
  const std::string huge(100'000, 'x');
  v1::ProviderFailures failures;
  auto* failure = failures.add_failures();
  failure->set_provider(huge);
  *failure->mutable_status() =
      base::Error(absl::StatusCode::kInternal, v1::INTERNAL_ERROR, huge).ToProto();
  base::Error error(absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD, huge);
  error.Failures(failures).Resource(huge, huge).Violation(huge, huge);
  for (int i = 0; i < 200; ++i) error.Metadata(absl::StrCat("key", i), huge);
  const google::rpc::Status details = DetailsOf(ToGrpcStatus(error));
  EXPECT_EQ(base::ReasonOf(details), v1::INVALID_FIELD);
  EXPECT_EQ(base::InfoOf(details).metadata().at("act"), "CALLER");
}

}  // namespace
}  // namespace assetgate::api
