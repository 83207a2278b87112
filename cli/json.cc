#include "cli/json.h"

#include <memory>
#include <vector>

#include "absl/strings/strip.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/util/json_util.h"

namespace assetgate::cli {
namespace {

using google::protobuf::Any;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsKnown(const Any& any) {
  const std::string& url = any.type_url();
  const std::size_t slash = url.rfind('/');
  return slash != std::string::npos &&
         google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(
             url.substr(slash + 1)) != nullptr;
}

void DropUnknownDetails(Message& message) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      DropUnknownDetails(*reflection->MutableMessage(&message, field));
      continue;
    }
    if (field->message_type() == Any::descriptor()) {
      int kept = 0;
      for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
        if (!IsKnown(static_cast<const Any&>(reflection->GetRepeatedMessage(message, field, i)))) {
          continue;
        }
        if (i != kept) reflection->SwapElements(&message, field, i, kept);
        ++kept;
      }
      while (reflection->FieldSize(message, field) > kept) reflection->RemoveLast(&message, field);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      DropUnknownDetails(*reflection->MutableRepeatedMessage(&message, field, i));
    }
  }
}

}  // namespace

std::string ToJson(const Message& message, bool pretty) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = pretty;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) {
    // Only an Any of an unknown type cannot be printed.
    const std::unique_ptr<Message> known(message.New());
    known->CopyFrom(message);
    DropUnknownDetails(*known);
    json.clear();
    (void)google::protobuf::util::MessageToJsonString(*known, &json, options);
  }
  // The pretty form ends with a line break, the other does not.
  while (!json.empty() && json.back() == '\n') json.pop_back();
  return json;
}

}  // namespace assetgate::cli
