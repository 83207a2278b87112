// The parts of a gateway that serves, in the order in which they are made. Internal to server/.
#ifndef ASSETGATE_SERVER_WIRING_H_
#define ASSETGATE_SERVER_WIRING_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "admin/admin_server.h"
#include "api/asset_service.h"
#include "api/call_limit.h"
#include "api/config_state.h"
#include "api/debug_services.h"
#include "api/gatekeeper.h"
#include "api/provider_service.h"
#include "api/video_service.h"
#include "auth/authenticator.h"
#include "auth/limiter.h"
#include "auth/server_credentials.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/metrics.h"
#include "calls/asset_calls.h"
#include "calls/provider_calls.h"
#include "calls/provider_watches.h"
#include "calls/unfinished_videos.h"
#include "calls/video_calls.h"
#include "config/config.h"
#include "http/curl_client.h"
#include "listener/listener.h"
#include "model/catalog.h"
#include "reconcile/purge.h"
#include "reconcile/reconciler.h"
#include "server/measures.h"
#include "server/server.h"
#include "store/change_fan_out.h"
#include "store/open.h"
#include "upstream/telemetry.h"
#include "watch/hub.h"
#include "watch/watches.h"

namespace assetgate {

// Lifetime: members are destroyed in the opposite order, after Shutdown has stopped the threads.
struct Server::Wiring {
  Wiring(config::Config from, base::Log its_log, const base::Clock* given_clock);

  // In force.
  config::Config config;
  base::Log log;
  const base::SystemClock system_clock;
  // The time at which tokens and certificates must be valid: their issuers use dates, too.
  const base::Clock& machine_clock;
  // The clock of everything else: a step of the machine's clock expires nothing and delays nothing.
  const base::ForwardClock clock;
  model::CurrentCatalog catalog;
  base::Metrics metrics;
  upstream::LoggedTelemetry telemetry;
  auth::Limiter limiter;
  api::CallLimit call_limit;
  base::ThreadEventLoop hub_loop;
  base::ThreadEventLoop replay_loop;
  base::ThreadEventLoop loop;
  store::OpenedStore opened_store;
  std::unique_ptr<store::Store> decorated_store;
  // One of the two above.
  store::Store* store = nullptr;
  watch::Hub hub;
  std::unique_ptr<watch::Watches> watches;
  http::CurlClient curl;
  std::unique_ptr<http::Client> decorated_http;
  // One of the two above.
  http::Client* http = &curl;
  std::optional<auth::Authenticator> authenticator;
  std::unique_ptr<listener::Listener> listener;
  std::optional<api::Gatekeeper> gatekeeper;
  std::unique_ptr<calls::UnfinishedVideos> unfinished_videos;
  std::unique_ptr<reconcile::Reconciler> reconciler;
  std::unique_ptr<calls::ProviderWatches> provider_watches;
  std::optional<store::ChangeFanOut> changes;
  std::optional<calls::AssetCalls> asset_calls;
  std::optional<calls::VideoCalls> video_calls;
  std::optional<calls::ProviderCalls> provider_calls;
  std::unique_ptr<reconcile::Purge> purge;
  std::unique_ptr<api::AssetService> assets;
  std::unique_ptr<api::VideoService> videos;
  api::ConfigState config_state;
  std::unique_ptr<api::ProviderService> providers;
  std::optional<Measures> measures;
  std::optional<api::DebugServices> debug;
  // Outlives the server.
  std::optional<auth::ServerTls> tls;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<admin::AdminServer> admin;
  // The faults that Reread has logged.
  std::string key_fault;
  std::string certificate_fault;
  std::string store_fault;
  absl::Time certificate_end = absl::InfinitePast();
  std::atomic<bool> draining{false};
  bool shut_down = false;

  // server.cc
  absl::Status OpenStore(const Decorators& decorators);
  void MakeParts(const Decorators& decorators);
  absl::Status Listen();
  absl::Status Authenticate();
  absl::Status Serve();
  void Configure(grpc::ServerBuilder& builder) const;
  absl::Status StartAdmin();
  void StartWork();

  // lifecycle.cc
  admin::Readiness Readiness();
  void Leave();
  void Shutdown();
  void StopThreads();

  // reload.cc
  void Reload(absl::StatusOr<config::Config> next);
  // Puts `config` into force in all parts.
  void Reconfigure();
  // Limits the unfinished videos of the callers in `callers`.
  absl::Status FollowLimits(const auth::Callers& callers);
  void Reread();
  // Logs and measures the certificate in force.
  void NoteCertificate();
};

}  // namespace assetgate

#endif  // ASSETGATE_SERVER_WIRING_H_
