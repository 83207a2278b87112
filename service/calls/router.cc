#include "calls/router.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "model/refusal.h"

namespace assetgate::calls {

double Router::DrawUniform() {
  thread_local absl::BitGen random;
  return absl::Uniform(absl::IntervalOpenClosed, random, 0.0, 1.0);
}

absl::StatusOr<Eligibility> Router::Route(const Caller& caller, const Question& question,
                                          base::Faults& faults) const {
  std::vector<model::Target> candidates;
  std::vector<model::Target> not_named;
  bool allowed = false;
  for (const model::Target& target : question.model.targets) {
    if (!caller.MayUse(target.provider->id)) continue;
    allowed = true;
    const bool named = question.providers.empty() ||
                       std::find(question.providers.begin(), question.providers.end(),
                                 target.provider->id) != question.providers.end();
    (named ? candidates : not_named).push_back(target);
  }
  if (!allowed) return model::NotAllowed();
  if (candidates.empty()) {
    faults.Add("providers", absl::StrCat("names none of the providers that make \"",
                                         question.model.id, "\"; GetModel lists them"));
  }
  if (!faults.empty()) return faults.ToStatus();

  Eligibility found = Judge(question.asked, question.task, question.media, std::move(candidates));
  if (absl::Status status = CheckEligible(question.asked, found); !status.ok()) return status;
  for (model::Target& target : not_named) {
    found.passed.push_back({std::move(target), {{"providers", "is not named in the request"}}});
  }
  return found;
}

void Router::Order(std::vector<model::Target>& targets) const {
  struct Drawn {
    double key;
    model::Target target;
  };
  std::vector<Drawn> drawn;
  drawn.reserve(targets.size());
  for (model::Target& target : targets) {
    // An exponential variate with the weight as its rate: each target has the smallest of its
    // priority with the probability that is its share of the weight.
    const double key = target.weight > 0 ? -std::log(random_()) / target.weight
                                         : std::numeric_limits<double>::max();
    drawn.push_back({key, std::move(target)});
  }
  std::stable_sort(drawn.begin(), drawn.end(), [](const Drawn& a, const Drawn& b) {
    return std::make_pair(a.target.priority, a.key) < std::make_pair(b.target.priority, b.key);
  });
  targets.clear();
  for (Drawn& each : drawn) targets.push_back(std::move(each.target));
}

}  // namespace assetgate::calls
