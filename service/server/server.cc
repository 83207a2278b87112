#include "server/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/notification.h"
#include "admin/admin_server.h"
#include "api/asset_service.h"
#include "api/call_limit.h"
#include "api/config_state.h"
#include "api/debug_services.h"
#include "api/gatekeeper.h"
#include "api/provider_service.h"
#include "api/rpc.h"
#include "api/video_service.h"
#include "auth/authenticator.h"
#include "auth/limiter.h"
#include "auth/server_credentials.h"
#include "auth/tls_material.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/event_loop.h"
#include "base/metrics.h"
#include "calls/asset_calls.h"
#include "calls/provider_calls.h"
#include "calls/provider_watches.h"
#include "calls/unfinished_videos.h"
#include "calls/video_calls.h"
#include "config/reload.h"
#include "http/curl_client.h"
#include "listener/listener.h"
#include "model/catalog.h"
#include "reconcile/purge.h"
#include "reconcile/reconciler.h"
#include "store/change_fan_out.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"
#include "upstream/telemetry.h"
#include "watch/hub.h"
#include "watch/watches.h"

namespace assetgate {
namespace {

// Of shutdown_timeout, what open calls may take of it; submissions under way have all of it.
constexpr double kCallsShare = 0.5;

http::CurlClientOptions MakeClientOptions(const config::Config& config) {
  http::CurlClientOptions options;
  options.max_response_bytes = static_cast<std::size_t>(config.max_response_bytes);
  options.user_agent = absl::StrCat("assetgate/", base::ThisBuild().version);
  return options;
}

watch::Stream::Options MakeStreamOptions(const config::Config& config) {
  watch::Stream::Options options;
  options.bookmark_interval = config.bookmark_interval;
  return options;
}

calls::ProviderWatches::Options MakeProviderWatchesOptions(const config::Config& config) {
  calls::ProviderWatches::Options options;
  options.bookmark_interval = config.bookmark_interval;
  return options;
}

auth::ClientCertificates ClientCertificatesOf(const config::Tls& tls) {
  if (tls.client_ca.empty()) return auth::ClientCertificates::kNone;
  return tls.client_certificate_required ? auth::ClientCertificates::kRequired
                                         : auth::ClientCertificates::kOptional;
}

// Whose unfinished videos are limited.
std::set<calls::UnfinishedVideos::Creator> LimitedBy(const auth::Callers& callers) {
  std::set<calls::UnfinishedVideos::Creator> limited;
  for (const auth::Caller& caller : callers.callers) {
    if (caller.limits.unfinished_videos > 0) limited.insert({caller.tenant, caller.id});
  }
  return limited;
}

constexpr base::MetricKind kKinds[] = {base::MetricKind::kAssetGroup, base::MetricKind::kAsset,
                                       base::MetricKind::kVideoTask};
// For another catalog to be in force, which waits for what the reconciler is just doing.
constexpr absl::Duration kReconfigureTimeout = absl::Seconds(10);

// Of the process's memory, what all connections may hold: gRPC has about twice what it counts.
constexpr int kConnectionsShare = 4;
// Above this part of it, strangers get next to nothing.
constexpr double kScarceFrom = 0.4;

constexpr int kMaxReadBytes = 64 << 10;

// Of the process's memory, what answers may hold that are not yet written.
constexpr int kUnsentShare = 8;

api::CallLimit::Limits CallLimitsOf(const config::Config& config) {
  const auto unsent = static_cast<std::size_t>(config.memory / kUnsentShare);
  return {.calls = config.max_concurrent_calls,
          .calls_per_caller = config.max_concurrent_calls_per_caller,
          .unsent = unsent,
          .unsent_per_caller = unsent / 2};
}

// For a connection to become one: TLS, and the first words of HTTP/2.
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);

// A compressed message is inflated before its size is looked at: a megabyte of a stranger's becomes
// a gigabyte of ours. Who sends one is told UNIMPLEMENTED, and that we take none.
void ForbidCompression(grpc::ServerBuilder& builder) {
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
}

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

bool ChangesCallers(const config::Reload& reload) {
  return std::any_of(reload.changed.begin(), reload.changed.end(), [](const std::string& path) {
    return absl::StartsWith(path, "callers") || absl::StartsWith(path, "jwt_issuers");
  });
}

// What people call this gateway: in Kubernetes, the pod's name.
std::string HostName() {
  char name[256] = "";
  if (::gethostname(name, sizeof(name) - 1) != 0) return "gateway";
  return name;
}

}  // namespace

