// The meaning of the codes and words of a failure, for all dialects.
//
// To avoid double billing, a text that a provider can write after the work has begun means kDoubt,
// whatever else it says.
#ifndef ASSETGATE_PROVIDER_ANSWERS_MEANING_H_
#define ASSETGATE_PROVIDER_ANSWERS_MEANING_H_

#include <span>

#include "absl/strings/string_view.h"

namespace assetgate::provider::answers {

enum class Meaning {
  // Unknown.
  kNone,
  kSuccess,
  // The request is malformed or has a wrong value.
  kInvalid,
  // The content of the request is refused: moderation, real faces, copyright.
  kContent,
  kOutOfCredit,
  // The key or the account is refused.
  kCredentials,
  kRateLimited,
  // The unit is unknown at the provider.
  kNotFound,
  // An operator has to set up the model, the route or the account.
  kOperator,
  // Refused for another reason.
  kRejected,
  // The provider could not begin: nothing was done.
  kNothingDone,
  // The work may have been done: a server error, a timeout, a failure behind the provider.
  kDoubt,
};

// A code that a dialect documents. `code` is compared in any case and without '_' and blanks:
// "BadGateway" is "bad_gateway". A '*' at its beginning or end matches any text.
struct DocumentedCode {
  absl::string_view code;
  Meaning meaning;
};

// The meaning of a code by the dialect's table, else by the shared tables. A code that looks like
// an HTTP status has its meaning; a 5xx inside a code ("HTTP_502"), 5xxx and 5xxxx are server
// errors.
Meaning MeaningOfCode(absl::string_view code, std::span<const DocumentedCode> documented);
// Whether a code says that the key itself is refused, for any request. "forbidden" and
// "access_denied" do not: they can be about one model.
bool NamesTheKey(absl::string_view code);

// The meaning of a text by its words. kDoubt takes precedence: "invalid response from upstream",
// "Moderation service unavailable".
Meaning MeaningOfText(absl::string_view text);
// Whether a text says that an answer or a process was lost after the call may have been forwarded:
// a relay could not read or store the answer, or a program failed meanwhile.
bool SpeaksOfLostCall(absl::string_view text);
// Whether a text mentions a timeout: a refusal for that reason is not a refusal.
bool SpeaksOfTimeout(absl::string_view text);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_MEANING_H_
