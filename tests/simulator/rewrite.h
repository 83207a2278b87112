// True answers of a provider in another dress: the same facts under another envelope, with the link
// to the result in another place, or with bytes that are no text. Twins of one service, and one
// service on two days, differ in just that.
#ifndef ASSETGATE_TESTS_SIMULATOR_REWRITE_H_
#define ASSETGATE_TESTS_SIMULATOR_REWRITE_H_

#include <string>

#include "absl/strings/string_view.h"
#include "tests/simulator/message.h"

namespace assetgate::simulator {

// Puts `response` into the dress of a template: JSON text in which these strings are placeholders:
//   "$answer"   the whole true answer
//   "$payload"  the answer without its envelope: its `data` where that is an object, else all of it
//   "$id"       what was made or asked for; a null without `id`
//   "$link"     the first text that begins with `media_url`
// A member "..." holds placeholders, and what they stand for brings its members:
// {"...":"$payload","error":{"code":0}}; of two members with one name the later one stays. False,
// and nothing is changed, if the answer is no JSON object, has no 2xx status, or has no link where
// the template wants one.
bool Dress(absl::string_view template_json, absl::string_view id, absl::string_view media_url,
           Response* response);

// Moves the first text that begins with `media_url` to the JSON pointer `to`; "" takes it away.
// With a `value`, that is what is put there, or in the link's old place. False, and nothing is
// changed, if there is no such text.
bool MoveLink(absl::string_view media_url, absl::string_view to, absl::string_view value,
              Response* response);

// Adds a member that nobody reads, in a charset that is not UTF-8 (GBK). False if the answer is no
// JSON object.
bool AddForeignText(Response* response);

}  // namespace assetgate::simulator

#endif  // ASSETGATE_TESTS_SIMULATOR_REWRITE_H_
