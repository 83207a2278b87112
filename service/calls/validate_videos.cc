// Requests that create, import and resolve video tasks.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/proto_time.h"
#include "base/text.h"
#include "calls/field_checks.h"
#include "calls/media_uri.h"
#include "calls/provider_options.h"
#include "calls/validate.h"
#include "model/resource.h"
#include "model/sizes.h"
#include "provider/rest.h"

namespace assetgate::calls {
namespace {

constexpr int kMaxReferences = 64;
constexpr char kNotATaskId[] =
    "is not an id: 1 to 256 printable ASCII characters without spaces; copy it from the provider's "
    "own list of tasks";

bool IsFrame(v1::Reference::Role role) {
  return role == v1::Reference::FIRST_FRAME || role == v1::Reference::LAST_FRAME;
}

void CheckReference(const std::string& path, const v1::Reference& reference, base::Faults& faults) {
  CheckEnum(path + ".role", reference.role(), v1::Reference::Role_descriptor(), faults);
  if (IsFrame(reference.role()) && reference.media_type() != v1::MEDIA_TYPE_UNSPECIFIED &&
      reference.media_type() != v1::IMAGE) {
    faults.Add(path + ".media_type", "has to be IMAGE for a frame");
  }
  switch (reference.source_case()) {
    case v1::Reference::kUri:
      if (const auto fault = MediaUriFault(reference.uri())) faults.Add(path + ".uri", *fault);
      CheckEnum(path + ".media_type", reference.media_type(), v1::MediaType_descriptor(), faults);
      if (reference.media_type() == v1::DOCUMENT) {
        faults.Add(path + ".media_type", "is DOCUMENT, from which no video is made");
      }
      break;
    case v1::Reference::kAsset:
      CheckCollectionName(path + ".asset", model::kAssets, reference.asset(), faults);
      if (reference.media_type() != 0 && !v1::MediaType_IsValid(reference.media_type())) {
        CheckEnum(path + ".media_type", reference.media_type(), v1::MediaType_descriptor(), faults);
      }
      break;
    case v1::Reference::SOURCE_NOT_SET:
      faults.Add(path, "has no source; set `uri` or `asset`");
      break;
  }
}

void CheckReferences(const v1::VideoTask& task, base::Faults& faults) {
  if (task.references_size() > kMaxReferences) {
    faults.Add("video_task.references",
               absl::StrCat("has ", task.references_size(), " values; at most ", kMaxReferences,
                            " are accepted"));
    return;
  }
  int first_frames = 0;
  int last_frames = 0;
  for (int i = 0; i < task.references_size(); ++i) {
    const v1::Reference& reference = task.references(i);
    CheckReference(absl::StrCat("video_task.references[", i, "]"), reference, faults);
    first_frames += reference.role() == v1::Reference::FIRST_FRAME;
    last_frames += reference.role() == v1::Reference::LAST_FRAME;
  }
  if (first_frames > 1) {
    faults.Add("video_task.references", "has several of role FIRST_FRAME; at most one is accepted");
  }
  if (last_frames > 1) {
    faults.Add("video_task.references", "has several of role LAST_FRAME; at most one is accepted");
  }
  if (last_frames > 0 && first_frames == 0) {
    faults.Add("video_task.references", "has a LAST_FRAME without a FIRST_FRAME; add one");
  }
}

}  // namespace

absl::Status Validate(const v1::CreateVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  const v1::VideoTask& task = request.video_task();
  CheckId("video_task_id", request.video_task_id(), faults);
  CheckRequestId("request_id", request.request_id(), faults);
  CheckMaxWait("max_wait", request.has_max_wait(), request.max_wait(), faults);
  if (!request.has_video_task()) {
    faults.Add("video_task", "is required, with model and prompt");
    return absl::OkStatus();
  }
  if (task.model().empty()) {
    faults.Add("video_task.model", "is required; ListModels lists the names");
  } else if (task.model().size() > 256) {
    faults.Add("video_task.model", "is longer than 256 bytes");
  }
  CheckLength("video_task.prompt", task.prompt(), kMaxPrompt, faults);
  CheckLabels("video_task.labels", task.labels(), faults);
  model::CheckSize("video_task", task, faults);
  if (task.has_duration()) {
    if (task.duration().nanos() != 0 || task.duration().seconds() == 0 ||
        task.duration().seconds() > 86'400 || task.duration().seconds() < -1) {
      faults.Add("video_task.duration",
                 absl::StrCat("is ", absl::FormatDuration(base::FromProto(task.duration())),
                              "; give whole seconds, more than 0"));
    }
  }
  if (task.has_resolution()) CheckLength("video_task.resolution", task.resolution(), 32, faults);
  if (task.has_aspect_ratio()) {
    CheckLength("video_task.aspect_ratio", task.aspect_ratio(), 32, faults);
  }
  if (task.has_resolution() && task.resolution().empty()) {
    faults.Add("video_task.resolution", "is empty; leave it unset instead");
  }
  if (task.has_aspect_ratio() && task.aspect_ratio().empty()) {
    faults.Add("video_task.aspect_ratio", "is empty; leave it unset instead");
  }
  CheckReferences(task, faults);
  CheckProviderOptions("video_task.provider_options", task.provider_options(),
                       provider::UnitKind::kVideo, catalog, faults);
  return CheckProviders("providers", request.providers(), catalog, faults);
}

absl::Status Validate(const v1::ImportVideoTaskRequest& request, const model::Catalog& catalog,
                      base::Faults& faults) {
  CheckId("video_task_id", request.video_task_id(), faults);
  CheckRequestId("request_id", request.request_id(), faults);
  if (request.model().empty()) {
    faults.Add("model", "is required: what the task was made with; ListModels lists the names");
  } else if (request.model().size() > 256) {
    faults.Add("model", "is longer than 256 bytes");
  }
  CheckLength("prompt", request.prompt(), kMaxPrompt, faults);
  CheckLabels("labels", request.labels(), faults);
  if (!provider::IsId(request.provider_task_id())) {
    faults.Add("provider_task_id", request.provider_task_id().empty()
                                       ? "is required: the provider's own id of the task"
                                       : kNotATaskId);
  }
  const auto provider = model::ParseProvider(request.provider());
  if (!provider.has_value()) {
    faults.Add("provider", request.provider().empty()
                               ? std::string("is required: providers/{id}")
                               : absl::StrCat(base::Quoted(request.provider()),
                                              " is not of the form providers/{id}"));
    return absl::OkStatus();
  }
  if (catalog.FindProvider(*provider) == nullptr) return catalog.NoSuchProvider(*provider);
  return absl::OkStatus();
}

void Validate(const v1::ResolveVideoTaskRequest& request, base::Faults& faults) {
  if (request.outcome_case() == v1::ResolveVideoTaskRequest::OUTCOME_NOT_SET) {
    faults.Add("provider_task_id",
               "is required, or not_accepted: say which task it became at the provider, or that it "
               "became none");
  }
  if (request.has_provider_task_id() && !provider::IsId(request.provider_task_id())) {
    faults.Add("provider_task_id", kNotATaskId);
  }
  if (request.has_not_accepted() && !request.not_accepted()) {
    faults.Add("not_accepted",
               "is false, which says nothing; of an accepted one give the provider_task_id");
  }
  if (request.has_provider_task_id() && request.resubmit()) {
    faults.Add("resubmit", "goes with not_accepted alone: an accepted task is not sent again");
  }
  if (request.has_attempt() && request.attempt() < 0) {
    faults.Add("attempt", "is negative; attempts are counted from 0");
  }
}

}  // namespace assetgate::calls
