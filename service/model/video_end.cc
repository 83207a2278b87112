#include "model/video_end.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "assetgate/v1/errors.pb.h"
#include "base/error.h"
#include "base/proto_time.h"
#include "model/resource.h"

namespace assetgate::model {
namespace {

using base::VideoOutcome;

VideoOutcome OutcomeOf(const v1::VideoTask& task) {
  if (task.state() == v1::VideoTask::SUCCEEDED) return VideoOutcome::kSucceeded;
  if (task.state() == v1::VideoTask::CANCELLED) return VideoOutcome::kCancelled;
  switch (base::ReasonOf(task.error())) {
    case v1::CONTENT_REJECTED:
      return VideoOutcome::kContentRejected;
    case v1::RESULT_MISSING:
    case v1::RESULT_INLINE:
      return VideoOutcome::kResultMissing;
    case v1::PROVIDER_FORGOT:
    case v1::TRACKING_EXPIRED:
      return VideoOutcome::kLost;
    default:
      break;
  }
  const bool accepted = task.attempts_size() > 0 &&
                        task.attempts(task.attempts_size() - 1).state() == v1::Attempt::FAILED;
  return accepted ? VideoOutcome::kFailed : VideoOutcome::kNotAccepted;
}

// The provider and model of an attempt, as metric labels.
std::pair<std::string, std::string> LabelsOf(const v1::Attempt& attempt, const Catalog& catalog) {
  const std::string provider = ParseProvider(attempt.provider()).value_or("");
  if (catalog.FindProvider(provider) == nullptr) return {"other", "other"};
  return {provider, catalog.ModelsOf(provider).contains(attempt.provider_model())
                        ? attempt.provider_model()
                        : "other"};
}

}  // namespace

std::optional<VideoEnd> EndOf(const v1::VideoTask& before, const v1::VideoTask& after,
                              const Catalog& catalog) {
  if (IsFinal(before.state()) || !IsFinal(after.state())) return std::nullopt;
  VideoEnd end;
  end.outcome = OutcomeOf(after);
  end.provider = end.model = "none";
  bool imported = false;
  if (after.attempts_size() > 0) {
    const v1::Attempt& last = after.attempts(after.attempts_size() - 1);
    std::tie(end.provider, end.model) = LabelsOf(last, catalog);
    imported = last.has_import_time();
  }
  if (end.outcome == VideoOutcome::kSucceeded && !imported) {
    end.took = std::max(absl::ZeroDuration(),
                        base::FromProto(after.end_time()) - base::FromProto(after.create_time()));
  }
  return end;
}

std::vector<VideoUsage> UsageBetween(const v1::VideoTask& before, const v1::VideoTask& after,
                                     const Catalog& catalog) {
  std::vector<VideoUsage> usages;
  for (int i = 0; i < after.attempts_size(); ++i) {
    const v1::Usage& now = after.attempts(i).usage();
    const v1::Usage& former =
        i < before.attempts_size() ? before.attempts(i).usage() : v1::Usage::default_instance();
    VideoUsage usage;
    usage.tokens = std::max<std::int64_t>(0, std::max<std::int64_t>(0, now.total_tokens()) -
                                                 std::max<std::int64_t>(0, former.total_tokens()));
    usage.credits = std::max(0.0, now.credits() - std::max(0.0, former.credits()));
    if (!std::isfinite(usage.credits)) usage.credits = 0;
    if (usage.tokens == 0 && usage.credits == 0) continue;
    std::tie(usage.provider, usage.model) = LabelsOf(after.attempts(i), catalog);
    usages.push_back(std::move(usage));
  }
  return usages;
}

}  // namespace assetgate::model
