// Looks at a gateway as its clients see it: `assetctl doctor`.
#ifndef ASSETGATE_CLI_DOCTOR_H_
#define ASSETGATE_CLI_DOCTOR_H_

#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/text.h"

namespace assetgate::cli {

// What was looked at, and what there is to say of it.
struct Finding {
  enum class Verdict { kOk, kWarning, kFailed };
  Verdict verdict = Verdict::kOk;
  // "gateway 127.0.0.1:8080", "provider kyy".
  std::string what;
  std::string detail;
  // Empty where nothing is to be done.
  std::string remedy;
};

// Asks whether the gateway answers, for its health, its version and its providers. Each question
// takes at most `timeout`; what cannot be known without an earlier answer is left out.
std::vector<Finding> Examine(Client& client, const Endpoint& endpoint, absl::Duration timeout,
                             const std::stop_token& stop);

// "ok       gateway …: …", and a line with the remedy where there is one.
std::vector<std::string> ToLines(const Finding& finding, const Look& look);
// {"verdict": "OK", "what": …, "detail": …, "remedy": …}
std::string ToJsonLine(const Finding& finding);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_DOCTOR_H_
