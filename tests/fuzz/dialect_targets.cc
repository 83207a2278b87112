// A dialect's reading of an answer. An input is written like an HTTP message:
//
//   submit video 200 replay          operation (submit, poll, delete, adopt), kind, status
//   Handle: {"id":"video_1"}         for a poll: the polled units, one line each
//   Retry-After: 7                   the answer's headers
//
//   {"id": …                         its body; with adopt, the id that an operator typed
//
// An input that is not written this way is still used as an answer: see ReadExchange.
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "api/status_conversion.h"
#include "base/error.h"
#include "base/json.h"
#include "provider/dialect.h"
#include "provider/failure.h"
#include "provider/rest.h"
#include "providers/dialects.h"
#include "rapidjson/document.h"
#include "tests/fuzz/claims.h"
#include "tests/fuzz/targets.h"

namespace assetgate::fuzz {
namespace {

using provider::Dialect;
using provider::Failure;
using provider::Handle;
using provider::Observation;
using provider::Outcome;
using provider::UnitKind;
using provider::UnitNews;

constexpr absl::string_view kKey = "key-of-the-account-5d41402abc4b2a76";
constexpr std::size_t kMaxHandles = 16;
constexpr std::size_t kMaxHeaders = 128;
// For a handle, which is stored with its unit: two ids and a model.
constexpr std::size_t kMaxHandleBytes = 2048;
constexpr std::size_t kMaxUrlBytes = 8192;
constexpr std::size_t kMaxIdBytes = 256;
// A word that names an enum value or a state.
constexpr std::size_t kMaxWordBytes = 64;

enum class Operation { kSubmit, kPoll, kDelete, kAdopt };

struct Exchange {
  Operation operation = Operation::kPoll;
  UnitKind kind = UnitKind::kVideo;
  bool replay = false;
  std::vector<Handle> handles;
  http::Response response;
};

// Whether a dialect could have made this handle: an object of ids.
bool CanBeStored(absl::string_view handle) {
  const std::optional<rapidjson::Document> doc = base::ParseJson(handle);
  if (!doc.has_value() || !doc->IsObject()) return false;
  return std::all_of(doc->MemberBegin(), doc->MemberEnd(), [](const auto& member) {
    return member.value.IsString() &&
           provider::IsId({member.value.GetString(), member.value.GetStringLength()});
  });
}

// Never fails: missing or garbled parts get defaults, so that no input is wasted.
Exchange ReadExchange(absl::string_view input) {
  Exchange exchange;
  exchange.response.status = 200;
  const auto next_line = [&input] {
    const absl::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    return line;
  };
  for (const absl::string_view word : absl::StrSplit(next_line(), ' ', absl::SkipEmpty())) {
    int status = 0;
    if (word == "submit") exchange.operation = Operation::kSubmit;
    if (word == "poll") exchange.operation = Operation::kPoll;
    if (word == "delete") exchange.operation = Operation::kDelete;
    if (word == "adopt") exchange.operation = Operation::kAdopt;
    if (word == "group") exchange.kind = UnitKind::kAssetGroup;
    if (word == "asset") exchange.kind = UnitKind::kAsset;
    if (word == "video") exchange.kind = UnitKind::kVideo;
    if (word == "replay") exchange.replay = true;
    if (absl::SimpleAtoi(word, &status)) exchange.response.status = std::clamp(status, 0, 999);
  }
  while (exchange.response.headers.size() < kMaxHeaders) {
    const absl::string_view line = next_line();
    if (line.empty()) break;
    const std::size_t colon = std::min(line.find(':'), line.size() - 1);
    const std::string name(absl::StripAsciiWhitespace(line.substr(0, colon)));
    const std::string value(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    if (name == "Handle") {
      if (exchange.handles.size() < kMaxHandles && CanBeStored(value)) {
        exchange.handles.push_back(value);
      }
    } else {
      exchange.response.headers.push_back({name, value});
    }
  }
  if (exchange.handles.empty()) exchange.handles.push_back("{}");
  exchange.response.body = std::string(input);
  return exchange;
}

// A dialect, and the claims about it.
class Decoder {
 public:
  Decoder(const Dialect& dialect, const Exchange& exchange)
      : dialect_(dialect), exchange_(exchange), response_(exchange.response) {
    credential_.id = "one";
    for (const std::string& secret : dialect.traits().secrets) {
      credential_.secrets[secret] = base::Secret(std::string(kKey));
    }
  }

  std::optional<std::string> Check() {
    switch (exchange_.operation) {
      case Operation::kSubmit:
        Submit();
        break;
      case Operation::kPoll:
        Poll();
        break;
      case Operation::kDelete:
        if (const auto failure = dialect_.DecodeDeleteAsset(response_)) Check(*failure);
        break;
      case Operation::kAdopt:
        Adopt();
        break;
    }
    return claims_.broken();
  }

 private:
  void Submit() {
    http::Request request = provider::JsonRequest("POST", "/x");
    request.body = R"({"model":"seedance-2-0","platform":"JIMENG","prompt":"a cat"})";
    Authorize(request);
    const provider::SubmitResult result =
        dialect_.DecodeSubmit(exchange_.kind, request, response_, exchange_.replay);
    const int status = response_.status;
    if (result.outcome != Outcome::kAccepted) {
      claims_.Hold(result.outcome != Outcome::kRefused || status < 500,
                   "a server's error is not a rejection");
      claims_.Hold(result.failure.reason != v1::ERROR_REASON_UNSPECIFIED, "a failure has a reason");
      Check(result.failure);
      return;
    }
    const std::string& id = result.observation.provider_id.empty()
                                ? result.observation.provider_tracking_id
                                : result.observation.provider_id;
    claims_.Hold(!id.empty(), "what is accepted has an id");
    // Literally, with escapes, or as a number.
    claims_.Hold((status >= 200 && status < 300) || absl::StrContains(response_.body, id) ||
                     absl::StrContains(response_.body, '\\') ||
                     std::all_of(id.begin(), id.end(), absl::ascii_isdigit),
                 "an error accepts only with an id that it names");
    Check(result.observation);
    Check(result.handle);
  }

  void Poll() {
    // Polled as the dialect does it, which may need several calls; the answer is for the first.
    const std::vector<provider::PollCall> calls =
        dialect_.EncodePoll(exchange_.kind, exchange_.handles);
    if (calls.empty()) return;
    std::vector<Handle> handles;
    for (const std::size_t unit : calls[0].units) handles.push_back(exchange_.handles.at(unit));
    const provider::PollResult result = dialect_.DecodePoll(exchange_.kind, response_, handles);
    if (result.trouble.has_value()) {
      Check(*result.trouble);
      return;
    }
    claims_.Hold(result.news.size() == handles.size(), "one piece of news per unit");
    for (const UnitNews& news : result.news) {
      if (news.kind == UnitNews::Kind::kObserved) Check(news.observation);
      if (news.kind == UnitNews::Kind::kNotFound) Check(news.failure);
    }
  }

  void Adopt() {
    const absl::StatusOr<Handle> handle = dialect_.AdoptVideo(response_.body, "model-1");
    if (handle.ok()) {
      Check(*handle);
      return;
    }
    claims_.Plain("why an id is rejected", handle.status().message(), 400);
  }

  // A handle that the dialect itself made.
  void Check(const Handle& handle) {
    const std::optional<rapidjson::Document> doc = base::ParseJson(handle);
    claims_.Hold(doc.has_value() && doc->IsObject(), "a handle is a JSON object", handle);
    claims_.Plain("a handle", handle, kMaxHandleBytes);
    Clean("a handle", handle);
    const std::vector<provider::PollCall> calls =
        dialect_.EncodePoll(exchange_.kind, std::span<const Handle>(&handle, 1));
    if (exchange_.kind != UnitKind::kAssetGroup) {  // those may be final when created
      claims_.Hold(calls.size() == 1 && calls[0].units == std::vector<std::size_t>{0},
                   "one unit is polled once");
    }
    for (const provider::PollCall& call : calls) Send(call.request);
    if (exchange_.kind == UnitKind::kAsset) {
      if (auto request = dialect_.EncodeDeleteAsset(handle)) Send(*std::move(request));
    }
  }

  void Authorize(http::Request& request) {
    const provider::Traits& traits = dialect_.traits();
    const std::string url = provider::BaseUrlFor(request, traits.default_base_url, traits.planes);
    claims_.Hold(!url.empty(), "a request names a plane that the dialect has");
    dialect_.Authorize(request, provider::DestinationOf(request, url), credential_,
                       absl::FromUnixSeconds(1'780'000'000));
  }

  void Send(http::Request request) {
    Authorize(request);
    claims_.Sendable(request);
  }

  void Check(const Observation& seen) {
    claims_.Plain("provider_state", seen.provider_state, kMaxWordBytes);
    claims_.Plain("provider_id", seen.provider_id, kMaxIdBytes);
    claims_.Plain("provider_tracking_id", seen.provider_tracking_id, kMaxIdBytes);
    claims_.Plain("provider_uri", seen.provider_uri, kMaxUrlBytes);
    claims_.Plain("upstream_provider", seen.upstream_provider, kMaxIdBytes);
    for (const auto* const text : {&seen.provider_state, &seen.provider_id, &seen.provider_uri,
                                   &seen.provider_tracking_id, &seen.upstream_provider}) {
      Clean("an observation", *text);
    }
    if (seen.progress_percent.has_value()) {
      claims_.Hold(*seen.progress_percent >= 0 && *seen.progress_percent <= 100,
                   "progress is a percentage");
    }
    const bool failed = seen.progress == Observation::Progress::kFailed ||
                        seen.progress == Observation::Progress::kCancelled;
    claims_.Hold(failed == seen.failure.has_value(), "a failure, and only that, has a reason");
    if (seen.failure.has_value()) Check(*seen.failure);
    claims_.Hold(exchange_.kind != UnitKind::kVideo || exchange_.operation == Operation::kSubmit ||
                     seen.progress != Observation::Progress::kSucceeded ||
                     seen.video.has_value() == (seen.result == Observation::Result::kLinked),
                 "a video that succeeded is present or reported missing");
    if (seen.video.has_value()) Check(*seen.video);
    if (seen.usage.has_value()) {
      claims_.Hold(seen.usage->total_tokens() >= 0 && seen.usage->completion_tokens() >= 0 &&
                       seen.usage->credits() >= 0 && seen.usage->credits() < 1e300,
                   "usage is not negative", seen.usage->ShortDebugString());
    }
  }

  void Check(const v1::Video& video) {
    claims_.Hold(absl::StartsWithIgnoreCase(video.uri(), "http"), "a video is at a URL",
                 video.uri());
    claims_.PlainMessage("video", video, kMaxUrlBytes);
    claims_.Plain("resolution", video.resolution(), kMaxWordBytes);
    claims_.Plain("aspect_ratio", video.aspect_ratio(), kMaxWordBytes);
    claims_.Hold(video.duration().seconds() >= 0 && video.duration().seconds() <= 24 * 60 * 60 &&
                     video.duration().nanos() >= 0,
                 "a video's length is below a day", video.ShortDebugString());
    claims_.Hold(video.fps() >= 0 && video.fps() <= 1000, "frames per second are in range");
    claims_.Hold(video.expire_time().seconds() >= 0 && video.expire_time().seconds() < 253402300800,
                 "expire_time is a time of this era", video.ShortDebugString());
    Clean("video", video.SerializeAsString());
  }

  // As callers and logs get it.
  void Check(const Failure& failure) {
    if (failure.retry_after.has_value()) {
      claims_.Hold(
          *failure.retry_after >= absl::ZeroDuration() && *failure.retry_after <= absl::Hours(1),
          "Retry-After is used up to an hour");
    }
    const google::rpc::Status status = provider::ToError(failure, "provider-1").ToProto();
    claims_.Plain("an error's message", status.message(), 1300);
    claims_.Hold(!ShowsUrlSecrets(status.message()), "an error shows no query of a URL",
                 status.message());
    const google::rpc::ErrorInfo info = base::InfoOf(status);
    claims_.PlainMessage("an error's info", info, 1024);
    for (const auto& [key, value] : info.metadata()) {
      claims_.Hold(!ShowsUrlSecrets(value), absl::StrCat("no query of a URL in ", key), value);
    }
    Clean("an error", status.SerializeAsString());
    claims_.Hold(api::Bounded(status).ByteSizeLong() <= api::kMaxDetailsBytes,
                 "an error fits into the trailers");
  }

  // An answer may repeat the request; a dialect must not.
  void Clean(absl::string_view what, absl::string_view text) {
    claims_.Hold(!absl::StrContains(text, kKey) || absl::StrContains(response_.body, kKey),
                 absl::StrCat(what, " holds no key"));
  }

  const Dialect& dialect_;
  const Exchange& exchange_;
  const http::Response& response_;
  provider::Credential credential_;
  Claims claims_;
};

// --- Seeds: the documented exchanges ------------------------------------------------------------

// A body or a handle: JSON, or a literal string.
std::string TextOf(const rapidjson::Value& value) {
  return value.IsString() ? std::string(value.GetString(), value.GetStringLength())
                          : base::WriteJson(value);
}

void AddSeed(const rapidjson::Value& exchange, std::vector<std::string>& seeds) {
  const rapidjson::Value* const response = base::FindJson(exchange, "response");
  if (response == nullptr) return;
  std::string seed =
      absl::StrCat(base::JsonText(exchange, "operation"), " ", base::JsonText(exchange, "kind"),
                   " ", base::JsonText(*response, "status"),
                   base::JsonBool(exchange, "input.replay").value_or(false) ? " replay" : "", "\n");
  if (const auto* const handles = base::FindJson(exchange, "input.handles")) {
    for (const rapidjson::Value& handle : handles->GetArray()) {
      absl::StrAppend(&seed, "Handle: ", TextOf(handle), "\n");
    }
  }
  if (const auto* const headers = base::FindJson(*response, "headers")) {
    for (const auto& header : headers->GetObject()) {
      absl::StrAppend(&seed, header.name.GetString(), ": ", TextOf(header.value), "\n");
    }
  }
  const rapidjson::Value* const body = base::FindJson(*response, "body");
  absl::StrAppend(&seed, "\n", body == nullptr ? "" : TextOf(*body));
  seeds.push_back(std::move(seed));
}

void AddWords(const rapidjson::Value& value, std::set<std::string>& words) {
  if (value.IsString()) {
    words.insert(std::string(value.GetString(), value.GetStringLength()));
  } else if (value.IsArray()) {
    for (const rapidjson::Value& element : value.GetArray()) AddWords(element, words);
  } else if (value.IsObject()) {
    for (const auto& member : value.GetObject()) {
      words.insert(absl::StrCat("\"", member.name.GetString(), "\":"));
      AddWords(member.value, words);
    }
  }
}

std::vector<rapidjson::Document> TestData(const std::string& dialect) {
  std::vector<std::filesystem::path> paths;
  const auto folder =
      std::filesystem::path(ASSETGATE_SOURCE_DIR) / "providers" / dialect / "testdata";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".json") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<rapidjson::Document> documents;
  for (const auto& path : paths) {
    std::ifstream file(path);
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    if (auto doc = base::ParseJson(text)) documents.push_back(*std::move(doc));
  }
  return documents;
}

std::vector<std::string> Seeds(const std::string& dialect) {
  std::vector<std::string> seeds;
  for (const rapidjson::Document& doc : TestData(dialect)) {
    if (doc.IsObject()) AddSeed(doc, seeds);
    if (!doc.IsArray()) continue;
    for (const rapidjson::Value& exchange : doc.GetArray()) AddSeed(exchange, seeds);
  }
  for (const char* const id :
       {"video_1", "vt-1", "cgt-1", "5f0c1d2e-3a4b-4c5d-8e6f-708192a3b4c5"}) {
    seeds.push_back(absl::StrCat("adopt video\n\n", id));
  }
  return seeds;
}

std::set<std::string> Words(const std::string& dialect) {
  std::set<std::string> words = {
      "submit ", "poll ",        "delete ", "adopt ",       "group ", "asset ", "video ", "replay",
      "Handle:", "Retry-After:", "Date:",   "http://a?b#c", "null",   "true",   "\\u0000"};
  for (const rapidjson::Document& doc : TestData(dialect)) AddWords(doc, words);
  return words;
}

}  // namespace

std::vector<Target> DialectTargets() {
  std::vector<Target> targets;
  for (const provider::DialectFactory* const factory : providers::AllDialects()) {
    const std::string name = factory->name;
    const std::shared_ptr<const Dialect> dialect = *factory->create(*factory->new_options());
    targets.push_back({.name = name,
                       .check =
                           [dialect](absl::string_view input) {
                             const Exchange exchange = ReadExchange(input);
                             return Decoder(*dialect, exchange).Check();
                           },
                       .seeds = [name] { return Seeds(name); },
                       .words = [name] { return Words(name); }});
  }
  return targets;
}

}  // namespace assetgate::fuzz
