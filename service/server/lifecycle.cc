// How a gateway leaves and shuts down.
#include <grpcpp/health_check_service_interface.h>

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "server/wiring.h"

namespace assetgate {
namespace {

// The share of shutdown_timeout for open calls; submissions under way have all of it.
constexpr double kCallsShare = 0.5;

}  // namespace

admin::Readiness Server::Wiring::Readiness() {
  admin::Readiness readiness;
  if (draining.load()) {
    readiness.status = absl::UnavailableError("the gateway is shutting down");
    return readiness;
  }
  const absl::Status health = store->Health();
  if (absl::IsDataLoss(health)) {
    // A write that is acknowledged from now on would be lost.
    readiness.status =
        absl::UnavailableError(absl::StrCat("the store has lost its files: ", health.message()));
  } else if (!health.ok()) {
    // Reads and the work under way continue, so the gateway stays ready.
    readiness.degraded.push_back(absl::StrCat("the store takes no writes: ", health.message()));
  }
  return readiness;
}

void Server::Wiring::Leave() {
  draining.store(true);
  if (server == nullptr) return;
  if (auto* health = server->GetHealthCheckService()) health->SetServingStatus(false);
}

void Server::Wiring::Shutdown() {
  if (std::exchange(shut_down, true)) return;
  Leave();
  // Real time: the waits below know no other clock.
  const absl::Time begin = system_clock.Now();
  const absl::Time deadline = begin + config.shutdown_timeout;
  if (watches != nullptr) watches->Drain();
  if (provider_watches != nullptr) provider_watches->Drain();
  // Calls that were accepted are answered.
  if (reconciler != nullptr) reconciler->AnswerWaitersNow();
  if (listener != nullptr) listener->Stop();
  if (server != nullptr) {
    server->Shutdown(absl::ToChronoTime(begin + kCallsShare * config.shutdown_timeout));
  }
  if (reconciler != nullptr) {
    auto quiet = std::make_shared<absl::Notification>();
    reconciler->Drain([quiet] { quiet->Notify(); });
    if (!quiet->WaitForNotificationWithDeadline(deadline)) {
      log.Warning("submissions are still under way at the end of shutdown_timeout");
    }
    // Other gateways take over the unfinished work at once.
    store->leases().Release();
  }
  measures.reset();
  StopThreads();
  admin.reset();
}

void Server::Wiring::StopThreads() {
  curl.Stop();
  if (store != nullptr) {
    store->leases().SetListener(nullptr);
    store->Stop();
  }
  loop.Stop();
  if (reconciler != nullptr) reconciler->StopReading();
  replay_loop.Stop();
  hub_loop.Stop();
}

}  // namespace assetgate
