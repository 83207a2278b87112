#include "reconcile/item.h"

#include <variant>

#include "reconcile/dependencies.h"
#include "reconcile/submission.h"
#include "reconcile/tracking.h"

namespace assetgate::reconcile {
namespace {

// Twice the longest usual interval of polls, so that every provider is asked at least once before
// anything that a restart finds is given up.
constexpr absl::Duration kGiveUpPatience = absl::Minutes(12);

}  // namespace

absl::Time Item::GiveUpAt(absl::Time due) const {
  return std::max(due, known_since_ + kGiveUpPatience);
}

bool Item::Acquire(Step& step, upstream::Place& place, const model::ProviderEntry& provider,
                   upstream::CallClass call_class) const {
  return place.Acquire(step.gate(provider), call_class, step.now(),
                       [environment = Environment(step), key = key_, serial = serial_] {
                         environment.PlanAgain(key, serial);
                       });
}

std::optional<Said> Item::TakeIn(const Environment& environment, Observed observed) {
  return std::visit(
      [&](auto&& said) {
        return Track(environment, *this, observed.unit, std::move(said), observed.call);
      },
      std::move(observed.said));
}

void Item::AbandonPlaces(const Environment& environment) {
  environment.dependencies().LetGo(key_);
  for (UnitRun& run : runs_) run.place.Release();
}

void Item::ForgetTrouble(std::size_t unit) {
  if (run(unit).in_flight) return;
  run(unit).place.Release();
  run(unit) = UnitRun();
}

}  // namespace assetgate::reconcile
