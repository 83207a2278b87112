#include "base/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "base/proto_time.h"

namespace assetgate::base {
namespace {

constexpr char kPayloadUrl[] = "type.googleapis.com/google.rpc.Status";
constexpr char kDomain[] = "assetgate";
// After which a shared error is worth another try.
constexpr absl::Duration kRetry = absl::Seconds(1);

absl::string_view Name(Act act) {
  switch (act) {
    case Act::kCaller:
      return "CALLER";
    case Act::kOperator:
      return "OPERATOR";
    case Act::kWait:
      return "WAIT";
  }
  return "OPERATOR";
}

Act DefaultAct(v1::ErrorReason reason) {
  switch (reason) {
    case v1::PROVIDER_CREDENTIALS_REJECTED:
    case v1::PROVIDER_OUT_OF_CREDIT:
    case v1::PROVIDER_PROTOCOL_ERROR:
    case v1::SUBMISSION_UNKNOWN:
    case v1::PROVIDER_FORGOT:
    case v1::TRACKING_EXPIRED:
    case v1::PROVIDER_NOT_CONFIGURED:
    case v1::WRITTEN_BY_LATER_RELEASE:
    case v1::INTERNAL_ERROR:
      return Act::kOperator;
    case v1::PROVIDER_RATE_LIMITED:
    case v1::PROVIDER_UNAVAILABLE:
    case v1::NOT_SUBMITTED:
    case v1::SUBMISSION_UNDER_WAY:
    case v1::DRAINING:
    case v1::STORE_UNAVAILABLE:
    case v1::COMMIT_UNKNOWN:
    case v1::OVERLOADED:
    case v1::CALLER_LIMIT:
    case v1::ISSUER_KEYS_UNAVAILABLE:
      return Act::kWait;
    default:
      return Act::kCaller;
  }
}

template <typename Detail>
std::optional<Detail> FindDetail(const google::rpc::Status& status) {
  for (const auto& any : status.details()) {
    Detail detail;
    if (any.Is<Detail>() && any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

}  // namespace

Error::Error(absl::StatusCode code, v1::ErrorReason reason, absl::string_view message)
    : code_(code), message_(message) {
  info_.set_domain(kDomain);
  info_.set_reason(v1::ErrorReason_Name(reason));
  SetAct(DefaultAct(reason));
}

Error& Error::SetAct(Act act) {
  (*info_.mutable_metadata())["act"] = std::string(Name(act));
  return *this;
}

Error& Error::Violation(absl::string_view field, absl::string_view description) {
  auto* violation = bad_request_.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(description));
  return *this;
}

Error& Error::Resource(absl::string_view type, absl::string_view name) {
  resource_.set_resource_type(std::string(type));
  resource_.set_resource_name(std::string(name));
  return *this;
}

Error& Error::RetryAfter(absl::Duration delay) {
  retry_after_ = delay;
  return *this;
}

Error& Error::Metadata(absl::string_view key, absl::string_view value) {
  if (!value.empty()) (*info_.mutable_metadata())[std::string(key)] = std::string(value);
  return *this;
}

Error& Error::Failures(const v1::ProviderFailures& failures) {
  failures_ = failures;
  return *this;
}

google::rpc::Status Error::ToProto() const {
  google::rpc::Status proto;
  proto.set_code(static_cast<int>(code_));
  proto.set_message(message_);
  proto.add_details()->PackFrom(info_);
  if (has_violations()) proto.add_details()->PackFrom(bad_request_);
  if (!resource_.resource_name().empty()) proto.add_details()->PackFrom(resource_);
  if (retry_after_.has_value()) {
    google::rpc::RetryInfo retry;
    *retry.mutable_retry_delay() = base::ToProto(*retry_after_);
    proto.add_details()->PackFrom(retry);
  }
  if (failures_.failures_size() > 0) proto.add_details()->PackFrom(failures_);
  return proto;
}

Error::operator absl::Status() const { return FromRpcStatus(ToProto()); }

Error Draining(absl::string_view advice) {
  return Error(absl::StatusCode::kUnavailable, v1::DRAINING,
               absl::StrCat("the gateway is shutting down; ", advice))
      .RetryAfter(kRetry);
}

Error StoreUnreadable() {
  return Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
               "the store cannot be read right now; try again")
      .RetryAfter(kRetry);
}

Error StoreUnwritable() {
  return Error(absl::StatusCode::kUnavailable, v1::STORE_UNAVAILABLE,
               "the store takes no writes right now; nothing was changed, so try again")
      .RetryAfter(kRetry);
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status proto;
  if (const auto payload = status.GetPayload(kPayloadUrl);
      payload.has_value() && proto.ParseFromString(std::string(*payload))) {
    return proto;
  }
  return Error(status.code(), v1::INTERNAL_ERROR, status.message()).ToProto();
}

absl::Status FromRpcStatus(const google::rpc::Status& proto) {
  absl::Status status(static_cast<absl::StatusCode>(proto.code()), proto.message());
  status.SetPayload(kPayloadUrl, absl::Cord(proto.SerializeAsString()));
  return status;
}

google::rpc::ErrorInfo InfoOf(const google::rpc::Status& status) {
  return FindDetail<google::rpc::ErrorInfo>(status).value_or(google::rpc::ErrorInfo());
}

v1::ErrorReason ReasonOf(const google::rpc::Status& status) {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  v1::ErrorReason_Parse(InfoOf(status).reason(), &reason);
  return reason;
}

v1::ErrorReason ReasonOf(const absl::Status& status) { return ReasonOf(ToRpcStatus(status)); }

std::optional<absl::Duration> RetryDelayOf(const google::rpc::Status& status) {
  const auto retry = FindDetail<google::rpc::RetryInfo>(status);
  if (!retry.has_value()) return std::nullopt;
  return FromProto(retry->retry_delay());
}

}  // namespace assetgate::base
