// Where a video goes: which of a model's targets can make it, and in which order they are tried.
#ifndef ASSETGATE_CALLS_ROUTER_H_
#define ASSETGATE_CALLS_ROUTER_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "assetgate/v1/common.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "base/faults.h"
#include "calls/caller.h"
#include "calls/eligibility.h"
#include "model/catalog.h"

namespace assetgate::calls {

// Draws the order of a task's targets once, when the task is created. The order is stored with the
// task, so repetitions of the request, retries and restarts all see the same one. Which of these
// targets takes the task is decided later, by the reconciler: see reconcile/video_item.cc.
//
// Threading: thread-safe.
class Router {
 public:
  // Uniform in (0, 1]. Threading: called from any thread, several at a time.
  using Random = std::function<double()>;
  static double DrawUniform();

  explicit Router(Random random = DrawUniform) : random_(std::move(random)) {}

  struct Question {
    const model::ModelEntry& model;
    // The task as the caller gave it, and with the model's defaults.
    const v1::VideoTask& asked;
    const v1::VideoTask& task;
    // Of the task's references, in their order.
    const std::vector<v1::MediaType>& media;
    // The ids of the providers that the request names; empty: all.
    const std::vector<std::string>& providers;
  };
  // The targets that the task can go to, by priority, and those passed over; neither has targets
  // that the caller may not use. `faults` are those found in the request so far: they are returned
  // together with the Router's own.
  //
  // Errors: NOT_ALLOWED where the caller may use no target of the model; INVALID_ARGUMENT with
  // `faults`, or FIELD_NOT_EXPRESSIBLE (see CheckEligible).
  absl::StatusOr<Eligibility> Route(const Caller& caller, const Question& question,
                                    base::Faults& faults) const;

  // Puts the targets into the order in which they are tried: the lowest priority number first,
  // within a priority by weighted draw. Targets of weight 0 come last in their priority, in the
  // order of the config.
  void Order(std::vector<model::Target>& targets) const;

 private:
  const Random random_;
};

}  // namespace assetgate::calls

#endif  // ASSETGATE_CALLS_ROUTER_H_
