#include "server/server.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "api/rpc.h"
#include "base/build_info.h"
#include "config/catalog_of.h"
#include "server/wiring.h"

namespace assetgate {
namespace {

// Threads that read the store for the reconciler: with PostgreSQL each read is a round trip.
constexpr int kStoreReaders = 4;

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

// The part of the process's memory for all connections; gRPC uses about twice what it counts.
constexpr int kConnectionsShare = 4;
// The part of the process's memory above which strangers get next to nothing.
constexpr double kScarceFrom = 0.4;
// A stranger's first call may be this many times as large as the largest valid one: gRPC refuses a
// message that is too large (RESOURCE_EXHAUSTED) only once it has arrived, and a client whose
// connection is closed before would try again.
constexpr int kRefusableMessages = 4;

constexpr int kMaxReadBytes = 64 << 10;

// The part of the process's memory for answers that are not written yet.
constexpr int kUnsentShare = 8;

api::CallLimit::Limits CallLimitsOf(const config::Config& config) {
  const auto unsent = static_cast<std::size_t>(config.memory / kUnsentShare);
  return {.calls = config.max_concurrent_calls,
          .calls_per_caller = config.max_concurrent_calls_per_caller,
          .unsent = unsent,
          .unsent_per_caller = unsent / 2};
}

// For TLS and the HTTP/2 preface of a new connection.
constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);

// gRPC inflates a compressed message before it checks the size: a megabyte from a stranger becomes
// a gigabyte here. A caller that sends one gets UNIMPLEMENTED and the list of accepted encodings.
void ForbidCompression(grpc::ServerBuilder& builder) {
  for (const grpc_compression_algorithm algorithm : {GRPC_COMPRESS_DEFLATE, GRPC_COMPRESS_GZIP}) {
    builder.SetCompressionAlgorithmSupportStatus(algorithm, false);
  }
  builder.AddChannelArgument(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0);
}

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(absl::ToInt64Milliseconds(duration));
}

// The gateway's name for operators: in Kubernetes, the pod's name.
std::string HostName() {
  char name[256] = "";
  if (::gethostname(name, sizeof(name) - 1) != 0) return "gateway";
  return name;
}

}  // namespace

Server::Wiring::Wiring(config::Config from, base::Log its_log, const base::Clock* given_clock)
    : config(std::move(from)),
      log(std::move(its_log)),
      machine_clock(given_clock == nullptr ? system_clock : *given_clock),
      clock(machine_clock),
      catalog(config::CatalogOf(config)),
      metrics(base::ThisBuild()),
      telemetry(metrics, log),
      limiter(clock),
      call_limit(CallLimitsOf(config)),
      hub_loop("ag-hub", &clock),
      replay_loop("ag-replay", &clock),
      loop("ag-core", &clock),
      hub(hub_loop, &metrics.WatchLagSeconds()),
      curl(MakeClientOptions(config), clock) {}

absl::Status Server::Wiring::OpenStore(const Decorators& decorators) {
  auto opened =
      store::Open(config.store, {.name = HostName(), .clock = &clock, .metrics = &metrics});
  if (!opened.ok()) return opened.status();
  opened_store = *std::move(opened);
  store = opened_store.store.get();
  if (decorators.store) {
    decorated_store = decorators.store(*store);
    store = decorated_store.get();
  }
  return absl::OkStatus();
}

void Server::Wiring::MakeParts(const Decorators& decorators) {
  watches = std::make_unique<watch::Watches>(*store, hub, replay_loop, MakeStreamOptions(config));
  if (decorators.http) {
    decorated_http = decorators.http(curl);
    http = decorated_http.get();
  }
  unfinished_videos = std::make_unique<calls::UnfinishedVideos>(*store);
  reconciler = std::make_unique<reconcile::Reconciler>(
      reconcile::Reconciler::Parts{loop, *store, *http, catalog, telemetry, kStoreReaders});
  provider_watches = std::make_unique<calls::ProviderWatches>(*reconciler, hub_loop,
                                                              MakeProviderWatchesOptions(config));
  reconciler->SetProviderListener(provider_watches.get());
  asset_calls.emplace(catalog, *store, *reconciler, clock);
  video_calls.emplace(catalog, *store, *reconciler, *unfinished_videos, clock);
  provider_calls.emplace(catalog, *store, *reconciler);
  // Tokens are verified on the loop on which steps may take their time.
  authenticator.emplace(auth::Callers(), machine_clock, auth::Fetching{*http, replay_loop});
}

