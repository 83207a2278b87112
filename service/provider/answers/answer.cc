#include "provider/answers/answer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/json.h"
#include "provider/answers/failure_words.h"
#include "provider/answers/states.h"
#include "provider/rest.h"

namespace assetgate::provider::answers {
namespace {

using rapidjson::Value;

// The keys under which envelopes hold what they wrap.
constexpr absl::string_view kEnvelopeKeys[] = {"data",  "result", "response", "task",
                                               "job",   "output", "payload",  "video",
                                               "asset", "group",  "items",    "list"};
// The keys that can hold the id itself.
constexpr absl::string_view kBareKeys[] = {"data", "result"};
// How many elements of a list are searched for the polled unit.
constexpr rapidjson::SizeType kMaxElements = 1000;
// Relays behind relays; deeper nesting has not been observed.
constexpr int kMaxLayers = 4;
constexpr std::size_t kMaxExcerptBytes = 4096;

bool SameName(absl::string_view a, absl::string_view b) {
  std::size_t i = 0;
  std::size_t j = 0;
  const auto skip = [](absl::string_view text, std::size_t& at) {
    while (at < text.size() && (text[at] == '_' || text[at] == '-')) ++at;
  };
  while (true) {
    skip(a, i);
    skip(b, j);
    if (i == a.size() || j == b.size()) return i == a.size() && j == b.size();
    if (absl::ascii_tolower(static_cast<unsigned char>(a[i])) !=
        absl::ascii_tolower(static_cast<unsigned char>(b[j]))) {
      return false;
    }
    ++i;
    ++j;
  }
}

bool IsCommonName(absl::string_view name) { return SameName(name, "id"); }

bool IsOneOf(absl::string_view name, std::span<const absl::string_view> names) {
  return std::any_of(names.begin(), names.end(),
                     [&](absl::string_view other) { return SameName(name, other); });
}

// Whether an element of a list has that id under any name.
bool Names(const Value& element, absl::string_view id) {
  if (!element.IsObject()) return false;
  const auto& members = element.GetObject();
  return std::any_of(members.begin(), members.end(), [&](const auto& member) {
    return (member.value.IsString() || member.value.IsNumber()) &&
           absl::EqualsIgnoreCase(TextOf(&member.value), id);
  });
}

// Whether a value without a telling name may be an id: not a state, a time, an address or a small
// number.
bool IsBareId(absl::string_view id, const IdNames& ids) {
  if (ids.has_form != nullptr && ids.has_form(id)) return true;
  if (absl::StrContains(id, "://") || IsKnownStateWord(id)) return false;
  if (id.find_first_of("<>{}[]\"'") != absl::string_view::npos) return false;
  const auto digits = std::count_if(id.begin(), id.end(), absl::ascii_isdigit);
  const bool number = digits == static_cast<std::ptrdiff_t>(id.size());
  absl::Time time;
  return digits > 0 && (!number || digits >= 6) &&
         !absl::ParseTime(absl::RFC3339_full, id, &time, nullptr);
}

}  // namespace

bool IsEnvelopeKey(absl::string_view name) { return IsOneOf(name, kEnvelopeKeys); }

const Value* Member(const Value& object, absl::string_view name) {
  if (!object.IsObject()) return nullptr;
  // The documented spelling before any other.
  const Value* other = nullptr;
  for (const auto& member : object.GetObject()) {
    if (member.value.IsNull()) continue;
    const absl::string_view candidate(member.name.GetString(), member.name.GetStringLength());
    if (candidate == name) return &member.value;
    if (other == nullptr && SameName(candidate, name)) other = &member.value;
  }
  return other;
}

const Value* At(const Value& root, absl::string_view path) {
  const Value* value = &root;
  for (const absl::string_view step : absl::StrSplit(path, '.', absl::SkipEmpty())) {
    if (value->IsArray()) {
      std::size_t index = 0;
      if (!absl::SimpleAtoi(step, &index) || index >= value->Size()) return nullptr;
      value = &(*value)[static_cast<rapidjson::SizeType>(index)];
      if (value->IsNull()) return nullptr;
    } else {
      value = Member(*value, step);
      if (value == nullptr) return nullptr;
    }
  }
  return value;
}

std::string TextOf(const Value* value) {
  if (value == nullptr || value->IsObject() || value->IsArray() || value->IsNull()) return "";
  if (value->IsString()) {
    return std::string(absl::StripAsciiWhitespace(
        absl::string_view(value->GetString(), value->GetStringLength())));
  }
  return base::WriteJson(*value);
}

std::string TextAt(const Value& root, absl::string_view path) { return TextOf(At(root, path)); }

std::string FirstText(const Value& root, std::initializer_list<absl::string_view> paths) {
  for (const absl::string_view path : paths) {
    if (std::string text = TextAt(root, path); !text.empty()) return text;
  }
  return "";
}

std::optional<std::int64_t> IntegerAt(const Value& root, absl::string_view path) {
  const Value* const value = At(root, path);
  return value == nullptr ? std::nullopt : base::JsonInteger(*value, "");
}

std::optional<double> NumberAt(const Value& root, absl::string_view path) {
  const Value* const value = At(root, path);
  return value == nullptr ? std::nullopt : base::JsonNumber(*value, "");
}

std::optional<rapidjson::Document> JsonInText(absl::string_view text) {
  text = absl::StripLeadingAsciiWhitespace(text);
  if (!absl::StartsWith(text, "{") && !absl::StartsWith(text, "[")) return std::nullopt;
  return base::ParseAnswer(text);
}

Answer::Answer(const http::Response& response, absl::string_view asked)
    : response_(response), asked_(asked) {
  std::optional<rapidjson::Document> parsed = base::ParseAnswer(response.body);
  // A body that is one text is parsed like a body: JSON need not begin it.
  if (parsed.has_value() && parsed->IsString()) {
    parsed = base::ParseAnswer({parsed->GetString(), parsed->GetStringLength()});
  }
  if (!parsed.has_value() || (!parsed->IsObject() && !parsed->IsArray())) return;
  documents_.push_back(*std::move(parsed));
  root_ = &documents_.back();
  AddLayers(*root_, 1, /*may_be_bare=*/false);
}

const Value* Answer::ElementOf(const Value& list) const {
  const Value* first = nullptr;
  const rapidjson::SizeType count = std::min(list.Size(), kMaxElements);
  for (rapidjson::SizeType i = 0; i < count; ++i) {
    const Value& element = list[i];
    if (!asked_.empty() && Names(element, asked_)) return &element;
    const bool better = first == nullptr || (element.IsObject() && !first->IsObject());
    if (!element.IsNull() && better) first = &element;
  }
  return first;
}

void Answer::AddLayers(const Value& value, int depth, bool may_be_bare) {
  if (depth > kMaxLayers) return;
  if (value.IsArray()) {
    const Value* const element = ElementOf(value);
    if (element != nullptr && !element->IsArray()) AddLayers(*element, depth, may_be_bare);
    return;
  }
  if (value.IsObject()) {
    layers_.push_back(&value);
    for (const absl::string_view key : kEnvelopeKeys) {
      if (const Value* const inner = Member(value, key); inner != nullptr) {
        AddLayers(*inner, depth + 1, IsOneOf(key, kBareKeys));
      }
    }
    return;
  }
  if (value.IsString()) {
    const absl::string_view text(value.GetString(), value.GetStringLength());
    if (std::optional<rapidjson::Document> inner = JsonInText(text); inner.has_value()) {
      documents_.push_back(*std::move(inner));
      return AddLayers(documents_.back(), depth, /*may_be_bare=*/false);
    }
  }
  if (bare_data_ == nullptr && may_be_bare) bare_data_ = &value;
}

std::string Answer::Excerpt() const { return response_.body.substr(0, kMaxExcerptBytes); }

std::string IdIn(const Value* value) {
  if (value == nullptr || value->IsBool()) return "";
  std::string id = TextOf(value);
  if (!IsId(id) || id == "0" || id == "-1") return "";
  // A number with a fraction is written with a point.
  if (value->IsNumber() && !value->IsInt64() && !value->IsUint64()) return "";
  for (const absl::string_view none : {"null", "undefined", "none", "nil", "nan"}) {
    if (absl::EqualsIgnoreCase(id, none)) return "";
  }
  return id;
}

std::string IdOfObject(const Value& object, const IdNames& ids) {
  for (const absl::string_view name : ids.names) {
    if (std::string id = IdIn(Member(object, name)); !id.empty()) return id;
  }
  return "";
}

std::string FindId(const Answer& answer, const IdNames& ids) {
  struct Candidate {
    std::string id;
    // It may be the id of the call.
    bool may_be_the_calls;
  };
  std::vector<Candidate> candidates;
  for (const absl::string_view name : ids.names) {
    for (const Value* const layer : answer.layers()) {
      if (std::string id = IdIn(Member(*layer, name)); !id.empty()) {
        candidates.push_back(
            {std::move(id), IsCommonName(name) && layer == answer.layers().front()});
      }
    }
  }
  const auto has_form = [&](const Candidate& candidate) {
    return ids.has_form != nullptr && ids.has_form(candidate.id);
  };
  if (const auto it = std::find_if(candidates.begin(), candidates.end(), has_form);
      it != candidates.end()) {
    return it->id;
  }
  // Where the answer says that the call failed, an id under a common name may be the id of the
  // call.
  const bool failed = SaysFailed(answer);
  for (const Candidate& candidate : candidates) {
    if (!failed || !candidate.may_be_the_calls) return candidate.id;
  }
  std::string bare = failed ? "" : IdIn(answer.bare_data());
  return IsBareId(bare, ids) ? bare : "";
}

}  // namespace assetgate::provider::answers
