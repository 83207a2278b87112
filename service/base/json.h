// JSON as dialects read and write it: liberal and safe in reading, exact in writing.
#ifndef ASSETGATE_BASE_JSON_H_
#define ASSETGATE_BASE_JSON_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/struct.pb.h"
#include "rapidjson/document.h"

namespace assetgate::base {

// Parses a whole document from outside, without recursion; valid UTF-8 only. Absent when it is not
// JSON, or nested more than 64 deep. Whole numbers are exact up to 64 digits, however they are
// written (1.8e3): one that fits no 64-bit integer becomes a string of its digits.
std::optional<rapidjson::Document> ParseJson(absl::string_view text);

// Likewise for a provider's answer, in which one faulty field must not hide the others: a
// byte-order mark is skipped, bytes that are no UTF-8 become U+FFFD, control characters in strings
// become spaces, and NaN, Infinity and numbers beyond a double become null. Where it is no JSON, an
// object in it that is: behind "data:" or a warning, with comments or commas too many, or before
// something else.
std::optional<rapidjson::Document> ParseAnswer(absl::string_view text);

// The member at a path of object keys, "data.content.video_url" (`root` itself at ""); nullptr when
// it is not there, or a value on the way is not an object. A null member counts as absent.
const rapidjson::Value* FindJson(const rapidjson::Value& root, absl::string_view path);

// The member as text: a string as it is, a number or a bool as JSON writes it; "" when absent or
// anything else.
std::string JsonText(const rapidjson::Value& root, absl::string_view path);
// The member as a string; absent when it is anything else.
std::optional<std::string> JsonString(const rapidjson::Value& root, absl::string_view path);
// The member as a whole number: an integer, a double without fraction, or a decimal string.
std::optional<std::int64_t> JsonInteger(const rapidjson::Value& root, absl::string_view path);
// The member as a number: any number, or a decimal string. Never NaN or infinite.
std::optional<double> JsonNumber(const rapidjson::Value& root, absl::string_view path);
// The member as a bool.
std::optional<bool> JsonBool(const rapidjson::Value& root, absl::string_view path);

// `value` as compact JSON.
std::string WriteJson(const rapidjson::Value& value);

// Puts `text` under `key` of `object`, replacing what is there. Likewise the overloads.
void SetJson(rapidjson::Document& doc, rapidjson::Value& object, absl::string_view key,
             absl::string_view text);
void SetJson(rapidjson::Document& doc, rapidjson::Value& object, absl::string_view key,
             rapidjson::Value value);

// A Struct as JSON, allocated in `doc`. Whole numbers are written without a fraction.
rapidjson::Value ToJson(const google::protobuf::Struct& value, rapidjson::Document& doc);
rapidjson::Value ToJson(const google::protobuf::Value& value, rapidjson::Document& doc);

// Puts every member of `options` into `object` where it has no such key yet. Objects are joined
// member by member.
void MergeOptions(rapidjson::Document& doc, rapidjson::Value& object,
                  const google::protobuf::Struct& options);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_JSON_H_
