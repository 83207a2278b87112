#include "calls/video_import.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/faults.h"
#include "base/proto_time.h"
#include "calls/validate.h"
#include "model/refusal.h"

namespace assetgate::calls {
namespace {

// "providers/kyy/models/seedance-2".
std::string PinnedModel(const std::string& provider, const std::string& provider_model) {
  return absl::StrCat(model::MakeName(model::kProviders, provider), "/models/", provider_model);
}

// The provider's model that the task was made with. The request names it as a model of the gateway,
// or as the provider does.
absl::StatusOr<model::Target> TargetOf(const model::Catalog& catalog, const Caller& caller,
                                       const v1::ImportVideoTaskRequest& request) {
  const std::string provider = *model::ParseProvider(request.provider());
  absl::StatusOr<model::ModelEntry> model =
      catalog.FindModel(request.model(), caller.providers.get());
  if (!model.ok()) {
    auto pinned = catalog.FindModel(PinnedModel(provider, request.model()));
    if (!pinned.ok()) return model.status();
    return pinned->targets.front();
  }
  for (const model::Target& target : model->targets) {
    if (target.provider->id == provider) return target;
  }
  base::Faults faults;
  faults.Add("model",
             absl::StrCat("is not made at \"", provider, "\"; GetModel lists who makes it"));
  return faults.ToStatus();
}

}  // namespace

absl::StatusOr<model::VideoEntity> NewImport(const model::Catalog& catalog, const Caller& caller,
                                             const v1::ImportVideoTaskRequest& request,
                                             absl::Time now) {
  if (const auto id = model::ParseProvider(request.provider());
      id.has_value() && !caller.MayUse(*id)) {
    return model::NotAllowed();
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;
  const absl::StatusOr<model::Target> target = TargetOf(catalog, caller, request);
  if (!target.ok()) return target.status();
  const model::ProviderEntry& provider = *target->provider;
  absl::StatusOr<provider::Handle> handle =
      provider.dialect->AdoptVideo(request.provider_task_id(), target->provider_model);
  if (!handle.ok()) {
    faults.Add("provider_task_id", std::string(handle.status().message()));
    return faults.ToStatus();
  }

  model::VideoEntity entity;
  entity.key = {
      caller.tenant, store::Kind::kVideoTask,
      request.video_task_id().empty() ? model::NewResourceId(now) : request.video_task_id()};
  v1::VideoTask& task = entity.resource;
  task.set_name(model::MakeName(model::kVideoTasks, entity.key.id));
  const auto model = catalog.FindModel(request.model());
  task.set_model(model.ok() ? model->id : PinnedModel(provider.id, target->provider_model));
  task.set_prompt(request.prompt());
  *task.mutable_labels() = request.labels();
  task.set_creator(caller.identity);
  task.set_state(v1::VideoTask::QUEUED);
  for (auto* time :
       {task.mutable_create_time(), task.mutable_update_time(), task.mutable_submit_time()}) {
    *time = base::ToProto(now);
  }
  v1::Attempt& attempt = *task.add_attempts();
  attempt.set_provider(model::MakeName(model::kProviders, provider.id));
  attempt.set_provider_model(target->provider_model);
  attempt.set_credential_id(provider.credential.id);
  attempt.set_provider_task_id(provider.dialect->CanonicalVideoId(request.provider_task_id()));
  attempt.set_state(v1::Attempt::QUEUED);
  attempt.set_billing(v1::Attempt::UNKNOWN);
  for (auto* time : {attempt.mutable_create_time(), attempt.mutable_submit_time(),
                     attempt.mutable_import_time()}) {
    *time = base::ToProto(now);
  }
  model::Unit& unit = *entity.record.add_units();
  unit.set_provider(provider.id);
  unit.set_credential_id(provider.credential.id);
  unit.set_handle(*handle);
  auto* recorded = entity.record.add_targets();
  recorded->set_provider(provider.id);
  recorded->set_provider_model(target->provider_model);
  return entity;
}

}  // namespace assetgate::calls
