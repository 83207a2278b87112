// Whether a target's model can express what a caller asks for.
#ifndef ASSETGATE_MODEL_CAPABILITY_FIT_H_
#define ASSETGATE_MODEL_CAPABILITY_FIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "assetgate/v1/asset.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "google/protobuf/repeated_ptr_field.h"
#include "model/catalog.h"

namespace assetgate::model {

// Whether a generation field can have `value`: the model expresses it, or makes nothing else.
bool Fits(const v1::Capabilities::BoolField& can, bool value);
bool Fits(const v1::Capabilities::StringField& can, const std::string& value);
bool Fits(const v1::Capabilities::IntegerField& can, std::int64_t value);

// Why the media at `uri` cannot be of one of the accepted formats, judged by the extension of its
// path alone; absent where the extension is acceptable, unknown or missing. The text follows "it".
std::optional<std::string> FormatFault(
    absl::string_view uri, v1::MediaType type,
    const google::protobuf::RepeatedPtrField<v1::MediaLimits>& limits);

// Why a target cannot make this video: one (field, description) each, "does not take 7; at most 5"
// with the target as its subject; empty when it can. `media` are the media types of the task's
// references, in their order.
std::vector<std::pair<std::string, std::string>> Inexpressible(
    const v1::VideoTask& task, const std::vector<v1::MediaType>& media, const Target& target);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_CAPABILITY_FIT_H_
