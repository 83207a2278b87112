#include "tests/simulator/json.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace assetgate::simulator {
namespace {

constexpr int kMaxDepth = 64;

// Values are written recursively: the nesting of parsed values must be limited.
bool IsShallow(absl::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return false;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return true;
}

template <typename Write>
std::string Written(Write write) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
  write(writer);
  return std::string(buffer.GetString(), buffer.GetSize());
}

// A JSON string. Text that is not UTF-8 (a logged request may be) loses its bytes beyond ASCII.
std::string Quoted(absl::string_view text) {
  rapidjson::StringBuffer buffer;
  rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::UTF8<>,
                    rapidjson::CrtAllocator, rapidjson::kWriteValidateEncodingFlag>
      writer(buffer);
  if (writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()))) {
    return std::string(buffer.GetString(), buffer.GetSize());
  }
  std::string ascii(text);
  for (char& c : ascii) {
    if (static_cast<unsigned char>(c) >= 0x80) c = '?';
  }
  return Quoted(ascii);
}

}  // namespace

Json::Json(double value) : text_(Written([&](auto& writer) { writer.Double(value); })) {}

Json::Json(absl::string_view value) : text_(Quoted(value)) {}

Json Json::Object(const Members& members) {
  std::string text = "{";
  for (const auto& [name, value] : members) {
    if (text.size() > 1) text.push_back(',');
    absl::StrAppend(&text, Json(name).text_, ":", value.text_);
  }
  text.push_back('}');
  return Json(AsIs(), std::move(text));
}

Json Json::Array(const std::vector<Json>& elements) {
  return Json(AsIs(), absl::StrCat("[",
                                   absl::StrJoin(elements, ",",
                                                 [](std::string* out, const Json& element) {
                                                   out->append(element.text_);
                                                 }),
                                   "]"));
}

Json Json::Strings(const std::vector<std::string>& elements) {
  return Array(std::vector<Json>(elements.begin(), elements.end()));
}

Json Json::Raw(std::string text) { return Json(AsIs(), std::move(text)); }

Json Json::Of(const rapidjson::Value& value) {
  return Json(AsIs(), Written([&](auto& writer) { value.Accept(writer); }));
}

bool ParseJson(absl::string_view text, rapidjson::Document* document) {
  if (!IsShallow(text)) return false;
  document->Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
      text.data(), text.size());
  return !document->HasParseError();
}

size_t Characters(absl::string_view utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

FieldReader::FieldReader(const rapidjson::Value& object, std::string path,
                         std::vector<Problem>* problems)
    : object_(object), path_(std::move(path)), problems_(problems) {}

const rapidjson::Value* FieldReader::Find(absl::string_view name, Need need) {
  read_.emplace_back(name);
  const auto member = object_.FindMember(rapidjson::Value(Name(name)));
  if (member != object_.MemberEnd()) return &member->value;
  if (need == kRequired) Refuse(name, "is required", Problem::Kind::kMissing);
  return nullptr;
}

std::optional<std::string> FieldReader::String(absl::string_view name, Need need) {
  const rapidjson::Value* value = Find(name, need);
  if (value == nullptr) return std::nullopt;
  if (!value->IsString()) {
    Refuse(name, "must be a string", Problem::Kind::kType);
    return std::nullopt;
  }
  if (need == kRequired && value->GetStringLength() == 0) {
    Refuse(name, "must not be empty", Problem::Kind::kMissing);
    return std::nullopt;
  }
  return std::string(value->GetString(), value->GetStringLength());
}

std::optional<std::string> FieldReader::OneOf(absl::string_view name,
                                              const std::vector<absl::string_view>& allowed,
                                              Need need) {
  std::optional<std::string> value = String(name, need);
  if (value && std::find(allowed.begin(), allowed.end(), *value) == allowed.end()) {
    Refuse(name, absl::StrCat("must be one of ", absl::StrJoin(allowed, ", ")));
    return std::nullopt;
  }
  return value;
}

std::optional<int64_t> FieldReader::Int(absl::string_view name, Need need) {
  const rapidjson::Value* value = Find(name, need);
  if (value == nullptr) return std::nullopt;
  if (!value->IsInt64()) {
    Refuse(name, "must be an integer", Problem::Kind::kType);
    return std::nullopt;
  }
  return value->GetInt64();
}

std::optional<int64_t> FieldReader::IntBetween(absl::string_view name, int64_t low, int64_t high,
                                               Need need) {
  const std::optional<int64_t> value = Int(name, need);
  if (value && (*value < low || *value > high)) {
    Refuse(name, absl::StrCat("must be between ", low, " and ", high));
    return std::nullopt;
  }
  return value;
}

std::optional<bool> FieldReader::Bool(absl::string_view name, Need need) {
  const rapidjson::Value* value = Find(name, need);
  if (value == nullptr) return std::nullopt;
  if (!value->IsBool()) {
    Refuse(name, "must be a boolean", Problem::Kind::kType);
    return std::nullopt;
  }
  return value->GetBool();
}

std::vector<std::string> FieldReader::Strings(absl::string_view name, size_t at_most, Need need) {
  std::vector<std::string> strings;
  const rapidjson::Value* array = Array(name, need);
  if (array == nullptr) return strings;
  if (array->Size() > at_most) Refuse(name, absl::StrCat("must have at most ", at_most, " items"));
  for (const rapidjson::Value& element : array->GetArray()) {
    if (!element.IsString() || element.GetStringLength() == 0) {
      Refuse(name, "must be an array of strings that are not empty", Problem::Kind::kType);
      return {};
    }
    strings.emplace_back(element.GetString(), element.GetStringLength());
  }
  return strings;
}

const rapidjson::Value* FieldReader::Object(absl::string_view name, Need need) {
  const rapidjson::Value* value = Find(name, need);
  if (value != nullptr && !value->IsObject()) {
    Refuse(name, "must be an object", Problem::Kind::kType);
    return nullptr;
  }
  return value;
}

const rapidjson::Value* FieldReader::Array(absl::string_view name, Need need) {
  const rapidjson::Value* value = Find(name, need);
  if (value != nullptr && !value->IsArray()) {
    Refuse(name, "must be an array", Problem::Kind::kType);
    return nullptr;
  }
  return value;
}

void FieldReader::Refuse(absl::string_view name, std::string text, Problem::Kind kind) {
  problems_->push_back({kind, absl::StrCat(path_, name), std::move(text)});
}

std::vector<std::string> FieldReader::Unread() const {
  std::vector<std::string> unread;
  for (const auto& member : object_.GetObject()) {
    const absl::string_view name(member.name.GetString(), member.name.GetStringLength());
    if (std::find(read_.begin(), read_.end(), name) == read_.end()) {
      unread.push_back(absl::StrCat(path_, name));
    }
  }
  return unread;
}

void FieldReader::RefuseUnread() {
  for (std::string& field : Unread()) {
    problems_->push_back({Problem::Kind::kUnknown, std::move(field), "is not a known field"});
  }
}

std::string Sentence(const std::vector<Problem>& problems) {
  return absl::StrJoin(problems, "; ", [](std::string* out, const Problem& problem) {
    absl::StrAppend(out, problem.field, " ", problem.text);
  });
}

}  // namespace assetgate::simulator
