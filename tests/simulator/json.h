// JSON of the simulated providers: with `Json` the code of an answer looks like the documented
// shape, and `FieldReader` reads a request as a strict server does.
#ifndef ASSETGATE_TESTS_SIMULATOR_JSON_H_
#define ASSETGATE_TESTS_SIMULATOR_JSON_H_

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "rapidjson/document.h"

namespace assetgate::simulator {

// One JSON value as text. Built from the inside out:
//
//   Json::Object({{"code", 0}, {"msg", nullptr}, {"data", Json::Object({{"assetId", id}})}})
class Json {
 public:
  using Members = std::vector<std::pair<absl::string_view, Json>>;

  // Implicit, so that members read like JSON.
  // NOLINTBEGIN(google-explicit-constructor)
  Json(std::nullptr_t) : text_("null") {}
  Json(std::same_as<bool> auto value) : text_(value ? "true" : "false") {}
  Json(std::integral auto value) requires(!std::same_as<decltype(value), bool>)
      : text_(absl::StrCat(value)) {}
  Json(double value);
  Json(absl::string_view value);
  Json(const char* value) : Json(absl::string_view(value)) {}
  Json(const std::string& value) : Json(absl::string_view(value)) {}
  template <typename T>
  Json(const std::optional<T>& value) : text_("null") {
    if (value.has_value()) text_ = Json(*value).text_;
  }
  // NOLINTEND(google-explicit-constructor)

  static Json Object(const Members& members);
  static Json Array(const std::vector<Json>& elements);
  static Json Strings(const std::vector<std::string>& elements);
  // Text that is JSON already.
  static Json Raw(std::string text);
  static Json Of(const rapidjson::Value& value);

  const std::string& text() const& { return text_; }
  std::string text() && { return std::move(text_); }

 private:
  struct AsIs {};
  Json(AsIs, std::string text) : text_(std::move(text)) {}

  std::string text_;
};

// Parses text from outside: strict JSON in valid UTF-8, at most 64 levels deep, no recursion.
// False if it is anything else.
bool ParseJson(absl::string_view text, rapidjson::Document* document);

// The number of characters (code points) in valid UTF-8.
size_t Characters(absl::string_view utf8);

// A fault in one field of a request.
struct Problem {
  enum class Kind { kMissing, kType, kValue, kUnknown };
  Kind kind;
  std::string field;  // its path, for instance `seedanceParams.duration`
  std::string text;   // a sentence without the path
};

// Reads the members of one JSON object, collects their faults, and knows which members were not
// read. JSON null is a value of the wrong type. Lifetime: the object and the list of problems must
// outlive the reader.
class FieldReader {
 public:
  enum Need { kOptional, kRequired };

  // `path` precedes every field name in problems, for instance "seedanceParams.".
  FieldReader(const rapidjson::Value& object, std::string path, std::vector<Problem>* problems);

  bool Has(absl::string_view name) const { return object_.HasMember(Name(name)); }

  // Each returns the member if it is present and has the type; otherwise nothing, and adds a
  // problem (except for a missing optional member). An empty required string counts as missing.
  std::optional<std::string> String(absl::string_view name, Need need = kOptional);
  std::optional<std::string> OneOf(absl::string_view name,
                                   const std::vector<absl::string_view>& allowed,
                                   Need need = kOptional);
  std::optional<int64_t> Int(absl::string_view name, Need need = kOptional);
  std::optional<int64_t> IntBetween(absl::string_view name, int64_t low, int64_t high,
                                    Need need = kOptional);
  std::optional<bool> Bool(absl::string_view name, Need need = kOptional);
  std::vector<std::string> Strings(absl::string_view name, size_t at_most, Need need = kOptional);
  const rapidjson::Value* Object(absl::string_view name, Need need = kOptional);
  const rapidjson::Value* Array(absl::string_view name, Need need = kOptional);

  // Adds a problem for a well-formed member.
  void Refuse(absl::string_view name, std::string text, Problem::Kind kind = Problem::Kind::kValue);
  // Marks a member as read.
  void Skip(absl::string_view name) { read_.emplace_back(name); }
  // The paths of the members that were not read so far.
  std::vector<std::string> Unread() const;
  // Adds a problem for each of them.
  void RefuseUnread();

 private:
  static rapidjson::Value::StringRefType Name(absl::string_view name) {
    return rapidjson::StringRef(name.data(), name.size());
  }
  // The member, or null, with a problem if it is required.
  const rapidjson::Value* Find(absl::string_view name, Need need);

  const rapidjson::Value& object_;
  const std::string path_;
  std::vector<Problem>* const problems_;
  std::vector<std::string> read_;
};

// "resolution: must be one of 480p, 720p; seed: must be an integer"
std::string Sentence(const std::vector<Problem>& problems);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_JSON_H_
