#include "config/check_routes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/proto_time.h"
#include "base/spelling.h"
#include "base/text.h"
#include "model/capability_fit.h"
#include "provider/dialect.h"

namespace assetgate::config {
namespace {

// The provider to which the value at `path` refers; null, with a fault, where there is none.
const model::ProviderEntry* FindProvider(const std::string& path, const std::string& id,
                                         const Config& config, Reading& reading) {
  std::vector<std::string> known;
  for (const auto& provider : config.providers) {
    if (provider->id == id) return provider.get();
    if (!provider->id.empty()) known.push_back(provider->id);
  }
  std::sort(known.begin(), known.end());
  known.erase(std::unique(known.begin(), known.end()), known.end());
  reading.AddFault(
      path,
      absl::StrCat(base::Quoted(id), " is not the id of a provider; known: ",
                   known.empty() ? "none" : absl::StrJoin(base::NearestFirst(id, known), ", ")));
  return nullptr;
}

void CheckAssetProviders(Reading& reading, Config& out) {
  const file::Config& in = reading.message();
  for (int i = 0; i < in.asset_providers_size(); ++i) {
    const std::string path = absl::StrCat("asset_providers[", i, "]");
    const std::string& id = in.asset_providers(i);
    if (FindProvider(path, id, out, reading) == nullptr) continue;
    auto& ids = out.asset_providers;
    if (std::find(ids.begin(), ids.end(), id) != ids.end()) {
      reading.AddFault(path, absl::StrCat(base::Quoted(id), " is listed twice; remove one"));
      continue;
    }
    ids.push_back(id);
  }
}

std::optional<model::Target> CheckTarget(const file::Route::Target& in, const std::string& path,
                                         const Config& config, Reading& reading) {
  model::Target out;
  const std::string id = reading.Text(path + ".provider", in.has_provider(), in.provider(),
                                      "name one of providers[] by its id");
  out.provider_model = reading.Text(path + ".model", in.has_model(), in.model(),
                                    "name the model as the provider calls it");
  out.priority =
      reading.Number<int>(path + ".priority", in.has_priority(), in.priority(), 0, 0, 1'000);
  out.weight = reading.Number<int>(path + ".weight", in.has_weight(), in.weight(), 1, 1, 1'000);
  if (id.empty()) return std::nullopt;
  out.provider = FindProvider(path + ".provider", id, config, reading);
  if (out.provider == nullptr || out.provider_model.empty()) return std::nullopt;
  const provider::Dialect* dialect = out.provider->dialect.get();
  if (dialect == nullptr) return std::nullopt;
  out.capabilities = dialect->FindModel(out.provider_model);
  if (out.capabilities == nullptr) {
    reading.AddFault(
        path + ".model",
        absl::StrCat(
            base::Quoted(out.provider_model), " is not a model of dialect ", dialect->traits().name,
            "; known: ",
            absl::StrJoin(base::NearestFirst(out.provider_model, dialect->models()), ", ")));
    return std::nullopt;
  }
  return out;
}

std::vector<model::Target> CheckTargets(const file::Route& in, const std::string& path,
                                        const Config& config, Reading& reading) {
  if (in.targets().empty()) {
    reading.AddFault(path + ".targets",
                     "names no target; name at least one {provider: ID, model: NAME}");
  }
  std::vector<model::Target> targets;
  for (int i = 0; i < in.targets_size(); ++i) {
    const std::string at = absl::StrCat(path, ".targets[", i, "]");
    std::optional<model::Target> target = CheckTarget(in.targets(i), at, config, reading);
    if (!target.has_value()) continue;
    if (std::any_of(targets.begin(), targets.end(), [&](const model::Target& each) {
          return each.provider == target->provider && each.provider_model == target->provider_model;
        })) {
      reading.AddFault(at, "is listed twice; remove one, and give the other the weight of both");
      continue;
    }
    targets.push_back(*std::move(target));
  }
  std::stable_sort(
      targets.begin(), targets.end(),
      [](const model::Target& a, const model::Target& b) { return a.priority < b.priority; });
  return targets;
}

v1::VideoTask CheckDefaults(const file::Route::Defaults& in, const std::string& path,
                            Reading& reading) {
  v1::VideoTask out;
  if (in.has_duration()) {
    if (in.duration().nanos() != 0 || in.duration().seconds() < 1 ||
        in.duration().seconds() > 3600) {
      reading.AddFault(path + ".duration",
                       absl::StrCat(absl::FormatDuration(base::FromProto(in.duration())),
                                    " is not a whole number of seconds from 1s to 1h"));
    }
    *out.mutable_duration() = in.duration();
  }
  const auto text = [&](const char* field, const std::string& value) {
    if (value.empty() || value.size() > kMaxIdLength) {
      reading.AddFault(absl::StrCat(path, ".", field),
                       absl::StrCat(base::Quoted(value),
                                    " is empty or too long; remove it to leave the field to the "
                                    "provider"));
    }
    return value;
  };
  if (in.has_resolution()) out.set_resolution(text("resolution", in.resolution()));
  if (in.has_aspect_ratio()) out.set_aspect_ratio(text("aspect_ratio", in.aspect_ratio()));
  if (in.has_generate_audio()) out.set_generate_audio(in.generate_audio());
  if (in.has_watermark()) out.set_watermark(in.watermark());
  if (in.has_seed()) out.set_seed(in.seed());
  if (in.has_camera_fixed()) out.set_camera_fixed(in.camera_fixed());
  if (in.has_return_last_frame()) out.set_return_last_frame(in.return_last_frame());
  return out;
}

// A default that a target cannot express would silently keep every task from that target.
void CheckDefaultsFit(const model::ModelEntry& route, const std::string& path, Reading& reading) {
  const v1::VideoTask& task = route.defaults;
  for (const model::Target& target : route.targets) {
    const v1::Capabilities& can = *target.capabilities;
    const auto check = [&](const char* field, bool set, bool fits, const std::string& value) {
      if (!set || fits) return;
      reading.AddFault(
          absl::StrCat(path, ".", field),
          absl::StrCat(base::Quoted(value), " cannot be expressed by target providers/",
                       target.provider->id, "/models/", target.provider_model,
                       ", which would never be used; change the default, or give that target a "
                       "route of its own"));
    };
    const auto check_bool = [&](const char* field, bool set,
                                const v1::Capabilities::BoolField& capability, bool value) {
      check(field, set, model::Fits(capability, value), value ? "true" : "false");
    };
    check("duration", task.has_duration(), model::Fits(can.duration(), task.duration().seconds()),
          absl::StrCat(task.duration().seconds(), "s"));
    check("resolution", task.has_resolution(), model::Fits(can.resolution(), task.resolution()),
          task.resolution());
    check("aspect_ratio", task.has_aspect_ratio(),
          model::Fits(can.aspect_ratio(), task.aspect_ratio()), task.aspect_ratio());
    check("seed", task.has_seed(), model::Fits(can.seed(), task.seed()), absl::StrCat(task.seed()));
    check_bool("generate_audio", task.has_generate_audio(), can.generate_audio(),
               task.generate_audio());
    check_bool("watermark", task.has_watermark(), can.watermark(), task.watermark());
    check_bool("camera_fixed", task.has_camera_fixed(), can.camera_fixed(), task.camera_fixed());
    check_bool("return_last_frame", task.has_return_last_frame(), can.return_last_frame(),
               task.return_last_frame());
  }
}

// The route's name for callers, with faults where it is missing, invalid or used before.
std::string CheckName(const file::Route& in, int index, std::map<std::string, int>& seen,
                      Reading& reading) {
  const std::string path = absl::StrCat("routes[", index, "].model");
  std::string name = reading.Text(path, in.has_model(), in.model(),
                                  "choose the name that callers put into VideoTask.model");
  if (name.empty()) return name;
  if (!IsId(name, ".")) {
    reading.AddFault(path,
                     absl::StrCat(base::Quoted(name), " is not the name of a model; use at most ",
                                  kMaxIdLength, " of a-z, 0-9, - and ."));
  }
  const auto [first, inserted] = seen.emplace(name, index);
  if (!inserted) {
    reading.AddFault(path, absl::StrCat(base::Quoted(name), " is also the model of routes[",
                                        first->second, "]; join their targets into one route"));
  }
  return name;
}

}  // namespace

void CheckRoutes(Reading& reading, Config& out) {
  CheckAssetProviders(reading, out);
  std::map<std::string, int> seen;
  for (int i = 0; i < reading.message().routes_size(); ++i) {
    const file::Route& in = reading.message().routes(i);
    const std::string path = absl::StrCat("routes[", i, "]");
    model::ModelEntry route;
    route.id = CheckName(in, i, seen, reading);
    route.targets = CheckTargets(in, path, out, reading);
    route.defaults = CheckDefaults(in.defaults(), path + ".defaults", reading);
    CheckDefaultsFit(route, path + ".defaults", reading);
    out.routes.push_back(std::move(route));
  }
}

}  // namespace assetgate::config
