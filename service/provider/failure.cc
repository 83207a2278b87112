#include "provider/failure.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "base/utf8.h"

namespace assetgate::provider {
namespace {

// The longest Retry-After that is honoured: some services send milliseconds, or a distant date.
constexpr absl::Duration kLongestRetryAfter = absl::Hours(1);
// The delay that callers get for a rate limit without Retry-After.
constexpr absl::Duration kDefaultRetryDelay = absl::Seconds(5);

std::optional<absl::Duration> RetryAfterOf(const http::Response& response) {
  const absl::string_view text = absl::StripAsciiWhitespace(response.HeaderValue("Retry-After"));
  if (text.empty()) return std::nullopt;
  absl::Duration delay;
  double seconds = 0;
  if (text.find_first_not_of("0123456789.") == absl::string_view::npos &&
      absl::SimpleAtod(text, &seconds)) {
    delay = absl::Seconds(seconds);
  } else {
    const std::optional<absl::Time> until = ParseHttpDate(text);
    if (!until.has_value()) return std::nullopt;
    // Relative to the sender's Date header, or else to this machine's clock.
    std::optional<absl::Time> now =
        ParseHttpDate(absl::StripAsciiWhitespace(response.HeaderValue("Date")));
    if (!now.has_value() && response.receive_time != absl::InfinitePast()) {
      now = response.receive_time;
    }
    if (!now.has_value()) return std::nullopt;
    delay = *until - *now;
  }
  return std::clamp(delay, absl::ZeroDuration(), kLongestRetryAfter);
}

absl::StatusCode CodeOf(v1::ErrorReason reason) {
  switch (reason) {
    case v1::PROVIDER_INVALID_ARGUMENT:
      return absl::StatusCode::kInvalidArgument;
    case v1::PROVIDER_RATE_LIMITED:
      return absl::StatusCode::kResourceExhausted;
    case v1::PROVIDER_UNAVAILABLE:
    case v1::PROVIDER_PROTOCOL_ERROR:
    case v1::NOT_SUBMITTED:
      return absl::StatusCode::kUnavailable;
    case v1::SUBMISSION_UNKNOWN:
      return absl::StatusCode::kUnknown;
    case v1::PROVIDER_FORGOT:
      return absl::StatusCode::kNotFound;
    case v1::TRACKING_EXPIRED:
      return absl::StatusCode::kDeadlineExceeded;
    case v1::TASK_CANCELLED:
      return absl::StatusCode::kCancelled;
    case v1::INTERNAL_ERROR:
      return absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kFailedPrecondition;
  }
}

// What `provider` did: the first sentence of an error's message.
absl::string_view Verb(v1::ErrorReason reason) {
  switch (reason) {
    case v1::PROVIDER_INVALID_ARGUMENT:
      return "found the request's content wrong";
    case v1::PROVIDER_REJECTED:
      return "refused the request";
    case v1::PROVIDER_CREDENTIALS_REJECTED:
      return "refuses the gateway's key or account";
    case v1::PROVIDER_OUT_OF_CREDIT:
      return "reports that the gateway's account has no credit";
    case v1::PROVIDER_RATE_LIMITED:
      return "limits the rate";
    case v1::PROVIDER_UNAVAILABLE:
      return "cannot be reached or answers with a server error";
    case v1::PROVIDER_PROTOCOL_ERROR:
      return "gave an answer that cannot be understood";
    case v1::CONTENT_REJECTED:
      return "refuses the request's content";
    case v1::PROVIDER_WORK_FAILED:
      return "accepted the work and reported its failure";
    case v1::PROVIDER_FORGOT:
      return "no longer knows the work it accepted";
    case v1::SUBMISSION_UNKNOWN:
      return "may or may not have accepted the work";
    case v1::TRACKING_EXPIRED:
      return "never gave a final state";
    case v1::TASK_CANCELLED:
      return "reports that the work was cancelled";
    default:
      return "refused";
  }
}

}  // namespace

std::optional<absl::Time> ParseHttpDate(absl::string_view text) {
  // RFC 9110: IMF-fixdate, RFC 850 and asctime. A two-digit year is read as POSIX does.
  for (const char* const form :
       {"%a, %d %b %E4Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %E4Y"}) {
    absl::Time time;
    std::string error;
    if (absl::ParseTime(form, text, absl::UTCTimeZone(), &time, &error)) return time;
  }
  return std::nullopt;
}

StatusMeaning MeaningOfStatus(int http_status) {
  switch (http_status) {
    // A client would repeat the method and the body unchanged: so they were not accepted.
    case 301:
    case 307:
    case 308:
      return {Outcome::kNotAccepted, v1::PROVIDER_PROTOCOL_ERROR, base::Act::kOperator};
    case 400:
    case 413:
    case 422:
      return {Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT, std::nullopt};
    case 401:
    case 403:
      return {Outcome::kNotAccepted, v1::PROVIDER_CREDENTIALS_REJECTED, std::nullopt};
    case 402:
      return {Outcome::kRefused, v1::PROVIDER_OUT_OF_CREDIT, base::Act::kOperator};
    case 404:
      return {Outcome::kRefused, v1::PROVIDER_REJECTED, base::Act::kOperator};
    case 451:
      return {Outcome::kRefused, v1::PROVIDER_REJECTED, std::nullopt};
    case 429:
      return {Outcome::kNotAccepted, v1::PROVIDER_RATE_LIMITED, std::nullopt};
    default:
      break;
  }
  if (http_status < 400) return {Outcome::kUnknown, v1::PROVIDER_PROTOCOL_ERROR, std::nullopt};
  return {Outcome::kUnknown, v1::PROVIDER_UNAVAILABLE, std::nullopt};
}

Failure FailureOf(const http::Response& response, absl::string_view code,
                  absl::string_view message) {
  const StatusMeaning meaning = MeaningOfStatus(response.status);
  Failure failure;
  failure.reason = meaning.reason;
  failure.act = meaning.act;
  failure.http_status = response.status;
  failure.code = std::string(code);
  failure.message = std::string(message);
  failure.retry_after = RetryAfterOf(response);
  return failure;
}

Failure FailureOf(const http::TransportError& error) {
  Failure failure;
  failure.reason = v1::PROVIDER_UNAVAILABLE;
  failure.timed_out = error.kind == http::TransportError::Kind::kTimeout && error.maybe_sent;
  failure.message = error.message;
  return failure;
}

base::Error ToError(const Failure& failure, absl::string_view provider_id) {
  const std::string words = base::CleanText(failure.message);
  const std::string code = base::CleanText(failure.code, 128);
  std::string message =
      absl::StrCat(provider_id, failure.from_edge ? " did not answer itself"
                                                  : absl::StrCat(" ", Verb(failure.reason)));
  // A status of success is left out of a sentence about a failure.
  if (failure.http_status >= 300) {
    absl::StrAppend(&message, " (HTTP ", failure.http_status, ")");
  }
  if (!words.empty()) {
    absl::StrAppend(&message, ": ", words);
  } else if (!code.empty()) {
    absl::StrAppend(&message, ": code ", code);
  }
  base::Error error(CodeOf(failure.reason), failure.reason, message);
  if (failure.act.has_value()) error.SetAct(*failure.act);
  error.Metadata("provider", provider_id);
  if (failure.http_status != 0) {
    error.Metadata("http_status", absl::StrCat(failure.http_status));
  }
  error.Metadata("provider_code", code);
  error.Metadata("provider_message", words);
  if (failure.retry_after.has_value()) {
    error.RetryAfter(*failure.retry_after);
  } else if (failure.reason == v1::PROVIDER_RATE_LIMITED) {
    error.RetryAfter(kDefaultRetryDelay);
  }
  return error;
}

}  // namespace assetgate::provider
