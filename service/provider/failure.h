// Failures of providers in the gateway's terms: one table for every dialect.
#ifndef ASSETGATE_PROVIDER_FAILURE_H_
#define ASSETGATE_PROVIDER_FAILURE_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/errors.pb.h"
#include "base/error.h"
#include "google/rpc/status.pb.h"
#include "http/message.h"

namespace assetgate::provider {

// Why a provider refused a request, or why its answer could not be read.
struct Failure {
  v1::ErrorReason reason = v1::PROVIDER_REJECTED;
  // Who must act, where `reason` alone does not say it correctly.
  std::optional<base::Act> act;
  // 0 where there was no HTTP answer.
  int http_status = 0;
  // The provider's own code and words, not yet cleaned.
  std::string code;
  std::string message;
  // From Retry-After.
  std::optional<absl::Duration> retry_after;
  // The provider itself answered, but in an unreadable form or about another unit. This says
  // nothing about its health, nor about any other unit than the polled one.
  bool unreadable = false;
  // The request may have arrived, but no complete answer came in time.
  bool timed_out = false;
  // An edge in front of the provider answered (a CDN, a firewall): this says nothing about the key.
  bool from_edge = false;
};

// The outcome of a submission.
enum class Outcome {
  kAccepted,
  // The provider examined and refused it: nothing was created.
  kRefused,
  // The provider did not examine it (wrong key, rate limit, no connection): a retry is safe.
  kNotAccepted,
  // It may have been accepted.
  kUnknown,
};

// The one table from HTTP statuses to reasons and outcomes, for answers that are not a success.
// Dialects use it wherever their documentation does not say otherwise.
//
//   400 413 422   kRefused      PROVIDER_INVALID_ARGUMENT
//   402           kRefused      PROVIDER_OUT_OF_CREDIT (act OPERATOR)
//   404           kRefused      PROVIDER_REJECTED (act OPERATOR: model or account)
//   451           kRefused      PROVIDER_REJECTED
//   401 403       kNotAccepted  PROVIDER_CREDENTIALS_REJECTED
//   429           kNotAccepted  PROVIDER_RATE_LIMITED
//   301 307 308   kNotAccepted  PROVIDER_PROTOCOL_ERROR (act OPERATOR: the provider has moved)
//   other 3xx     kUnknown      PROVIDER_PROTOCOL_ERROR (303: the work may have been done)
//   other 4xx 5xx kUnknown      PROVIDER_UNAVAILABLE
//   1xx 2xx       kUnknown      PROVIDER_PROTOCOL_ERROR (neither an id nor a failure)
struct StatusMeaning {
  Outcome outcome;
  v1::ErrorReason reason;
  std::optional<base::Act> act;
};
StatusMeaning MeaningOfStatus(int http_status);

// The failure of `response` by that table, with its Retry-After: seconds, or an HTTP date relative
// to the response's Date header, or to `receive_time` where it has none.
Failure FailureOf(const http::Response& response, absl::string_view code,
                  absl::string_view message);
// The failure of a call without an answer: PROVIDER_UNAVAILABLE.
Failure FailureOf(const http::TransportError& error);

// An HTTP date in any of the three forms of RFC 9110: "Sun, 06 Nov 1994 08:49:37 GMT",
// "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". Absent for any other text.
std::optional<absl::Time> ParseHttpDate(absl::string_view text);

// The failure as callers see it in `error` fields and RPC statuses: the code of its reason,
// ErrorInfo with act, provider, http_status, provider_code and provider_message (cleaned), and
// RetryInfo.
base::Error ToError(const Failure& failure, absl::string_view provider_id);

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_FAILURE_H_
