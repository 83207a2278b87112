// How many assets per second reach a provider, with all features enabled.
#include <unistd.h>

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "store/testing/postgres_proxy.h"
#include "store/testing/postgres_server.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/make_assets.h"
#include "tests/bench/usage.h"

namespace assetgate::bench {

absl::Status MeasureCreates(const Settings& settings, const CreatesOptions& options) {
  Rig::Options rig_options;
  if (options.poll_interval > absl::ZeroDuration()) {
    rig_options.poll_interval = options.poll_interval;
    rig_options.asset_delay = options.poll_interval / 2;
  }
  std::optional<store::postgres::TestServer> postgres;
  std::optional<store::postgres::TestProxy> network;
  if (options.postgres) {
    postgres.emplace();
    network.emplace(postgres->port());
    network->Delay(options.round_trip / 2);
    rig_options.postgres_uri = postgres->TcpUri(
        postgres->CreateDatabase(), store::postgres::TestServer::kSuperuser, network->port());
  }
  auto rig = Rig::Start(settings, rig_options);
  if (!rig.ok()) return rig.status();
  auto loop = MakeAssets(Connect((*rig)->address(), settings.connections), options.callers,
                         (*rig)->provider(), /*ids=*/false);
  if (absl::Status status = AllFine(loop->Run(settings.warm_up)); !status.ok()) return status;

  const auto counted_before = ReadCounted(**rig);
  if (!counted_before.ok()) return counted_before.status();
  const Usage gateway_before = UsageOf((*rig)->gateway_pid());
  const Usage simulator_before = UsageOf((*rig)->simulator_pid());
  const Usage client_before = UsageOf(getpid());
  const Calls calls = loop->Run(settings.measure);
  const Usage gateway = UsageOf((*rig)->gateway_pid()) - gateway_before;
  const Usage simulator = UsageOf((*rig)->simulator_pid()) - simulator_before;
  const Usage client = UsageOf(getpid()) - client_before;
  const auto counted_after = ReadCounted(**rig);
  if (!counted_after.ok()) return counted_after.status();
  if (absl::Status status = AllFine(calls); !status.ok()) return status;
  loop.reset();

  const Counted counted = *counted_after - *counted_before;
  if (counted.groups <= 0 || counted.submissions <= 0) {
    return absl::InternalError("/metrics counts no commits or no submissions");
  }
  // A change adds about two pages and their headers to the log.
  const double changes_per_group = counted.changes / counted.groups;
  const absl::Duration sync =
      TimeOfSync(settings.dir, static_cast<std::int64_t>(changes_per_group * 2 * 4120));
  absl::PrintF(
      "creates: %d callers, %d connections, %s answers after %s, store %s\n"
      "  rate              %.0f creates/s   (goal 1500 on 2 cores)\n"
      "  latency           p50 %.1f ms, p99 %.1f ms, of which the provider %.1f ms\n"
      "  CPU per create    gateway %s, simulator %s, client %s\n"
      "  CPU in all        %.2f cores: gateway %.2f, simulator %.2f, client %.2f\n"
      "  context switches  %.1f per create in the gateway\n"
      "  store             %.1f changes per create, %.1f changes per group, %.2f ms per group (a "
      "bare\n"
      "                    write and fdatasync of as much: %.2f ms), writing %.0f %% of the time\n",
      options.callers, settings.connections, settings.dialect,
      absl::FormatDuration(settings.latency),
      options.postgres
          ? absl::StrCat("in PostgreSQL, ", absl::FormatDuration(options.round_trip), " away")
          : "in a file",
      calls.PerSecond(), Quantile(calls.milliseconds, 0.5), Quantile(calls.milliseconds, 0.99),
      counted.submission_seconds * 1e3 / counted.submissions, PerOne(gateway.cpu, calls.ok),
      PerOne(simulator.cpu, calls.ok), PerOne(client.cpu, calls.ok),
      absl::FDivDuration(gateway.cpu + simulator.cpu + client.cpu, calls.took),
      absl::FDivDuration(gateway.cpu, calls.took), absl::FDivDuration(simulator.cpu, calls.took),
      absl::FDivDuration(client.cpu, calls.took),
      static_cast<double>(gateway.context_switches) / static_cast<double>(calls.ok),
      counted.changes / static_cast<double>(calls.ok), changes_per_group,
      counted.group_seconds * 1e3 / counted.groups, absl::ToDoubleMilliseconds(sync),
      100 * counted.group_seconds / absl::ToDoubleSeconds(calls.took));
  return (*rig)->Stop();
}

}  // namespace assetgate::bench
