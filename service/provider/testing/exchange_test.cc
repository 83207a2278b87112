#include "provider/testing/exchange_test.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "google/protobuf/util/json_util.h"
#include "provider/mask.h"
#include "rapidjson/document.h"

namespace assetgate::provider::testing {
namespace {

using rapidjson::Document;
using rapidjson::Value;

// --- JSON ---------------------------------------------------------------------------------------

// `value` with the members of every object in order, so that equal values are equal texts.
Value Sorted(const Value& value, Document& doc) {
  if (value.IsArray()) {
    Value array(rapidjson::kArrayType);
    for (const Value& element : value.GetArray()) {
      array.PushBack(Sorted(element, doc), doc.GetAllocator());
    }
    return array;
  }
  if (!value.IsObject()) return Value(value, doc.GetAllocator());
  std::vector<std::string> keys;
  for (const auto& member : value.GetObject()) keys.push_back(member.name.GetString());
  std::sort(keys.begin(), keys.end());
  Value object(rapidjson::kObjectType);
  for (const std::string& key : keys)
    base::SetJson(doc, object, key, Sorted(value[key.c_str()], doc));
  return object;
}

std::string Canonical(const Value& value) {
  Document doc;
  return base::WriteJson(Sorted(value, doc));
}

// As Canonical, for text that may not be JSON at all.
std::string CanonicalText(absl::string_view text) {
  const std::optional<Document> doc = base::ParseJson(text);
  return doc.has_value() ? Canonical(*doc) : std::string(text);
}

// The member, or `fallback` as JSON where there is none.
std::string Member(const Value& object, absl::string_view key, absl::string_view fallback) {
  const Value* value = base::FindJson(object, key);
  return value == nullptr ? std::string(fallback) : base::WriteJson(*value);
}

// A handle, a body: JSON, or a string that is meant as it is.
std::string TextOf(const Value& value) {
  return value.IsString() ? std::string(value.GetString(), value.GetStringLength())
                          : base::WriteJson(value);
}

std::string TextMember(const Value& object, absl::string_view key, absl::string_view fallback) {
  const Value* value = base::FindJson(object, key);
  return value == nullptr ? std::string(fallback) : TextOf(*value);
}

template <typename Message>
Message FromJson(const std::string& json) {
  Message message;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &message);
  EXPECT_TRUE(status.ok()) << status.ToString() << "\nin " << json;
  return message;
}

void SetMessage(Document& doc, Value& object, absl::string_view key,
                const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  EXPECT_TRUE(google::protobuf::util::MessageToJsonString(message, &json, options).ok());
  const std::optional<Document> parsed = base::ParseJson(json);
  ASSERT_TRUE(parsed.has_value()) << json;
  base::SetJson(doc, object, key, Value(*parsed, doc.GetAllocator()));
}

// --- Results as JSON ----------------------------------------------------------------------------

absl::string_view Name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kAccepted:
      return "ACCEPTED";
    case Outcome::kRefused:
      return "REFUSED";
    case Outcome::kNotAccepted:
      return "NOT_ACCEPTED";
    case Outcome::kUnknown:
      return "UNKNOWN";
  }
  return "?";
}

absl::string_view Name(Observation::Progress progress) {
  switch (progress) {
    case Observation::Progress::kQueued:
      return "QUEUED";
    case Observation::Progress::kRunning:
      return "RUNNING";
    case Observation::Progress::kSucceeded:
      return "SUCCEEDED";
    case Observation::Progress::kFailed:
      return "FAILED";
    case Observation::Progress::kCancelled:
      return "CANCELLED";
    case Observation::Progress::kGone:
      return "GONE";
  }
  return "?";
}

absl::string_view Name(UnitNews::Kind kind) {
  switch (kind) {
    case UnitNews::Kind::kNone:
      return "NONE";
    case UnitNews::Kind::kObserved:
      return "OBSERVED";
    case UnitNews::Kind::kNotFound:
      return "NOT_FOUND";
  }
  return "?";
}

absl::string_view Name(base::Act act) {
  switch (act) {
    case base::Act::kCaller:
      return "CALLER";
    case base::Act::kOperator:
      return "OPERATOR";
    case base::Act::kWait:
      return "WAIT";
  }
  return "?";
}

void SetText(Document& doc, Value& object, absl::string_view key, absl::string_view text) {
  if (!text.empty()) base::SetJson(doc, object, key, text);
}

