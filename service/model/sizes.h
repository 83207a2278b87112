// Size limits of resources and answers.
#ifndef ASSETGATE_MODEL_SIZES_H_
#define ASSETGATE_MODEL_SIZES_H_

#include <cstddef>
#include <string>

#include "base/faults.h"
#include "google/protobuf/message.h"

namespace assetgate::model {

// For the part of a resource that its caller provides, serialized. What the gateway adds
// (placements, attempts, errors) is bounded where it is read.
inline constexpr std::size_t kMaxResourceBytes = std::size_t{1} << 20;
// For one answer, or one event of a watch. Below the 4 MiB that gRPC clients accept by default in
// one message.
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{3} << 20;

// Adds a fault if `resource`, which is `field` of the request, is too large. The fault names its
// largest field, its size and the limit.
void CheckSize(const std::string& field, const google::protobuf::Message& resource,
               base::Faults& faults);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_SIZES_H_
