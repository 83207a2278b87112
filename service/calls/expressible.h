// Whether a target's model can express what a task asks for.
#ifndef ASSETGATE_CALLS_EXPRESSIBLE_H_
#define ASSETGATE_CALLS_EXPRESSIBLE_H_

#include <string>
#include <utility>
#include <vector>

#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "model/catalog.h"

namespace assetgate::calls {

// Why a target cannot make this video: one (field, description) each, "does not take 7; at most 5"
// with the target as its subject; none when it can. `media` are the media types of the task's
// references, in their order.
std::vector<std::pair<std::string, std::string>> Inexpressible(
    const v1::VideoTask& task, const std::vector<v1::MediaType>& media,
    const model::Target& target);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_EXPRESSIBLE_H_
