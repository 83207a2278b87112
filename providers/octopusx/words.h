// The provider's own words in a failure, dug out of whatever they are wrapped in. Pure functions.
#ifndef ASSETGATE_PROVIDERS_OCTOPUSX_WORDS_H_
#define ASSETGATE_PROVIDERS_OCTOPUSX_WORDS_H_

#include <string>

#include "http/message.h"
#include "provider/failure.h"
#include "rapidjson/document.h"

namespace assetgate::providers::octopusx {

struct Words {
  std::string code;
  std::string message;
  // "new_api_error" where the relay itself speaks.
  std::string type;
  // The relay passes on what its upstream said: a refused key or an empty account is then the
  // relay's, not ours.
  bool from_upstream = false;

  bool empty() const { return code.empty() && message.empty(); }
};

// The words of any failure this provider is known to send:
//   {"error": {"message": "…", "type": "new_api_error", "code": "access_denied"}}
//   {"state": 0, "data": null, "error": {"code": "…", "message": "…"}}, or "error": "…"
//   {"code": "invalid_request", "message": "…", "data": null}
//   {"code": "fail_to_fetch_task", "message": "{\"error\":{\"code\":\"InvalidParameter\",…}}"}
// Of the last the inner ones, through several layers of relays. Empty where there are none.
Words WordsOf(const rapidjson::Value& body);

// The words in a text that may be JSON: of a task's fail_reason, an asset's Error.
Words WordsInText(absl::string_view text);

// What a refusal with these words is: by the HTTP status and the words for 3xx to 5xx, by the words
// alone inside 2xx.
provider::StatusMeaning MeaningOf(const http::Response& response, const Words& words);

// Likewise as a Failure.
provider::Failure FailureOf(const http::Response& response, const Words& words);

// Whether the words say that there is no such task or asset.
bool SaysNotFound(const Words& words);

}  // namespace assetgate::providers::octopusx

#endif  // ASSETGATE_PROVIDERS_OCTOPUSX_WORDS_H_
