// Errors in words for people, and exit codes for scripts.
#ifndef ASSETGATE_CLI_FAILURE_H_
#define ASSETGATE_CLI_FAILURE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/text.h"
#include "google/rpc/status.pb.h"

namespace assetgate::cli {

// The exit codes of assetctl. Part of its interface: scripts rely on the numbers.
enum class ExitCode {
  kOk = 0,
  kOther = 1,
  // The command line is invalid.
  kUsage = 2,
  kInvalidArgument = 3,
  kNotFound = 4,
  kAlreadyExists = 5,
  kFailedPrecondition = 6,
  // The gateway or a provider is unavailable, busy or limits the rate. Trying again may help.
  kUnavailable = 7,
  kDeadline = 8,
  // The calls succeeded, and the awaited work failed.
  kWorkFailed = 9,
  kInterrupted = 130,
};

// The exit code for an error, of a call or of assetctl itself.
ExitCode ExitCodeOf(const absl::Status& status);

// The call that failed.
struct CallContext {
  // The address that it went to.
  std::string server;
  // The request id of a call that creates a resource: repeating it is safe. Otherwise empty.
  std::string request_id;
  // Whether the call presented a token or a certificate.
  bool shows_credential = false;
  // Why no connection came about, as DiagnoseConnection found; otherwise empty.
  std::string connection_fault;
};

// Lines for people about `status` (not OK): what went wrong, every invalid field with the flag that
// sets it, what the provider said, and who can resolve it and how.
std::vector<std::string> DescribeError(const absl::Status& status, const CallContext& context,
                                       const Look& look);

// Who can resolve the error and how, in one sentence; empty where nothing is known. Not sanitized.
std::string RemedyFor(const absl::Status& status, const CallContext& context);

// One line for the `error` field of a resource: "REASON: message".
std::string ErrorSummary(const google::rpc::Status& error);

// One JSON document: {"error": google.rpc.Status, "request_id": …}.
std::string ErrorToJson(const absl::Status& status, const CallContext& context);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_FAILURE_H_
