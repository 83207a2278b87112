// What a provider says of a failure: its code and its words, wherever they stand, and what they
// mean.
#ifndef ASSETGATE_PROVIDER_ANSWERS_FAILURE_WORDS_H_
#define ASSETGATE_PROVIDER_ANSWERS_FAILURE_WORDS_H_

#include <span>
#include <string>

#include "absl/strings/string_view.h"
#include "provider/answers/answer.h"

namespace assetgate::provider::answers {

struct Words {
  std::string code;
  std::string message;
  // "new_api_error", "BadRequest": the family of the error, where there is one beside the code.
  std::string type;
  // A relay says that somebody behind it failed: a refused key or an empty account is then the
  // relay's, not ours.
  bool from_upstream = false;

  bool empty() const { return code.empty() && message.empty(); }
};

// The words of a failure in an answer. All these shapes are read, in any spelling of the names:
//   {"error": {"code": "…", "message": "…", "type": "…"}}   {"error": "…"}   {"error": ["…"]}
//   {"code": 1001, "msg": "…"}   {"message": "…"}   {"detail": "…"}   {"errorMessage": "…"}
//   {"detail": [{"loc": ["body", "prompt"], "msg": "…"}]}   {"details": {"a.b": ["…"]}}
//   {"errors": [{"message": "…"}]}   {"data": {"Code": "…", "Message": "…"}}
//   {"ResponseMetadata": {"Error": {"Code": "…", "Message": "…"}}}
// A message that is JSON itself is followed to the innermost words, through several layers of
// relays. Where the answer is not JSON: its text, unless that is a page of HTML. Empty where there
// are none.
Words WordsOf(const Answer& answer);

// Likewise of an object that tells of a failed task or asset: its "error", "fail_reason",
// "errorMsg" and so on, and not its "code" or "message", which may tell of the call.
Words FailureWordsOf(const rapidjson::Value& object);

// What a code or a text means, whoever says it.
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

// A code that a dialect documents. `code` is compared in any case, as a prefix where it ends in
// '*'.
struct DocumentedCode {
  absl::string_view code;
  Meaning meaning;
};

// By the dialect's table first, then by the table that all share. A code that looks like an HTTP
// status is taken for it.
Meaning MeaningOfCode(absl::string_view code, std::span<const DocumentedCode> documented);
// Whether a code says that the key itself is refused, whatever was asked for with it. "forbidden"
// and "access_denied" do not: they can be about one model.
bool NamesTheKey(absl::string_view code);
// By the words of a text. kDoubt wins over everything else: "invalid response from upstream".
Meaning MeaningOfText(absl::string_view text);
// Whether a relay says that it asked somebody, and that the answer was lost.
bool SpeaksOfLostCall(absl::string_view text);
// Whether a text speaks of a time that ran out: what refuses for that reason refuses nothing.
bool SpeaksOfTimeout(absl::string_view text);
// Whether a text tells of refused content.
bool SpeaksOfContent(absl::string_view text);

// Whether the answer says by itself that the call failed: its HTTP status, a code that is not one
// of success, or an error that says something.
bool SaysFailed(const Answer& answer);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_FAILURE_WORDS_H_
