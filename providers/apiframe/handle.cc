#include "providers/apiframe/handle.h"

#include <optional>

#include "provider/json.h"

namespace assetgate::providers::apiframe {

provider::Handle MakeHandle(absl::string_view id) {
  rapidjson::Document doc(rapidjson::kObjectType);
  provider::SetJson(doc, doc, "id", id);
  return provider::WriteJson(doc);
}

std::string IdOf(const provider::Handle& handle) {
  const std::optional<rapidjson::Document> doc = provider::ParseJson(handle);
  return doc.has_value() ? provider::JsonText(*doc, "id") : "";
}

}  // namespace assetgate::providers::apiframe
