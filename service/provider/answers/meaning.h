// What the codes and the words of a failure mean, whoever says them.
//
// Money first: a text that can be said after the work was begun means kDoubt, whatever else it
// says.
#ifndef ASSETGATE_PROVIDER_ANSWERS_MEANING_H_
#define ASSETGATE_PROVIDER_ANSWERS_MEANING_H_

#include <span>

#include "absl/strings/string_view.h"

namespace assetgate::provider::answers {

enum class Meaning {
  // Nothing that is known.
  kNone,
  kSuccess,
  // The request's content is wrong.
  kInvalid,
  // What the request shows or says is refused: moderation, real faces, copyright.
  kContent,
  kOutOfCredit,
  // The key or the account.
  kCredentials,
  kRateLimited,
  // The thing is unknown there.
  kNotFound,
  // The model, the route or the account has to be set up by an operator.
  kOperator,
  // Refused for a reason that is none of these.
  kRejected,
  // The provider had no way to begin: surely nothing was done.
  kNothingDone,
  // It may have been done: a server error, a timeout, somebody behind the provider.
  kDoubt,
};

// A code that a dialect documents. `code` is compared in any case and without '_' and blanks:
// "BadGateway" is "bad_gateway". A '*' at its beginning or end stands for anything.
struct DocumentedCode {
  absl::string_view code;
  Meaning meaning;
};

// By the dialect's table first, then by the tables that all share. A code that looks like an HTTP
// status is taken for it; a 5xx inside of a code ("HTTP_502"), 5xxx and 5xxxx are a server's.
Meaning MeaningOfCode(absl::string_view code, std::span<const DocumentedCode> documented);
// Whether a code says that the key itself is refused, whatever was asked for with it. "forbidden"
// and "access_denied" do not: they can be about one model.
bool NamesTheKey(absl::string_view code);

// By the words of a text. kDoubt wins over everything else: "invalid response from upstream",
// "Moderation service unavailable".
Meaning MeaningOfText(absl::string_view text);
// Whether a text tells that an answer or a process was lost after somebody may have been asked: a
// relay could not read or keep what it was answered, or a program failed on its way.
bool SpeaksOfLostCall(absl::string_view text);
// Whether a text speaks of a time that ran out: what refuses for that reason refuses nothing.
bool SpeaksOfTimeout(absl::string_view text);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_MEANING_H_
