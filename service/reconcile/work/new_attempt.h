// A new attempt of a video task, up to the request that is about to be journalled.
#ifndef ASSETGATE_RECONCILE_WORK_NEW_ATTEMPT_H_
#define ASSETGATE_RECONCILE_WORK_NEW_ATTEMPT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "http/message.h"
#include "model/catalog.h"
#include "model/resource.h"
#include "provider/dialect.h"
#include "reconcile/step.h"

namespace assetgate::reconcile {

struct NewAttempt {
  // Of the draft's attempts and units.
  int index = 0;
  // Or why the dialect cannot write it.
  absl::StatusOr<http::Request> request;
  // It has the idempotency key of an earlier submission of the same request to the same account.
  bool same_key = false;
};

// Adds an attempt at the provider to the draft, or uses again one that surely was not accepted.
NewAttempt BeginAttempt(const Environment& environment, const model::ProviderEntry& provider,
                        const std::string& provider_model,
                        std::vector<provider::ResolvedReference> references,
                        model::VideoEntity& draft);

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_NEW_ATTEMPT_H_
