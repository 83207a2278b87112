#include "providers/octopusx/handle.h"

#include <optional>

#include "provider/json.h"

namespace assetgate::providers::octopusx {

provider::Handle MakeHandle(const Ids& ids) {
  rapidjson::Document doc(rapidjson::kObjectType);
  if (!ids.id.empty()) provider::SetJson(doc, doc, "id", ids.id);
  if (!ids.task_id.empty()) provider::SetJson(doc, doc, "task_id", ids.task_id);
  return provider::WriteJson(doc);
}

Ids IdsOf(const provider::Handle& handle) {
  const std::optional<rapidjson::Document> doc = provider::ParseJson(handle);
  if (!doc.has_value()) return {};
  return {provider::JsonText(*doc, "id"), provider::JsonText(*doc, "task_id")};
}

}  // namespace assetgate::providers::octopusx
