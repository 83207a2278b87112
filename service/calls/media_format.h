// The format of a medium, as far as its URI shows it.
#ifndef ASSETGATE_CALLS_MEDIA_FORMAT_H_
#define ASSETGATE_CALLS_MEDIA_FORMAT_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "assetgate/v1/provider.pb.h"
#include "google/protobuf/repeated_field.h"

namespace assetgate::calls {

// What is wrong with the URI of a medium by the extension of its path ("is .gif by its name, and of
// IMAGE only jpeg, png is taken"); absent where it has none, or one that names no format of media.
std::optional<std::string> FormatFault(
    absl::string_view uri, v1::MediaType type,
    const google::protobuf::RepeatedPtrField<v1::MediaLimits>& limits);

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_MEDIA_FORMAT_H_
