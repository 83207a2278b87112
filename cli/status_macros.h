// Early returns for functions that return absl::Status or absl::StatusOr.
#ifndef ASSETGATE_CLI_STATUS_MACROS_H_
#define ASSETGATE_CLI_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Sets `target` to the value of a StatusOr, or returns its error.
#define ASSIGN_OR_RETURN(target, expression)      \
  do {                                            \
    auto value_or = (expression);                 \
    if (!value_or.ok()) return value_or.status(); \
    target = *std::move(value_or);                \
  } while (false)

// Returns the status of `expression` unless it is OK.
#define RETURN_IF_ERROR(expression)                         \
  do {                                                      \
    if (absl::Status status = (expression); !status.ok()) { \
      return status;                                        \
    }                                                       \
  } while (false)

#endif  // ASSETGATE_CLI_STATUS_MACROS_H_
