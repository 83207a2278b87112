#include "tests/simulator/rewrite.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rapidjson/document.h"
#include "rapidjson/pointer.h"
#include "tests/simulator/json.h"

namespace assetgate::simulator {
namespace {

using rapidjson::Value;

absl::string_view TextOf(const Value& value) {
  return value.IsString() ? absl::string_view(value.GetString(), value.GetStringLength()) : "";
}

// The JSON pointer to the first text that begins with `start`.
std::optional<std::string> FindText(const Value& value, absl::string_view start,
                                    const std::string& path) {
  if (value.IsString() && absl::StartsWith(TextOf(value), start)) return path;
  if (value.IsObject()) {
    for (const auto& member : value.GetObject()) {
      auto found = FindText(member.value, start, absl::StrCat(path, "/", TextOf(member.name)));
      if (found) return found;
    }
  }
  if (value.IsArray()) {
    for (rapidjson::SizeType i = 0; i < value.Size(); ++i) {
      auto found = FindText(value[i], start, absl::StrCat(path, "/", i));
      if (found) return found;
    }
  }
  return std::nullopt;
}

Value* At(rapidjson::Document& document, const std::string& pointer) {
  return rapidjson::Pointer(pointer.data(), pointer.size()).Get(document);
}

// The values of a template's placeholders.
struct Parts {
  const Value& answer;
  const Value& payload;
  Value id;
  Value link;

  const Value* Find(absl::string_view placeholder) const {
    if (placeholder == "$answer") return &answer;
    if (placeholder == "$payload") return &payload;
    if (placeholder == "$id") return &id;
    if (placeholder == "$link") return &link;
    return nullptr;
  }
};

// Adds a member, or replaces the one of that name.
void Put(const Value& name, Value value, rapidjson::Document::AllocatorType& allocator,
         Value* object) {
  object->RemoveMember(name);
  object->AddMember(Value(name, allocator), value, allocator);
}

Value Fill(const Value& form, const Parts& parts, rapidjson::Document::AllocatorType& allocator) {
  if (const Value* part = parts.Find(TextOf(form))) return Value(*part, allocator);
  if (form.IsArray()) {
    Value array(rapidjson::kArrayType);
    for (const Value& element : form.GetArray()) {
      array.PushBack(Fill(element, parts, allocator), allocator);
    }
    return array;
  }
  if (form.IsObject()) {
    Value object(rapidjson::kObjectType);
    for (const auto& member : form.GetObject()) {
      Value value = Fill(member.value, parts, allocator);
      if (TextOf(member.name) == "..." && value.IsObject()) {
        const Value& brought = value;
        for (const auto& its : brought.GetObject()) {
          Put(its.name, Value(its.value, allocator), allocator, &object);
        }
      } else {
        Put(member.name, std::move(value), allocator, &object);
      }
    }
    return object;
  }
  return Value(form, allocator);
}

}  // namespace

bool Dress(absl::string_view template_json, absl::string_view id, absl::string_view media_url,
           Response* response) {
  rapidjson::Document answer;
  rapidjson::Document form;
  if (response->status < 200 || response->status > 299 || !ParseJson(response->body, &answer) ||
      !answer.IsObject() || !ParseJson(template_json, &form)) {
    return false;
  }
  const Value* data = At(answer, "/data");
  const Value& payload = data != nullptr && data->IsObject() ? *data : answer;
  rapidjson::Document dressed;
  auto& allocator = dressed.GetAllocator();
  Parts parts{answer, payload, Value(), Value()};
  if (!id.empty()) parts.id.SetString(id.data(), id.size(), allocator);
  if (const auto link = FindText(answer, media_url, "")) {
    parts.link.CopyFrom(*At(answer, *link), allocator);
  } else if (absl::StrContains(template_json, "\"$link\"")) {
    return false;
  }
  Value filled = Fill(form, parts, allocator);
  response->body = Json::Of(filled).text();
  return true;
}

bool MoveLink(absl::string_view media_url, absl::string_view to, absl::string_view value,
              Response* response) {
  rapidjson::Document document;
  if (!ParseJson(response->body, &document)) return false;
  const std::optional<std::string> from = FindText(document, media_url, "");
  if (!from) return false;
  const std::string link(value.empty() ? TextOf(*At(document, *from)) : value);
  rapidjson::Pointer(from->data(), from->size()).Erase(document);
  const std::string target(!to.empty() ? to : value.empty() ? "" : *from);
  if (!target.empty()) {
    Value text(link.data(), link.size(), document.GetAllocator());
    rapidjson::Pointer(target.data(), target.size()).Set(document, text);
  }
  response->body = Json::Of(document).text();
  return true;
}

bool AddForeignText(Response* response) {
  if (!absl::StartsWith(response->body, "{\"")) return false;
  // "Hello" in Chinese characters, as GBK has them.
  response->body = absl::StrCat("{\"remark\":\"\xc4\xe3\xba\xc3\",", response->body.substr(1));
  return true;
}

}  // namespace assetgate::simulator