absl::StatusOr<std::string> MarkRestored(const config::Config& config) {
  constexpr absl::string_view kNow = " from now on; resume tokens from before start over";
  if (!config.postgres_uri.empty()) {
    store::PostgresStore::Options options;
    options.uri = config.postgres_uri.Reveal();
    const auto id = store::PostgresStore::MarkRestored(options);
    if (!id.ok()) return id.status();
    return absl::StrCat("the PostgreSQL store is store ", *id, kNow);
  }
  const auto id = store::SqliteStore::MarkRestored(config.sqlite_path);
  if (!id.ok()) return id.status();
  return absl::StrCat("store file ", config.sqlite_path, ": is store ", *id, kNow);
}

// In the order in which things are made; they go in the opposite one, after Shutdown has stopped
// the threads.
struct Server::Wiring {
  Wiring(config::Config from, base::Log its_log, const base::Clock* given_clock)
      : config(std::move(from)),
        log(std::move(its_log)),
        machine_clock(given_clock == nullptr ? system_clock : *given_clock),
        clock(machine_clock),
        catalog(config::MakeCatalog(config)),
        metrics(base::ThisBuild()),
        telemetry(metrics, log),
        limiter(clock),
        call_limit(CallLimitsOf(config)),
        hub_loop("ag-hub", &clock),
        replay_loop("ag-replay", &clock),
        loop("ag-core", &clock),
        hub(hub_loop, &metrics.WatchLagSeconds()),
        curl(MakeClientOptions(config), clock) {}

  // In force.
  config::Config config;
  base::Log log;
  const base::SystemClock system_clock;
  // By which tokens and certificates are valid: those who made them go by dates too.
  const base::Clock& machine_clock;
  // Of everything else below: its steps make nothing too old, and what is due stays due.
  const base::ForwardClock clock;
  model::CurrentCatalog catalog;
  base::Metrics metrics;
  upstream::LoggedTelemetry telemetry;
  auth::Limiter limiter;
  api::CallLimit call_limit;
  base::ThreadEventLoop hub_loop;
  base::ThreadEventLoop replay_loop;
  base::ThreadEventLoop loop;
  std::unique_ptr<store::Store> opened_store;
  std::unique_ptr<store::Store> decorated_store;
  // One of the two above.
  store::Store* store = nullptr;
  // For the log, without secrets.
  std::string store_address;
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
  std::vector<std::unique_ptr<base::Metrics::Computation>> computations;
  std::optional<api::DebugServices> debug;
  // Outlives the server.
  std::optional<auth::ServerTls> tls;
  std::unique_ptr<grpc::Server> server;
  std::unique_ptr<admin::AdminServer> admin;
  // What Reread has said.
  std::string key_fault;
  std::string certificate_fault;
  std::string store_fault;
  absl::Time certificate_end = absl::InfinitePast();
  std::atomic<bool> draining{false};
  bool shut_down = false;

  absl::Status OpenStore(const Decorators& decorators);
  void ListenToChanges();
  absl::Status Listen();
  absl::Status Serve();
  absl::Status StartAdmin();
  void Measure();
  void MeasureProvider(const std::string& id);
  void Compute(prometheus::Gauge& gauge, absl::AnyInvocable<double()> read);
  admin::Readiness Readiness();
  void Reload(absl::StatusOr<config::Config> next);
  // Has everybody go by `config`.
  void Reconfigure();
  void Follow(const std::set<calls::UnfinishedVideos::Creator>& limited);
  void Reread();
  // Tells of the certificate in force.
  void NoteCertificate();
  void Leave();
  void Shutdown();
  void StopThreads();
};

