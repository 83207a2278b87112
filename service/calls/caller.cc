#include "calls/caller.h"

#include <algorithm>

#include "model/refusal.h"

namespace assetgate::calls {

absl::Status CheckMayUse(
    const Caller& caller, const google::protobuf::RepeatedPtrField<std::string>& providers,
    const google::protobuf::Map<std::string, google::protobuf::Struct>& options) {
  for (const std::string& name : providers) {
    const auto id = model::ParseProvider(name);
    if (id.has_value() && !caller.MayUse(*id)) return model::NotAllowed();
  }
  for (const auto& [id, unused] : options) {
    if (!caller.MayUse(id)) return model::NotAllowed();
  }
  return absl::OkStatus();
}

bool MayUseProvidersOf(const Caller& caller, const store::Row& row) {
  if (caller.providers == nullptr) return true;
  switch (row.key.kind) {
    case store::Kind::kVideoTask: {
      model::VideoEntity task;
      model::FromRow(row, task);
      return model::MayUseAll(caller.providers, task.record.units()) &&
             model::MayUseAll(caller.providers, task.record.targets());
    }
    case store::Kind::kAsset: {
      model::AssetEntity asset;
      model::FromRow(row, asset);
      return model::MayUseAll(caller.providers, asset.record.units());
    }
    default: {
      model::GroupEntity group;
      model::FromRow(row, group);
      return model::MayUseAll(caller.providers, group.record.units());
    }
  }
}

absl::Time AnswerBy(const model::Settings& settings, const Caller& caller, absl::Time now,
                    std::optional<absl::Duration> max_wait) {
  const absl::Duration wait = max_wait.value_or(settings.default_max_wait);
  return std::min(now + std::min(wait, settings.max_wait_limit), caller.deadline - kDeadlineMargin);
}

}  // namespace assetgate::calls
