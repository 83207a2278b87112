// What a provider's refusal or trouble is, in our words: one table for every dialect.
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

// Why a provider said no, or could not be understood.
struct Failure {
  v1::ErrorReason reason = v1::PROVIDER_REJECTED;
  // Who can mend it, where it is not what `reason` says by itself.
  std::optional<base::Act> act;
  // 0 where there was no HTTP answer.
  int http_status = 0;
  // The provider's own code and words, as they came (not yet cleaned).
  std::string code;
  std::string message;
  // From Retry-After.
  std::optional<absl::Duration> retry_after;
  // The provider itself answered, in a form that cannot be read (or about something else): that
  // says nothing of its health, nor of any unit but the one that was asked for.
  bool unreadable = false;
  // The request may have arrived, and no whole answer came in time.
  bool timed_out = false;
  // Not the provider answered but an edge in front of it (a CDN, a firewall): says nothing of the
  // key.
  bool from_edge = false;
};

// What a submission came to (DESIGN: outcomes of a submission).
enum class Outcome {
  kAccepted,
  // The provider looked at it and said no: nothing was made.
  kRefused,
  // It surely was not looked at (wrong key, rate limit, no connection): another try is harmless.
  kNotAccepted,
  // It may have been accepted.
  kUnknown,
};

// The one table from HTTP statuses to reasons and outcomes, for answers that are not a success.
// Dialects use it wherever their page says nothing else.
//
//   400 413 422   kRefused      PROVIDER_INVALID_ARGUMENT
//   402           kRefused      PROVIDER_OUT_OF_CREDIT (act OPERATOR)
//   404           kRefused      PROVIDER_REJECTED (act OPERATOR: model or account)
//   451           kRefused      PROVIDER_REJECTED
//   401 403       kNotAccepted  PROVIDER_CREDENTIALS_REJECTED
//   429           kNotAccepted  PROVIDER_RATE_LIMITED
//   301 307 308   kNotAccepted  PROVIDER_PROTOCOL_ERROR (act OPERATOR: the provider has moved)
//   other 3xx     kUnknown      PROVIDER_PROTOCOL_ERROR (303: what was asked for may be done)
//   other 4xx 5xx kUnknown      PROVIDER_UNAVAILABLE
//   1xx 2xx       kUnknown      PROVIDER_PROTOCOL_ERROR (no id, and no failure either)
struct StatusMeaning {
  Outcome outcome;
  v1::ErrorReason reason;
  std::optional<base::Act> act;
};
StatusMeaning MeaningOfStatus(int http_status);

// The failure that `response` is by that table, with Retry-After: seconds, or an HTTP date against
// the response's own Date header, against `receive_time` where it has none.
Failure FailureOf(const http::Response& response, absl::string_view code,
                  absl::string_view message);
// Likewise where there was no answer: PROVIDER_UNAVAILABLE.
Failure FailureOf(const http::TransportError& error);

// A date of HTTP, in any of the three forms of RFC 9110: "Sun, 06 Nov 1994 08:49:37 GMT",
// "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". Absent where it is none of them.
std::optional<absl::Time> ParseHttpDate(absl::string_view text);

// The failure as callers see it, for `error` fields and RPC statuses: code by reason, ErrorInfo
// with act, provider, http_status, provider_code and provider_message (cleaned), RetryInfo.
base::Error ToError(const Failure& failure, absl::string_view provider_id);

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_FAILURE_H_
