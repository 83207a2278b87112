#include "cli/json.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/io/coded_stream.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/json_util.h"
#include "google/protobuf/util/type_resolver.h"
#include "google/protobuf/util/type_resolver_util.h"

namespace assetgate::cli {
namespace {

using google::protobuf::Any;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kTypePrefix[] = "type.googleapis.com";

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

// False where `message` contains an Any of an unknown type.
bool Print(const Message& message, bool pretty, std::string& json) {
  // Goes through the wire format, where maps can be ordered, so that the same resource always gives
  // the same text.
  std::string wire;
  {
    google::protobuf::io::StringOutputStream stream(&wire);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  static google::protobuf::util::TypeResolver* const resolver =
      google::protobuf::util::NewTypeResolverForDescriptorPool(
          kTypePrefix, google::protobuf::DescriptorPool::generated_pool());
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.add_whitespace = pretty;
  json.clear();
  return google::protobuf::util::BinaryToJsonString(
             resolver, absl::StrCat(kTypePrefix, "/", message.GetDescriptor()->full_name()), wire,
             &json, options)
      .ok();
}

}  // namespace

std::string ToJson(const Message& message, bool pretty) {
  std::string json;
  if (!Print(message, pretty, json)) {
    const std::unique_ptr<Message> known(message.New());
    known->CopyFrom(message);
    DropUnknownDetails(*known);
    Print(*known, pretty, json);
  }
  // Only the pretty form ends with a line break.
  while (!json.empty() && json.back() == '\n') json.pop_back();
  return json;
}

}  // namespace assetgate::cli
