// JSON as dialects use it: tolerant and safe reading, exact writing.
#ifndef ASSETGATE_BASE_JSON_H_
#define ASSETGATE_BASE_JSON_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"
#include "rapidjson/document.h"

namespace assetgate::base {

// Parses a whole document without recursion. Accepts valid UTF-8 only. Absent if the text is not
// JSON or is nested more than 64 deep. Whole numbers are exact up to 64 digits in any notation
// (1.8e3); a number that does not fit a 64-bit integer becomes a string of its digits.
std::optional<rapidjson::Document> ParseJson(absl::string_view text);

// Like ParseJson, but for a provider's answer, where one faulty field must not hide the others: a
// byte-order mark is skipped, bytes that are not UTF-8 become U+FFFD, control characters in strings
// become spaces, and NaN, Infinity and numbers too large for a double become null. If the text is
// not JSON, the JSON object inside it is used: after "data:" or a warning, with comments or extra
// commas, or before trailing text.
std::optional<rapidjson::Document> ParseAnswer(absl::string_view text);

// The member at a path of object keys, "data.content.video_url"; "" is `root` itself. nullptr if it
// is absent, is null, or has a parent that is not an object.
const rapidjson::Value* FindJson(const rapidjson::Value& root, absl::string_view path);

// The member as text: a string unchanged, a number or a bool as JSON writes it; "" if it is absent
// or anything else.
std::string JsonText(const rapidjson::Value& root, absl::string_view path);
// The member as a string; absent if it is anything else.
std::optional<std::string> JsonString(const rapidjson::Value& root, absl::string_view path);
// The member as a whole number: an integer, a double without fraction, or a decimal string.
std::optional<std::int64_t> JsonInteger(const rapidjson::Value& root, absl::string_view path);
// The member as a number: any number, or a decimal string. Never NaN or infinite.
std::optional<double> JsonNumber(const rapidjson::Value& root, absl::string_view path);
// The member as a bool.
std::optional<bool> JsonBool(const rapidjson::Value& root, absl::string_view path);

// `value` as compact JSON.
std::string WriteJson(const rapidjson::Value& value);

// Sets `key` of `object` to `text`, replacing any value. The overload does the same with a value.
void SetJson(rapidjson::Document& doc, rapidjson::Value& object, absl::string_view key,
             absl::string_view text);
void SetJson(rapidjson::Document& doc, rapidjson::Value& object, absl::string_view key,
             rapidjson::Value value);

// A Struct as JSON, allocated in `doc`. Whole numbers are written without a fraction.
rapidjson::Value ToJson(const google::protobuf::Struct& value, rapidjson::Document& doc);
rapidjson::Value ToJson(const google::protobuf::Value& value, rapidjson::Document& doc);

// Adds every member of `options` to `object` unless `object` already has the key. Nested objects
// are merged member by member.
void MergeOptions(rapidjson::Document& doc, rapidjson::Value& object,
                  const google::protobuf::Struct& options);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_JSON_H_
