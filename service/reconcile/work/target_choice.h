// Which target a video task is submitted to next, and what keeps it from the others.
#ifndef ASSETGATE_RECONCILE_WORK_TARGET_CHOICE_H_
#define ASSETGATE_RECONCILE_WORK_TARGET_CHOICE_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/explanation.pb.h"
#include "model/record.pb.h"
#include "model/resource.h"
#include "provider/failure.h"
#include "reconcile/item.h"
#include "reconcile/step.h"
#include "upstream/place.h"

namespace assetgate::reconcile {

// Why a target is not used now, and until when.
struct Obstacle {
  v1::Waiting::Reason reason = v1::Waiting::REASON_UNSPECIFIED;
  v1::Explanation::Reason because = v1::Explanation::REASON_UNSPECIFIED;
  std::string message;
  absl::Time until = absl::InfiniteFuture();
  // What the provider said to the last submission of another task, which holds for this one too.
  std::optional<provider::Failure> account;
};

// What this process knows of one target.
struct TargetRun {
  absl::Time not_before = absl::InfinitePast();
  v1::Explanation::Reason not_before_because = v1::Explanation::BACK_OFF;
  int failures = 0;
  std::optional<provider::Failure> failure;
};

// An error with what each target's provider said.
google::rpc::Status TargetFailures(const model::VideoTaskRecord& record, absl::StatusCode code,
                                   v1::ErrorReason reason, absl::string_view message);
// No provider accepted the task within `timeout`.
google::rpc::Status NotAcceptedInTime(const model::VideoEntity& video, absl::Duration timeout);
// The target that the attempt was made for; absent where the route has it no longer.
std::optional<std::size_t> TargetOf(const model::VideoTaskRecord& record,
                                    const v1::Attempt& attempt);

// The targets of one task, in the order in which they are preferred, and the place at the gate of
// the one that comes next.
class TargetChoice {
 public:
  // The target to use now. Absent where there is none: the draft then says what it waits for, or
  // has failed.
  std::optional<std::size_t> Choose(Step& step, const store::Key& key, model::VideoEntity& draft);
  // What keeps the task from a target that is not ineligible; absent where nothing does.
  std::optional<Obstacle> ObstacleOf(const Environment& environment, const store::Key& task,
                                     const model::VideoTaskRecord& record, int target) const;

  TargetRun& run(std::size_t target) {
    if (runs_.size() <= target) runs_.resize(target + 1);
    return runs_[target];
  }
  const TargetRun* FindRun(std::size_t target) const {
    return target < runs_.size() ? &runs_[target] : nullptr;
  }

  // Asks for a place at the provider's gate; whether it is held. Otherwise the item is planned
  // again when it is.
  bool Acquire(Step& step, const Item& item, const model::ProviderEntry& provider);
  void Release();
  // The attempt uses the place from now on.
  void Use();
  const upstream::Place& place() const { return place_; }
  // Of a place that is held or queued.
  const std::string& place_provider() const { return place_provider_; }

 private:
  bool HoldsPlaceAt(const std::string& provider_id) const {
    return place_.held() && place_provider_ == provider_id;
  }

  std::vector<TargetRun> runs_;
  upstream::Place place_;
  std::string place_provider_;
};

}  // namespace assetgate::reconcile

#endif  // ASSETGATE_RECONCILE_WORK_TARGET_CHOICE_H_
