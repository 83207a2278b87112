// ImportVideoTask: the video task for what a provider already makes, or has made.
#ifndef ASSETGATE_CALLS_VIDEO_IMPORT_H_
#define ASSETGATE_CALLS_VIDEO_IMPORT_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "assetgate/v1/video_service.pb.h"
#include "calls/caller.h"
#include "model/catalog.h"
#include "model/resource.h"

namespace assetgate::calls {

// The task that a request asks for, QUEUED and with one attempt that is never submitted. Validates
// the request; ConditionsOfImport checks that the provider's task is free.
absl::StatusOr<model::VideoEntity> NewImport(const model::Catalog& catalog, const Caller& caller,
                                             const v1::ImportVideoTaskRequest& request,
                                             absl::Time now);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_VIDEO_IMPORT_H_
