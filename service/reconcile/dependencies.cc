#include "reconcile/dependencies.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "model/apply.h"
#include "reconcile/errors.h"

namespace assetgate::reconcile {
namespace {

// After a provider did not make the group that is used where a caller names none.
constexpr absl::Duration kDefaultGroupRetry = absl::Minutes(1);

bool IsDefaultGroup(const store::Key& key, const model::ProviderEntry& provider) {
  return key.id == model::DefaultGroupId(provider.id);
}

// Usable there, and by which id is not known: without it the URI would be passed instead, which is
// not what the caller asked for.
google::rpc::Status IdUnknown(const std::string& provider_id) {
  return base::Error(absl::StatusCode::kFailedPrecondition, v1::PROVIDER_PROTOCOL_ERROR,
                     absl::StrCat(provider_id,
                                  " says that it is usable and has not said by which id; delete "
                                  "the asset and create it anew"))
      .Metadata("provider", provider_id)
      .ToProto();
}

bool HoldsMedia(const model::ProviderEntry& provider, v1::MediaType type) {
  const auto& held = provider.dialect->traits().asset_capabilities.media_types();
  return std::find(held.begin(), held.end(), type) != held.end();
}

}  // namespace

Entry* Dependencies::Find(const store::Key& key, const Item& dependent, Step& step,
                          Dependency& dependency) {
  dependency.state = Dependency::State::kPending;
  if (Entry* entry = engine_.Find(key)) return entry;
  const auto it = look_ups_.find(key);
  if (it == look_ups_.end()) {
    Read(key, dependent.key());
  } else if (it->second.reading) {
    it->second.dependents.insert(dependent.key());
  } else {
    const absl::StatusOr<bool> found = it->second.found;
    look_ups_.erase(it);
    if (!found.ok()) {
      step.WakeAt(step.now() + kStoreRetry);
    } else if (*found) {
      // It was in memory for a moment.
      Read(key, dependent.key());
    } else {
      dependency.state = Dependency::State::kMissing;
    }
  }
  dependency.in_doubt = dependency.state == Dependency::State::kPending;
  return nullptr;
}

void Dependencies::Read(const store::Key& key, const store::Key& dependent) {
  LookUp& look_up = look_ups_[key];
  look_up = LookUp();
  look_up.dependents.insert(dependent);
  engine_.Load(key, [this, key](absl::StatusOr<Entry*> loaded) {
    LookUp& ended = look_ups_[key];
    const auto dependents = std::exchange(ended.dependents, {});
    ended.reading = false;
    if (!loaded.ok()) {
      ended.found = loaded.status();
    } else if (*loaded == nullptr) {
      ended.found = false;
    } else {
      look_ups_.erase(key);
      // Kept in memory until they have looked.
      for (const store::Key& each : dependents) Hold(**loaded, each);
    }
    engine_.PlanAllAgain(dependents);
  });
}

void Dependencies::Hold(Entry& entry, const store::Key& dependent) {
  entry.dependents.insert(dependent);
  held_[dependent].insert(entry.item->key());
}

void Dependencies::LetGo(const store::Key& dependent) {
  const auto it = held_.find(dependent);
  if (it == held_.end()) return;
  const auto keys = std::move(it->second);
  held_.erase(it);
  for (const store::Key& key : keys) {
    Entry* entry = engine_.Find(key);
    if (entry != nullptr && entry->dependents.erase(dependent) > 0) engine_.PlanAgain(*entry);
  }
}

template <typename ItemT>
void Dependencies::BeginPlacement(const store::Key& key, const std::string& provider_id,
                                  std::weak_ptr<upstream::WaitedCall> waited) {
  engine_.loop().Post([this, key, provider_id, waited = std::move(waited)] {
    Entry* found = engine_.Find(key);
    if (found == nullptr) return;
    if (!waited.expired()) found->item->SetWaited(waited);
    Change change;
    change.command = [provider_id](Item& item, Step& step) {
      return static_cast<ItemT&>(item).AddPlacement(step, provider_id);
    };
    engine_.Add(*found, std::move(change));
  });
}

void Dependencies::MakeDefaultGroup(const store::Key& key, const std::string& provider_id,
                                    const Item& dependent) {
  create_default_group_(key, provider_id, dependent, [this, who = dependent.key()](bool there) {
    engine_.loop().PostAt(there ? engine_.Now() : engine_.Now() + kStoreRetry,
                          [this, who] { engine_.PlanAgain(who); });
  });
}

bool Dependencies::LookAtGroup(const GroupItem& group, const model::ProviderEntry& provider,
                               absl::Time since, Dependency& dependency) const {
  for (int i = group.resource().placements_size() - 1; i >= 0; --i) {
    const auto& placement = group.resource().placements(i);
    if (model::ParseProvider(placement.provider()) != provider.id) continue;
    const absl::Time ended = base::FromProto(placement.end_time());
    // The gateway's own group is tried again: nobody else would.
    if (placement.state() == v1::Placement::FAILED && IsDefaultGroup(group.key(), provider) &&
        ended + kDefaultGroupRetry <= engine_.Now() && group.CanBePlacedAnew(provider.id)) {
      return true;
    }
    if (placement.state() == v1::Placement::ACTIVE) {
      dependency.state = Dependency::State::kReady;
      dependency.provider_id = placement.provider_group_id();
      dependency.handle = group.current().record.units(i).handle();
    } else if (model::IsFinal(placement.state())) {
      // A provider that was away then may be back: only its own refusal is for good.
      if (model::IsGivenUp(placement.error()) && ended < since &&
          group.CanBePlacedAnew(provider.id)) {
        return true;
      }
      dependency.state = Dependency::State::kFailed;
      dependency.error = placement.error();
    }
    return false;
  }
  return true;
}

Dependency Dependencies::GroupAt(const store::Key& key, const model::ProviderEntry& provider,
                                 absl::Time since, const Item& dependent, Step& step) {
  Dependency dependency;
  Entry* entry = Find(key, dependent, step, dependency);
  if (entry == nullptr) {
    if (dependency.state == Dependency::State::kMissing && IsDefaultGroup(key, provider)) {
      dependency.state = Dependency::State::kPending;
      MakeDefaultGroup(key, provider.id, dependent);
    }
    return dependency;
  }
  const auto& group = static_cast<const GroupItem&>(*entry->item);
  bool begin = false;
  if (!entry->removing() && !group.ReadOnly()) {
    begin = LookAtGroup(group, provider, since, dependency);
  }
  Hold(*entry, dependent.key());
  if (begin) BeginPlacement<GroupItem>(key, provider.id, dependent.waited());
  return dependency;
}

bool Dependencies::LookAtAsset(const AssetItem& asset, const model::ProviderEntry& provider,
                               absl::Time since, Dependency& dependency) const {
  int lost = 0;
  for (int i = asset.resource().placements_size() - 1; i >= 0; --i) {
    const auto& placement = asset.resource().placements(i);
    if (model::ParseProvider(placement.provider()) != provider.id) continue;
    const bool before = base::FromProto(placement.end_time()) < since;
    if (placement.state() == v1::Placement::LOST) {
      // Placed again, once by itself and then for each that needs it.
      if (++lost == 1) dependency.error = placement.error();
      if (lost == 1 && before) break;
      continue;
    }
    if (placement.state() == v1::Placement::ACTIVE) {
      dependency.provider_id = placement.provider_asset_id();
      dependency.handle = asset.current().record.units(i).handle();
      const bool known = !dependency.provider_id.empty();
      dependency.state = known ? Dependency::State::kReady : Dependency::State::kFailed;
      if (!known) dependency.error = IdUnknown(provider.id);
    } else if (placement.state() == v1::Placement::FAILED) {
      dependency.error = placement.error();
      // A provider that was away then may be back: only its own refusal is for good.
      if (model::IsGivenUp(placement.error()) && before) break;
      dependency.state = Dependency::State::kFailed;
    }
    return false;
  }
  if (lost > 1 || !asset.CanBePlacedAnew(provider.id)) {
    dependency.state = Dependency::State::kFailed;
    return false;
  }
  if (HoldsMedia(provider, asset.resource().media_type())) return true;
  // Nothing of that type is registered there: the URI itself will do.
  dependency.state = Dependency::State::kReady;
  return false;
}

Dependency Dependencies::AssetAt(const store::Key& key, const model::ProviderEntry& provider,
                                 absl::Time since, const Item& dependent, Step& step) {
  Dependency dependency;
  Entry* entry = Find(key, dependent, step, dependency);
  if (entry == nullptr) return dependency;
  if (entry->committing()) {
    dependency.in_doubt = !entry->removing();
    Hold(*entry, dependent.key());
    step.WakeAt(step.now() + kStoreRetry);
    return dependency;
  }
  const auto& asset = static_cast<const AssetItem&>(*entry->item);
  dependency.asset = asset.resource();
  // How a read-only asset stands is for a later release to say: it is waited for like one that is
  // being prepared.
  const bool begin = !asset.ReadOnly() && LookAtAsset(asset, provider, since, dependency);
  Hold(*entry, dependent.key());
  if (begin) BeginPlacement<AssetItem>(key, provider.id, {});
  return dependency;
}

}  // namespace assetgate::reconcile
