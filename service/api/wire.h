// Requests and answers as bytes.
#ifndef ASSETGATE_API_WIRE_H_
#define ASSETGATE_API_WIRE_H_

#include <concepts>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"

namespace assetgate::api {

// The message in `bytes`; INVALID_ARGUMENT where they do not parse. Discards fields that this
// release does not know, at any depth: a client may be newer than the gateway, and unknown fields
// are neither stored nor counted. Empties `bytes`, which gRPC would keep until the call has ended.
template <std::derived_from<google::protobuf::Message> Message>
absl::StatusOr<Message> Parse(const grpc::ByteBuffer& bytes) {
  // The raw method owns the buffer, although gRPC passes it as const.
  auto& buffer = const_cast<grpc::ByteBuffer&>(bytes);
  Message message;
  const bool parsed = grpc::SerializationTraits<Message>::Deserialize(&buffer, &message).ok();
  buffer.Clear();
  if (!parsed) {
    return base::Error(
        absl::StatusCode::kInvalidArgument, v1::INVALID_FIELD,
        absl::StrCat("the request is not a ", Message::descriptor()->full_name(),
                     "; make it with the code generated from this service's .proto files"));
  }
  message.DiscardUnknownFields();
  return message;
}

template <std::derived_from<google::protobuf::Message> Message>
absl::StatusOr<grpc::ByteBuffer> Serialize(const Message& message) {
  grpc::ByteBuffer bytes;
  bool own_buffer = false;
  if (!grpc::SerializationTraits<Message>::Serialize(message, &bytes, &own_buffer).ok()) {
    return absl::InternalError("the answer cannot be serialized");
  }
  return bytes;
}

}  // namespace assetgate::api

#endif  // ASSETGATE_API_WIRE_H_