absl::Status Server::Wiring::OpenStore(const Decorators& decorators) {
  if (!config.postgres_uri.empty()) {
    store::PostgresStore::Options options;
    options.uri = config.postgres_uri.Reveal();
    options.name = HostName();
    options.clock = &clock;
    options.retention = config.retention;
    options.lease_duration = config.lease_duration;
    options.lease_renewal = config.lease_duration / 5;
    options.metrics = &metrics;
    auto opened = store::PostgresStore::Open(std::move(options));
    if (!opened.ok()) return opened.status();
    store_address = absl::StrCat("PostgreSQL ", (*opened)->address());
    opened_store = *std::move(opened);
  } else {
    store::SqliteStore::Options options;
    options.path = config.sqlite_path;
    options.clock = &clock;
    options.retention = config.retention;
    options.metrics = &metrics;
    auto opened = store::SqliteStore::Open(std::move(options));
    if (!opened.ok()) return opened.status();
    store_address = config.sqlite_path;
    opened_store = *std::move(opened);
  }
  store = opened_store.get();
  if (decorators.store) {
    decorated_store = decorators.store(*store);
    store = decorated_store.get();
  }
  return absl::OkStatus();
}

absl::Status Server::Wiring::Listen() {
  listener::ListenerOptions options;
  options.host = config.listen.host;
  options.port = config.listen.port;
  options.unacknowledged = config.connections.keepalive_timeout;
  // With its metadata.
  options.strangers.first_call_bytes = config.max_message_bytes + (64 << 10);
  options.strangers.memory =
      static_cast<std::int64_t>(kScarceFrom * static_cast<double>(config.memory));
  auto opened = listener::Listener::Open(std::move(options), log, clock);
  if (!opened.ok()) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", config.listen.ToString(),
                                               " (listen): ", opened.status().message()));
  }
  listener = *std::move(opened);
  return absl::OkStatus();
}

absl::Status Server::Wiring::Serve() {
  const api::Parts parts{*gatekeeper, call_limit, metrics, clock, log};
  assets = std::make_unique<api::AssetService>(parts, *asset_calls, *watches);
  videos = std::make_unique<api::VideoService>(parts, *video_calls, *watches);
  providers = std::make_unique<api::ProviderService>(parts, *provider_calls, *provider_watches,
                                                     base::ThisBuild().version, config_state);

  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.SetOption(api::DisableAllExcept({}));
  if (config.debug_reflection || config.debug_channelz) {
    debug.emplace(api::DebugSwitches{config.debug_reflection, config.debug_channelz}, *gatekeeper);
    builder.RegisterCallbackGenericService(&debug->service());
  }
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
  if (config.tls.has_value()) {
    tls.emplace(config.tls->material, ClientCertificatesOf(*config.tls));
    credentials = tls->MakeCredentials();
    NoteCertificate();
  }
  auto connections = builder.experimental().AddExternalConnectionAcceptor(
      grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, credentials);
  builder.RegisterService(assets.get());
  builder.RegisterService(videos.get());
  builder.RegisterService(providers.get());
  builder.SetMaxReceiveMessageSize(config.max_message_bytes);
  ForbidCompression(builder);
  grpc::ResourceQuota memory("connections");
  memory.Resize(static_cast<std::size_t>(config.memory / kConnectionsShare));
  builder.SetResourceQuota(memory);
  // A peer that says nothing holds a descriptor until then.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTimeout));
  // A read that brings many calls makes all of them before anybody can look at the first.
  builder.AddChannelArgument(GRPC_ARG_TCP_MAX_READ_CHUNK_SIZE, kMaxReadBytes);
  // Subscribers behind load balancers ping on idle streams.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, config.debug_channelz ? 1 : 0);
  const config::Connections& each = config.connections;
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(each.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Milliseconds(each.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, each.max_concurrent_streams);
  if (each.max_age != absl::InfiniteDuration()) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(each.max_age));
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                               Milliseconds(each.max_age_grace));
  }
  server = builder.BuildAndStart();
  if (server == nullptr) return absl::InternalError("gRPC does not start; the log says why");
  listener->Serve(std::move(connections));
  return absl::OkStatus();
}

