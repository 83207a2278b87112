#include "config/yaml_scalar.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "google/protobuf/duration.pb.h"

namespace assetgate::config {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// A secret may stand under the wrong key; numbers and durations are short.
constexpr std::size_t kMaxShown = 20;

// The names that can be written: 0 means "unset" and is not one of them.
std::vector<std::string> EnumNames(const EnumDescriptor& type) {
  std::vector<std::string> names;
  for (int i = 0; i < type.value_count(); ++i) {
    if (type.value(i)->number() != 0) names.push_back(type.value(i)->name());
  }
  return names;
}

const EnumValueDescriptor* FindEnumValue(const EnumDescriptor& type, const std::string& name) {
  const EnumValueDescriptor* value = type.FindValueByName(absl::AsciiStrToUpper(name));
  return value == nullptr || value->number() == 0 ? nullptr : value;
}

// One value on its way into a field.
class Setter {
 public:
  Setter(const YamlScalar& scalar, const FieldDescriptor& field, Message& message)
      : scalar_(scalar),
        field_(field),
        message_(message),
        reflection_(*message.GetReflection()),
        repeated_(field.is_repeated()) {}

  std::string Set() {
    switch (field_.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        repeated_ ? reflection_.AddString(&message_, &field_, scalar_.text)
                  : reflection_.SetString(&message_, &field_, scalar_.text);
        return "";
      case FieldDescriptor::CPPTYPE_BOOL:
        return SetBool();
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_INT64:
        return SetInteger();
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return SetDouble();
      case FieldDescriptor::CPPTYPE_ENUM:
        return SetEnum();
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return SetDuration();
      default:
        return "has a type that a config cannot express (a defect of the program)";
    }
  }

 private:
  std::string Shown() const {
    return scalar_.secret || scalar_.text.size() > kMaxShown ? "the value"
                                                             : base::Quoted(scalar_.text);
  }

  std::string SetBool() {
    const bool value = scalar_.text == "true";
    if (scalar_.quoted || (!value && scalar_.text != "false")) {
      return absl::StrCat(Shown(), " is neither true nor false");
    }
    repeated_ ? reflection_.AddBool(&message_, &field_, value)
              : reflection_.SetBool(&message_, &field_, value);
    return "";
  }

  std::string SetInteger() {
    std::int64_t value = 0;
    if (scalar_.quoted || !absl::SimpleAtoi(scalar_.text, &value)) {
      return absl::StrCat(Shown(), " is not a whole number");
    }
    if (field_.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
      repeated_ ? reflection_.AddInt64(&message_, &field_, value)
                : reflection_.SetInt64(&message_, &field_, value);
      return "";
    }
    if (value < std::numeric_limits<std::int32_t>::min() ||
        value > std::numeric_limits<std::int32_t>::max()) {
      return absl::StrCat(Shown(), " is too large a number");
    }
    const auto small = static_cast<std::int32_t>(value);
    repeated_ ? reflection_.AddInt32(&message_, &field_, small)
              : reflection_.SetInt32(&message_, &field_, small);
    return "";
  }

  std::string SetDouble() {
    double value = 0;
    if (scalar_.quoted || !absl::SimpleAtod(scalar_.text, &value) || !std::isfinite(value)) {
      return absl::StrCat(Shown(), " is not a number");
    }
    repeated_ ? reflection_.AddDouble(&message_, &field_, value)
              : reflection_.SetDouble(&message_, &field_, value);
    return "";
  }

  std::string SetEnum() {
    const EnumValueDescriptor* value = FindEnumValue(*field_.enum_type(), scalar_.text);
    if (value == nullptr) {
      // Not shown: a secret may stand under the wrong key.
      return absl::StrCat("is not known here; it can be ",
                          absl::StrJoin(EnumNames(*field_.enum_type()), ", "));
    }
    repeated_ ? reflection_.AddEnum(&message_, &field_, value)
              : reflection_.SetEnum(&message_, &field_, value);
    return "";
  }

  std::string SetDuration() {
    absl::Duration duration;
    // A bare 0 is the one duration without a unit that ParseDuration accepts.
    if (!absl::ParseDuration(scalar_.text, &duration) || duration == absl::InfiniteDuration() ||
        duration == -absl::InfiniteDuration()) {
      return absl::StrCat(Shown(),
                          " is not a duration; write it with its unit: 250ms, 5s, 1m30s, 24h");
    }
    Message* value = repeated_ ? reflection_.AddMessage(&message_, &field_)
                               : reflection_.MutableMessage(&message_, &field_);
    static_cast<google::protobuf::Duration&>(*value) = base::ToProto(duration);
    return "";
  }

  const YamlScalar& scalar_;
  const FieldDescriptor& field_;
  Message& message_;
  const Reflection& reflection_;
  const bool repeated_;
};

}  // namespace

std::string SetScalar(const YamlScalar& scalar, const FieldDescriptor& field, Message& message) {
  return Setter(scalar, field, message).Set();
}

}  // namespace assetgate::config
