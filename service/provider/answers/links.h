// Links to results: one list of places for every dialect.
#ifndef ASSETGATE_PROVIDER_ANSWERS_LINKS_H_
#define ASSETGATE_PROVIDER_ANSWERS_LINKS_H_

#include <initializer_list>
#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "provider/answers/answer.h"
#include "rapidjson/document.h"

namespace assetgate::provider::answers {

// The http or https URL that a value is: at most 32 KiB, of printable characters, no byte of it
// replaced while it was read; "" for anything else. Blanks around it are not part of it, a blank
// inside is written as %20, and everything else is kept byte for byte.
std::string UrlIn(const rapidjson::Value* value);
std::string FirstUrl(const rapidjson::Value& root, std::initializer_list<absl::string_view> paths);

struct Link {
  // Empty where there is none that can be read.
  std::string url;
  // There is none, and the answer holds the media itself (`data:`, base64).
  bool is_inline = false;
};

// The link to the video in the objects that describe a task, the first object first. `documented`:
// the places that the dialect's page names, looked into before all others. A picture, a sound, and
// what the provider echoes of the request are not results.
Link FindVideo(std::span<const rapidjson::Value* const> objects,
               std::initializer_list<absl::string_view> documented);

// Likewise, and then in the rest of the answer: some relays put the result beside the task. An
// object there that names another task is left out; `ids` are the names of the id of a task.
Link FindVideo(const Answer& answer, const IdNames& ids,
               std::span<const rapidjson::Value* const> objects,
               std::initializer_list<absl::string_view> documented);

// The link to the last frame, where one was asked for; "" where there is none.
std::string FindLastFrame(std::span<const rapidjson::Value* const> objects);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_LINKS_H_
