#include "reconcile/commands.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "model/refusal.h"
#include "model/resource.h"
#include "reconcile/errors.h"
#include "reconcile/work/asset_item.h"
#include "reconcile/work/group_item.h"
#include "reconcile/work/resolution.h"
#include "reconcile/work/video_item.h"

namespace assetgate::reconcile {
namespace {

absl::Status InUse(const std::string& name, absl::string_view why) {
  return base::Error(absl::StatusCode::kFailedPrecondition, v1::IN_USE,
                     absl::StrCat("\"", name, "\" cannot be deleted: ", why));
}

// Something may exist at the provider that nobody here has an id of.
bool MayExistThere(const model::Unit& unit) {
  return unit.unknown_outcomes() + unit.earlier_unknown_outcomes() > 0;
}

// Each provider once, however often it was placed there.
template <typename Response>
void AddRetained(const std::string& provider_name, Response& response) {
  const auto& known = response.retained_by_providers();
  if (std::find(known.begin(), known.end(), provider_name) != known.end()) return;
  response.add_retained_by_providers(provider_name);
}

// The work of deleting the asset's copy at the unit's provider; absent where the copy is left
// there.
std::optional<store::Write> DeletionAt(const Step& step, const AssetItem& item,
                                       const model::Unit& unit) {
  const model::ProviderEntry* provider = step.catalog().FindProvider(unit.provider());
  if (provider == nullptr || !provider->dialect->EncodeDeleteAsset(unit.handle()).has_value()) {
    return std::nullopt;
  }
  model::UpstreamDeletion deletion;
  deletion.set_asset(item.name());
  deletion.set_provider(unit.provider());
  deletion.set_handle(unit.handle());
  deletion.set_credential_id(unit.credential_id());
  *deletion.mutable_create_time() = base::ToProto(step.now());
  store::Write write;
  write.key = {item.key().tenant, store::Kind::kUpstreamDeletion, model::NewResourceId(step.now())};
  write.content.emplace();
  write.content->internal = deletion.SerializeAsString();
  write.content->unfinished = true;
  write.content->shard = step.ownership().PickOr(step.shard());
  return write;
}

// Deletes the asset, and begins to delete its copies, in one commit.
absl::Status Delete(AssetItem& item, Step& step, v1::DeleteAssetResponse& response,
                    std::vector<store::Key>& deletions) {
  response.Clear();
  deletions.clear();
  const auto& units = item.current().record.units();
  for (const model::Unit& unit : units) {
    if (!unit.submission().open()) continue;
    return InUse(item.name(),
                 absl::StrCat("it is just being submitted to ", unit.provider(), "; try again"));
  }
  for (int i = 0; i < units.size(); ++i) {
    const model::Unit& unit = units.Get(i);
    const std::string provider = model::MakeName(model::kProviders, unit.provider());
    if (unit.handle().empty()) {
      if (MayExistThere(unit)) AddRetained(provider, response);
      continue;
    }
    if (item.resource().placements(i).state() == v1::Placement::LOST) continue;
    if (std::optional<store::Write> write = DeletionAt(step, item, unit)) {
      deletions.push_back(write->key);
      step.Also(*std::move(write));
    } else {
      AddRetained(provider, response);
    }
  }
  step.conditions().absent = {model::UnfinishedTasksUsing(item.key())};
  step.Remove();
  return absl::OkStatus();
}

absl::Status Delete(const GroupItem& item, Step& step, v1::DeleteAssetGroupResponse& response) {
  response.Clear();
  for (int i = 0; i < item.current().record.units_size(); ++i) {
    const model::Unit& unit = item.current().record.units(i);
    if (unit.submission().open()) {
      return InUse(item.name(), "it is just being submitted to a provider; try again");
    }
    const auto& placement = item.resource().placements(i);
    if (!placement.provider_group_id().empty() || MayExistThere(unit)) {
      AddRetained(placement.provider(), response);
    }
  }
  step.conditions().absent = {model::AssetsOfGroup(item.key())};
  step.Remove();
  return absl::OkStatus();
}

absl::Status Delete(const VideoItem& item, Step& step) {
  const v1::VideoTask& task = item.resource();
  if (task.state() == v1::VideoTask::UNCONFIRMED) {
    return InUse(item.name(),
                 "it is not known whether its provider accepted it; wait, or settle it first with "
                 "ResolveVideoTask (assetctl videos resolve)");
  }
  // An attempt that was given up may go, and with it a result that would come late.
  const auto& attempts = task.attempts();
  if (!model::IsFinal(task.state()) ||
      std::any_of(attempts.begin(), attempts.end(),
                  [](const v1::Attempt& attempt) { return !model::IsFinal(attempt.state()); })) {
    return InUse(item.name(), "it is not finished; cancel it, or wait for its end");
  }
  step.Remove();
  return absl::OkStatus();
}

}  // namespace

template <typename T>
void Commands::Run(const store::Key& key, Change change,
                   absl::AnyInvocable<absl::StatusOr<T>() &&> result, Reply<T> reply) {
  engine_.Load(key, [this, key, change = std::move(change), result = std::move(result),
                     reply = std::move(reply)](absl::StatusOr<Entry*> loaded) mutable {
    if (!loaded.ok()) return std::move(reply)(loaded.status());
    if (*loaded == nullptr) return std::move(reply)(model::NotFound(key));
    change.done = [result = std::move(result),
                   reply = std::move(reply)](absl::Status status) mutable {
      if (!status.ok()) return std::move(reply)(status);
      std::move(reply)(std::move(result)());
    };
    engine_.Add(**loaded, std::move(change));
  });
}

template <typename Command>
void Commands::CommandVideo(const store::Key& key, Command command, Reply<v1::VideoTask> reply) {
  Change change;
  change.command = [command = std::move(command)](Item& item, Step& step) mutable {
    return command(static_cast<VideoItem&>(item), step);
  };
  Run<v1::VideoTask>(
      key, std::move(change),
      [this, key]() -> absl::StatusOr<v1::VideoTask> {
        const Entry* entry = engine_.Find(key);
        if (entry == nullptr) return model::NotFound(key);
        return static_cast<const VideoItem&>(*entry->item).resource();
      },
      std::move(reply));
}

void Commands::CancelVideo(const store::Key& key, model::UsableProviders usable,
                           Reply<v1::VideoTask> reply) {
  CommandVideo(
      key,
      [usable = std::move(usable)](VideoItem& item, Step& step) {
        if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
        return Cancel(step, item, item.mutable_draft());
      },
      std::move(reply));
}

void Commands::ResolveVideo(const store::Key& key, model::UsableProviders usable,
                            model::Resolution said,
                            std::function<AdoptionConditions(const v1::VideoTask&)> adopt,
                            Reply<v1::VideoTask> reply) {
  auto resolving = std::make_shared<Resolving>(
      Resolving{key, std::move(usable), std::move(said), std::move(adopt), std::move(reply)});
  if (!resolving->adopt)
    return Resolve(std::move(resolving), 0, std::vector<store::Conditions::TermAnywhere>());
  PrepareResolution(std::move(resolving));
}

void Commands::PrepareResolution(ResolvingPtr resolving) {
  engine_.Load(resolving->key, [this, resolving](absl::StatusOr<Entry*> loaded) {
    if (!loaded.ok()) return std::move(resolving->reply)(loaded.status());
    if (*loaded == nullptr) return std::move(resolving->reply)(model::NotFound(resolving->key));
    const Item& item = *(*loaded)->item;
    engine_.reader().Run<std::vector<store::Conditions::TermAnywhere>>(
        0,
        [resolving, task = static_cast<const VideoItem&>(item).resource()] {
          return resolving->adopt(task);
        },
        [this, resolving, revision = item.revision()](AdoptionConditions conditions) {
          Resolve(resolving, revision, std::move(conditions));
        });
  });
}

void Commands::Resolve(ResolvingPtr resolving, store::Revision revision,
                       AdoptionConditions conditions) {
  // Set where the conditions are of another state, or did not hold: they are computed again.
  auto stale = std::make_shared<bool>(false);
  Change change;
  change.command = [resolving, revision, conditions, stale](Item& base,
                                                            Step& step) -> absl::Status {
    auto& item = static_cast<VideoItem&>(base);
    const model::VideoTaskRecord& record = item.current().record;
    if (!model::MayUseAll(resolving->usable, record.units()) ||
        (resolving->said.resubmit && !model::MayUseAll(resolving->usable, record.targets()))) {
      return model::NotAllowed();
    }
    *stale = resolving->adopt && item.revision() != revision;
    if (*stale) return absl::AbortedError("the task has changed");
    if (!conditions.ok()) return conditions.status();
    step.Acknowledge();
    absl::Status s = reconcile::Resolve(step, item, resolving->said, item.mutable_draft());
    if (s.ok()) step.conditions().absent_anywhere = *conditions;
    return s;
  };
  if (resolving->adopt) {
    change.unmet = [stale](const store::Key&) {
      *stale = true;
      return absl::AbortedError("another task has it by now");
    };
  }
  Reply<v1::VideoTask> reply = [this, resolving, stale](absl::StatusOr<v1::VideoTask> task) {
    if (*stale) return PrepareResolution(resolving);
    std::move(resolving->reply)(std::move(task));
  };
  Run<v1::VideoTask>(
      resolving->key, std::move(change),
      [this, key = resolving->key]() -> absl::StatusOr<v1::VideoTask> {
        const Entry* entry = engine_.Find(key);
        if (entry == nullptr) return model::NotFound(key);
        return static_cast<const VideoItem&>(*entry->item).resource();
      },
      std::move(reply));
}

void Commands::DeleteGroup(const store::Key& key, model::UsableProviders usable,
                           Reply<v1::DeleteAssetGroupResponse> reply) {
  auto response = std::make_shared<v1::DeleteAssetGroupResponse>();
  Change change;
  change.command = [usable = std::move(usable), response](Item& base, Step& step) {
    const auto& item = static_cast<const GroupItem&>(base);
    if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
    return Delete(item, step, *response);
  };
  change.unmet = [key](const store::Key& member) {
    return InUse(model::MakeName(model::kAssetGroups, key.id),
                 absl::StrCat("\"", model::MakeName(model::kAssets, member.id),
                              "\" belongs to it; delete its assets first"));
  };
  Run<v1::DeleteAssetGroupResponse>(
      key, std::move(change), [response] { return *response; }, std::move(reply));
}

void Commands::DeleteAsset(const store::Key& key, model::UsableProviders usable,
                           Reply<v1::DeleteAssetResponse> reply) {
  auto response = std::make_shared<v1::DeleteAssetResponse>();
  auto deletions = std::make_shared<std::vector<store::Key>>();
  Change change;
  change.command = [usable = std::move(usable), response, deletions](Item& base, Step& step) {
    auto& item = static_cast<AssetItem&>(base);
    if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
    return Delete(item, step, *response, *deletions);
  };
  change.unmet = [key](const store::Key& task) {
    return InUse(model::MakeName(model::kAssets, key.id),
                 absl::StrCat("the unfinished \"", model::MakeName(model::kVideoTasks, task.id),
                              "\" is made from it; wait for it or cancel it"));
  };
  Run<v1::DeleteAssetResponse>(
      key, std::move(change),
      [this, response, deletions]() -> absl::StatusOr<v1::DeleteAssetResponse> {
        for (const store::Key& deletion : *deletions) {
          // Loading begins the work.
          engine_.Load(deletion, [this, deletion](absl::StatusOr<Entry*> loaded) {
            if (loaded.ok()) return;
            engine_.environment().telemetry().OnWarning(
                deletion.id, "an upstream deletion begins at the next restart");
          });
        }
        return *response;
      },
      std::move(reply));
}

void Commands::DeleteVideo(const store::Key& key, model::UsableProviders usable,
                           Reply<v1::DeleteVideoTaskResponse> reply) {
  Change change;
  change.command = [usable = std::move(usable)](Item& base, Step& step) {
    const auto& item = static_cast<const VideoItem&>(base);
    if (!model::MayUseAll(usable, item.current().record.units())) return model::NotAllowed();
    return Delete(item, step);
  };
  Run<v1::DeleteVideoTaskResponse>(
      key, std::move(change), [] { return v1::DeleteVideoTaskResponse(); }, std::move(reply));
}

}  // namespace assetgate::reconcile
