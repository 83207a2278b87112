// Finds links to results: one list of places for all dialects.
#ifndef ASSETGATE_PROVIDER_ANSWERS_LINKS_H_
#define ASSETGATE_PROVIDER_ANSWERS_LINKS_H_

#include <initializer_list>
#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "provider/answers/answer.h"
#include "rapidjson/document.h"

namespace assetgate::provider::answers {

// The http or https URL in a value: at most 32 KiB of printable characters, none of which was
// replaced during parsing; "" for anything else. Blanks around it are removed, a blank inside
// becomes %20, and all other bytes are kept.
std::string UrlIn(const rapidjson::Value* value);
std::string FirstUrl(const rapidjson::Value& root, std::initializer_list<absl::string_view> paths);

struct Link {
  // Empty where no link can be read.
  std::string url;
  // The answer holds the media itself (`data:`, base64) instead of a link.
  bool is_inline = false;
};

// The link to the video in the objects that describe a task, searched in their order. `documented`:
// the places that the dialect's documentation names, which are searched before all others. Images,
// sounds and echoed parts of the request are not results.
Link FindVideo(std::span<const rapidjson::Value* const> objects,
               std::initializer_list<absl::string_view> documented);

// As above, and then in the rest of the answer: some relays put the result beside the task. Objects
// that name another task are skipped; `ids` are the names of a task's id.
Link FindVideo(const Answer& answer, const IdNames& ids,
               std::span<const rapidjson::Value* const> objects,
               std::initializer_list<absl::string_view> documented);

// The link to the last frame; "" where there is none.
std::string FindLastFrame(std::span<const rapidjson::Value* const> objects);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_LINKS_H_
