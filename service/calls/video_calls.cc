#include "calls/video_calls.h"

#include <functional>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/faults.h"
#include "base/proto_time.h"
#include "calls/adoption.h"
#include "calls/defaults.h"
#include "calls/paging.h"
#include "calls/request_ids.h"
#include "calls/stored_resources.h"
#include "calls/validate.h"
#include "calls/video_import.h"
#include "calls/watch_requests.h"
#include "model/refusal.h"

namespace assetgate::calls {
namespace {

// The media types of the task's references, in their order. Reads the assets, and sets the media
// types of references to them. Adds a fault where a reference does not fit its asset.
absl::StatusOr<std::vector<v1::MediaType>> ReadMediaTypes(store::Store& store, const Caller& caller,
                                                          v1::VideoTask& task,
                                                          base::Faults& faults) {
  std::vector<v1::MediaType> media;
  for (int i = 0; i < task.references_size(); ++i) {
    v1::Reference& reference = *task.mutable_references(i);
    if (!reference.has_asset()) {
      media.push_back(reference.media_type());
      continue;
    }
    const std::string path = absl::StrCat("video_task.references[", i, "]");
    auto row = ReadRow(store, caller, store::Kind::kAsset, reference.asset(), path + ".asset");
    if (!row.ok()) return row.status();
    const v1::Asset asset = model::AssetFromRow(*row);
    if (reference.media_type() != 0 && reference.media_type() != asset.media_type()) {
      faults.Add(path + ".media_type",
                 absl::StrCat("is ", v1::MediaType_Name(reference.media_type()), ", but \"",
                              reference.asset(), "\" is ", v1::MediaType_Name(asset.media_type())));
    }
    if (reference.role() != v1::Reference::REFERENCE && asset.media_type() != v1::IMAGE) {
      faults.Add(path + ".asset", absl::StrCat("is ", v1::MediaType_Name(asset.media_type()),
                                               "; a frame has to be IMAGE"));
    }
    reference.set_media_type(asset.media_type());
    media.push_back(asset.media_type());
  }
  return media;
}

// A new task with the fields that the caller may set; the gateway alone sets the others.
v1::VideoTask AskedOf(const Caller& caller, const v1::VideoTask& asked) {
  v1::VideoTask task;
  task.set_model(asked.model());
  task.set_prompt(asked.prompt());
  *task.mutable_references() = asked.references();
  FillDefaults(asked, task);
  *task.mutable_provider_options() = asked.provider_options();
  *task.mutable_labels() = asked.labels();
  task.set_state(v1::VideoTask::PENDING);
  task.set_creator(caller.identity);
  return task;
}

}  // namespace

absl::StatusOr<Eligibility> VideoCalls::Route(const model::Catalog& catalog, const Caller& caller,
                                              const v1::CreateVideoTaskRequest& request,
                                              v1::VideoTask& task) {
  absl::StatusOr<model::ModelEntry> model = catalog.FindModel(task.model(), caller.providers.get());
  if (!model.ok()) return model.status();
  task.set_model(model->id);
  const v1::VideoTask asked = task;
  FillDefaults(model->defaults, task);
  base::Faults faults;
  absl::StatusOr<std::vector<v1::MediaType>> media = ReadMediaTypes(store_, caller, task, faults);
  if (!media.ok()) return media.status();
  std::vector<std::string> providers;
  for (const std::string& name : request.providers()) {
    providers.push_back(*model::ParseProvider(name));
  }
  return router_.Route(caller, {*model, asked, task, *media, providers}, faults);
}

absl::StatusOr<model::VideoEntity> VideoCalls::NewVideo(const model::Catalog& catalog,
                                                        const Caller& caller,
                                                        const v1::CreateVideoTaskRequest& request,
                                                        absl::Time now) {
  if (absl::Status allowed =
          CheckMayUse(caller, request.providers(), request.video_task().provider_options());
      !allowed.ok()) {
    return allowed;
  }
  base::Faults faults;
  absl::Status unknown = Validate(request, catalog, faults);
  if (!faults.empty()) return faults.ToStatus();
  if (!unknown.ok()) return unknown;

  model::VideoEntity entity;
  v1::VideoTask& task = entity.resource;
  task = AskedOf(caller, request.video_task());
  absl::StatusOr<Eligibility> found = Route(catalog, caller, request, task);
  if (!found.ok()) return found.status();
  if (request.validate_only()) {
    // The task as it would be created, without name and times.
    *task.mutable_validation() = ToProto(*found);
    return entity;
  }
  router_.Order(found->targets);

  entity.key = {
      caller.tenant, store::Kind::kVideoTask,
      request.video_task_id().empty() ? model::NewResourceId(now) : request.video_task_id()};
  task.set_name(model::MakeName(model::kVideoTasks, entity.key.id));
  *task.mutable_create_time() = base::ToProto(now);
  *task.mutable_update_time() = task.create_time();
  for (const model::Target& target : found->targets) {
    auto* out = entity.record.add_targets();
    out->set_provider(target.provider->id);
    out->set_provider_model(target.provider_model);
  }
  return entity;
}

void VideoCalls::LimitUnfinished(const Caller& caller, const std::string& id,
                                 reconcile::Creation<model::VideoEntity>& creation) {
  if (!caller.max_unfinished_videos.has_value()) return;
  creation.admit = [this, creator = UnfinishedVideos::Creator{caller.tenant, caller.identity}, id,
                    max = *caller.max_unfinished_videos] {
    return unfinished_videos_.Take(creator, id, max);
  };
}

void VideoCalls::CreateVideoTask(const Caller& caller, const v1::CreateVideoTaskRequest& request,
                                 reconcile::Reply<v1::VideoTask> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  absl::StatusOr<model::VideoEntity> entity = NewVideo(*catalog, caller, request, now);
  if (request.validate_only()) {
    if (!entity.ok()) return std::move(reply)(entity.status());
    return std::move(reply)(std::move(entity->resource));
  }
  const absl::Time answer_by = AnswerBy(catalog->settings(), caller, now, MaxWaitOf(request));
  auto creation =
      BeginCreation<model::VideoEntity>(caller, "CreateVideoTask", request, now, answer_by);
  if (entity.ok()) {
    LimitUnfinished(caller, entity->key.id, creation);
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateVideos(
      std::move(creation),
      AnswerOrCallAgain(*this, &VideoCalls::CreateVideoTask, caller, request, answer_by,
                        std::move(reply), AnswerOne<v1::VideoTask>));
}

void VideoCalls::ImportVideoTask(const Caller& caller, const v1::ImportVideoTaskRequest& request,
                                 reconcile::Reply<v1::VideoTask> reply) {
  const model::CatalogPtr catalog = catalog_.Get();
  const absl::Time now = clock_.Now();
  const absl::Time answer_by = AnswerBy(catalog->settings(), caller, now, std::nullopt);
  auto creation =
      BeginCreation<model::VideoEntity>(caller, "ImportVideoTask", request, now, answer_by);
  absl::StatusOr<model::VideoEntity> entity = NewImport(*catalog, caller, request, now);
  if (entity.ok()) {
    const model::Unit& unit = entity->record.units(0);
    const ProviderTask taken = {unit.provider(), request.provider_task_id(),
                                catalog->FindProvider(unit.provider())->dialect.get(),
                                unit.handle()};
    creation.adopt = [this, tenant = caller.tenant, taken, catalog] {
      return ConditionsOfImport(store_, tenant, taken);
    };
    LimitUnfinished(caller, entity->key.id, creation);
    creation.entities.push_back(*std::move(entity));
  } else if (absl::Status s = UnlessRepeated(store_, entity.status(), creation); !s.ok()) {
    return std::move(reply)(std::move(s));
  }
  reconciler_.CreateVideos(
      std::move(creation),
      AnswerOrCallAgain(*this, &VideoCalls::ImportVideoTask, caller, request, answer_by,
                        std::move(reply), AnswerOne<v1::VideoTask>));
}

absl::StatusOr<v1::VideoTask> VideoCalls::GetVideoTask(const Caller& caller,
                                                       const v1::GetVideoTaskRequest& request) {
  auto row = ReadRow(store_, caller, store::Kind::kVideoTask, request.name());
  if (!row.ok()) return row.status();
  return ReadResource(*row, reconciler_, model::VideoTaskFromRow);
}

absl::StatusOr<v1::ListVideoTasksResponse> VideoCalls::ListVideoTasks(
    const Caller& caller, const v1::ListVideoTasksRequest& request) {
  absl::StatusOr<StoredPage> page = ListStored(store_, caller, store::Kind::kVideoTask, request);
  if (!page.ok()) return page.status();
  v1::ListVideoTasksResponse response;
  response.set_next_page_token(std::move(page->next_page_token));
  AddResources(page->rows, reconciler_, model::VideoTaskFromRow,
               [&](v1::VideoTask one) { *response.add_video_tasks() = std::move(one); });
  return response;
}

void VideoCalls::CancelVideoTask(const Caller& caller, const v1::CancelVideoTaskRequest& request,
                                 reconcile::Reply<v1::VideoTask> reply) {
  auto id = IdOf(store::Kind::kVideoTask, request.name());
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.CancelVideo({caller.tenant, store::Kind::kVideoTask, *std::move(id)},
                          caller.providers, std::move(reply));
}

void VideoCalls::ResolveVideoTask(const Caller& caller, const v1::ResolveVideoTaskRequest& request,
                                  reconcile::Reply<v1::VideoTask> reply) {
  auto id = IdOf(store::Kind::kVideoTask, request.name());
  if (!id.ok()) return std::move(reply)(id.status());
  base::Faults faults;
  Validate(request, faults);
  if (!faults.empty()) return std::move(reply)(faults.ToStatus());
  std::function<reconcile::AdoptionConditions(const v1::VideoTask&)> adopt;
  if (request.has_provider_task_id()) {
    auto row = ReadRow(store_, caller, store::Kind::kVideoTask, request.name());
    if (!row.ok()) return std::move(reply)(row.status());
    if (!MayUseProvidersOf(caller, *row)) return std::move(reply)(model::NotAllowed());
    adopt = [this, tenant = caller.tenant,
             task_id = request.provider_task_id()](const v1::VideoTask& task) {
      return ConditionsOfResolution(store_, *catalog_.Get(), tenant, task_id, task);
    };
  }
  reconciler_.ResolveVideo(
      {caller.tenant, store::Kind::kVideoTask, *std::move(id)}, caller.providers,
      {.resolver = caller.identity,
       .provider_task_id = request.provider_task_id(),
       .resubmit = request.resubmit(),
       .attempt = request.has_attempt() ? std::optional(request.attempt()) : std::nullopt},
      std::move(adopt), std::move(reply));
}

void VideoCalls::DeleteVideoTask(const Caller& caller, const v1::DeleteVideoTaskRequest& request,
                                 reconcile::Reply<v1::DeleteVideoTaskResponse> reply) {
  auto id = IdOf(store::Kind::kVideoTask, request.name());
  if (!id.ok()) return std::move(reply)(id.status());
  reconciler_.DeleteVideo({caller.tenant, store::Kind::kVideoTask, *std::move(id)},
                          caller.providers, std::move(reply));
}

absl::StatusOr<watch::WatchRequest> VideoCalls::WatchVideoTasks(
    const Caller& caller, const v1::WatchVideoTasksRequest& request) {
  return MakeWatchRequest(caller, store::Kind::kVideoTask, request);
}

}  // namespace assetgate::calls
