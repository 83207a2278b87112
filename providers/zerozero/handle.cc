#include "providers/zerozero/handle.h"

#include <optional>

#include "provider/json.h"

namespace assetgate::providers::zerozero {
namespace {

provider::Handle Make(absl::string_view id, absl::string_view key, absl::string_view value) {
  rapidjson::Document doc(rapidjson::kObjectType);
  provider::SetJson(doc, doc, "id", id);
  provider::SetJson(doc, doc, key, value);
  return provider::WriteJson(doc);
}

}  // namespace

provider::Handle MakeRegisteredHandle(absl::string_view id, absl::string_view platform) {
  return Make(id, "platform", platform);
}

provider::Handle MakeVideoHandle(absl::string_view id, absl::string_view model) {
  return Make(id, "model", model);
}

HandleParts ReadHandle(const provider::Handle& handle) {
  const std::optional<rapidjson::Document> doc = provider::ParseJson(handle);
  if (!doc.has_value()) return {};
  return {.id = provider::JsonText(*doc, "id"),
          .platform = provider::JsonText(*doc, "platform"),
          .model = provider::JsonText(*doc, "model")};
}

}  // namespace assetgate::providers::zerozero