Value ToJson(const Failure& failure, Document& doc) {
  Value object(rapidjson::kObjectType);
  base::SetJson(doc, object, "reason", v1::ErrorReason_Name(failure.reason));
  if (failure.act.has_value()) base::SetJson(doc, object, "act", Name(*failure.act));
  if (failure.http_status != 0)
    base::SetJson(doc, object, "http_status", Value(failure.http_status));
  SetText(doc, object, "code", failure.code);
  SetText(doc, object, "message", failure.message);
  if (failure.retry_after.has_value()) {
    base::SetJson(doc, object, "retry_after",
                  Value(std::int64_t{absl::ToInt64Seconds(*failure.retry_after)}));
  }
  if (failure.unreadable) base::SetJson(doc, object, "unreadable", Value(true));
  if (failure.from_edge) base::SetJson(doc, object, "from_edge", Value(true));
  return object;
}

Value ToJson(const Observation& observation, Document& doc) {
  Value object(rapidjson::kObjectType);
  base::SetJson(doc, object, "progress", Name(observation.progress));
  SetText(doc, object, "provider_state", observation.provider_state);
  SetText(doc, object, "provider_id", observation.provider_id);
  SetText(doc, object, "provider_tracking_id", observation.provider_tracking_id);
  SetText(doc, object, "provider_uri", observation.provider_uri);
  if (observation.end_time.has_value()) {
    base::SetJson(doc, object, "end_time",
                  absl::FormatTime(absl::RFC3339_sec, *observation.end_time, absl::UTCTimeZone()));
  }
  if (observation.failure.has_value()) {
    base::SetJson(doc, object, "failure", ToJson(*observation.failure, doc));
  }
  if (observation.progress_percent.has_value()) {
    base::SetJson(doc, object, "progress_percent", Value(*observation.progress_percent));
  }
  if (observation.video.has_value()) SetMessage(doc, object, "video", *observation.video);
  if (observation.usage.has_value()) SetMessage(doc, object, "usage", *observation.usage);
  if (observation.billing.has_value()) {
    base::SetJson(doc, object, "billing", v1::Attempt::Billing_Name(*observation.billing));
  }
  SetText(doc, object, "upstream_provider", observation.upstream_provider);
  if (observation.unknown_state) base::SetJson(doc, object, "unknown_state", Value(true));
  if (observation.result != Observation::Result::kLinked) {
    base::SetJson(doc, object, "result",
                  observation.result == Observation::Result::kMissing ? "MISSING" : "INLINE");
  }
  if (observation.inner != nullptr) {
    base::SetJson(doc, object, "inner", ToJson(*observation.inner, doc));
  }
  return object;
}

std::string ToJson(const SubmitResult& result) {
  Document doc(rapidjson::kObjectType);
  base::SetJson(doc, doc, "outcome", Name(result.outcome));
  if (result.outcome == Outcome::kAccepted) {
    const std::optional<Document> handle = base::ParseJson(result.handle);
    if (handle.has_value()) {
      base::SetJson(doc, doc, "handle", Value(*handle, doc.GetAllocator()));
    } else {
      base::SetJson(doc, doc, "handle", result.handle);
    }
    base::SetJson(doc, doc, "observation", ToJson(result.observation, doc));
  } else {
    base::SetJson(doc, doc, "failure", ToJson(result.failure, doc));
  }
  return Canonical(doc);
}

std::string ToJson(const PollResult& result) {
  Document doc(rapidjson::kObjectType);
  if (result.trouble.has_value()) {
    base::SetJson(doc, doc, "trouble", ToJson(*result.trouble, doc));
    return Canonical(doc);
  }
  Value array(rapidjson::kArrayType);
  for (const UnitNews& news : result.news) {
    Value object(rapidjson::kObjectType);
    base::SetJson(doc, object, "kind", Name(news.kind));
    if (news.kind == UnitNews::Kind::kObserved) {
      base::SetJson(doc, object, "observation", ToJson(news.observation, doc));
    } else if (news.kind == UnitNews::Kind::kNotFound) {
      base::SetJson(doc, object, "failure", ToJson(news.failure, doc));
    }
    array.PushBack(object, doc.GetAllocator());
  }
  base::SetJson(doc, doc, "news", std::move(array));
  return Canonical(doc);
}

