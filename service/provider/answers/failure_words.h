// What a provider says of a failure: its code and its words, wherever they stand.
#ifndef ASSETGATE_PROVIDER_ANSWERS_FAILURE_WORDS_H_
#define ASSETGATE_PROVIDER_ANSWERS_FAILURE_WORDS_H_

#include <string>

#include "provider/answers/answer.h"
#include "provider/answers/meaning.h"
#include "rapidjson/document.h"

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
//   {"errno": 1001, "errmsg": "…"}   {"base_resp": {"status_code": 1001, "status_msg": "…"}}
//   {"status": 400, "error": "Bad Request", "message": "…"}   {"title": "…", "status": 400}
//   {"detail": [{"loc": ["body", "prompt"], "msg": "…"}]}
//   {"errors": [{"message": "…"}]}   {"errors": {"prompt": ["…"]}}   {"details": …} likewise
//   {"prompt": ["…"]}, where the HTTP status is that of a failure
//   {"data": {"Code": "…", "Message": "…"}}
//   {"ResponseMetadata": {"Error": {"Code": "…", "Message": "…"}}}
// A message that is JSON itself is followed to the innermost words, through several layers of
// relays. Where the answer is not JSON: its text, unless that is a page of HTML or no text at all.
// Empty where there are none.
Words WordsOf(const Answer& answer);

// Likewise of an object that tells of a failed task or asset: its "error", "fail_reason",
// "errorMsg", "task_status_msg" and so on, and not its "code", which may be that of the call.
Words FailureWordsOf(const rapidjson::Value& object);

// Whether the answer says by itself that the call failed: its HTTP status, or its outermost object:
// a code that is not one of success, an error that says something, {"success": false},
// {"status": "error"}, {"state": 0, "error": …}.
bool SaysFailed(const Answer& answer);

// Whether the outermost object says that the call succeeded, whatever the HTTP status: a code or a
// message of success, {"success": true}, or the state of something that is under way or done; and
// no object in the answer has an error, a code of a failure, or a reason why it failed.
bool SaysSucceeded(const Answer& answer);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_FAILURE_WORDS_H_
