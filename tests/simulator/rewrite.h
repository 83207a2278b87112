// Rewrites true answers of a provider: the same facts in another envelope, with the link to the
// result in another place, or with invalid UTF-8. Twins of one service, and one service on two
// days, differ in these ways.
#ifndef ASSETGATE_TESTS_SIMULATOR_REWRITE_H_
#define ASSETGATE_TESTS_SIMULATOR_REWRITE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "tests/simulator/message.h"

namespace assetgate::simulator {

// Rewrites `response` by a template: JSON text in which these strings are placeholders:
//   "$answer"   the whole true answer
//   "$payload"  the answer without its envelope: its `data` where that is an object, else all of it
//   "$id"       the id of the created or polled object; null without `id`
//   "$link"     the first text that begins with `media_url`
// A member "..." is replaced by the members of its placeholder's value:
// {"...":"$payload","error":{"code":0}}; of two members with one name the later one stays. Returns
// false and changes nothing if the answer is not a JSON object, its status is not 2xx, or it lacks
// the link of the template.
bool Dress(absl::string_view template_json, absl::string_view id, absl::string_view media_url,
           Response* response);

// Moves the first text that begins with `media_url` to the JSON pointer `to`; "" removes it. A
// `value` replaces the link, there or in its old place. Returns false and changes nothing if there
// is no such text.
bool MoveLink(absl::string_view media_url, absl::string_view to, absl::string_view value,
              Response* response);

// Adds an unused member in a charset other than UTF-8 (GBK). Returns false if the answer is not a
// JSON object.
bool AddForeignText(Response* response);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_REWRITE_H_
