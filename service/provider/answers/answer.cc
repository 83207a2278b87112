#include "provider/answers/answer.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "provider/answers/failure_words.h"
#include "provider/answers/states.h"
#include "provider/json.h"
#include "provider/rest.h"

namespace assetgate::provider::answers {
namespace {

using rapidjson::Value;

// The keys under which envelopes hold what they wrap.
constexpr absl::string_view kEnvelopeKeys[] = {"data", "result", "response", "task", "job"};
// Relays behind relays; nobody has been seen to go deeper.
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

}  // namespace

const Value* Member(const Value& object, absl::string_view name) {
  if (!object.IsObject()) return nullptr;
  // As it is documented, before other spellings of it.
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
  return WriteJson(*value);
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
  return value == nullptr ? std::nullopt : JsonInteger(*value, "");
}

std::optional<double> NumberAt(const Value& root, absl::string_view path) {
  const Value* const value = At(root, path);
  return value == nullptr ? std::nullopt : JsonNumber(*value, "");
}

Answer::Answer(const http::Response& response) : response_(response) {
  std::optional<rapidjson::Document> parsed = ParseAnswer(response.body);
  if (!parsed.has_value() || (!parsed->IsObject() && !parsed->IsArray())) return;
  documents_.push_back(*std::move(parsed));
  root_ = &documents_.back();
  AddLayers(*root_, 1);
}

void Answer::AddLayers(const Value& value, int depth) {
  if (depth > kMaxLayers) return;
  if (value.IsArray()) {
    for (const Value& element : value.GetArray()) {
      if (element.IsObject()) return AddLayers(element, depth);
      if (bare_data_ == nullptr && depth > 1 && !element.IsNull()) bare_data_ = &element;
    }
    return;
  }
  if (value.IsObject()) {
    layers_.push_back(&value);
    for (const absl::string_view key : kEnvelopeKeys) {
      if (const Value* const inner = Member(value, key); inner != nullptr) {
        AddLayers(*inner, depth + 1);
      }
    }
    return;
  }
  if (value.IsString()) {
    const absl::string_view text(value.GetString(), value.GetStringLength());
    if (absl::StartsWith(absl::StripLeadingAsciiWhitespace(text), "{")) {
      if (std::optional<rapidjson::Document> inner = ParseAnswer(text); inner.has_value()) {
        documents_.push_back(*std::move(inner));
        return AddLayers(documents_.back(), depth);
      }
    }
  }
  if (bare_data_ == nullptr) bare_data_ = &value;
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
    bool common_name;
  };
  std::vector<Candidate> candidates;
  for (const absl::string_view name : ids.names) {
    for (const Value* const layer : answer.layers()) {
      if (std::string id = IdIn(Member(*layer, name)); !id.empty()) {
        candidates.push_back({std::move(id), IsCommonName(name)});
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
  // An id under a name that anything can have, in an answer that says that the call failed, may be
  // the id of the call.
  const bool failed = SaysFailed(answer);
  for (const Candidate& candidate : candidates) {
    if (!failed || !candidate.common_name) return candidate.id;
  }
  std::string bare = failed ? "" : IdIn(answer.bare_data());
  if (absl::StrContains(bare, "://") || IsKnownStateWord(bare)) return "";
  return bare;
}

}  // namespace assetgate::provider::answers
