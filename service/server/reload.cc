// What a gateway does with a config that it reads while it serves.
#include "config/reload.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "auth/tls_material.h"
#include "config/catalog_of.h"
#include "server/wiring.h"

namespace assetgate {
namespace {

// For the reconciler to finish its current step and put another catalog into force.
constexpr absl::Duration kReconfigureTimeout = absl::Seconds(10);

// The callers whose unfinished videos are limited.
std::set<calls::UnfinishedVideos::Creator> LimitedBy(const auth::Callers& callers) {
  std::set<calls::UnfinishedVideos::Creator> limited;
  for (const auth::Caller& caller : callers.callers) {
    if (caller.limits.unfinished_videos > 0) limited.insert({caller.tenant, caller.id});
  }
  return limited;
}

bool ChangesCallers(const config::Reload& reload) {
  return std::any_of(reload.changed.begin(), reload.changed.end(), [](const std::string& path) {
    return absl::StartsWith(path, "callers") || absl::StartsWith(path, "jwt_issuers");
  });
}

}  // namespace

void Server::Wiring::Reload(absl::StatusOr<config::Config> next) {
  absl::StatusOr<config::Reload> reload =
      next.ok() ? config::PlanReload(config, *std::move(next)) : next.status();
  const absl::Status status = reload.status();
  if (status.ok() && ChangesCallers(*reload)) {
    authenticator->Replace(reload->config.callers);
    if (const absl::Status followed = FollowLimits(reload->config.callers); !followed.ok()) {
      log.Warning("cannot count the unfinished videos of callers; retrying",
                  {{"detail", followed.message()}});
    }
  }
  metrics.SetConfigReload(status.ok());
  if (!status.ok()) {
    config_state.Rejected(machine_clock.Now());
    // One line per fault.
    for (absl::string_view fault : absl::StrSplit(status.message(), '\n')) {
      log.Error("config rejected; keeping the current one", {{"detail", fault}});
    }
    return;
  }
  config_state.Taken();
  config = std::move(reload->config);
  if (tls.has_value()) {
    tls->Replace(config.tls->material);
    NoteCertificate();
  }
  log.SetLevel(config.log_level);
  Reconfigure();
  log.Info(
      "config reloaded",
      {{"changed", reload->changed.empty() ? "nothing" : absl::StrJoin(reload->changed, ", ")}});
  if (reload->at_restart.empty()) return;
  log.Warning("config needs a restart; these keep their former values until then",
              {{"fields", absl::StrJoin(reload->at_restart, ", ")}});
}

void Server::Wiring::Reconfigure() {
  const model::CatalogPtr former = catalog.Get();
  auto in_force = std::make_shared<absl::Notification>();
  reconciler->Reconfigure(config::CatalogOf(config), [in_force] { in_force->Notify(); });
  if (!in_force->WaitForNotificationWithTimeout(kReconfigureTimeout)) {
    log.Warning("the config is not in force yet; the reconciler is busy");
  }
  for (const auto& provider : config.providers) {
    if (former->FindProvider(provider->id) == nullptr) measures->AddProvider(provider->id);
  }
}

absl::Status Server::Wiring::FollowLimits(const auth::Callers& callers) {
  return unfinished_videos->Follow(LimitedBy(callers));
}

void Server::Wiring::Reread() {
  // Counts again after the store could not be read or its feed had a gap; /readyz reports the
  // fault.
  unfinished_videos->Refresh().IgnoreError();
  // Logs each fault once, and again when it is another one.
  const auto note = [this](const absl::Status& status, std::string& noted,
                           absl::string_view message) {
    if (noted == status.message()) return;
    noted = std::string(status.message());
    if (!status.ok()) log.Warning(message, {{"detail", noted}});
  };
  note(authenticator->RefreshKeys(), key_fault,
       "cannot fetch the keys of a JWT issuer; keeping the current ones");
  metrics.SetIssuerKeyTimes(authenticator->FetchTimes());
  const absl::Status health = store->Health();
  note(absl::IsDataLoss(health) ? health : absl::OkStatus(), store_fault,
       "the store has lost its files");
  if (!config.tls.has_value()) return;
  const std::string fault =
      auth::FaultOfTime(config.tls->material.certificate, machine_clock.Now());
  note(fault.empty() ? absl::OkStatus() : absl::FailedPreconditionError(fault), certificate_fault,
       "the certificate is not valid; clients reject it");
}

void Server::Wiring::NoteCertificate() {
  const absl::Time end = auth::CertificateEnd(config.tls->material.certificate);
  if (end == certificate_end) return;
  certificate_end = end;
  metrics.SetCertificateExpiry(end);
  log.Info("certificate",
           {{"file", config.tls->certificate},
            {"expires", absl::FormatTime(absl::RFC3339_sec, end, absl::UTCTimeZone())}});
}

}  // namespace assetgate