absl::Status Server::Wiring::Listen() {
  listener::ListenerOptions options;
  options.host = config.listen.host;
  options.port = config.listen.port;
  options.unacknowledged = config.connections.keepalive_timeout;
  // Room for the metadata.
  options.strangers.first_call_bytes =
      std::int64_t{kRefusableMessages} * config.max_message_bytes + (64 << 10);
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

absl::Status Server::Wiring::Authenticate() {
  gatekeeper.emplace(*authenticator, limiter, log, &listener->strangers());
  authenticator->Replace(config.callers);
  // Ordering: watchers are notified first.
  changes.emplace(
      std::vector<store::ChangeListener*>{&hub, unfinished_videos.get(), reconciler.get()});
  store->SetListener(&*changes);
  return FollowLimits(config.callers);
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
  Configure(builder);
  server = builder.BuildAndStart();
  if (server == nullptr) return absl::InternalError("gRPC does not start; the log says why");
  listener->Serve(std::move(connections));
  return absl::OkStatus();
}

void Server::Wiring::Configure(grpc::ServerBuilder& builder) const {
  builder.SetMaxReceiveMessageSize(config.max_message_bytes);
  ForbidCompression(builder);
  grpc::ResourceQuota memory("connections");
  memory.Resize(static_cast<std::size_t>(config.memory / kConnectionsShare));
  builder.SetResourceQuota(memory);
  // A silent peer holds a descriptor until then.
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, Milliseconds(kHandshakeTimeout));
  // gRPC starts all calls of one read before this gateway can check the first.
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

void Server::Wiring::StartWork() {
  // Not on the reconciler's thread: a purge reads pages of the store.
  purge = std::make_unique<reconcile::Purge>(
      replay_loop, *store, telemetry,
      reconcile::Purge::Options{.video_tasks_after = config.purge_video_tasks_after});
  purge->Start();
  reconciler->Recover([] {});
  Reread();
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
  base::HostPort address = wiring_->config.listen;
  address.port = wiring_->listener->port();
  return address.ToString();
}

std::string Server::admin_address() const {
  base::HostPort address = wiring_->config.admin_listen;
  address.port = wiring_->admin->port();
  return address.ToString();
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(config::Config config, base::Log log,
                                                      const Decorators& decorators) {
  auto owned = std::make_unique<Wiring>(std::move(config), std::move(log), decorators.clock);
  Wiring& wiring = *owned;
  // From here on, a failure shuts down like an orderly end.
  std::unique_ptr<Server> server(new Server(std::move(owned)));
  if (absl::Status status = wiring.OpenStore(decorators); !status.ok()) return status;
  wiring.MakeParts(decorators);
  if (absl::Status status = wiring.Listen(); !status.ok()) return status;
  if (absl::Status status = wiring.Authenticate(); !status.ok()) return status;
  wiring.measures.emplace(Measures::Parts{wiring.metrics, *wiring.store, wiring.hub, wiring.catalog,
                                          *wiring.reconciler});
  if (absl::Status status = wiring.Serve(); !status.ok()) return status;
  if (absl::Status status = wiring.StartAdmin(); !status.ok()) return status;
  wiring.StartWork();
  wiring.log.Info("serving", {{"listen", server->address()},
                              {"admin", server->admin_address()},
                              {"store", wiring.opened_store.address},
                              {"version", base::ThisBuild().version},
                              {"commit", base::ThisBuild().commit}});
  return server;
}

}  // namespace assetgate
