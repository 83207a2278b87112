#include "http/call_outcome.h"

namespace assetgate::http {

base::CallOutcome OutcomeOf(const Result& result) {
  using Kind = TransportError::Kind;
  if (const auto* response = std::get_if<Response>(&result)) {
    return base::OutcomeOfStatus(response->status);
  }
  switch (std::get<TransportError>(result).kind) {
    case Kind::kResolve:
      return base::CallOutcome::kResolve;
    case Kind::kConnect:
      return base::CallOutcome::kConnect;
    case Kind::kTls:
      return base::CallOutcome::kTls;
    case Kind::kExpired:
      return base::CallOutcome::kExpired;
    case Kind::kTimeout:
      return base::CallOutcome::kTimeout;
    case Kind::kReset:
      return base::CallOutcome::kReset;
    case Kind::kTooLarge:
      return base::CallOutcome::kTooLarge;
    case Kind::kMalformed:
      return base::CallOutcome::kMalformed;
    case Kind::kStopped:
      return base::CallOutcome::kStopped;
  }
  return base::CallOutcome::kReset;
}

}  // namespace assetgate::http
