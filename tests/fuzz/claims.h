// Claims about a result, and the text properties that they use.
#ifndef ASSETGATE_TESTS_FUZZ_CLAIMS_H_
#define ASSETGATE_TESTS_FUZZ_CLAIMS_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "http/message.h"

namespace assetgate::fuzz {

// Collects claims and remembers the first one that does not hold.
class Claims {
 public:
  // `what` is the claim; `shown` is the value that it is about.
  void Hold(bool holds, absl::string_view what, absl::string_view shown = "");
  // Claims that `text` is valid UTF-8 without control characters, of at most `max_bytes`.
  void Plain(absl::string_view what, absl::string_view text, std::size_t max_bytes);
  // The same for every string in `message`, at any depth.
  void PlainMessage(absl::string_view what, const google::protobuf::Message& message,
                    std::size_t max_bytes);
  // Claims that the HTTP client would send the request unchanged, and that no server takes its path
  // for another one: no character that must be encoded, no "." or ".." as a segment, no header that
  // ends early.
  void Sendable(const http::Request& request);

  // The first claim that does not hold; absent if all hold.
  const std::optional<std::string>& broken() const { return broken_; }

 private:
  std::optional<std::string> broken_;
};

// Whether `text` is valid UTF-8.
bool IsUtf8(absl::string_view text);
// Whether `text` is valid UTF-8 without control characters.
bool IsPlain(absl::string_view text);
// Whether a URL in running text shows a query, a fragment or a user. The redacted form of
// "https://me:pw@host/a?k=v" is "https://host/a?…".
bool ShowsUrlSecrets(absl::string_view text);

}  // namespace assetgate::fuzz

#endif  // ASSETGATE_TESTS_FUZZ_CLAIMS_H_
