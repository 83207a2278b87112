// One answer of a provider, read once: its JSON, and the objects in it that may describe the thing
// that was asked about.
//
// Providers are relays: they wrap the same object in envelopes of their own, and the wrapping
// changes between twins, versions and days. All dialects read through this room (DESIGN: reading
// answers); a dialect adds the names, words and codes that its provider documents. Pure functions
// over hostile bytes: nothing here throws.
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

// The member of an object by its name in any spelling: "taskId", "task_id" and "TaskId" are one.
// nullptr where it is not there, or null.
const rapidjson::Value* Member(const rapidjson::Value& object, absl::string_view name);

// The value at a path of such names: "content.video_url"; a number is the index of an array
// element: "videos.0.url". nullptr where it is not there, or null.
const rapidjson::Value* At(const rapidjson::Value& root, absl::string_view path);

// The text of a string without blanks around it, or of a number or bool; "" for anything else.
std::string TextOf(const rapidjson::Value* value);
std::string TextAt(const rapidjson::Value& root, absl::string_view path);
// The first of these that is not empty.
std::string FirstText(const rapidjson::Value& root, std::initializer_list<absl::string_view> paths);

// The whole number at `path`; also from text.
std::optional<std::int64_t> IntegerAt(const rapidjson::Value& root, absl::string_view path);
// The number at `path`; also from text. Never NaN or infinite.
std::optional<double> NumberAt(const rapidjson::Value& root, absl::string_view path);

// Whether it is the name under which envelopes hold what they wrap: "data", "Result", "task".
bool IsEnvelopeKey(absl::string_view name);

class Answer {
 public:
  // `response` outlives it, and so does `asked`: the id of the unit that was asked for, where it
  // was.
  explicit Answer(const http::Response& response, absl::string_view asked = "");
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;

  const http::Response& response() const { return response_; }
  int status() const { return response_.status; }
  bool ok() const { return status() >= 200 && status() < 300; }

  // Whether it is a JSON object or array.
  bool is_json() const { return root_ != nullptr; }
  // The objects that may describe the thing, outermost first: the answer itself, what stands in it
  // under "data", "Result" or another envelope's key, what stands in that, and so on. Where an
  // envelope holds an array, the object in it that names the unit that was asked for, else its
  // first object; where it holds JSON as text, what that says.
  std::span<const rapidjson::Value* const> layers() const { return layers_; }
  // What an envelope holds that is neither an object nor an array: the id itself, in
  // {"code": "success", "data": "task_1"}. nullptr where there is none.
  const rapidjson::Value* bare_data() const { return bare_data_; }

  // The body, or its first 4 KiB.
  std::string Excerpt() const;

 private:
  void AddLayers(const rapidjson::Value& value, int depth, bool may_be_bare);
  const rapidjson::Value* ElementOf(const rapidjson::Value& list) const;

  const http::Response& response_;
  const absl::string_view asked_;
  // A deque: what stands in it stays where it is.
  std::deque<rapidjson::Document> documents_;
  const rapidjson::Value* root_ = nullptr;
  std::vector<const rapidjson::Value*> layers_;
  const rapidjson::Value* bare_data_ = nullptr;
};

// What a dialect's documentation says of the ids of one kind of thing.
struct IdNames {
  // The names of the member that holds it, the documented one first. Any spelling is read (see
  // Member).
  std::span<const absl::string_view> names;
  // Whether a text looks like such an id; nullptr where the provider's ids have no form. Of several
  // candidates one that does is taken; and only one that does is taken from an answer that also
  // says that the call failed, where it stands under a name as common as "id".
  bool (*has_form)(absl::string_view id) = nullptr;
};

// An id in `value`: a text without the blanks around it, or a whole number as it is written. "" for
// what cannot be one (see provider::IsId; also "null", "undefined", "none", 0 and -1).
std::string IdIn(const rapidjson::Value* value);

// The id of the thing, wherever it stands in the answer; "" where there is none that can be read.
std::string FindId(const Answer& answer, const IdNames& ids);
// Likewise in one object only.
std::string IdOfObject(const rapidjson::Value& object, const IdNames& ids);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_ANSWER_H_
