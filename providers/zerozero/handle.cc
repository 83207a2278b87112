#include "providers/zerozero/handle.h"

#include <optional>

#include "base/json.h"

namespace assetgate::providers::zerozero {
namespace {

provider::Handle Make(absl::string_view id, absl::string_view key, absl::string_view value) {
  rapidjson::Document doc(rapidjson::kObjectType);
  base::SetJson(doc, doc, "id", id);
  base::SetJson(doc, doc, key, value);
  return base::WriteJson(doc);
}

}  // namespace

provider::Handle MakeRegisteredHandle(absl::string_view id, absl::string_view platform) {
  return Make(id, "platform", platform);
}

provider::Handle MakeVideoHandle(absl::string_view id, absl::string_view model) {
  return Make(id, "model", model);
}

HandleParts ReadHandle(const provider::Handle& handle) {
  const std::optional<rapidjson::Document> doc = base::ParseJson(handle);
  if (!doc.has_value()) return {};
  return {.id = base::JsonText(*doc, "id"),
          .platform = base::JsonText(*doc, "platform"),
          .model = base::JsonText(*doc, "model")};
}

}  // namespace assetgate::providers::zerozero
