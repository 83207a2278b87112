// The results of a dialect's decoding, made in one line each.
#ifndef ASSETGATE_PROVIDER_RESULT_H_
#define ASSETGATE_PROVIDER_RESULT_H_

#include <optional>

#include "absl/strings/string_view.h"
#include "http/message.h"
#include "provider/dialect.h"
#include "provider/failure.h"
#include "rapidjson/document.h"

namespace assetgate::provider {

// The body of an answer as a JSON object; absent when it is anything else.
std::optional<rapidjson::Document> ObjectOf(const http::Response& response);

// A clear no: what it means for the submission, and the provider's words.
struct Refusal {
  Outcome outcome = Outcome::kRefused;
  Failure failure;
};

// The refusal that an answer of a status other than 2xx is, by the one table (see failure.h).
Refusal RefusalByStatus(const http::Response& response, absl::string_view code,
                        absl::string_view message);
// The refusal that a failure envelope inside HTTP 2xx is. An envelope's `code` that looks like an
// HTTP status (4xx) is taken for it where that says who can mend it; every other code is a refusal.
Refusal RefusalByCode(const http::Response& response, absl::string_view code,
                      absl::string_view message);

SubmitResult Refused(Refusal refusal);
// Neither yes nor no. `message` is ours: what was missing.
SubmitResult Unclear(const http::Response& response, absl::string_view message);
SubmitResult Accepted(Handle handle, Observation observation);

// Results of a poll that asked for one unit.
PollResult Trouble(Failure failure);
PollResult Observed(Observation observation);
PollResult NotFound(Failure failure);

// Why accepted work came to nothing: PROVIDER_WORK_FAILED in the provider's words.
Failure WorkFailed(const http::Response& response, absl::string_view code,
                   absl::string_view message);
// Likewise TASK_CANCELLED, for work that was cancelled at the provider.
Failure WorkCancelled(const http::Response& response, absl::string_view code,
                      absl::string_view message);

}  // namespace assetgate::provider

#endif  // ASSETGATE_PROVIDER_RESULT_H_
