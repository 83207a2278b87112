#include "provider/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace assetgate::provider {
namespace {

using rapidjson::Document;
using rapidjson::SizeType;
using rapidjson::Value;

constexpr int kMaxDepth = 64;
// Doubles at and beyond 2^63 do not fit an int64.
constexpr double kInt64Limit = 9223372036854775808.0;

// The value of a \uXXXX escape that begins at `at`; -1 when there is none.
int UnicodeEscape(absl::string_view text, std::size_t at) {
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return -1;
  int value = 0;
  for (std::size_t i = at + 2; i < at + 6; ++i) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) return -1;
    const char c = absl::ascii_tolower(static_cast<unsigned char>(text[i]));
    value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
  }
  return value;
}

bool IsHighSurrogate(int unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool IsLowSurrogate(int unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

// What is to be known of a document before it is parsed.
struct Survey {
  bool acceptable = true;
  // Where escapes of lone surrogates begin. JavaScript writes them when it cuts a text in the
  // middle of an emoji; RapidJSON refuses some and makes invalid UTF-8 of the others.
  std::vector<std::size_t> lone_surrogates;
};

Survey Look(absl::string_view text) {
  Survey survey;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0') {
      // RapidJSON takes it for the end of the document.
      survey.acceptable = false;
      return survey;
    }
    if (in_string) {
      if (c == '"') {
        in_string = false;
      } else if (c == '\\') {
        const int unit = UnicodeEscape(text, i);
        if (IsHighSurrogate(unit) && IsLowSurrogate(UnicodeEscape(text, i + 6))) {
          i += 11;
        } else if (unit >= 0) {
          if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) survey.lone_surrogates.push_back(i);
          i += 5;
        } else {
          ++i;
        }
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) {
        survey.acceptable = false;
        return survey;
      }
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return survey;
}

std::optional<std::int64_t> WholeNumber(double number) {
  if (!std::isfinite(number) || number != std::trunc(number)) return std::nullopt;
  if (number < -kInt64Limit || number >= kInt64Limit) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

Value Text(Document& doc, absl::string_view text) {
  return Value(text.data(), static_cast<SizeType>(text.size()), doc.GetAllocator());
}

}  // namespace

std::optional<Document> ParseJson(absl::string_view text) {
  Survey survey = Look(text);
  if (!survey.acceptable) return std::nullopt;
  std::string mended;
  if (!survey.lone_surrogates.empty()) {
    mended.assign(text.data(), text.size());
    for (const std::size_t at : survey.lone_surrogates) mended.replace(at, 6, "\\ufffd");
    text = mended;
  }
  Document doc;
  // Not with kParseFullPrecisionFlag: there RapidJSON 1.1 reads outside of a table for a number
  // like 0.000…01 with some hundred zeros. Numbers of up to 15 digits are exact all the same.
  doc.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(text.data(),
                                                                                    text.size());
  if (doc.HasParseError()) return std::nullopt;
  return doc;
}

const Value* FindJson(const Value& root, absl::string_view path) {
  const Value* value = &root;
  for (const absl::string_view key : absl::StrSplit(path, '.')) {
    if (!value->IsObject()) return nullptr;
    const auto member = value->FindMember(
        Value(rapidjson::StringRef(key.data(), static_cast<SizeType>(key.size()))));
    if (member == value->MemberEnd() || member->value.IsNull()) return nullptr;
    value = &member->value;
  }
  return value;
}

std::string JsonText(const Value& root, absl::string_view path) {
  const Value* value = FindJson(root, path);
  if (value == nullptr || value->IsObject() || value->IsArray()) return "";
  if (value->IsString()) return std::string(value->GetString(), value->GetStringLength());
  return WriteJson(*value);
}

std::optional<std::string> JsonString(const Value& root, absl::string_view path) {
  const Value* value = FindJson(root, path);
  if (value == nullptr || !value->IsString()) return std::nullopt;
  return std::string(value->GetString(), value->GetStringLength());
}

std::optional<std::int64_t> JsonInteger(const Value& root, absl::string_view path) {
  const Value* value = FindJson(root, path);
  if (value == nullptr) return std::nullopt;
  if (value->IsInt64()) return value->GetInt64();
  if (value->IsNumber()) return WholeNumber(value->GetDouble());
  if (!value->IsString()) return std::nullopt;
  const absl::string_view text(value->GetString(), value->GetStringLength());
  if (std::int64_t whole; absl::SimpleAtoi(text, &whole)) return whole;
  const std::optional<double> number = JsonNumber(root, path);
  return number.has_value() ? WholeNumber(*number) : std::nullopt;
}

std::optional<double> JsonNumber(const Value& root, absl::string_view path) {
  const Value* value = FindJson(root, path);
  if (value == nullptr) return std::nullopt;
  double number = 0;
  if (value->IsNumber()) {
    number = value->GetDouble();
  } else if (value->IsString()) {
    const absl::string_view text(value->GetString(), value->GetStringLength());
    // SimpleAtod also reads "nan", "inf" and hexadecimal.
    if (text.find_first_not_of("0123456789+-.eE") != absl::string_view::npos) return std::nullopt;
    if (!absl::SimpleAtod(text, &number)) return std::nullopt;
  } else {
    return std::nullopt;
  }
  if (!std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<bool> JsonBool(const Value& root, absl::string_view path) {
  const Value* value = FindJson(root, path);
  if (value == nullptr || !value->IsBool()) return std::nullopt;
  return value->GetBool();
}

std::string WriteJson(const Value& value) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  value.Accept(writer);
  return std::string(buffer.GetString(), buffer.GetSize());
}

void SetJson(Document& doc, Value& object, absl::string_view key, absl::string_view text) {
  SetJson(doc, object, key, Text(doc, text));
}

void SetJson(Document& doc, Value& object, absl::string_view key, Value value) {
  if (!object.IsObject()) object.SetObject();
  const auto member =
      object.FindMember(Value(rapidjson::StringRef(key.data(), static_cast<SizeType>(key.size()))));
  if (member != object.MemberEnd()) {
    member->value = value;
  } else {
    object.AddMember(Text(doc, key), value, doc.GetAllocator());
  }
}

Value ToJson(const google::protobuf::Struct& value, Document& doc) {
  // A Struct is a hash map; requests must come out the same every time.
  std::vector<const std::string*> keys;
  keys.reserve(value.fields().size());
  for (const auto& [key, unused] : value.fields()) keys.push_back(&key);
  std::sort(keys.begin(), keys.end(),
            [](const std::string* a, const std::string* b) { return *a < *b; });
  Value object(rapidjson::kObjectType);
  for (const std::string* key : keys) {
    object.AddMember(Text(doc, *key), ToJson(value.fields().at(*key), doc), doc.GetAllocator());
  }
  return object;
}

Value ToJson(const google::protobuf::Value& value, Document& doc) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      return Value(value.bool_value());
    case google::protobuf::Value::kNumberValue: {
      const std::optional<std::int64_t> whole = WholeNumber(value.number_value());
      if (whole.has_value()) return Value(*whole);
      // JSON knows neither NaN nor infinity.
      return std::isfinite(value.number_value()) ? Value(value.number_value()) : Value();
    }
    case google::protobuf::Value::kStringValue:
      return Text(doc, value.string_value());
    case google::protobuf::Value::kStructValue:
      return ToJson(value.struct_value(), doc);
    case google::protobuf::Value::kListValue: {
      Value array(rapidjson::kArrayType);
      for (const auto& element : value.list_value().values()) {
        array.PushBack(ToJson(element, doc), doc.GetAllocator());
      }
      return array;
    }
    case google::protobuf::Value::kNullValue:
    case google::protobuf::Value::KIND_NOT_SET:
      break;
  }
  return Value();
}

namespace {

// Puts every member of `from` into `into` where it has no such key yet.
void Join(Document& doc, Value& into, Value& from) {
  for (auto& [key, value] : from.GetObject()) {
    const auto member = into.FindMember(key);
    if (member == into.MemberEnd()) {
      into.AddMember(key, value, doc.GetAllocator());
    } else if (member->value.IsObject() && value.IsObject()) {
      Join(doc, member->value, value);
    }
  }
}

}  // namespace

void MergeOptions(Document& doc, Value& object, const google::protobuf::Struct& options) {
  if (!object.IsObject()) object.SetObject();
  Value extra = ToJson(options, doc);
  Join(doc, object, extra);
}

}  // namespace assetgate::provider
