// Tests of a dialect from documented exchanges, without a network.
//
// A file of a dialect's testdata/ holds one exchange as a JSON object, or several small ones (every
// row of an error table, say) as an array of objects:
//
//   {
//     "description": "a first frame from the library",
//     "source": "[doc V]",                   where the exchange is documented
//     "kind": "video",                       group | asset | video
//     "operation": "submit",                 submit | poll | delete
//     "options": {"platform": "BYTEPLUS"},   the dialect's options.proto; may be left out
//     "input": {…},                          what is to be done; without it nothing is encoded
//     "request": {"method": "POST", "path": "/video/tasks", "plane": "control",
//                 "headers": {"Authorization": "Bearer api_key-of-test", …}, "body": {…}},
//     "response": {"status": 200, "headers": {"Retry-After": "7"}, "body": {…}},
//     "expect": {…}                          what the response says; without both, only encoding is
//   }                                        tested
//
// input, for each operation (protos in their JSON form; `options` are the caller's
// provider_options, a handle is a JSON object or a string):
//
//   submit group   {"group": AssetGroup, "options": {…}}
//   submit asset   {"asset": Asset, "source_uri": "…" (default: the asset's), "group_handle": {…},
//                   "options": {…}}
//   submit video   {"task": VideoTask, "provider_model": "…", "idempotency_key": "…",
//                   "options": {…},
//                   "references": [{"role": "FIRST_FRAME", "media_type": "IMAGE", "uri": "…" or
//                                   "provider_asset_id": "…" with "asset_handle": {…}}]}
//   submit …       and "replay": true where the same bytes had been sent before
//   poll           {"handles": [{…}]}
//   delete         {"handle": {…}}
//
// Without `input`, the answer to a submission is decoded against `request`, and the answer to a
// poll against one handle `{}`.
//
// An accepted video must also be found by its id alone: Dialect::AdoptVideo returns the same
// handle.
//
// request is the expected result after Authorize with a credential whose secrets are
// "<name>-of-test". `body` is compared as JSON (members in any order); `headers`, where given, must
// be all of them. The `body` of a response is JSON, or a string that is sent as it is.
//
// expect, in which everything that is left out must be absent or empty in the result:
//
//   submit   {"outcome": "ACCEPTED", "handle": {…}, "observation": {…}}
//            {"outcome": "REFUSED" | "NOT_ACCEPTED" | "UNKNOWN", "failure": {…}}
//   poll     {"news": [{"kind": "OBSERVED", "observation": {…}}]}
//            {"news": [{"kind": "NONE"}]}
//            {"news": [{"kind": "NOT_FOUND", "failure": {…}}]}
//            {"trouble": {failure}}
//   delete   {} when it is gone, else {"failure": {…}}
//
//   observation   {"progress": "QUEUED" | "RUNNING" | "SUCCEEDED" | "FAILED" | "CANCELLED",
//                  "provider_state", "provider_id", "provider_tracking_id", "provider_uri",
//                  "failure": {…}, "progress_percent", "video": Video, "usage": Usage,
//                  "billing": "BILLED", "upstream_provider"}
//   failure       {"reason": "PROVIDER_REJECTED", "act": "OPERATOR" (where it has its own),
//                  "http_status", "code", "message", "retry_after": seconds}
//
// A dialect's test uses it so:
//
//   class KyyExchangeTest : public ::testing::TestWithParam<provider::testing::Exchange> {};
//   TEST_P(KyyExchangeTest, IsAsDocumented) {
//     provider::testing::CheckExchange(Factory(), GetParam());
//   }
//   TEST_P(KyyExchangeTest, HostileAnswersAreSurvived) {
//     provider::testing::CheckHostileAnswers(Factory(), GetParam());
//   }
//   TEST_P(KyyExchangeTest, AnEchoedKeyIsMasked) {
//     provider::testing::CheckEchoedKey(Factory(), GetParam());
//   }
//   TEST_P(KyyExchangeTest, HostileInputStaysInTheBody) {
//     provider::testing::CheckHostileInput(Factory(), GetParam());
//   }
//   INSTANTIATE_TEST_SUITE_P(
//       Testdata, KyyExchangeTest,
//       ::testing::ValuesIn(provider::testing::LoadExchanges("providers/kyy/testdata")),
//       provider::testing::ExchangeName);
#ifndef ASSETGATE_PROVIDER_TESTING_EXCHANGE_TEST_H_
#define ASSETGATE_PROVIDER_TESTING_EXCHANGE_TEST_H_

#include <ostream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "provider/dialect.h"

namespace assetgate::provider::testing {

// One documented exchange.
struct Exchange {
  // "asset_submit" for testdata/asset_submit.json; "errors_3" for the third in
  // testdata/errors.json.
  std::string name;
  // The object above.
  std::string json;
};

void PrintTo(const Exchange& exchange, std::ostream* out);

// Every exchange in the folder (relative to the root of the sources), sorted by name. A folder
// without exchanges, and a file that is not JSON, become an exchange whose check fails.
std::vector<Exchange> LoadExchanges(const std::string& folder);

// For INSTANTIATE_TEST_SUITE_P.
std::string ExchangeName(const ::testing::TestParamInfo<Exchange>& info);

// Encodes, authorizes and decodes one exchange with a dialect made from its options, and expects
// what it says.
void CheckExchange(const DialectFactory& factory, const Exchange& exchange);

// Decodes the answer of an exchange in some hundred broken variants (each value replaced by values
// of other types, cut off, with other statuses), and expects of each result what the gateway relies
// on: no acceptance without an id, one piece of news per unit, a reason with every failure, valid
// UTF-8.
void CheckHostileAnswers(const DialectFactory& factory, const Exchange& exchange);

// Decodes the masked answer of an exchange with a key in place of each of its texts, and in a
// header, in every form in which a server may write it. Nothing that the dialect decodes may
// contain 12 characters of the key. Passes where the exchange has no answer.
void CheckEchoedKey(const DialectFactory& factory, const Exchange& exchange);

// Encodes a submission with hostile texts in place of each that a caller may choose (names,
// prompts, URLs, option keys and values) or a provider may have given (ids of what it holds), and
// expects that only the body differs. Passes for other exchanges.
void CheckHostileInput(const DialectFactory& factory, const Exchange& exchange);

// Expects that a video of `model` that an operator found at the provider, and names by `id`, is
// polled at `path`; and that AdoptVideo rejects each of `others`, and texts that no dialect could
// poll, with a message that quotes them.
void CheckAdoption(const DialectFactory& factory, const std::string& model, const std::string& id,
                   const std::string& path, const std::vector<std::string>& others);

}  // namespace assetgate::provider::testing

#endif  // ASSETGATE_PROVIDER_TESTING_EXCHANGE_TEST_H_
