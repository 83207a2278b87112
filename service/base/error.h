// Errors that a caller can act on.
//
// Inside the gateway an error is an absl::Status. An error for a caller is built by Error, which
// attaches the google.rpc details of errors.proto; api/status_conversion.h converts it to gRPC's.
//
//   return Error(absl::StatusCode::kNotFound, v1::RESOURCE_NOT_FOUND, "no asset \"assets/hero\"")
//       .Resource("assetgate.v1.Asset", "assets/hero");
#ifndef ASSETGATE_BASE_ERROR_H_
#define ASSETGATE_BASE_ERROR_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/errors.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace assetgate::base {

// Who can fix an error: ErrorInfo.metadata["act"].
enum class Act { kCaller, kOperator, kWait };

// Builds one error. Converts to absl::Status and absl::StatusOr when returned.
class Error {
 public:
  // `message` is for people: what is wrong, with which value, and what to do about it. The act
  // follows from `reason` unless SetAct is called.
  Error(absl::StatusCode code, v1::ErrorReason reason, absl::string_view message);

  Error& SetAct(Act act);
  // Adds one faulty field, given by its path in the request, for instance `asset.source_uri` or
  // `requests[2].asset.media_type`.
  Error& Violation(absl::string_view field, absl::string_view description);
  Error& Resource(absl::string_view type, absl::string_view name);
  Error& RetryAfter(absl::Duration delay);
  // Adds to ErrorInfo.metadata. `key` is one of errors.proto; an empty value is left out.
  Error& Metadata(absl::string_view key, absl::string_view value);
  Error& Failures(const v1::ProviderFailures& failures);

  bool has_violations() const { return bad_request_.field_violations_size() > 0; }

  operator absl::Status() const;  // NOLINT(google-explicit-constructor)
  template <typename T>
  operator absl::StatusOr<T>() const {  // NOLINT(google-explicit-constructor)
    return static_cast<absl::Status>(*this);
  }
  google::rpc::Status ToProto() const;

 private:
  absl::StatusCode code_;
  std::string message_;
  google::rpc::ErrorInfo info_;
  google::rpc::BadRequest bad_request_;
  google::rpc::ResourceInfo resource_;
  std::optional<absl::Duration> retry_after_;
  v1::ProviderFailures failures_;
};

// Errors that several rooms return, worded once. Each carries RetryInfo of a second.
//
// UNAVAILABLE DRAINING. `advice` is what the caller does instead: "try again".
Error Draining(absl::string_view advice);
// UNAVAILABLE STORE_UNAVAILABLE. The store's own words are left out: they name hosts and users, and
// /readyz has them.
Error StoreUnreadable();
// Likewise, of a change that was not committed.
Error StoreUnwritable();

// The google.rpc form of `status`: the details that Error attached, or, for any other status, its
// code and message with reason INTERNAL_ERROR. `status` must not be OK.
google::rpc::Status ToRpcStatus(const absl::Status& status);
// The inverse of ToRpcStatus.
absl::Status FromRpcStatus(const google::rpc::Status& status);

// The ErrorInfo of an error; empty if it has none.
google::rpc::ErrorInfo InfoOf(const google::rpc::Status& status);
// The reason of an error; ERROR_REASON_UNSPECIFIED if it has none.
v1::ErrorReason ReasonOf(const google::rpc::Status& status);
v1::ErrorReason ReasonOf(const absl::Status& status);
// The delay in the error's RetryInfo, if it has one.
std::optional<absl::Duration> RetryDelayOf(const google::rpc::Status& status);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_ERROR_H_
