// What this gateway has been configured with: providers, and the models that routes make of them.
#ifndef ASSETGATE_CORE_CATALOG_H_
#define ASSETGATE_CORE_CATALOG_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "assetgate/v1/provider.pb.h"
#include "assetgate/v1/video_task.pb.h"
#include "core/gate.h"
#include "provider/dialect.h"

namespace assetgate::core {

// One configured provider.
struct ProviderEntry {
  std::string id;
  std::unique_ptr<const provider::Dialect> dialect;
  std::string base_url;
  provider::Credential credential;
  // Units that were made with it are still polled with it.
  std::optional<provider::Credential> previous_credential;
  v1::Provider::Mode mode = v1::Provider::SERVE;
  Gate::Limits limits;
  // One call, from sending to the last byte of the answer.
  absl::Duration call_timeout = absl::Seconds(60);
  // The dialect's, or what the config says instead.
  provider::Polling group_polling;
  provider::Polling asset_polling;
  provider::Polling video_polling;

  // The credential with which a unit is polled.
  const provider::Credential& CredentialFor(absl::string_view credential_id) const;
  const provider::Polling& PollingFor(provider::UnitKind kind) const;
};

// One way to make a model's videos.
struct Target {
  const ProviderEntry* provider = nullptr;
  std::string provider_model;
  int priority = 0;
  int weight = 1;
  const v1::Capabilities* capabilities = nullptr;
};

// A name that VideoTask.model can have.
struct ModelEntry {
  // The route's name, or `providers/{p}/models/{m}`.
  std::string id;
  std::vector<Target> targets;
  // Only generation fields are set.
  v1::VideoTask defaults;
};

// Immutable once made; any thread.
class Catalog {
 public:
  // The targets of `routes` point into `providers`, which the config has checked.
  Catalog(std::vector<std::unique_ptr<const ProviderEntry>> providers,
          std::vector<ModelEntry> routes, std::vector<std::string> asset_providers);

  // In the order of the config.
  const std::vector<std::unique_ptr<const ProviderEntry>>& providers() const { return providers_; }
  const std::vector<ModelEntry>& routes() const { return routes_; }
  // Where assets go whose caller names no provider.
  const std::vector<std::string>& asset_providers() const { return asset_providers_; }

  // By id; nullptr where there is none.
  const ProviderEntry* FindProvider(absl::string_view id) const;
  // By a route's name, with or without `models/`, or by `providers/{p}/models/{m}`. NOT_FOUND with
  // the known names, nearest first.
  absl::StatusOr<ModelEntry> FindModel(absl::string_view name) const;

  // The errors for names that are not there, with the known ones, nearest first.
  absl::Status NoSuchProvider(absl::string_view id) const;
  absl::Status NoSuchModel(absl::string_view name) const;

 private:
  std::vector<std::unique_ptr<const ProviderEntry>> providers_;
  std::vector<ModelEntry> routes_;
  std::vector<std::string> asset_providers_;
};

// The proto forms, for ProviderService.
v1::Model ToProto(const ModelEntry& model);

}  // namespace assetgate::core

#endif  // ASSETGATE_CORE_CATALOG_H_
