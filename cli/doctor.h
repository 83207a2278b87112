// `assetctl doctor`: checks a gateway as its clients see it.
#ifndef ASSETGATE_CLI_DOCTOR_H_
#define ASSETGATE_CLI_DOCTOR_H_

#include <stop_token>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/text.h"

namespace assetgate::cli {

// The result of one check.
struct Finding {
  enum class Verdict { kOk, kWarning, kFailed };
  Verdict verdict = Verdict::kOk;
  // What was checked: "gateway 127.0.0.1:8080", "provider kyy".
  std::string what;
  std::string detail;
  // What to do; empty where nothing is to be done.
  std::string remedy;
};

// Checks that the gateway answers, its version, its health and its providers. Each call takes at
// most `timeout`. Leaves out the checks that depend on an answer that did not come.
std::vector<Finding> Examine(Client& client, const Endpoint& endpoint, absl::Duration timeout,
                             const std::stop_token& stop);

// "ok       gateway …: …", and a line with the remedy where there is one.
std::vector<std::string> ToLines(const Finding& finding, const Look& look);
// {"verdict": "OK", "what": …, "detail": …, "remedy": …}
std::string ToJsonLine(const Finding& finding);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_DOCTOR_H_
