// What a route sets where a caller leaves a field unset.
#ifndef ASSETGATE_CALLS_DEFAULTS_H_
#define ASSETGATE_CALLS_DEFAULTS_H_

#include "assetgate/v1/video_task.pb.h"

namespace assetgate::calls {

// Sets the generation fields that `task` leaves unset and `defaults` has.
void FillDefaults(const v1::VideoTask& defaults, v1::VideoTask& task);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_DEFAULTS_H_
