// The code and the words of a failure, anywhere in an answer.
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
  // "new_api_error", "BadRequest": the family of the error, where the answer has one beside the
  // code.
  std::string type;
  // A relay reports a failure of the provider behind it: a refused key or an empty account is then
  // the relay's, not the gateway's.
  bool from_upstream = false;

  bool empty() const { return code.empty() && message.empty(); }
};

// The words of a failure in an answer, in any of these shapes and in any spelling of the names:
//   {"error": {"code": "…", "message": "…", "type": "…"}}   {"error": "…"}   {"error": ["…"]}
//   {"code": 1001, "msg": "…"}   {"message": "…"}   {"detail": "…"}   {"errorMessage": "…"}
//   {"errno": 1001, "errmsg": "…"}   {"base_resp": {"status_code": 1001, "status_msg": "…"}}
//   {"status": 400, "error": "Bad Request", "message": "…"}   {"title": "…", "status": 400}
//   {"detail": [{"loc": ["body", "prompt"], "msg": "…"}]}
//   {"errors": [{"message": "…"}]}   {"errors": {"prompt": ["…"]}}   {"details": …} likewise
//   {"prompt": ["…"]}, where the HTTP status is that of a failure
//   {"data": {"Code": "…", "Message": "…"}}
//   {"ResponseMetadata": {"Error": {"Code": "…", "Message": "…"}}}
// A message that is JSON itself is parsed down to the innermost words, through several layers of
// relays. For an answer that is not JSON: its text, unless it is an HTML page or not readable.
// Empty where there are no words.
Words WordsOf(const Answer& answer);

// The words of an object that describes a failed task or asset: its "error", "fail_reason",
// "errorMsg", "task_status_msg" and so on, but not its "code", which may be that of the call.
Words FailureWordsOf(const rapidjson::Value& object);

// Whether the answer says that the call failed: by its HTTP status, or in its outermost object by a
// code that is not one of success, an error that is not empty, {"success": false}, {"status":
// "error"}, {"state": 0, "error": …}. False where the HTTP status and the words say that it
// succeeded: {"code": 1, "msg": "任务提交成功"}.
bool SaysFailed(const Answer& answer);

// Whether the outermost object says that the call succeeded, with any HTTP status: by a code or a
// message of success, {"success": true}, or the state of work that is in progress or done. False
// where any object in the answer has an error, a code of a failure, or a reason of a failure.
bool SaysSucceeded(const Answer& answer);

}  // namespace assetgate::provider::answers

#endif  // ASSETGATE_PROVIDER_ANSWERS_FAILURE_WORDS_H_