// `expected` with the protos in it written as SetMessage writes them (int64 as text, enums by
// name).
std::string Normalized(const Value& expected) {
  Document doc;
  doc.CopyFrom(expected, doc.GetAllocator());
  const auto normalize = [&doc](Value& observation) {
    if (base::FindJson(observation, "video") != nullptr) {
      SetMessage(doc, observation, "video",
                 FromJson<v1::Video>(Member(observation, "video", "{}")));
    }
    if (base::FindJson(observation, "usage") != nullptr) {
      SetMessage(doc, observation, "usage",
                 FromJson<v1::Usage>(Member(observation, "usage", "{}")));
    }
  };
  if (base::FindJson(doc, "observation") != nullptr) normalize(doc["observation"]);
  if (const Value* news = base::FindJson(doc, "news"); news != nullptr && news->IsArray()) {
    for (Value& one : doc["news"].GetArray()) {
      if (base::FindJson(one, "observation") != nullptr) normalize(one["observation"]);
    }
  }
  return Canonical(doc);
}

// --- One exchange -------------------------------------------------------------------------------

std::optional<UnitKind> KindOf(const Value& root) {
  const std::string kind = base::JsonText(root, "kind");
  if (kind == "group") return UnitKind::kAssetGroup;
  if (kind == "asset") return UnitKind::kAsset;
  if (kind == "video") return UnitKind::kVideo;
  return std::nullopt;
}

std::unique_ptr<const Dialect> MakeDialect(const DialectFactory& factory, const Value& root) {
  const std::unique_ptr<google::protobuf::Message> options = factory.new_options();
  const auto status =
      google::protobuf::util::JsonStringToMessage(Member(root, "options", "{}"), options.get());
  EXPECT_TRUE(status.ok()) << status.ToString();
  absl::StatusOr<std::unique_ptr<const Dialect>> dialect = factory.create(*options);
  EXPECT_TRUE(dialect.ok()) << dialect.status();
  return dialect.ok() ? *std::move(dialect) : nullptr;
}

std::vector<http::Header> HeadersOf(const Value& object) {
  std::vector<http::Header> headers;
  if (const Value* members = base::FindJson(object, "headers"); members != nullptr) {
    for (const auto& member : members->GetObject()) {
      headers.push_back({member.name.GetString(), member.value.GetString()});
    }
  }
  return headers;
}

http::Response ResponseOf(const Value& root) {
  http::Response response;
  response.status = static_cast<int>(base::JsonInteger(root, "response.status").value_or(0));
  if (const Value* value = base::FindJson(root, "response"); value != nullptr) {
    response.headers = HeadersOf(*value);
    response.body = TextMember(*value, "body", "");
  }
  return response;
}

http::Request RequestOf(const Value& root) {
  http::Request request;
  request.method = base::JsonText(root, "request.method");
  request.path = base::JsonText(root, "request.path");
  request.plane = base::JsonText(root, "request.plane");
  if (const Value* value = base::FindJson(root, "request"); value != nullptr) {
    request.headers = HeadersOf(*value);
    request.body = TextMember(*value, "body", "");
  }
  return request;
}

std::vector<Handle> HandlesOf(const Value& root) {
  std::vector<Handle> handles;
  if (const Value* array = base::FindJson(root, "input.handles"); array != nullptr) {
    for (const Value& handle : array->GetArray()) handles.push_back(TextOf(handle));
  }
  if (handles.empty()) handles.push_back("{}");
  return handles;
}

absl::StatusOr<http::Request> EncodeSubmit(const Dialect& dialect, UnitKind kind,
                                           const Value& input) {
  const auto options = FromJson<google::protobuf::Struct>(Member(input, "options", "{}"));
  switch (kind) {
    case UnitKind::kAssetGroup: {
      const auto group = FromJson<v1::AssetGroup>(Member(input, "group", "{}"));
      return dialect.EncodeSubmitGroup({.group = group, .options = options});
    }
    case UnitKind::kAsset: {
      const auto asset = FromJson<v1::Asset>(Member(input, "asset", "{}"));
      return dialect.EncodeSubmitAsset(
          {.asset = asset,
           .source_uri = TextMember(input, "source_uri", asset.source_uri()),
           .group = TextMember(input, "group_handle", ""),
           .options = options});
    }
    case UnitKind::kVideo:
      break;
  }
  const auto task = FromJson<v1::VideoTask>(Member(input, "task", "{}"));
  VideoSubmission submission{.task = task,
                             .provider_model = base::JsonText(input, "provider_model"),
                             .references = {},
                             .idempotency_key = base::JsonText(input, "idempotency_key"),
                             .options = options};
  if (const Value* array = base::FindJson(input, "references"); array != nullptr) {
    for (const Value& value : array->GetArray()) {
      ResolvedReference reference;
      EXPECT_TRUE(v1::Reference::Role_Parse(base::JsonText(value, "role"), &reference.role));
      EXPECT_TRUE(v1::MediaType_Parse(base::JsonText(value, "media_type"), &reference.media_type));
      reference.uri = base::JsonText(value, "uri");
      reference.provider_asset_id = base::JsonText(value, "provider_asset_id");
      reference.asset = TextMember(value, "asset_handle", "");
      submission.references.push_back(std::move(reference));
    }
  }
  return dialect.EncodeSubmitVideo(submission);
}

