#include "config/reload.h"

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>

#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "config/fields.h"
#include "config/load.h"
#include "model/catalog.h"
#include "provider/dialect.h"

namespace assetgate::config {
namespace {

// The top-level keys, and single fields, that can change while the gateway serves; all others wait
// for a restart.
constexpr absl::string_view kChangeable[] = {
    "allow_insecure_listen",  // Read at a start alone.
    "log.level",
    "asset_providers",
    "callers",
    "drain_delay",
    "jwt_issuers",
    "providers",
    "routes",
    "shutdown_timeout",
    "submit_timeout",
    "tls",
    "tracking",
};

const std::shared_ptr<model::ProviderEntry>* FindProvider(const Config& config,
                                                          absl::string_view id) {
  const auto found = std::find_if(config.providers.begin(), config.providers.end(),
                                  [&](const auto& each) { return each->id == id; });
  return found == config.providers.end() ? nullptr : &*found;
}

const model::ModelEntry* FindRoute(const Config& config, absl::string_view id) {
  for (const model::ModelEntry& route : config.routes) {
    if (route.id == id) return &route;
  }
  return nullptr;
}

// Replaces `in_force` by `next` as far as a gateway that serves can do so, fields included.
class Merger {
 public:
  Merger(const Config& in_force, const Config& next) : in_force_(in_force), next_(next) {}

  Config Merge() {
    // All that the lines below do not take from the next config stays.
    Config merged = in_force_;
    merged.settings = next_.settings;
    merged.drain_delay = next_.drain_delay;
    merged.log_level = next_.log_level;
    merged.shutdown_timeout = next_.shutdown_timeout;
    merged.secret_sources = next_.secret_sources;
    MergeProviders(merged);
    MergeRoutes(merged);
    MergeTls(merged);
    MergeCallers(merged);
    for (const auto* fields : {&in_force_.fields, &next_.fields}) {
      for (const auto& [path, text] : *fields) {
        if (Waits(path) == (fields == &in_force_.fields)) merged_fields_[path] = text;
      }
    }
    merged.fields = std::move(merged_fields_);
    return merged;
  }

 private:
  bool Waits(absl::string_view path) const {
    const absl::string_view top = TopOf(path);
    const bool changeable =
        std::any_of(std::begin(kChangeable), std::end(kChangeable),
                    [&](absl::string_view each) { return each == top || each == path; });
    return !changeable || waiting_.contains(std::string(top)) ||
           waiting_.contains(std::string(ElementOf(path)));
  }

  // A provider that was removed may still have work, which names it by its id; one whose dialect
  // changed could not read what is stored of that work. Both stay as they are.
  void MergeProviders(Config& merged) {
    merged.providers = next_.providers;
    for (const auto& former : in_force_.providers) {
      const auto* now = FindProvider(next_, former->id);
      if (now != nullptr && (*now)->dialect->traits().name == former->dialect->traits().name) {
        continue;
      }
      waiting_.insert(absl::StrCat("providers[", former->id, "]"));
      if (now == nullptr) {
        merged.providers.push_back(former);
      } else {
        kept_.insert(former->id);
        merged.providers[static_cast<std::size_t>(now - next_.providers.data())] = former;
      }
    }
    merged.asset_providers = next_.asset_providers;
  }

  // A route to a provider whose dialect waits names models that only the next dialect knows.
  void MergeRoutes(Config& merged) {
    merged.routes.clear();
    for (const model::ModelEntry& route : next_.routes) {
      const bool waits = std::any_of(
          route.targets.begin(), route.targets.end(),
          [&](const model::Target& target) { return kept_.contains(target.provider->id); });
      if (!waits) {
        merged.routes.push_back(route);
        continue;
      }
      waiting_.insert(absl::StrCat("routes[", route.id, "]"));
      const model::ModelEntry* former = FindRoute(in_force_, route.id);
      if (former == nullptr) continue;
      model::ModelEntry kept = *former;
      for (model::Target& target : kept.targets) {
        target.provider = FindProvider(merged, target.provider->id)->get();
        target.capabilities = target.provider->dialect->FindModel(target.provider_model);
      }
      merged.routes.push_back(std::move(kept));
    }
  }

