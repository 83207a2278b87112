// One answer of a provider, parsed once: its JSON, and the objects in it that may describe the unit
// that was submitted or polled.
//
// Providers are relays: they wrap the same object in envelopes of their own, and the wrapping
// differs between twins, versions and days. All dialects decode with this library; a dialect adds
// the names, words and codes that its provider documents. Pure functions over hostile bytes; none
// throws.
#ifndef ASSETGATE_PROVIDER_ANSWERS_ANSWER_H_
#define ASSETGATE_PROVIDER_ANSWERS_ANSWER_H_

#include <cstdint>
#include <deque>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "http/message.h"
#include "provider/dialect.h"
#include "rapidjson/document.h"

namespace assetgate::provider::answers {

// The member of an object by its name in any spelling: "taskId", "task_id" and "TaskId" are equal.
// nullptr where it is absent or null.
const rapidjson::Value* Member(const rapidjson::Value& object, absl::string_view name);

// The value at a path of such names: "content.video_url"; a number is the index of an array
// element: "videos.0.url". nullptr where it is absent or null.
const rapidjson::Value* At(const rapidjson::Value& root, absl::string_view path);

// A string without the blanks around it, a number or a bool, as text; "" for anything else.
std::string TextOf(const rapidjson::Value* value);
std::string TextAt(const rapidjson::Value& root, absl::string_view path);
// The first text at these paths that is not empty.
std::string FirstText(const rapidjson::Value& root, std::initializer_list<absl::string_view> paths);

// The whole number at `path`, or in the text there.
std::optional<std::int64_t> IntegerAt(const rapidjson::Value& root, absl::string_view path);
// The number at `path`, or in the text there. Never NaN or infinite.
std::optional<double> NumberAt(const rapidjson::Value& root, absl::string_view path);

// The JSON that a text is: {"resultJson": "{\"resultUrls\": […]}"}. Absent where the text does not
// begin with an object or an array.
std::optional<rapidjson::Document> JsonInText(absl::string_view text);

// Whether envelopes hold the wrapped object under this name: "data", "Result", "task".
bool IsEnvelopeKey(absl::string_view name);

class Answer {
 public:
  // `asked` is the id of the unit that was polled; empty for the answer to a submission.
  // Lifetime: `response` and `asked` must outlive the answer.
  explicit Answer(const http::Response& response, absl::string_view asked = "");
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  const http::Response& response() const { return response_; }
  int status() const { return response_.status; }
  bool ok() const { return status() >= 200 && status() < 300; }

  // Whether the body is a JSON object or array.
  bool is_json() const { return root_ != nullptr; }
  // The objects that may describe the unit, outermost first: the body, the value in it under
  // "data", "Result" or another envelope's key, the value in that one, and so on. Of an array, the
  // object that names the polled unit, else the first object; of JSON as text, the parsed text.
  std::span<const rapidjson::Value* const> layers() const { return layers_; }
  // A value in an envelope that is neither an object nor an array: the id itself, in
  // {"code": "success", "data": "task_1"}. nullptr where there is none.
  const rapidjson::Value* bare_data() const { return bare_data_; }

  // The first 4 KiB of the body.
  std::string Excerpt() const;

 private:
  void AddLayers(const rapidjson::Value& value, int depth, bool may_be_bare);
  const rapidjson::Value* ElementOf(const rapidjson::Value& list) const;

  const http::Response& response_;
  const absl::string_view asked_;
  // A deque, since its elements never move.
  std::deque<rapidjson::Document> documents_;
  const rapidjson::Value* root_ = nullptr;
  std::vector<const rapidjson::Value*> layers_;
  const rapidjson::Value* bare_data_ = nullptr;
};

// What a dialect's documentation says about the ids of one kind of unit.
struct IdNames {
  // The names of the member that holds the id, the documented one first, in any spelling (see
  // Member).
  std::span<const absl::string_view> names;
  // Whether a text has the form of such an id; nullptr where the provider's ids have no form. A
  // candidate with the form is preferred. In an answer which says that the call failed, a candidate
  // under a name as common as "id" must have it.
  bool (*has_form)(absl::string_view id) = nullptr;
};

// The id in `value`: a text without the blanks around it, or a whole number as it is written. ""
// for a value that cannot be an id (see provider::IsId; also "null", "undefined", "none", 0 and
// -1).
std::string IdIn(const rapidjson::Value* value);

// The id of the unit, anywhere in the answer; "" where no id can be read.
std::string FindId(const Answer& answer, const IdNames& ids);
// The id in this object alone.
std::string IdOfObject(const rapidjson::Value& object, const IdNames& ids);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_ANSWER_H_