std::set<std::string> HeaderLines(const std::vector<http::Header>& headers) {
  std::set<std::string> lines;
  for (const http::Header& header : headers) {
    lines.insert(absl::StrCat(absl::AsciiStrToLower(header.name), ": ", header.value));
  }
  return lines;
}

// Authorizes `request` and compares it with what the exchange says.
void CheckRequest(const Dialect& dialect, http::Request request, const Value& root) {
  Credential credential{.id = "test", .secrets = {}};
  for (const std::string& secret : dialect.traits().secrets) {
    credential.secrets[secret] = base::Secret(absl::StrCat(secret, "-of-test"));
  }
  const Traits& traits = dialect.traits();
  const std::string url = BaseUrlFor(request, traits.default_base_url, traits.planes);
  dialect.Authorize(request, DestinationOf(request, url), credential,
                    absl::FromUnixSeconds(1'780'000'000));
  const http::Request expected = RequestOf(root);
  EXPECT_EQ(request.plane, expected.plane);
  EXPECT_EQ(request.method, expected.method);
  EXPECT_EQ(request.path, expected.path);
  EXPECT_EQ(CanonicalText(request.body), CanonicalText(expected.body));
  if (base::FindJson(root, "request.headers") != nullptr) {
    EXPECT_EQ(HeaderLines(request.headers), HeaderLines(expected.headers));
  }
}

void CheckSubmit(const Dialect& dialect, UnitKind kind, const Value& root) {
  http::Request request = RequestOf(root);
  if (const Value* input = base::FindJson(root, "input"); input != nullptr) {
    const absl::StatusOr<http::Request> encoded = EncodeSubmit(dialect, kind, *input);
    ASSERT_TRUE(encoded.ok()) << encoded.status();
    request = *encoded;
    CheckRequest(dialect, request, root);
  }
  const Value* expect = base::FindJson(root, "expect");
  if (expect == nullptr) return;
  const bool replay = base::JsonBool(root, "input.replay").value_or(false);
  const SubmitResult result = dialect.DecodeSubmit(kind, request, ResponseOf(root), replay);
  EXPECT_EQ(ToJson(result), Normalized(*expect));
  if (kind == UnitKind::kVideo && result.outcome == Outcome::kAccepted &&
      base::FindJson(root, "input") != nullptr) {
    const absl::StatusOr<Handle> adopted = dialect.AdoptVideo(
        result.observation.provider_id, base::JsonText(root, "input.provider_model"));
    ASSERT_TRUE(adopted.ok()) << adopted.status();
    EXPECT_EQ(*adopted, result.handle);
  }
}

void CheckPoll(const Dialect& dialect, UnitKind kind, const Value& root) {
  const std::vector<Handle> handles = HandlesOf(root);
  if (base::FindJson(root, "input") != nullptr && base::FindJson(root, "request") != nullptr) {
    const std::vector<PollCall> calls = dialect.EncodePoll(kind, handles);
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(calls[0].units.size(), handles.size());
    CheckRequest(dialect, calls[0].request, root);
  }
  const Value* expect = base::FindJson(root, "expect");
  if (expect == nullptr) return;
  EXPECT_EQ(ToJson(dialect.DecodePoll(kind, ResponseOf(root), handles)), Normalized(*expect));
}

void CheckDelete(const Dialect& dialect, const Value& root) {
  const Handle handle = TextMember(root, "input.handle", "{}");
  const std::optional<http::Request> request = dialect.EncodeDeleteAsset(handle);
  ASSERT_TRUE(request.has_value());
  CheckRequest(dialect, *request, root);
  const Value* expect = base::FindJson(root, "expect");
  if (expect == nullptr) return;
  Document doc(rapidjson::kObjectType);
  if (const auto failure = dialect.DecodeDeleteAsset(ResponseOf(root)); failure.has_value()) {
    base::SetJson(doc, doc, "failure", ToJson(*failure, doc));
  }
  EXPECT_EQ(Canonical(doc), Normalized(*expect));
}

// --- Hostile input ---

// The texts in `value` that a caller or a provider chooses; other strings (enums, resource names,
// handles) have a form that is checked before.
void CollectTexts(Value& value, bool chosen, std::vector<Value*>& texts) {
  static const std::set<std::string> kChosen = {
      "displayName", "display_name", "description", "prompt", "provider_asset_id",
      "sourceUri",   "source_uri",   "uri",         "options"};
  if (value.IsString() && chosen) {
    texts.push_back(&value);
  } else if (value.IsArray()) {
    for (Value& element : value.GetArray()) CollectTexts(element, chosen, texts);
  } else if (value.IsObject()) {
    for (auto& member : value.GetObject()) {
      CollectTexts(member.value, chosen || kChosen.count(member.name.GetString()) > 0, texts);
    }
  }
}

// --- Hostile answers ----------------------------------------------------------------------------

void CollectNodes(Value& value, std::vector<Value*>& nodes) {
  nodes.push_back(&value);
  if (value.IsObject()) {
    for (auto& member : value.GetObject()) CollectNodes(member.value, nodes);
  } else if (value.IsArray()) {
    for (Value& element : value.GetArray()) CollectNodes(element, nodes);
  }
}

// Bodies that were made from `body` by breaking it, and some that are broken by themselves.
std::vector<std::string> HostileBodies(const std::string& body) {
  std::vector<std::string> bodies = {
      "",
      " ",
      "null",
      "true",
      "0",
      "\"\"",
      "\"ok\"",
      "[]",
      "[[]]",
      "[{}]",
      "{}",
      "<html><body>502 Bad Gateway</body></html>",
      "{\"id\":",
      "{\"error\":\"\xff\xfe\"}",
      std::string("{}\0{}", 5),
      std::string(100'000, '['),
      absl::StrCat(std::string(60, '['), std::string(60, ']')),
      R"({"code":200,"msg":"OK","data":null})",
      R"({"error":{"message":{"message":[]}},"message":7,"detail":[[],{},"x",{"msg":1}]})",
  };
  for (std::size_t cut = 1; cut < body.size(); cut += 1 + body.size() / 64) {
    bodies.push_back(body.substr(0, cut));
  }
  const std::optional<Document> original = base::ParseJson(body);
  if (!original.has_value()) return bodies;
  const std::vector<std::string> replacements = {"null",
                                                 "false",
                                                 "true",
                                                 "-1",
                                                 "0",
                                                 "1e300",
                                                 "18446744073709551615",
                                                 "0.5",
                                                 "\"\"",
                                                 "\"x\"",
                                                 "\"\\u0000\\u001b[2J\"",
                                                 "[]",
                                                 "[null]",
                                                 "[{}]",
                                                 "{}",
                                                 R"({"id":{"id":[]}})",
                                                 "\"2026-13-45T99:99:99Z\"",
                                                 "\"../../etc?x=1#y\""};
  Document count;
  count.CopyFrom(*original, count.GetAllocator());
  std::vector<Value*> nodes;
  CollectNodes(count, nodes);
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    for (const std::string& replacement : replacements) {
      Document doc;
      doc.CopyFrom(*original, doc.GetAllocator());
      std::vector<Value*> copies;
      CollectNodes(doc, copies);
      copies[node]->CopyFrom(*base::ParseJson(replacement), doc.GetAllocator());
      bodies.push_back(base::WriteJson(doc));
    }
  }
  return bodies;
}

bool IsUtf8(absl::string_view text) {
  // Parsing checks it, so a text that needs no escapes is JSON if and only if it is UTF-8.
  std::string quoted = "\"";
  for (const char c : text) {
    const bool plain = c != '"' && c != '\\' && !absl::ascii_iscntrl(static_cast<unsigned char>(c));
    quoted.push_back(plain ? c : ' ');
  }
  quoted.push_back('"');
  return base::ParseJson(quoted).has_value();
}

void ExpectSound(UnitKind kind, const Observation& observation) {
  for (const std::string* text :
       {&observation.provider_state, &observation.provider_id, &observation.provider_tracking_id,
        &observation.provider_uri, &observation.upstream_provider}) {
    EXPECT_TRUE(IsUtf8(*text));
  }
  if (observation.progress_percent.has_value()) {
    EXPECT_GE(*observation.progress_percent, 0);
    EXPECT_LE(*observation.progress_percent, 100);
  }
  if (observation.progress == Observation::Progress::kFailed) {
    EXPECT_TRUE(observation.failure.has_value()) << "a failure needs a reason";
  }
  EXPECT_LE(observation.answer.size(), 4096u);
  if (observation.inner != nullptr) ExpectSound(kind, *observation.inner);
  if (kind == UnitKind::kVideo && observation.progress == Observation::Progress::kSucceeded &&
      observation.result == Observation::Result::kLinked) {
    ASSERT_TRUE(observation.video.has_value()) << "a video that succeeded has a link";
    EXPECT_FALSE(observation.video->uri().empty());
  }
  if (observation.video.has_value()) {
    EXPECT_TRUE(v1::Video().ParseFromString(observation.video->SerializeAsString()));
    EXPECT_GE(observation.video->duration().seconds(), 0);
  }
}

void ExpectSound(UnitKind kind, const SubmitResult& result) {
  if (result.outcome == Outcome::kAccepted) {
    EXPECT_FALSE(result.observation.provider_id.empty() &&
                 result.observation.provider_tracking_id.empty())
        << "accepted without an id";
    const std::optional<Document> handle = base::ParseJson(result.handle);
    EXPECT_TRUE(handle.has_value() && handle->IsObject()) << result.handle;
    ExpectSound(kind, result.observation);
  } else {
    EXPECT_NE(result.failure.reason, v1::ERROR_REASON_UNSPECIFIED);
  }
}

}  // namespace

void PrintTo(const Exchange& exchange, std::ostream* out) { *out << exchange.name; }

std::vector<Exchange> LoadExchanges(const std::string& folder) {
  std::vector<Exchange> exchanges;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(ASSETGATE_SOURCE_DIR) / folder, error)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    const std::string name = entry.path().stem().string();
    const std::optional<Document> doc = base::ParseJson(text);
    if (!doc.has_value() || !doc->IsArray()) {
      exchanges.push_back({name, text});
      continue;
    }
    int number = 0;
    for (const Value& value : doc->GetArray()) {
      exchanges.push_back({absl::StrCat(name, "_", ++number), base::WriteJson(value)});
    }
  }
  if (exchanges.empty()) exchanges.push_back({"NoExchangesFound", ""});
  std::sort(exchanges.begin(), exchanges.end(),
            [](const Exchange& a, const Exchange& b) { return a.name < b.name; });
  return exchanges;
}

