// The gateway's configuration as the other layers use it: providers, the models that routes offer,
// and numeric settings. A catalog never changes; a new config makes a new catalog.
#ifndef ASSETGATE_MODEL_CATALOG_H_
#define ASSETGATE_MODEL_CATALOG_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "assetgate/v1/provider.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "base/metrics.h"
#include "http/egress.h"
#include "model/provider_limits.h"
#include "model/settings.h"
#include "provider/dialect.h"

namespace assetgate::model {

// How many tasks of one model may be unfinished at a provider at the same time.
struct SlotLimits {
  // For each model that is not in `by_model`; absent: no limit.
  std::optional<int> each;
  std::map<std::string, int> by_model;

  bool empty() const { return !each.has_value() && by_model.empty(); }
  // Absent: no limit.
  std::optional<int> For(const std::string& provider_model) const;

  friend bool operator==(const SlotLimits&, const SlotLimits&) = default;
};

// One configured provider.
struct ProviderEntry {
  std::string id;
  std::shared_ptr<const provider::Dialect> dialect;
  std::string base_url;
  // The base URL of each of the dialect's planes.
  std::map<std::string, std::string> planes;
  provider::Credential credential;
  // Units that were submitted with this credential are still polled with it.
  std::optional<provider::Credential> previous_credential;
  v1::Provider::Mode mode = v1::Provider::SERVE;
  ProviderLimits limits;
  // From sending a call to the last byte of its answer; used where `timeouts` has zero.
  absl::Duration call_timeout = absl::Seconds(60);
  provider::CallTimeouts timeouts;
  http::Egress egress;
  SlotLimits slots;
  // The dialect's defaults, or the config's overrides.
  provider::Polling group_polling;
  provider::Polling asset_polling;
  provider::Polling video_polling;

  // The credential with which a unit is polled.
  const provider::Credential& CredentialFor(absl::string_view credential_id) const;
  const provider::Polling& PollingFor(provider::UnitKind kind) const;
  // The time limit of one call.
  absl::Duration TimeoutFor(base::UpstreamOperation operation) const;
  // The highest time limit of all kinds of submission.
  absl::Duration MaxSubmissionTimeout() const;
};

// A provider's model that can serve a route.
struct Target {
  const ProviderEntry* provider = nullptr;
  std::string provider_model;
  int priority = 0;
  int weight = 1;
  const v1::Capabilities* capabilities = nullptr;
};

// A value that VideoTask.model can have.
struct ModelEntry {
  // The route's name, or `providers/{p}/models/{m}`.
  std::string id;
  std::vector<Target> targets;
  // Only generation fields are set.
  v1::VideoTask defaults;
};

// Threading: immutable, so any thread may read it.
class Catalog {
 public:
  // The ids of the providers that an error may name; null: all.
  using Visible = const std::set<std::string>*;

  // The targets of `routes` point into `providers`. The config has checked both.
  Catalog(std::vector<std::unique_ptr<const ProviderEntry>> providers,
          std::vector<ModelEntry> routes, std::vector<std::string> asset_providers,
          Settings settings = {});

  // In the order of the config.
  const std::vector<std::unique_ptr<const ProviderEntry>>& providers() const { return providers_; }
  const std::vector<ModelEntry>& routes() const { return routes_; }
  // Where an asset goes if its caller names no provider.
  const std::vector<std::string>& asset_providers() const { return asset_providers_; }
  const Settings& settings() const { return settings_; }

  // nullptr if there is no provider with this id.
  const ProviderEntry* FindProvider(absl::string_view id) const;
  // Finds a model by its route's name, with or without `models/`, or by `providers/{p}/models/{m}`.
  // Errors: NOT_FOUND with the known names, nearest first.
  absl::StatusOr<ModelEntry> FindModel(absl::string_view name, Visible visible = nullptr) const;

  // The provider's model names that the config's routes use.
  std::set<std::string> ModelsOf(absl::string_view provider) const;

  // The errors for unknown names. They list the known names, nearest first.
  absl::Status NoSuchProvider(absl::string_view id, Visible visible = nullptr) const;
  absl::Status NoSuchModel(absl::string_view name, Visible visible = nullptr) const;

 private:
  std::vector<std::unique_ptr<const ProviderEntry>> providers_;
  std::vector<ModelEntry> routes_;
  std::vector<std::string> asset_providers_;
  const Settings settings_;
};

using CatalogPtr = std::shared_ptr<const Catalog>;

// The catalog in force. A call takes it once at its start and uses that catalog to its end, so a
// reload never changes a call in progress.
// Threading: thread-safe.
class CurrentCatalog {
 public:
  explicit CurrentCatalog(CatalogPtr catalog) : catalog_(std::move(catalog)) {}

  CatalogPtr Get() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return catalog_;
  }
  // For the reconciler, which adopts a new catalog before any other part.
  void Set(CatalogPtr catalog) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    // The previous catalog may be destroyed here, outside the lock.
    catalog_.swap(catalog);
  }

 private:
  mutable absl::Mutex mu_;
  CatalogPtr catalog_ ABSL_GUARDED_BY(mu_);
};

// What a new catalog changes for the work at one provider.
struct ProviderChange {
  // A key, the address, or how calls leave (headers, proxy) changed: results learned with the
  // previous ones no longer apply.
  bool access = false;
  bool mode = false;
  bool polling = false;
  bool slots = false;
};
// By provider id. Holds only providers that are in both catalogs and differ in something that work
// waits for.
using ProviderChanges = std::map<std::string, ProviderChange>;
ProviderChanges ChangesBetween(const Catalog& before, const Catalog& after);
// Whether calls go to the same address, the same way, with the same keys.
bool SameAccess(const ProviderEntry& a, const ProviderEntry& b);

// The proto forms, for ProviderService.
v1::Model ToProto(const ModelEntry& model);

}  // namespace assetgate::model

#endif  // ASSETGATE_MODEL_CATALOG_H_
