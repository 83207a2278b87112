// Converts absl::Status to gRPC's; nothing else does.
#ifndef ASSETGATE_API_STATUS_CONVERSION_H_
#define ASSETGATE_API_STATUS_CONVERSION_H_

#include <cstddef>

#include "absl/status/status.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/support/status.h"

namespace assetgate::api {

// HTTP/2 peers commonly take 8 KiB of trailers in all, and drop the whole answer beyond. So the
// message is at most kMaxMessageBytes as it travels (percent-encoded), and the serialized
// google.rpc.Status at most kMaxDetailsBytes (a third more when it travels, as base64).
inline constexpr std::size_t kMaxMessageBytes = 1536;
inline constexpr std::size_t kMaxDetailsBytes = 4352;

// `status` as gRPC sends it: its code and message, and the google.rpc details that base/error.h
// attached. A status that base/error.h did not make becomes UNAVAILABLE STORE_UNAVAILABLE or
// INTERNAL, since its words are for the log. Control characters and broken UTF-8 in the message are
// replaced. A status that is too large is cut: long texts first, then the last providers' refusals,
// then the last violations (the message says how many), then the least important details. The
// ErrorInfo always stays.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The google.rpc.Status that ToGrpcStatus sends, cut to its limits.
google::rpc::Status Bounded(google::rpc::Status status);

}  // namespace assetgate::api

#endif  // ASSETGATE_API_STATUS_CONVERSION_H_
