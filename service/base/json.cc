#include "base/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/utf8.h"
#include "rapidjson/memorystream.h"
#include "rapidjson/reader.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

namespace assetgate::base {
namespace {

using rapidjson::Document;
using rapidjson::SizeType;
using rapidjson::Value;

constexpr int kMaxDepth = 64;
// Doubles of 2^63 and more do not fit an int64.
constexpr double kInt64Limit = 9223372036854775808.0;

// The value of the \uXXXX escape at `at`; -1 if there is none.
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

// How far a text may deviate from JSON: not at all; in its bytes (kAnswer); also by extra commas,
// comments and trailing text (kEmbedded).
enum class Tolerance { kNone, kAnswer, kEmbedded };

// The longest text before an embedded object: an event's "data:", or a warning of the provider's
// program.
constexpr std::size_t kMaxPrefixBytes = 1024;

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";
constexpr absl::string_view kByteOrderMark = "\xEF\xBB\xBF";

// A replacement for a few bytes of a document before it is parsed.
struct Patch {
  std::size_t at;
  std::size_t length;
  absl::string_view by;
};

// What a scan before parsing has found.
struct Survey {
  bool acceptable = true;
  // In their order. Escapes of lone surrogates are always replaced: JavaScript writes them when it
  // cuts a text inside an emoji, and RapidJSON rejects some and turns the others into invalid
  // UTF-8.
  std::vector<Patch> patches;
};

std::size_t NumberLength(absl::string_view text) {
  return std::min(text.find_first_not_of("0123456789+-.eE"), text.size());
}

// Whether RapidJSON would stop at the number: an exponent of three digits, or hundreds of digits.
bool IsBeyondDouble(absl::string_view number) {
  const std::size_t exponent = number.find_first_of("eE");
  return number.size() > 300 || (exponent != absl::string_view::npos &&
                                 number.size() - number.find_first_of("0123456789", exponent) > 2);
}

Survey ScanText(absl::string_view text, Tolerance tolerance) {
  Survey survey;
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\0' && (tolerance == Tolerance::kNone || !in_string)) {
      // RapidJSON takes a NUL byte for the end of the document.
      if (tolerance == Tolerance::kEmbedded) continue;
      survey.acceptable = false;
      return survey;
    }
    if (static_cast<unsigned char>(c) >= 0x80) {
      const std::size_t length = Utf8CharacterLength(text.substr(i));
      if (length == 0) {
        if (tolerance == Tolerance::kNone) {
          survey.acceptable = false;
          return survey;
        }
        survey.patches.push_back({i, 1, kReplacement});
      } else {
        i += length - 1;
      }
    } else if (in_string) {
      if (c == '"') {
        in_string = false;
      } else if (c == '\\') {
        const int unit = UnicodeEscape(text, i);
        if (IsHighSurrogate(unit) && IsLowSurrogate(UnicodeEscape(text, i + 6))) {
          i += 11;
        } else if (unit >= 0) {
          if (IsHighSurrogate(unit) || IsLowSurrogate(unit)) {
            survey.patches.push_back({i, 6, kReplacement});
          }
          i += 5;
        } else {
          ++i;
        }
      } else if (tolerance != Tolerance::kNone && static_cast<unsigned char>(c) < 0x20) {
        survey.patches.push_back({i, 1, " "});
      }
    } else if (c == '"') {
      in_string = true;
    } else if (tolerance != Tolerance::kNone && (c == '-' || absl::ascii_isdigit(c))) {
      const std::size_t length = NumberLength(text.substr(i));
      if (IsBeyondDouble(text.substr(i, length))) survey.patches.push_back({i, length, "null"});
      i += length - 1;
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

std::string Patched(absl::string_view text, const std::vector<Patch>& patches) {
  std::string out;
  out.reserve(text.size() + 2 * patches.size());
  std::size_t done = 0;
  for (const Patch& patch : patches) {
    absl::StrAppend(&out, text.substr(done, patch.at - done), patch.by);
    done = patch.at + patch.length;
  }
  absl::StrAppend(&out, text.substr(done));
  return out;
}

// The digits of a whole number, from its text in JSON: "-1800" for "-1.8e3". Absent if it has a
// fraction, or more than kMaxDigits digits.
constexpr std::size_t kMaxDigits = 64;
std::optional<std::string> WholeDigits(absl::string_view number) {
  const bool negative = absl::ConsumePrefix(&number, "-");
  const std::size_t exponent_at = number.find_first_of("eE");
  std::int64_t exponent = 0;
  if (exponent_at != absl::string_view::npos) {
    absl::string_view text = number.substr(exponent_at + 1);
    absl::ConsumePrefix(&text, "+");
    if (!absl::SimpleAtoi(text, &exponent) || exponent < -4096 || exponent > 4096) {
      return std::nullopt;
    }
    number = number.substr(0, exponent_at);
  }
  std::string digits;
  std::int64_t point = static_cast<std::int64_t>(number.size());
  for (std::size_t i = 0; i < number.size(); ++i) {
    if (number[i] == '.') {
      point = static_cast<std::int64_t>(i);
    } else {
      digits.push_back(number[i]);
    }
  }
  // The position of the decimal point in `digits`.
  point += exponent;
  while (static_cast<std::int64_t>(digits.size()) > std::max<std::int64_t>(point, 1) &&
         digits.back() == '0') {
    digits.pop_back();
  }
  const std::size_t lead = std::min(digits.find_first_not_of('0'), digits.size());
  if (lead == digits.size()) return "0";
  if (static_cast<std::int64_t>(digits.size()) > point) return std::nullopt;
  const auto zeros = point - static_cast<std::int64_t>(digits.size());
  if (point - static_cast<std::int64_t>(lead) > static_cast<std::int64_t>(kMaxDigits)) {
    return std::nullopt;
  }
  digits.append(static_cast<std::size_t>(zeros), '0');
  return absl::StrCat(negative ? "-" : "", absl::string_view(digits).substr(lead));
}

// Builds a document and converts numbers from their text. RapidJSON itself converts integers of
// more than 15 digits through a double if they have an exponent or a point, and reads outside a
// table for numbers like 0.000…01 with hundreds of zeros.
class ExactNumbers : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, ExactNumbers> {
 public:
  ExactNumbers(Document& doc, Tolerance tolerance) : doc_(doc), tolerance_(tolerance) {}

  bool Null() { return doc_.Null(); }
  bool Bool(bool value) { return doc_.Bool(value); }
  bool String(const char* text, SizeType length, bool copy) {
    return doc_.String(text, length, copy);
  }
  bool StartObject() { return doc_.StartObject(); }
  bool Key(const char* text, SizeType length, bool copy) { return doc_.Key(text, length, copy); }
  bool EndObject(SizeType members) { return doc_.EndObject(members); }
  bool StartArray() { return doc_.StartArray(); }
  bool EndArray(SizeType elements) { return doc_.EndArray(elements); }
  bool Double(double value) { return std::isfinite(value) ? doc_.Double(value) : TooLarge(); }

  bool RawNumber(const char* data, SizeType length, bool /*copy*/) {
    const absl::string_view text(data, length);
    if (const std::optional<std::string> digits = WholeDigits(text); digits.has_value()) {
      if (std::int64_t whole = 0; absl::SimpleAtoi(*digits, &whole)) return doc_.Int64(whole);
      if (std::uint64_t whole = 0; absl::SimpleAtoi(*digits, &whole)) return doc_.Uint64(whole);
      return doc_.String(digits->data(), static_cast<SizeType>(digits->size()), /*copy=*/true);
    }
    double number = 0;
    if (!absl::SimpleAtod(text, &number) || !std::isfinite(number)) return TooLarge();
    return doc_.Double(number);
  }

 private:
  bool TooLarge() { return tolerance_ != Tolerance::kNone && doc_.Null(); }

  Document& doc_;
  const Tolerance tolerance_;
};

std::optional<Document> Parse(absl::string_view text, Tolerance tolerance) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  const Survey survey = ScanText(text, tolerance);
  if (!survey.acceptable) return std::nullopt;
  std::string patched;
  if (!survey.patches.empty()) {
    patched = Patched(text, survey.patches);
    text = patched;
  }
  constexpr unsigned kFlags =
      rapidjson::kParseIterativeFlag | rapidjson::kParseNumbersAsStringsFlag;
  constexpr unsigned kAnswerFlags = kFlags | rapidjson::kParseNanAndInfFlag;
  constexpr unsigned kDressedFlags = kAnswerFlags | rapidjson::kParseCommentsFlag |
                                     rapidjson::kParseTrailingCommasFlag |
                                     rapidjson::kParseStopWhenDoneFlag;
  Document doc;
  rapidjson::Reader reader;
  const auto generate = [&](Document& target) {
    rapidjson::MemoryStream stream(text.data(), text.size());
    ExactNumbers handler(target, tolerance);
    switch (tolerance) {
      case Tolerance::kNone:
        return !reader.Parse<kFlags>(stream, handler).IsError();
      case Tolerance::kAnswer:
        return !reader.Parse<kAnswerFlags>(stream, handler).IsError();
      case Tolerance::kEmbedded:
        return !reader.Parse<kDressedFlags>(stream, handler).IsError();
    }
    return false;
  };
  doc.Populate(generate);
  if (reader.HasParseError()) return std::nullopt;
  return doc;
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

std::optional<Document> ParseJson(absl::string_view text) { return Parse(text, Tolerance::kNone); }

std::optional<Document> ParseAnswer(absl::string_view text) {
  if (std::optional<Document> doc = Parse(text, Tolerance::kAnswer); doc.has_value()) return doc;
  const std::size_t begin = text.find('{');
  // A web page may have JSON objects in its scripts.
  if (begin > kMaxPrefixBytes || absl::StrContains(text.substr(0, begin), '<')) return std::nullopt;
  return Parse(text.substr(begin), Tolerance::kEmbedded);
}

const Value* FindJson(const Value& root, absl::string_view path) {
  const Value* value = &root;
  if (path.empty()) return value->IsNull() ? nullptr : value;
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
    // SimpleAtod would also accept "nan", "inf" and hexadecimal.
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
  // A Struct is a hash map; sorting makes requests identical every time.
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
      // JSON cannot express NaN or infinity.
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

// Adds every member of `from` to `into` unless `into` already has the key.
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

}  // namespace assetgate::base
