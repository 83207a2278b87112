#include "provider/result.h"

#include <cstdint>
#include <utility>

#include "absl/strings/numbers.h"
#include "provider/json.h"
#include "provider/rest.h"

namespace assetgate::provider {
namespace {

Failure Ended(const http::Response& response, absl::string_view code, absl::string_view message,
              v1::ErrorReason reason) {
  Failure failure = FailureOf(response, code, message);
  failure.reason = reason;
  failure.act.reset();
  failure.retry_after.reset();
  return failure;
}

}  // namespace

std::optional<rapidjson::Document> ObjectOf(const http::Response& response) {
  std::optional<rapidjson::Document> body = ParseJson(response.body);
  if (body.has_value() && !body->IsObject()) body.reset();
  return body;
}

Refusal RefusalByStatus(const http::Response& response, absl::string_view code,
                        absl::string_view message) {
  return {MeaningOfStatus(response.status).outcome, FailureOf(response, code, message)};
}

Refusal RefusalByCode(const http::Response& response, absl::string_view code,
                      absl::string_view message) {
  Refusal refusal{Outcome::kRefused, FailureOf(response, code, message)};
  refusal.failure.reason = v1::PROVIDER_REJECTED;
  int status = 0;
  if (!absl::SimpleAtoi(code, &status)) return refusal;
  switch (status) {
    case 400:
    case 401:
    case 402:
    case 403:
    case 404:
    case 413:
    case 422:
    case 429: {
      const StatusMeaning meaning = MeaningOfStatus(status);
      refusal.outcome = meaning.outcome;
      refusal.failure.reason = meaning.reason;
      refusal.failure.act = meaning.act;
      break;
    }
    default:
      break;
  }
  return refusal;
}

SubmitResult Refused(Refusal refusal) {
  SubmitResult result;
  result.outcome = refusal.outcome;
  result.failure = std::move(refusal.failure);
  return result;
}

SubmitResult Unclear(const http::Response& response, absl::string_view message) {
  SubmitResult result;
  result.outcome = Outcome::kUnknown;
  result.failure = ProtocolFailure(response, message);
  return result;
}

SubmitResult Accepted(Handle handle, Observation observation) {
  SubmitResult result;
  result.outcome = Outcome::kAccepted;
  result.handle = std::move(handle);
  result.observation = std::move(observation);
  return result;
}

PollResult Trouble(Failure failure) {
  PollResult result;
  result.trouble = std::move(failure);
  return result;
}

PollResult Observed(Observation observation) {
  PollResult result;
  UnitNews& news = result.news.emplace_back();
  news.kind = UnitNews::Kind::kObserved;
  news.observation = std::move(observation);
  return result;
}

PollResult NotFound(Failure failure) {
  PollResult result;
  UnitNews& news = result.news.emplace_back();
  news.kind = UnitNews::Kind::kNotFound;
  news.failure = std::move(failure);
  return result;
}

Failure WorkFailed(const http::Response& response, absl::string_view code,
                   absl::string_view message) {
  return Ended(response, code, message, v1::PROVIDER_WORK_FAILED);
}

Failure WorkCancelled(const http::Response& response, absl::string_view code,
                      absl::string_view message) {
  return Ended(response, code, message, v1::TASK_CANCELLED);
}

}  // namespace assetgate::provider