std::string ExchangeName(const ::testing::TestParamInfo<Exchange>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

void CheckExchange(const DialectFactory& factory, const Exchange& exchange) {
  const std::optional<Document> root = base::ParseJson(exchange.json);
  ASSERT_TRUE(root.has_value() && root->IsObject()) << exchange.name << " is not an exchange";
  SCOPED_TRACE(absl::StrCat(exchange.name, ": ", base::JsonText(*root, "description")));
  EXPECT_NE(base::JsonText(*root, "source"), "") << "where is it documented?";
  const std::unique_ptr<const Dialect> dialect = MakeDialect(factory, *root);
  ASSERT_NE(dialect, nullptr);
  const std::optional<UnitKind> kind = KindOf(*root);
  ASSERT_TRUE(kind.has_value()) << "kind: group, asset or video";
  const std::string operation = base::JsonText(*root, "operation");
  if (operation == "submit") {
    CheckSubmit(*dialect, *kind, *root);
  } else if (operation == "poll") {
    CheckPoll(*dialect, *kind, *root);
  } else if (operation == "delete") {
    CheckDelete(*dialect, *root);
  } else {
    FAIL() << "operation: submit, poll or delete";
  }
}

void CheckHostileInput(const DialectFactory& factory, const Exchange& exchange) {
  const std::optional<Document> root = base::ParseJson(exchange.json);
  ASSERT_TRUE(root.has_value() && root->IsObject()) << exchange.name << " is not an exchange";
  const Value* const input = base::FindJson(*root, "input");
  if (base::JsonText(*root, "operation") != "submit" || input == nullptr) return;
  const std::unique_ptr<const Dialect> dialect = MakeDialect(factory, *root);
  ASSERT_NE(dialect, nullptr);
  const std::optional<UnitKind> kind = KindOf(*root);
  ASSERT_TRUE(kind.has_value());
  const absl::StatusOr<http::Request> plain = EncodeSubmit(*dialect, *kind, *input);
  ASSERT_TRUE(plain.ok()) << plain.status();
  Document count;
  count.CopyFrom(*input, count.GetAllocator());
  std::vector<Value*> texts;
  CollectTexts(count, false, texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const std::string& hostile :
         {std::string("x\r\nX-Evil: 1\r\n\r\n{}"), std::string("x\n"),
          std::string("\"},\"model\":\"y"), std::string("\0\x1b[2J", 5),
          std::string("/../../admin?x=1#y"), std::string("\xE2\x80\xA8 \xC2\x85"),
          std::string(10'000, 'x')}) {
      Document changed;
      changed.CopyFrom(*input, changed.GetAllocator());
      std::vector<Value*> copies;
      CollectTexts(changed, false, copies);
      copies[i]->SetString(hostile, changed.GetAllocator());
      SCOPED_TRACE(absl::StrCat(exchange.name, ", text ", i, ": ", hostile.substr(0, 100)));
      const absl::StatusOr<http::Request> encoded = EncodeSubmit(*dialect, *kind, changed);
      if (!encoded.ok()) continue;
      EXPECT_EQ(encoded->method, plain->method);
      EXPECT_EQ(encoded->path, plain->path);
      EXPECT_EQ(HeaderLines(encoded->headers), HeaderLines(plain->headers));
      const std::optional<Document> before = base::ParseJson(plain->body);
      const std::optional<Document> after = base::ParseJson(encoded->body);
      ASSERT_TRUE(before.has_value() && before->IsObject());
      ASSERT_TRUE(after.has_value() && after->IsObject()) << encoded->body;
      EXPECT_EQ(after->MemberCount(), before->MemberCount()) << encoded->body;
    }
  }
}

void CheckHostileAnswers(const DialectFactory& factory, const Exchange& exchange) {
  const std::optional<Document> root = base::ParseJson(exchange.json);
  ASSERT_TRUE(root.has_value() && root->IsObject()) << exchange.name << " is not an exchange";
  const std::unique_ptr<const Dialect> dialect = MakeDialect(factory, *root);
  ASSERT_NE(dialect, nullptr);
  const std::optional<UnitKind> kind = KindOf(*root);
  ASSERT_TRUE(kind.has_value());
  const std::string operation = base::JsonText(*root, "operation");
  const http::Response documented = ResponseOf(*root);
  http::Request request = RequestOf(*root);
  const std::vector<Handle> handles = HandlesOf(*root);
  const std::set<int> statuses = {documented.status, 200, 202, 400, 404, 500};
  for (const std::string& body : HostileBodies(documented.body)) {
    for (const int status : statuses) {
      SCOPED_TRACE(absl::StrCat("HTTP ", status, ": ", body.substr(0, 500)));
      const http::Response response{.status = status, .headers = documented.headers, .body = body};
      if (operation == "submit") {
        for (const bool replay : {false, true}) {
          ExpectSound(*kind, dialect->DecodeSubmit(*kind, request, response, replay));
        }
      } else if (operation == "poll") {
        const PollResult result = dialect->DecodePoll(*kind, response, handles);
        if (!result.trouble.has_value()) {
          EXPECT_EQ(result.news.size(), handles.size());
        }
        for (const UnitNews& news : result.news) {
          if (news.kind == UnitNews::Kind::kObserved) ExpectSound(*kind, news.observation);
        }
      } else if (operation == "delete") {
        dialect->DecodeDeleteAsset(response);
      }
      if (::testing::Test::HasFailure()) return;
    }
  }
}

void CheckEchoedKey(const DialectFactory& factory, const Exchange& exchange) {
  static constexpr char kKey[] = "sk-A7x/b+C=d9.Q2w8e4r6t0y1u3i5";
  const std::optional<Document> root = base::ParseJson(exchange.json);
  ASSERT_TRUE(root.has_value() && root->IsObject()) << exchange.name << " is not an exchange";
  const std::unique_ptr<const Dialect> dialect = MakeDialect(factory, *root);
  ASSERT_NE(dialect, nullptr);
  const std::optional<UnitKind> kind = KindOf(*root);
  ASSERT_TRUE(kind.has_value());
  const std::string operation = base::JsonText(*root, "operation");
  const http::Response documented = ResponseOf(*root);
  const std::optional<Document> original = base::ParseJson(documented.body);
  if (!original.has_value()) return;
  Credential credential{.id = "test", .secrets = {}};
  credential.secrets["api_key"] = base::Secret(kKey);
  // As a server writes it into a JSON text whose text it is.
  std::string escaped;
  std::string in_url;
  for (const char c : absl::string_view(kKey)) {
    const std::string hex = absl::BytesToHexString(absl::string_view(&c, 1));
    absl::StrAppend(&escaped, "\\u00", hex);
    absl::StrAppend(&in_url, "%", hex);
  }
  const std::vector<std::string> forms = {kKey,
                                          escaped,
                                          in_url,
                                          absl::StrReplaceAll(kKey, {{"/", "\\/"}}),
                                          absl::BytesToHexString(kKey),
                                          absl::Base64Escape(kKey),
                                          absl::Base64Escape(absl::StrCat("Bearer ", kKey)),
                                          std::string(kKey).substr(4, 14)};
  const auto gives_away = [&](const std::string& text) {
    const std::string key = kKey;
    for (std::size_t i = 0; i + 12 <= key.size(); ++i) {
      if (absl::StrContains(text, key.substr(i, 12))) return true;
    }
    return absl::StrContains(text, absl::BytesToHexString(key.substr(0, 12))) ||
           absl::StrContains(text, absl::Base64Escape(key).substr(0, 16));
  };
  Document count;
  count.CopyFrom(*original, count.GetAllocator());
  std::vector<Value*> nodes;
  CollectNodes(count, nodes);
  for (std::size_t node = 0; node < nodes.size(); ++node) {
    if (!nodes[node]->IsString() && !nodes[node]->IsNull()) continue;
    for (const std::string& form : forms) {
      Document doc;
      doc.CopyFrom(*original, doc.GetAllocator());
      std::vector<Value*> copies;
      CollectNodes(doc, copies);
      copies[node]->SetString("ECHO", doc.GetAllocator());
      for (const char* const around : {"@", "key @ is wrong", "https://a.test/?k=@"}) {
        const std::string echo = absl::StrReplaceAll(around, {{"@", form}});
        http::Response response{
            .status = documented.status,
            .headers = {{"Location", absl::StrCat("https://a.test/", form)}},
            .body = absl::StrReplaceAll(base::WriteJson(doc), {{"ECHO", echo}})};
        SCOPED_TRACE(response.body.substr(0, 500));
        MaskSecrets(credential, response);
        std::string made;
        if (operation == "submit") {
          const SubmitResult result =
              dialect->DecodeSubmit(*kind, RequestOf(*root), response, /*replay=*/false);
          made = absl::StrCat(ToJson(result), result.observation.answer);
        } else if (operation == "poll") {
          const std::vector<Handle> handles = HandlesOf(*root);
          const PollResult result = dialect->DecodePoll(*kind, response, handles);
          made = ToJson(result);
          for (const UnitNews& news : result.news) {
            absl::StrAppend(&made, news.observation.answer);
          }
        } else if (const auto failure = dialect->DecodeDeleteAsset(response)) {
          made = absl::StrCat(failure->code, failure->message);
        }
        EXPECT_FALSE(gives_away(made)) << made;
        EXPECT_FALSE(gives_away(response.headers[0].value));
        if (::testing::Test::HasFailure()) return;
      }
    }
  }
}

void CheckAdoption(const DialectFactory& factory, const std::string& model, const std::string& id,
                   const std::string& path, const std::vector<std::string>& others) {
  Document no_options(rapidjson::kObjectType);
  const std::unique_ptr<const Dialect> dialect = MakeDialect(factory, no_options);
  ASSERT_NE(dialect, nullptr);
  const absl::StatusOr<Handle> handle = dialect->AdoptVideo(id, model);
  ASSERT_TRUE(handle.ok()) << handle.status();
  const std::vector<PollCall> calls =
      dialect->EncodePoll(UnitKind::kVideo, std::span<const Handle>(&*handle, 1));
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].request.path, path);

  std::vector<std::string> faulty = others;
  for (const char* const broken : {"", " ", "a b", "x\ny", "\x1b[2J", "vidéo", "video\xff"}) {
    faulty.push_back(broken);
    faulty.push_back(absl::StrCat(id, broken, broken[0] == '\0' ? " " : ""));
  }
  faulty.push_back(absl::StrCat(id, std::string(300, 'x')));
  for (const std::string& text : faulty) {
    SCOPED_TRACE(absl::StrCat("\"", text, "\""));
    const absl::StatusOr<Handle> refused = dialect->AdoptVideo(text, model);
    ASSERT_TRUE(absl::IsInvalidArgument(refused.status())) << refused.status();
    EXPECT_TRUE(IsUtf8(refused.status().message()));
    EXPECT_NE(refused.status().message().find("is not the id of a task"), std::string::npos);
    EXPECT_LT(refused.status().message().size(), 400u);
  }
}

}  // namespace assetgate::provider::testing
