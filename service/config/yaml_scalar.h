// Single values of a YAML file as fields of a message.
#ifndef ASSETGATE_CONFIG_YAML_SCALAR_H_
#define ASSETGATE_CONFIG_YAML_SCALAR_H_

#include <string>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace assetgate::config {

struct YamlScalar {
  std::string text;
  // Written in quotes, and so a string.
  bool quoted = false;
  // Faults must not show the text.
  bool secret = false;
};

// Sets `field` of `message` to the value, or adds it where the field is repeated. Returns the fault
// of a value that does not fit the field's type; empty where it fits. Types: string, bool, int32,
// int64, double, enum (by name, in any case), google.protobuf.Duration.
std::string SetScalar(const YamlScalar& scalar, const google::protobuf::FieldDescriptor& field,
                      google::protobuf::Message& message);

}  // namespace assetgate::config

#endif  // ASSETGATE_CONFIG_YAML_SCALAR_H_
