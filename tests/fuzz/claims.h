// What is claimed of a result, and the properties of texts that such claims are made of.
#ifndef ASSETGATE_TESTS_FUZZ_CLAIMS_H_
#define ASSETGATE_TESTS_FUZZ_CLAIMS_H_

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "http/message.h"

namespace assetgate::fuzz {

// Collects claims; remembers the first that does not hold.
class Claims {
 public:
  // `what` says what should hold; `shown` is what it was claimed of.
  void Hold(bool holds, absl::string_view what, absl::string_view shown = "");
  // That `text` is valid UTF-8 without control characters, of at most `max_bytes`.
  void Plain(absl::string_view what, absl::string_view text, std::size_t max_bytes);
  // Likewise of every string in `message`, at any depth.
  void PlainMessage(absl::string_view what, const google::protobuf::Message& message,
                    std::size_t max_bytes);
  // That the HTTP client would send it as it is, and that no server takes it for another path: no
  // character that must be encoded, no "." or ".." as a segment, no header that ends early.
  void Sendable(const http::Request& request);

  // What does not hold; absent when all does.
  const std::optional<std::string>& broken() const { return broken_; }

 private:
  std::optional<std::string> broken_;
};

// Whether `text` is valid UTF-8.
bool IsUtf8(absl::string_view text);
// Whether `text` is valid UTF-8 without control characters.
bool IsPlain(absl::string_view text);
// Whether a URL in running text shows a query, a fragment or a user: what is shown of
// "https://me:pw@host/a?k=v" is "https://host/a?…".
bool ShowsUrlSecrets(absl::string_view text);

}  // namespace assetgate::fuzz

#endif  // ASSETGATE_TESTS_FUZZ_CLAIMS_H_
