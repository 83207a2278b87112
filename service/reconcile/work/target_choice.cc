#include "reconcile/work/target_choice.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/error.h"
#include "model/apply.h"
#include "reconcile/work/attempts.h"

namespace assetgate::reconcile {
namespace {

// A task that waits for a slot is planned again when one is free, and after this long in case that
// was missed.
constexpr absl::Duration kSlotPatience = absl::Seconds(30);

}  // namespace

google::rpc::Status TargetFailures(const model::VideoTaskRecord& record, absl::StatusCode code,
                                   v1::ErrorReason reason, absl::string_view message) {
  v1::ProviderFailures failures;
  std::string detail(message);
  for (const auto& target : record.targets()) {
    google::rpc::Status status;
    if (!status.ParseFromString(target.error()) || status.code() == 0) continue;
    auto* failure = failures.add_failures();
    failure->set_provider(model::MakeName(model::kProviders, target.provider()));
    *failure->mutable_status() = status;
    absl::StrAppend(&detail, failures.failures_size() == 1 ? ": " : "; ", target.provider(), ": ",
                    status.message());
  }
  base::Error error(code, reason, detail);
  if (failures.failures_size() == 1) {
    error.Metadata("provider", model::ParseProvider(failures.failures(0).provider()).value_or(""));
  }
  return error.Failures(failures).ToProto();
}

google::rpc::Status NotAcceptedInTime(const model::VideoEntity& video, absl::Duration timeout) {
  const v1::VideoTask& task = video.resource;
  const Bill bill = BillOf(task);
  const bool doubt = bill == Bill::kInDoubt;
  return TargetFailures(
      video.record, doubt ? absl::StatusCode::kUnknown : absl::StatusCode::kUnavailable,
      doubt ? v1::SUBMISSION_UNKNOWN : v1::NOT_SUBMITTED,
      absl::StrCat("no provider accepted it within ", absl::FormatDuration(timeout), "; ",
                   WordsOf(bill), " (it waited for: ", task.waiting().message(), ")"));
}

std::optional<std::size_t> TargetOf(const model::VideoTaskRecord& record,
                                    const v1::Attempt& attempt) {
  const std::string provider = model::ParseProvider(attempt.provider()).value_or("");
  for (int i = 0; i < record.targets_size(); ++i) {
    if (record.targets(i).provider() == provider &&
        record.targets(i).provider_model() == attempt.provider_model()) {
      return i;
    }
  }
  return std::nullopt;
}

std::optional<Obstacle> TargetChoice::ObstacleOf(const Environment& environment,
                                                 const store::Key& task,
                                                 const model::VideoTaskRecord& record,
                                                 int target) const {
  const std::string& id = record.targets(target).provider();
  const model::ProviderEntry* provider = environment.catalog().FindProvider(id);
  if (provider == nullptr || provider->mode != v1::Provider::SERVE) {
    return Obstacle{v1::Waiting::NEEDS_OPERATOR, v1::Explanation::PROVIDER_MODE,
                    provider == nullptr ? "the provider is not in the gateway's config any more"
                                        : "the provider takes no new work (see its mode)",
                    absl::InfiniteFuture(), std::nullopt};
  }
  const auto index = static_cast<std::size_t>(target);
  if (index < runs_.size() && runs_[index].not_before > environment.now()) {
    const TargetRun& run = runs_[index];
    const provider::Failure failure = run.failure.value_or(provider::Failure{});
    return Obstacle{model::WaitingReasonOf(failure), run.not_before_because,
                    provider::ToError(failure, id).ToProto().message(), run.not_before,
                    std::nullopt};
  }
  const bool holds = HoldsPlaceAt(id);
  // Who holds a place may be the very call that finds out whether the provider is well again.
  const upstream::Gate& gate = environment.gate(*provider);
  if (const auto unwell = gate.Unwell(); unwell.has_value() && !holds) {
    return Obstacle{unwell->reason,
                    unwell->reason == v1::Waiting::PROVIDER_RATE_LIMITED
                        ? v1::Explanation::PROVIDER_RATE_LIMITED
                        : v1::Explanation::PROVIDER_UNAVAILABLE,
                    gate.state_reason(), unwell->until, std::nullopt};
  }
  if (const auto held = gate.HeldSubmissions(); held.has_value() && !holds) {
    Obstacle obstacle{model::WaitingReasonOf(held->failure), v1::Explanation::BACK_OFF,
                      provider::ToError(held->failure, id).ToProto().message(), held->until,
                      std::nullopt};
    if (!held->under_way) obstacle.account = held->failure;
    return obstacle;
  }
  if (auto none = environment.slots().ObstacleFor(task, *provider,
                                                  record.targets(target).provider_model())) {
    return Obstacle{v1::Waiting::PROVIDER_SLOTS, v1::Explanation::PROVIDER_SLOTS,
                    std::move(none->message), none->until, std::nullopt};
  }
  return std::nullopt;
}

std::optional<std::size_t> TargetChoice::Choose(Step& step, const store::Key& key,
                                                model::VideoEntity& draft) {
  v1::VideoTask& task = draft.resource;
  const absl::Time now = step.now();
  std::optional<std::size_t> chosen;
  bool any_eligible = false;
  // Of the first target that has to wait: it is the preferred one.
  std::optional<Obstacle> first;
  std::string subject;
  absl::Time next = absl::InfiniteFuture();
  for (int i = 0; i < draft.record.targets_size(); ++i) {
    const auto& target = draft.record.targets(i);
    if (target.ineligible()) continue;
    any_eligible = true;
    if (std::optional<Obstacle> obstacle = ObstacleOf(step, key, draft.record, i)) {
      next = std::min(next, obstacle->until);
      if (obstacle->reason == v1::Waiting::PROVIDER_SLOTS) {
        step.slots().Join(key, {target.provider(), target.provider_model()}, PendingSince(task));
        step.WakeAt(now + kSlotPatience);
      }
      if (obstacle->account.has_value() && target.error().empty()) {
        // As if it had been asked for this task: the answer would be the same.
        draft.record.mutable_targets(i)->set_error(
            provider::ToError(*obstacle->account, target.provider()).ToProto().SerializeAsString());
        step.MarkChanged();
      }
      if (obstacle->account.has_value()) {
        run(static_cast<std::size_t>(i)).failure = obstacle->account;
      }
      if (!first.has_value()) {
        first = std::move(obstacle);
        subject = model::MakeName(model::kProviders, target.provider());
      }
      continue;
    }
    const model::ProviderEntry* provider = step.catalog().FindProvider(target.provider());
    const bool free = HoldsPlaceAt(provider->id) || !step.gate(*provider).WouldBlock().has_value();
    if (free) return i;
    if (!chosen.has_value()) chosen = i;
  }
  if (chosen.has_value()) return chosen;
  if (!any_eligible) {
    step.MarkChanged(model::FinishTask(
        task, v1::VideoTask::FAILED,
        TargetFailures(draft.record, absl::StatusCode::kFailedPrecondition, v1::ASSET_FAILED,
                       "no provider can use the referenced assets"),
        now));
    return std::nullopt;
  }
  if (first.has_value()) {
    step.MarkChanged(model::SetWaiting(task, first->reason, subject, first->message, now, next));
    if (next != absl::InfiniteFuture()) step.WakeAt(next);
  }
  return std::nullopt;
}

bool TargetChoice::Acquire(Step& step, const Item& item, const model::ProviderEntry& provider) {
  if (place_provider_ != provider.id) Release();
  place_provider_ = provider.id;
  return item.Acquire(step, place_, provider, upstream::CallClass::kSubmission);
}

void TargetChoice::Release() {
  place_.Release();
  place_provider_.clear();
}

void TargetChoice::Use() {
  place_.Use();
  place_provider_.clear();
}

}  // namespace assetgate::reconcile