  // A new certificate, from the same files or others, serves the next connections. Whether there is
  // TLS at all, and whether clients are asked for certificates, is fixed when the port opens.
  void MergeTls(Config& merged) {
    const auto port_of = [](const std::optional<Tls>& tls) {
      return std::tuple(tls.has_value(), tls.has_value() && !tls->client_ca.empty(),
                        tls.has_value() && tls->client_certificate_required);
    };
    if (port_of(in_force_.tls) == port_of(next_.tls)) {
      merged.tls = next_.tls;
    } else {
      waiting_.insert("tls");
    }
  }

  // No client is asked for a certificate before the next start: callers that are known by
  // certificates alone would be locked out.
  void MergeCallers(Config& merged) {
    const bool asked = in_force_.tls.has_value() && !in_force_.tls->client_ca.empty();
    const bool shown = std::any_of(next_.callers.callers.begin(), next_.callers.callers.end(),
                                   [](const auto& each) { return !each.certificates.empty(); });
    if (shown && !asked) {
      waiting_.insert({"callers", "jwt_issuers"});
    } else {
      merged.callers = next_.callers;
    }
  }

  const Config& in_force_;
  const Config& next_;
  // Top-level keys and list elements that wait for a restart, by path.
  std::set<std::string> waiting_;
  // Providers whose next dialect waits.
  std::set<std::string> kept_;
  Fields merged_fields_;
};

// Adds its credential's id to each path of a credential.
std::vector<std::string> WithCredentialIds(std::vector<std::string> paths, const Config& config) {
  for (std::string& path : paths) {
    for (const auto& provider : config.providers) {
      const std::string of = absl::StrCat("providers[", provider->id, "].");
      if (absl::StartsWith(path, of + "credential")) {
        absl::StrAppend(&path, " (", provider->credential.id, ")");
      } else if (provider->previous_credential.has_value() &&
                 absl::StartsWith(path, of + "previous_credential")) {
        absl::StrAppend(&path, " (", provider->previous_credential->id, ")");
      }
    }
  }
  return paths;
}

}  // namespace

absl::StatusOr<Reload> PlanReload(const Config& in_force, Config next) {
  if (!in_force.callers.callers.empty() && next.callers.callers.empty()) {
    return absl::FailedPreconditionError(
        "callers: the list is empty now, which would let in everybody who reaches the port; put "
        "the callers back, or restart the gateway if everybody is meant");
  }
  const bool same_certificate = in_force.tls.has_value() && next.tls.has_value() &&
                                in_force.tls->material == next.tls->material;
  if (absl::Status times = CheckTimes(next); !times.ok() && !same_certificate) return times;
  Reload reload;
  reload.config = Merger(in_force, next).Merge();
  reload.changed =
      WithCredentialIds(Differences(in_force.fields, reload.config.fields), reload.config);
  reload.at_restart = WithCredentialIds(Differences(reload.config.fields, next.fields), next);
  return reload;
}

Reader::Seen Reader::Look(std::size_t max_bytes, const absl::StatusOr<std::string>& found) {
  return {max_bytes,
          found.ok() ? absl::HashOf(true, *found) : absl::HashOf(false, found.status().message())};
}

absl::StatusOr<Config> Reader::Read() {
  seen_.clear();
  Environment noting = environment_;
  noting.read_file = [this](const std::string& path, std::size_t max_bytes) {
    absl::StatusOr<std::string> found = environment_.read_file(path, max_bytes);
    seen_[path] = Look(max_bytes, found);
    return found;
  };
  return Load(path_, noting);
}

bool Reader::Changed() const {
  return std::any_of(seen_.begin(), seen_.end(), [this](const auto& entry) {
    const auto& [path, seen] = entry;
    return Look(seen.max_bytes, environment_.read_file(path, seen.max_bytes)).hash != seen.hash;
  });
}

}  // namespace assetgate::config
