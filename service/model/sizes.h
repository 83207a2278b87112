// How large resources and answers may be.
#ifndef ASSETGATE_MODEL_SIZES_H_
#define ASSETGATE_MODEL_SIZES_H_

#include <cstddef>
#include <string>

#include "base/faults.h"
#include "google/protobuf/message.h"

namespace assetgate::model {

// Of what a caller says of one resource, serialized. What the gateway adds (placements, attempts,
// errors) is bounded where it is read.
inline constexpr std::size_t kMaxResourceBytes = std::size_t{1} << 20;
// Of one answer, or one event of a watch: below what gRPC's clients take in one message unless they
// are told otherwise (4 MiB).
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{3} << 20;

// Adds a fault where `resource`, which the request has in `field`, is too large: at its largest
// field, with its size and the limit.
void CheckSize(const std::string& field, const google::protobuf::Message& resource,
               base::Faults& faults);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_SIZES_H_
