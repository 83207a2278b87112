// How an exchange is counted.
#ifndef ASSETGATE_HTTP_CALL_OUTCOME_H_
#define ASSETGATE_HTTP_CALL_OUTCOME_H_

#include "base/metrics.h"
#include "http/client.h"

namespace assetgate::http {

// The label of `result` in assetgate_upstream_calls_total. Whoever finds that a 2xx is a failure
// inside (CallOutcome::k2xxFailure) counts that instead.
base::CallOutcome OutcomeOf(const Result& result);

}  // namespace assetgate::http

#endif  // ASSETGATE_HTTP_CALL_OUTCOME_H_
