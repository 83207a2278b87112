// Writes messages as proto3 JSON, for scripts.
#ifndef ASSETGATE_CLI_JSON_H_
#define ASSETGATE_CLI_JSON_H_

#include <string>

#include "google/protobuf/message.h"

namespace assetgate::cli {

// `message` as proto3 JSON with the field names of the .proto files, on one line, or indented where
// `pretty`. Leaves out unset fields, zero values that are not `optional`, and error details of
// types that this program does not know. Maps are in the order of their keys.
std::string ToJson(const google::protobuf::Message& message, bool pretty = false);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_JSON_H_
