// Errors as a person reads them, and the exit codes that scripts read.
#ifndef ASSETGATE_CLI_FAILURE_H_
#define ASSETGATE_CLI_FAILURE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "cli/text.h"
#include "google/rpc/status.pb.h"

namespace assetgate::cli {

// What assetctl ends with. Part of its interface: scripts rely on the numbers.
enum class ExitCode {
  kOk = 0,
  kOther = 1,
  // The command line itself.
  kUsage = 2,
  kInvalidArgument = 3,
  kNotFound = 4,
  kAlreadyExists = 5,
  kFailedPrecondition = 6,
  // Not now: the gateway or a provider is away, busy or limits the rate. Trying again may help.
  kUnavailable = 7,
  kDeadline = 8,
  // The calls went well, and the work that was waited for did not.
  kWorkFailed = 9,
  kInterrupted = 130,
};

// The exit code for an error of a call. Errors of this program itself are absl::Status too.
ExitCode ExitCodeOf(const absl::Status& status);

// What Explain needs to know of the call.
struct CallContext {
  // Where it went.
  std::string server;
  // Of calls that make something: a repetition with it is safe. Else empty.
  std::string request_id;
  // Whether a token or a certificate was shown.
  bool shows_credential = false;
  // Where nothing was reached: what ExplainUnreachable found; else empty.
  std::string unreachable;
};

// `status` (not OK) as lines for people: what went wrong, every faulty field with the flag that
// sets it, what the provider said, who can mend it and how.
std::vector<std::string> Explain(const absl::Status& status, const CallContext& context,
                                 const Look& look);

// Who can mend it and how, in a sentence; empty where nothing is known. Not sanitized.
std::string WhatToDo(const absl::Status& status, const CallContext& context);

// The same on one line, for `error` fields of resources: "REASON: message".
std::string Brief(const google::rpc::Status& error);

// The same as one JSON document: {"error": google.rpc.Status, "request_id": …}.
std::string ExplainJson(const absl::Status& status, const CallContext& context);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_FAILURE_H_
