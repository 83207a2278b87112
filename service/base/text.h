// Makes text from callers and providers safe for logs, errors and people.
#ifndef ASSETGATE_BASE_TEXT_H_
#define ASSETGATE_BASE_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace assetgate::base {

// `text` made safe for logs and errors: valid UTF-8, control characters as spaces, at most
// `max_bytes` bytes (cut with "…"), and the queries of URLs redacted.
std::string CleanText(absl::string_view text, std::size_t max_bytes = 1024);

// `value` as a message may show it: cleaned, in quotes, on one line, at most `max_bytes` bytes of
// it.
std::string Quoted(absl::string_view value, std::size_t max_bytes = 100);

// A time in the format of messages: "2026-11-21T04:18:42Z".
std::string FormatTime(absl::Time time);

}  // namespace assetgate::base

#endif  // ASSETGATE_BASE_TEXT_H_
