#include "providers/octopusx/handle.h"

#include <optional>

#include "base/json.h"

namespace assetgate::providers::octopusx {

provider::Handle MakeHandle(const Ids& ids) {
  rapidjson::Document doc(rapidjson::kObjectType);
  if (!ids.id.empty()) base::SetJson(doc, doc, "id", ids.id);
  if (!ids.task_id.empty()) base::SetJson(doc, doc, "task_id", ids.task_id);
  return base::WriteJson(doc);
}

Ids IdsOf(const provider::Handle& handle) {
  const std::optional<rapidjson::Document> doc = base::ParseJson(handle);
  if (!doc.has_value()) return {};
  return {base::JsonText(*doc, "id"), base::JsonText(*doc, "task_id")};
}

}  // namespace assetgate::providers::octopusx
