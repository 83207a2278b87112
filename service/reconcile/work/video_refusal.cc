#include "reconcile/work/video_refusal.h"

#include <utility>

#include "base/error.h"
#include "model/apply.h"
#include "model/refusal.h"
#include "reconcile/work/attempts.h"

namespace assetgate::reconcile {

bool AnswersCreation(const v1::VideoTask& task) {
  if (model::IsSettled(task) || task.has_submit_time()) return true;
  return task.state() == v1::VideoTask::PENDING &&
         task.waiting().reason() == v1::Waiting::ASSET_PROCESSING;
}

bool MayBeRefused(const model::VideoEntity& video) {
  const v1::VideoTask& task = video.resource;
  return !task.has_submit_time() && task.state() != v1::VideoTask::CANCELLED &&
         !WasEverInDoubt(video.record);
}

std::optional<absl::Status> RefusalOf(const model::VideoEntity& video, const TargetChoice& choice) {
  const v1::VideoTask& task = video.resource;
  if (task.has_submit_time() || WasEverInDoubt(video.record)) return std::nullopt;
  if (task.state() == v1::VideoTask::FAILED) return base::FromRpcStatus(task.error());
  if (task.state() != v1::VideoTask::PENDING || OpenAttempt(task) >= 0) return std::nullopt;
  // Every target has said no, and only an operator can change that.
  v1::ProviderFailures failures;
  for (int i = 0; i < video.record.targets_size(); ++i) {
    const auto& target = video.record.targets(i);
    google::rpc::Status status;
    if (target.error().empty() || !status.ParseFromString(target.error())) return std::nullopt;
    const TargetRun* run = choice.FindRun(static_cast<std::size_t>(i));
    const bool stuck = run != nullptr && run->failure.has_value() &&
                       base::InfoOf(status).metadata().count("act") > 0 &&
                       base::InfoOf(status).metadata().at("act") == "OPERATOR";
    if (!target.ineligible() && !stuck) return std::nullopt;
    auto* failure = failures.add_failures();
    failure->set_provider(model::MakeName(model::kProviders, target.provider()));
    *failure->mutable_status() = std::move(status);
  }
  if (failures.failures_size() == 0) return std::nullopt;
  return model::CombinedRefusal(failures);
}

}  // namespace assetgate::reconcile
