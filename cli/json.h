// Messages as proto3 JSON, for scripts.
#ifndef ASSETGATE_CLI_JSON_H_
#define ASSETGATE_CLI_JSON_H_

#include <string>

#include "google/protobuf/message.h"

namespace assetgate::cli {

// `message` as proto3 JSON with the field names of the .proto files; fields that are unset, and
// those that have their zero value without being `optional`, are left out; maps are in the order of
// their keys. On one line, or, `pretty`, indented. Error details of types that this program does
// not know are left out.
std::string ToJson(const google::protobuf::Message& message, bool pretty = false);

}  // namespace assetgate::cli

#endif  // ASSETGATE_CLI_JSON_H_
