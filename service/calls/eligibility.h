// Which targets of a model can make a video as the caller asks for it, and why the others cannot.
#ifndef ASSETGATE_CALLS_ELIGIBILITY_H_
#define ASSETGATE_CALLS_ELIGIBILITY_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "model/catalog.h"

namespace assetgate::calls {

// (path of the field, what the target says to its value), as model::Inexpressible gives them.
using Reasons = std::vector<std::pair<std::string, std::string>>;

struct Eligibility {
  struct Passed {
    model::Target target;
    Reasons reasons;
  };
  // In the order of their priorities; those of one priority in the order of the config.
  std::vector<model::Target> targets;
  // In the order of the config, followed by those whose provider the request does not name.
  std::vector<Passed> passed;
};

// Judges `targets` of a model for a task whose unset fields the route's defaults have filled.
// `asked` is the task before that: an aspect ratio that only a default sets is dropped where a
// first frame decides it. `media` are the media types of the task's references, in their order.
Eligibility Judge(const v1::VideoTask& asked, const v1::VideoTask& task,
                  const std::vector<v1::MediaType>& media, std::vector<model::Target> targets);

// OK when some target can make the video. Otherwise INVALID_ARGUMENT FIELD_NOT_EXPRESSIBLE with
// what each target cannot express. So also for a resolution or an aspect ratio that is not among
// the known values of any target, and that only targets with undocumented values would accept: it
// is probably a misspelling ("720" for "720p") that would silently decide the provider.
absl::Status CheckEligible(const v1::VideoTask& asked, const Eligibility& found);

// For the answer of a `validate_only` call.
v1::Validation ToProto(const Eligibility& found);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_ELIGIBILITY_H_
