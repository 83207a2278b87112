#include "providers/octopusx/words.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "provider/json.h"
#include "provider/rest.h"

namespace assetgate::providers::octopusx {
namespace {

using provider::JsonText;
using provider::Outcome;
using provider::StatusMeaning;

// Relays behind relays wrap each other's errors; nobody has been seen to go deeper.
constexpr int kMaxLayers = 4;

// The first text at any of the paths.
std::string FirstText(const rapidjson::Value& root, std::initializer_list<const char*> paths) {
  for (const char* const path : paths) {
    std::string text = JsonText(root, path);
    if (!text.empty()) return text;
  }
  return "";
}

// The words of one layer. "Code" and "Message" as Ark spells them.
Words OneLayer(const rapidjson::Value& body) {
  Words words;
  words.code =
      FirstText(body, {"error.code", "error.Code", "ResponseMetadata.Error.Code", "code", "Code"});
  words.message = FirstText(body, {"error.message", "error.Message", "error",
                                   "ResponseMetadata.Error.Message", "message", "Message", "msg"});
  words.type = JsonText(body, "error.type");
  return words;
}

bool PassesOn(const Words& words) {
  return words.code == "fail_to_fetch_task" || words.type == "upstream_error" ||
         absl::StartsWith(words.code, "bad_response");
}

// Follows JSON in the message down to the innermost words.
Words Unwrap(Words words) {
  words.from_upstream = PassesOn(words);
  for (int layer = 1; layer < kMaxLayers; ++layer) {
    const std::optional<rapidjson::Document> inner = provider::ParseJson(words.message);
    if (!inner.has_value() || !inner->IsObject()) break;
    Words deeper = OneLayer(*inner);
    if (deeper.empty()) break;
    if (deeper.code.empty()) deeper.code = words.code;
    deeper.from_upstream = words.from_upstream || PassesOn(deeper);
    words = std::move(deeper);
  }
  return words;
}

bool SaysOutOfCredit(const Words& words) {
  return words.code == "insufficient_user_quota" || words.code == "pre_consume_token_quota_failed";
}

// Codes that say that the request itself is wrong: the relay's own, and Ark's.
bool SaysInvalid(const Words& words) {
  for (const char* const prefix :
       {"invalid_request", "InvalidParameter", "MissingParameter", "InputImageSensitiveContent",
        "InputTextSensitiveContent", "InputVideoSensitiveContent", "InputAudioSensitiveContent"}) {
    if (absl::StartsWith(words.code, prefix)) return true;
  }
  return false;
}

// A 503 of the relay itself: it found no key or no channel for the model, and asked nobody. What it
// says after it has asked somebody has other codes.
bool SaysNothingWasDone(const Words& words) {
  return words.type == "new_api_error" && !words.from_upstream &&
         words.code != "do_request_failed" && words.code != "read_response_body_failed" &&
         words.code != "empty_response";
}

}  // namespace

Words WordsOf(const rapidjson::Value& body) { return Unwrap(OneLayer(body)); }

Words WordsInText(absl::string_view text) {
  Words words;
  words.message = std::string(text);
  return Unwrap(std::move(words));
}

StatusMeaning MeaningOf(const http::Response& response, const Words& words) {
  const int status = response.status;
  if (words.from_upstream) {
    if (status == 401 || status == 402 || status == 403) {
      return {Outcome::kNotAccepted, v1::PROVIDER_UNAVAILABLE, std::nullopt};
    }
  } else if (status < 500 && SaysOutOfCredit(words)) {
    return {Outcome::kRefused, v1::PROVIDER_OUT_OF_CREDIT, base::Act::kOperator};
  }
  if (provider::IsSuccess(response)) {
    if (SaysInvalid(words)) {
      return {Outcome::kRefused, v1::PROVIDER_INVALID_ARGUMENT, std::nullopt};
    }
    return {Outcome::kRefused, v1::PROVIDER_REJECTED, std::nullopt};
  }
  if (status == 503 && SaysNothingWasDone(words)) {
    return {Outcome::kNotAccepted, v1::PROVIDER_UNAVAILABLE, std::nullopt};
  }
  // Ark's cap on a model that somebody set in its console: waiting does not help.
  if (status == 429 && words.code == "SetLimitExceeded") {
    return {Outcome::kRefused, v1::PROVIDER_REJECTED, base::Act::kOperator};
  }
  return provider::MeaningOfStatus(status);
}

provider::Failure FailureOf(const http::Response& response, const Words& words) {
  provider::Failure failure = provider::FailureOf(response, words.code, words.message);
  const StatusMeaning meaning = MeaningOf(response, words);
  failure.reason = meaning.reason;
  failure.act = meaning.act;
  return failure;
}

bool SaysNotFound(const Words& words) {
  return words.code == "task_not_exist" || absl::StartsWith(words.code, "NotFound");
}

}  // namespace assetgate::providers::octopusx
