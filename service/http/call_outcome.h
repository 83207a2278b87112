// The metric label of an exchange.
#ifndef ASSETGATE_HTTP_CALL_OUTCOME_H_
#define ASSETGATE_HTTP_CALL_OUTCOME_H_

#include "base/metrics.h"
#include "http/client.h"

namespace assetgate::http {

// The label of `result` in assetgate_upstream_calls_total. Callers that find a failure inside a 2xx
// count CallOutcome::k2xxFailure instead.
base::CallOutcome OutcomeOf(const Result& result);

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CALL_OUTCOME_H_