absl::Status Server::Wiring::StartAdmin() {
  admin::AdminServerOptions options;
  options.listen = config.admin_listen.ToString();
  options.version = base::ThisBuild().version;
  options.readiness = [this] { return Readiness(); };
  auto started = admin::AdminServer::Start(std::move(options), metrics);
  if (!started.ok()) return started.status();
  admin = *std::move(started);
  return absl::OkStatus();
}

void Server::Wiring::Compute(prometheus::Gauge& gauge, absl::AnyInvocable<double()> read) {
  computations.push_back(metrics.Compute(gauge, std::move(read)));
}

void Server::Wiring::MeasureProvider(const std::string& id) {
  Compute(metrics.Unconfirmed(id),
          [this, id] { return static_cast<double>(reconciler->unfinished().unconfirmed[id]); });
  for (const base::MetricKind kind : kKinds) {
    Compute(metrics.Unfinished(kind, id), [this, kind, id] {
      return static_cast<double>(reconciler->unfinished().by_provider[{kind, id}]);
    });
  }
}

void Server::Wiring::Measure() {
  Compute(metrics.QueueDepth("store_writer"),
          [this] { return static_cast<double>(store->queue_depth()); });
  Compute(metrics.QueueDepth("watch_hub"),
          [this] { return static_cast<double>(hub.queue_depth()); });
  Compute(metrics.StoreHealthy(), [this] { return store->Health().ok() ? 1.0 : 0.0; });
  Compute(metrics.LeasesHeld(),
          [this] { return static_cast<double>(store->leases().held_count()); });
  Compute(metrics.Gateways(), [this] { return static_cast<double>(store->leases().gateways()); });
  for (const auto& provider : catalog.Get()->providers()) MeasureProvider(provider->id);
  // Those at providers that have left the config, whose ids are no label.
  Compute(metrics.Unconfirmed(""), [this] {
    const model::CatalogPtr configured = catalog.Get();
    std::int64_t count = 0;
    for (const auto& [id, attempts] : reconciler->unfinished().unconfirmed) {
      if (configured->FindProvider(id) == nullptr) count += attempts;
    }
    return static_cast<double>(count);
  });
  for (const base::MetricKind kind : kKinds) {
    for (int reason = v1::Waiting::Reason_MIN + 1; reason <= v1::Waiting::Reason_MAX; ++reason) {
      const auto why = static_cast<v1::Waiting::Reason>(reason);
      Compute(metrics.Waiting(kind, why), [this, kind, why] {
        return static_cast<double>(reconciler->unfinished().by_reason[{kind, why}]);
      });
    }
  }
}

void Server::Wiring::ListenToChanges() {
  // Watchers hear first.
  changes.emplace(
      std::vector<store::ChangeListener*>{&hub, unfinished_videos.get(), reconciler.get()});
  store->SetListener(&*changes);
}

admin::Readiness Server::Wiring::Readiness() {
  admin::Readiness readiness;
  if (draining.load()) {
    readiness.status = absl::UnavailableError("the gateway is going away");
    return readiness;
  }
  const absl::Status health = store->Health();
  if (absl::IsDataLoss(health)) {
    // What is acknowledged from now on would be lost.
    readiness.status =
        absl::UnavailableError(absl::StrCat("the store has lost its files: ", health.message()));
  } else if (!health.ok()) {
    // Reads go on and work that is under way is kept: taking all gateways away would help nobody.
    readiness.degraded.push_back(absl::StrCat("the store takes no writes: ", health.message()));
  }
  return readiness;
}

void Server::Wiring::StopThreads() {
  curl.Stop();
  if (store != nullptr) {
    store->leases().SetListener(nullptr);
    store->Stop();
  }
  loop.Stop();
  replay_loop.Stop();
  hub_loop.Stop();
}

