#include "tests/simulator/faults.h"

#include <algorithm>
#include <array>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace assetgate::simulator {
namespace {

constexpr std::array<absl::string_view, 18> kKindNames = {
    "status",  "garbage",      "truncate",
    "reset",   "close",        "hang",
    "drip",    "state",        "business_failure",
    "no_id",   "content_type", "huge",
    "headers", "edge",         "dress",
    "words",   "link",         "not_utf8"};
constexpr char kUsualDress[] = R"({"code":0,"message":"ok","data":"$payload"})";
constexpr char kUsualLocation[] = "https://elsewhere.example.org/v1/here?token=of-the-redirect";

constexpr int64_t kMaxBytes = int64_t{1} << 30;

// A duration like "1.5s", as text.
void ReadDuration(FieldReader& fields, absl::string_view name, absl::Duration* duration) {
  const std::optional<std::string> text = fields.String(name);
  if (!text) return;
  if (!absl::ParseDuration(*text, duration) || *duration < absl::ZeroDuration()) {
    fields.Refuse(name, "must be a duration such as 250ms or 1m30s");
  }
}

// {"completed":"Done","failed":"ERROR"}
std::map<std::string, std::string> ReadTexts(FieldReader& fields, absl::string_view name) {
  std::map<std::string, std::string> texts;
  const rapidjson::Value* object = fields.Object(name);
  if (object == nullptr) return texts;
  for (const auto& member : object->GetObject()) {
    if (!member.value.IsString()) {
      fields.Refuse(name, "must be an object of texts", Problem::Kind::kType);
      continue;
    }
    texts[member.name.GetString()] = member.value.GetString();
  }
  return texts;
}

StateWords ReadWords(FieldReader& fields) {
  StateWords words;
  words.of = ReadTexts(fields, "words");
  const std::optional<std::string> letters =
      fields.OneOf("letters", {"as_is", "upper", "lower", "capitalized"});
  if (letters == "upper") words.letters = StateWords::Letters::kUpper;
  if (letters == "lower") words.letters = StateWords::Letters::kLower;
  if (letters == "capitalized") words.letters = StateWords::Letters::kCapitalized;
  words.around = fields.String("around").value_or("");
  return words;
}

Fault ReadFault(const rapidjson::Value& json, std::vector<Problem>* problems) {
  FieldReader fields(json, "fault.", problems);
  Fault fault;
  const std::optional<std::string> kind =
      fields.OneOf("kind", {kKindNames.begin(), kKindNames.end()}, FieldReader::kRequired);
  if (kind) {
    fault.kind = static_cast<Fault::Kind>(std::find(kKindNames.begin(), kKindNames.end(), *kind) -
                                          kKindNames.begin());
  }
  fault.after_work = fields.Bool("after_work").value_or(false);
  const int usual_status = fault.kind == Fault::Kind::kEdge ? 502 : 500;
  fault.status = static_cast<int>(fields.IntBetween("status", 100, 999).value_or(usual_status));
  if (fields.Has("retry_after")) {
    const rapidjson::Value& value = json["retry_after"];
    if (value.IsInt64()) {
      fault.retry_after = absl::StrCat(fields.Int("retry_after").value_or(0));
    } else {
      fault.retry_after = fields.String("retry_after").value_or("");
    }
  }
  fault.body = fields.String("body");
  fault.content_type = fields.String("content_type").value_or("");
  if (fault.kind == Fault::Kind::kDrip) fault.duration = absl::Milliseconds(20);
  ReadDuration(fields, "duration", &fault.duration);
  fault.answer_after_hang = fields.OneOf("then", {"close", "answer"}) == "answer";
  const int64_t usual_bytes = fault.kind == Fault::Kind::kHuge      ? int64_t{16} << 20
                              : fault.kind == Fault::Kind::kHeaders ? 100
                                                                    : 16;
  fault.bytes = fields.IntBetween("bytes", 1, kMaxBytes).value_or(usual_bytes);
  fault.count = fields.IntBetween("count", 1, 100'000).value_or(100);
  fault.state = fields.String("state").value_or("Reticulating");
  fault.code = fields.String("code").value_or("");
  fault.message = fields.String("message").value_or("");
  fault.echo = fields.Bool("echo").value_or(false);
  fault.location = fields.String("location").value_or(kUsualLocation);
  fault.server = fields.OneOf("server", {"cloudflare", "nginx"}).value_or("cloudflare");
  const rapidjson::Value* dress = fields.Object("template");
  fault.dress = dress == nullptr ? kUsualDress : Json::Of(*dress).text();
  fault.words = ReadWords(fields);
  fault.link_to = fields.String("to").value_or("");
  if (!fault.link_to.empty() && fault.link_to[0] != '/') {
    fields.Refuse("to", "must be a JSON pointer such as /result/url");
  }
  fault.link_value = fields.String("value").value_or("");
  fields.RefuseUnread();
  return fault;
}

}  // namespace

absl::string_view FaultKindName(Fault::Kind kind) { return kKindNames[static_cast<int>(kind)]; }

absl::StatusOr<FaultRule> ParseFaultRule(const rapidjson::Value& json) {
  std::vector<Problem> problems;
  FieldReader fields(json, "", &problems);
  FaultRule rule;
  rule.provider = fields.String("provider").value_or("*");
  rule.call = fields.String("call").value_or("*");
  if (rule.call != "*" && !CallOfName(rule.call)) {
    std::string known = "must be *";
    for (int call = 0; call < kCallCount; ++call) {
      absl::StrAppend(&known, ", ", CallName(static_cast<Call>(call)));
    }
    fields.Refuse("call", known);
  }
  rule.id = fields.String("id").value_or("");
  rule.skip = fields.IntBetween("skip", 0, kMaxBytes).value_or(0);
  rule.times = fields.IntBetween("times", 1, kMaxBytes);
  const rapidjson::Value* fault = fields.Object("fault", FieldReader::kRequired);
  if (fault != nullptr) rule.fault = ReadFault(*fault, &problems);
  fields.RefuseUnread();
  if (!problems.empty()) return absl::InvalidArgumentError(Sentence(problems));
  return rule;
}

int64_t FaultTable::Add(FaultRule rule) {
  absl::MutexLock lock(&mu_);
  if (entries_.size() >= kCapacity) entries_.erase(entries_.begin());
  entries_.push_back(Entry{++last_number_, std::move(rule)});
  return last_number_;
}

bool FaultTable::Remove(int64_t number) {
  absl::MutexLock lock(&mu_);
  return std::erase_if(entries_, [&](const Entry& entry) { return entry.number == number; }) > 0;
}

void FaultTable::Clear() {
  absl::MutexLock lock(&mu_);
  entries_.clear();
  ++releases_;
}

std::optional<FaultTable::Hit> FaultTable::Take(absl::string_view provider, Call call,
                                                const Request& request) {
  absl::MutexLock lock(&mu_);
  for (Entry& entry : entries_) {
    const FaultRule& rule = entry.rule;
    if (rule.provider != "*" && rule.provider != provider) continue;
    if (rule.call != "*" && rule.call != CallName(call)) continue;
    if (!rule.id.empty() && !absl::StrContains(request.path, rule.id) &&
        !absl::StrContains(request.body, rule.id)) {
      continue;
    }
    if (rule.times && entry.hits >= *rule.times) continue;
    if (entry.seen++ < rule.skip) continue;
    ++entry.hits;
    return Hit{entry.number, rule.fault};
  }
  return std::nullopt;
}

void FaultTable::GiveBack(int64_t number) {
  absl::MutexLock lock(&mu_);
  for (Entry& entry : entries_) {
    if (entry.number == number) --entry.hits;
  }
}

Json FaultTable::Describe() const {
  absl::MutexLock lock(&mu_);
  std::vector<Json> rules;
  for (const Entry& entry : entries_) {
    const FaultRule& rule = entry.rule;
    rules.push_back(
        Json::Object({{"number", entry.number},
                      {"provider", rule.provider},
                      {"call", rule.call},
                      {"id", rule.id},
                      {"kind", FaultKindName(rule.fault.kind)},
                      {"after_work", rule.fault.after_work},
                      {"hits", entry.hits},
                      {"remaining", rule.times ? Json(*rule.times - entry.hits) : Json(nullptr)}}));
  }
  return Json::Array(rules);
}

void FaultTable::Hang(absl::Duration duration) {
  absl::MutexLock lock(&mu_);
  const int64_t releases = releases_;
  const auto ended = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) {
    return stopped_ || releases_ != releases;
  };
  ++hanging_;
  mu_.AwaitWithTimeout(absl::Condition(&ended), duration);
  --hanging_;
}

bool FaultTable::AwaitHangs(int count, absl::Duration timeout) const {
  absl::MutexLock lock(&mu_);
  const auto reached = [&]() ABSL_SHARED_LOCKS_REQUIRED(mu_) { return hanging_ >= count; };
  return mu_.AwaitWithTimeout(absl::Condition(&reached), timeout);
}

void FaultTable::ReleaseHangs() {
  absl::MutexLock lock(&mu_);
  ++releases_;
}

void FaultTable::Stop() {
  absl::MutexLock lock(&mu_);
  stopped_ = true;
}

bool FaultTable::stopped() const {
  absl::MutexLock lock(&mu_);
  return stopped_;
}

}  // namespace assetgate::simulator
