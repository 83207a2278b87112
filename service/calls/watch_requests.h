// From a Watch request to the watch that it asks for.
#ifndef ASSETGATE_CALLS_WATCH_REQUESTS_H_
#define ASSETGATE_CALLS_WATCH_REQUESTS_H_

#include "absl/status/statusor.h"
#include "base/faults.h"
#include "calls/caller.h"
#include "calls/validate.h"
#include "model/resource.h"
#include "store/store.h"
#include "watch/stream.h"

namespace assetgate::calls {

// For WatchAssetsRequest and WatchVideoTasksRequest. Validates the request.
template <typename Request>
absl::StatusOr<watch::WatchRequest> MakeWatchRequest(const Caller& caller, store::Kind kind,
                                                     const Request& request) {
  base::Faults faults;
  watch::WatchRequest watch;
  watch.tenant = caller.tenant;
  watch.kind = kind;
  watch.ids = ValidateNames(model::CollectionOf(kind), request.names(), faults);
  Validate(request.filter(), faults);
  if (!faults.empty()) return faults.ToStatus();
  watch.filter = model::Compile(request.filter());
  watch.resume_token = request.resume_token();
  watch.until_settled = request.until_settled();
  return watch;
}

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_WATCH_REQUESTS_H_