void Server::Wiring::Leave() {
  draining.store(true);
  if (server == nullptr) return;
  if (auto* health = server->GetHealthCheckService()) health->SetServingStatus(false);
}

void Server::Wiring::Shutdown() {
  if (std::exchange(shut_down, true)) return;
  Leave();
  // Real time: what waits for it below knows no other.
  const absl::Time begin = system_clock.Now();
  const absl::Time deadline = begin + config.shutdown_timeout;
  if (watches != nullptr) watches->Drain();
  if (provider_watches != nullptr) provider_watches->Drain();
  // A call that has come in is served, up to the last one.
  if (reconciler != nullptr) reconciler->Hurry();
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
    // Other gateways go on at once with what is not finished.
    store->leases().Release();
  }
  computations.clear();
  StopThreads();
  admin.reset();
}

void Server::Wiring::Reload(absl::StatusOr<config::Config> next) {
  absl::StatusOr<config::Reload> reload =
      next.ok() ? config::PlanReload(config, *std::move(next)) : next.status();
  const absl::Status status = reload.status();
  if (status.ok() && ChangesCallers(*reload)) {
    authenticator->Replace(reload->config.callers);
    Follow(LimitedBy(reload->config.callers));
  }
  metrics.SetConfigReload(status.ok());
  if (!status.ok()) {
    config_state.Rejected(machine_clock.Now());
    // One line per fault.
    for (absl::string_view fault : absl::StrSplit(status.message(), '\n')) {
      log.Error("config not taken; the former stays in force", {{"detail", fault}});
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
      "config read again",
      {{"changed", reload->changed.empty() ? "nothing" : absl::StrJoin(reload->changed, ", ")}});
  if (reload->at_restart.empty()) return;
  log.Warning("config needs a restart; until then these stay as they were",
              {{"fields", absl::StrJoin(reload->at_restart, ", ")}});
}

void Server::Wiring::Reconfigure() {
  const model::CatalogPtr former = catalog.Get();
  auto in_force = std::make_shared<absl::Notification>();
  reconciler->Reconfigure(config::MakeCatalog(config), [in_force] { in_force->Notify(); });
  if (!in_force->WaitForNotificationWithTimeout(kReconfigureTimeout)) {
    log.Warning("the config goes into force as soon as the gateway gets to it");
  }
  for (const config::Provider& provider : config.providers) {
    if (former->FindProvider(provider.id) == nullptr) MeasureProvider(provider.id);
  }
}

void Server::Wiring::Follow(const std::set<calls::UnfinishedVideos::Creator>& limited) {
  if (const absl::Status status = unfinished_videos->Follow(limited); !status.ok()) {
    log.Warning("unfinished videos of callers not counted; tried again",
                {{"detail", status.message()}});
  }
}

void Server::Wiring::Reread() {
  // Where the store could not be read, or its feed had a gap. /readyz says what is wrong with it.
  unfinished_videos->Refresh().IgnoreError();
  // Said once, and again when it is something else.
  const auto tell = [this](const absl::Status& status, std::string& told,
                           absl::string_view message) {
    if (told == status.message()) return;
    told = std::string(status.message());
    if (!status.ok()) log.Warning(message, {{"detail", told}});
  };
  tell(authenticator->RefreshKeys(), key_fault,
       "keys of an issuer of JWTs not to be had; the former stay");
  metrics.SetIssuerKeyTimes(authenticator->FetchTimes());
  const absl::Status health = store->Health();
  tell(absl::IsDataLoss(health) ? health : absl::OkStatus(), store_fault,
       "the store has lost its files");
  if (!config.tls.has_value()) return;
  const std::string fault =
      auth::FaultOfTime(config.tls->material.certificate, machine_clock.Now());
  tell(fault.empty() ? absl::OkStatus() : absl::FailedPreconditionError(fault), certificate_fault,
       "clients refuse the certificate");
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

Server::Server(std::unique_ptr<Wiring> wiring) : wiring_(std::move(wiring)) {}

void Server::Reload(absl::StatusOr<config::Config> config) { wiring_->Reload(std::move(config)); }

void Server::Reread() { wiring_->Reread(); }

Server::~Server() { Shutdown(); }

absl::Duration Server::drain_delay() const { return wiring_->config.drain_delay; }

absl::Duration Server::shutdown_timeout() const { return wiring_->config.shutdown_timeout; }

void Server::Leave() { wiring_->Leave(); }

void Server::Shutdown() { wiring_->Shutdown(); }

std::string Server::address() const {
  config::HostPort address = wiring_->config.listen;
  address.port = wiring_->listener->port();
  return address.ToString();
}

std::string Server::admin_address() const {
  config::HostPort address = wiring_->config.admin_listen;
  address.port = wiring_->admin->port();
  return address.ToString();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(config::Config config, base::Log log,
                                                      const Decorators& decorators) {
  auto owned = std::make_unique<Wiring>(std::move(config), std::move(log), decorators.clock);
  Wiring& wiring = *owned;
  // From here on, a failure goes the same way as an orderly end.
  std::unique_ptr<Server> server(new Server(std::move(owned)));
  if (absl::Status status = wiring.OpenStore(decorators); !status.ok()) return status;
  wiring.watches = std::make_unique<watch::Watches>(*wiring.store, wiring.hub, wiring.replay_loop,
                                                    MakeStreamOptions(wiring.config));
  if (decorators.http) {
    wiring.decorated_http = decorators.http(wiring.curl);
    wiring.http = wiring.decorated_http.get();
  }
  wiring.unfinished_videos = std::make_unique<calls::UnfinishedVideos>(*wiring.store);
  wiring.reconciler = std::make_unique<reconcile::Reconciler>(reconcile::Reconciler::Parts{
      wiring.loop, *wiring.store, *wiring.http, wiring.catalog, wiring.telemetry});
  wiring.provider_watches = std::make_unique<calls::ProviderWatches>(
      *wiring.reconciler, wiring.hub_loop, MakeProviderWatchesOptions(wiring.config));
  wiring.reconciler->SetProviderListener(wiring.provider_watches.get());
  wiring.asset_calls.emplace(wiring.catalog, *wiring.store, *wiring.reconciler, wiring.clock);
  wiring.video_calls.emplace(wiring.catalog, *wiring.store, *wiring.reconciler,
                             *wiring.unfinished_videos, wiring.clock);
  wiring.provider_calls.emplace(wiring.catalog, *wiring.store, *wiring.reconciler);
  // Keys are checked on the loop that may take its time.
  wiring.authenticator.emplace(auth::Callers(), wiring.machine_clock,
                               auth::Fetching{*wiring.http, wiring.replay_loop});
  if (absl::Status status = wiring.Listen(); !status.ok()) return status;
  wiring.gatekeeper.emplace(*wiring.authenticator, wiring.limiter, wiring.log,
                            &wiring.listener->strangers());
  wiring.authenticator->Replace(wiring.config.callers);
  wiring.ListenToChanges();
  if (absl::Status status = wiring.unfinished_videos->Follow(LimitedBy(wiring.config.callers));
      !status.ok()) {
    return status;
  }
  wiring.Measure();
  if (absl::Status status = wiring.Serve(); !status.ok()) return status;
  if (absl::Status status = wiring.StartAdmin(); !status.ok()) return status;
  // Not on the reconciler's thread: it reads pages of the store.
  wiring.purge = std::make_unique<reconcile::Purge>(
      wiring.replay_loop, *wiring.store, wiring.telemetry,
      reconcile::Purge::Options{.video_tasks_after = wiring.config.purge_video_tasks_after});
  wiring.purge->Start();
  wiring.reconciler->Recover([] {});
  wiring.Reread();
  wiring.log.Info("serving", {{"listen", server->address()},
                              {"admin", server->admin_address()},
                              {"store", wiring.store_address},
                              {"version", base::ThisBuild().version},
                              {"commit", base::ThisBuild().commit}});
  return server;
}

}  // namespace assetgate
