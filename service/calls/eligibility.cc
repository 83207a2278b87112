#include "calls/eligibility.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "assetgate/v1/errors.pb.h"
#include "assetgate/v1/provider.pb.h"
#include "base/faults.h"
#include "base/spelling.h"
#include "base/text.h"
#include "model/capability_fit.h"
#include "model/resource.h"
#include "provider/rest.h"

namespace assetgate::calls {
namespace {

using StringField = v1::Capabilities::StringField;

// The values that a target is known to make, whether they go over the wire or not.
std::vector<std::string> KnownValues(const StringField& field) {
  std::vector<std::string> values(field.allowed().begin(), field.allowed().end());
  values.insert(values.end(), field.implied().begin(), field.implied().end());
  return values;
}

bool Contains(const std::vector<std::string>& values, const std::string& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// Adds a fault for a value that only targets without known values would accept.
void CheckSpelling(const std::string& field, const std::string& value, const Eligibility& found,
                   const StringField& (v1::Capabilities::*of)() const, base::Faults& faults) {
  std::vector<std::string> known;
  const auto collect = [&](const model::Target& target) {
    for (std::string& each : KnownValues((*target.capabilities.*of)())) {
      if (!Contains(known, each)) known.push_back(std::move(each));
    }
  };
  std::vector<std::string> takers;
  for (const model::Target& target : found.targets) {
    collect(target);
    const std::string name = model::MakeName(model::kProviders, target.provider->id);
    if (!Contains(takers, name)) takers.push_back(name);
  }
  for (const Eligibility::Passed& passed : found.passed) collect(passed.target);
  if (known.empty() || Contains(known, value)) return;
  const std::string meant = base::DidYouMean(value, known);
  faults.Add(field,
             absl::StrCat(base::Quoted(value),
                          " is not among the values that the model's targets are known to make (",
                          absl::StrJoin(known, ", "), ")",
                          meant.empty() ? "" : absl::StrCat("; did you mean \"", meant, "\"?"),
                          meant.empty() ? "; " : " ", "Only ", absl::StrJoin(takers, ", "),
                          " might accept it: name it in `providers` to have it tried there"));
}

}  // namespace

Eligibility Judge(const v1::VideoTask& asked, const v1::VideoTask& task,
                  const std::vector<v1::MediaType>& media, std::vector<model::Target> targets) {
  const bool default_ratio = task.has_aspect_ratio() && !asked.has_aspect_ratio();
  v1::VideoTask without_ratio;
  if (default_ratio) {
    without_ratio = task;
    without_ratio.clear_aspect_ratio();
  }
  Eligibility found;
  for (model::Target& target : targets) {
    const bool drop = default_ratio && target.capabilities->first_frame_sets_aspect_ratio();
    Reasons reasons = model::Inexpressible(drop ? without_ratio : task, media, target);
    if (reasons.empty()) {
      found.targets.push_back(std::move(target));
    } else {
      found.passed.push_back({std::move(target), std::move(reasons)});
    }
  }
  std::stable_sort(
      found.targets.begin(), found.targets.end(),
      [](const model::Target& a, const model::Target& b) { return a.priority < b.priority; });
  return found;
}

absl::Status CheckEligible(const v1::VideoTask& asked, const Eligibility& found) {
  base::Faults faults;
  if (found.targets.empty()) {
    for (const Eligibility::Passed& passed : found.passed) {
      for (const auto& [field, description] : passed.reasons) {
        faults.Add(field, absl::StrCat("provider ", passed.target.provider->id, " (model ",
                                       passed.target.provider_model, ") ", description));
      }
    }
    return faults.ToStatus(v1::FIELD_NOT_EXPRESSIBLE);
  }
  if (asked.has_resolution()) {
    CheckSpelling("video_task.resolution", asked.resolution(), found, &v1::Capabilities::resolution,
                  faults);
  }
  if (asked.has_aspect_ratio()) {
    CheckSpelling("video_task.aspect_ratio", asked.aspect_ratio(), found,
                  &v1::Capabilities::aspect_ratio, faults);
  }
  return faults.empty() ? absl::OkStatus() : faults.ToStatus(v1::FIELD_NOT_EXPRESSIBLE);
}

v1::Validation ToProto(const Eligibility& found) {
  v1::Validation out;
  for (const model::Target& target : found.targets) {
    v1::Validation::Target& one = *out.add_targets();
    one.set_provider(model::MakeName(model::kProviders, target.provider->id));
    one.set_provider_model(target.provider_model);
  }
  for (const Eligibility::Passed& passed : found.passed) {
    v1::Validation::PassedTarget& one = *out.add_passed_targets();
    one.set_provider(model::MakeName(model::kProviders, passed.target.provider->id));
    one.set_provider_model(passed.target.provider_model);
    for (const auto& [field, description] : passed.reasons) {
      v1::Validation::Reason& reason = *one.add_reasons();
      reason.set_field(field);
      reason.set_message(description);
    }
  }
  return out;
}

}  // namespace assetgate::calls
