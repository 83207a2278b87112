// assetgate-bench: measures the gateway as a real process on loopback.
#include <curl/curl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "tests/bench/benchmarks.h"
#include "tests/bench/process.h"
#include "tests/bench/reference.h"
#include "tests/bench/thin_proxy.h"
#include "tests/bench/usage.h"

namespace {

using namespace assetgate::bench;  // NOLINT: this file is the program

constexpr char kAbout[] =
    R"(Measures assetgate: starts the gateway with its store on disk, a provider-simulator and, for
some benchmarks, a reference server with the least code that gives the same answers; makes load from
one thread; prints the figures; and cleans up. It does not assert any speed.

  assetgate-bench creates              1,500 creates/s?  64 callers, a provider that takes 20 ms
  assetgate-bench all                  every benchmark, about five minutes
  chrt -f 10 assetgate-bench creates   the same, as root, on a busy machine)";

constexpr char kMore[] =
    R"(Options before the subcommand apply to all subcommands. All programs share this machine's
cores: CPU per call and ratios are steadier than rates. tests/bench/README.md explains the figures.
Exit codes: 0 measured; 1 something failed, and no figure can be trusted; 2 wrong flags.)";

void AddDuration(CLI::App& app, const std::string& name, absl::Duration* duration,
                 const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [name, duration](const std::string& text) {
           if (!absl::ParseDuration(text, duration) || *duration < absl::ZeroDuration()) {
             throw CLI::ValidationError(name, "needs a duration such as 250ms, 2s or 1m30s");
           }
         },
         help)
      ->type_name("DURATION")
      ->default_str(absl::FormatDuration(*duration));
}

}  // namespace

int main(int argc, char** argv) {
  // As in the gateway: Debian's Abseil checks for lock cycles on every Lock.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);

  Settings settings;
  settings.self = std::filesystem::read_symlink("/proc/self/exe");
  const std::string beside = std::filesystem::path(settings.self).parent_path();
  settings.gateway = beside + "/assetgate";
  settings.simulator = beside + "/provider-simulator";
  CreatesOptions creates;
  ThroughOptions through;
  ReadsOptions reads;
  FanOutOptions fanout;
  WatchersOptions watchers;
  IdleOptions idle;
  RestartOptions restart;
  MillionOptions million;
  std::string reference_folder;

  CLI::App app(kAbout, "assetgate-bench");
  app.footer(kMore);
  app.require_subcommand(1);
  app.fallthrough();
  const auto at_least_one = CLI::Range(1, 1'000'000);
  app.add_option("--gateway", settings.gateway, "the gateway's program")->capture_default_str();
  app.add_option("--simulator", settings.simulator, "the simulator's program")
      ->capture_default_str();
  app.add_option("--dir", settings.dir, "parent of the store's folder; should be on a real disk")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--provider", settings.dialect, "the provider to place assets with")
      ->capture_default_str();
  AddDuration(app, "--latency", &settings.latency, "delay before each answer of the provider");
  AddDuration(app, "--warm-up", &settings.warm_up, "time under load before measuring");
  AddDuration(app, "--measure", &settings.measure, "measured time under load");
  app.add_option("--connections", settings.connections, "connections from the client")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_flag("--quick", settings.quick,
               "only check that everything runs: less than a second each, and figures that mean "
               "nothing");

  struct Benchmark {
    CLI::App* command;
    std::function<absl::Status()> run;
  };
  std::vector<Benchmark> benchmarks;
  auto* command = app.add_subcommand(
      "creates", "CreateAsset through to the provider: rate, latency, CPU, commits per fsync");
  command->add_option("--callers", creates.callers, "calls in flight")
      ->check(at_least_one)
      ->capture_default_str();
  AddDuration(*command, "--poll-interval", &creates.poll_interval,
              "poll the assets meanwhile, they become ACTIVE at the first one; 0: no polls");
  command->add_flag("--postgres", creates.postgres,
                    "in a database of a PostgreSQL server that is started for this, without fsync");
  AddDuration(*command, "--round-trip", &creates.round_trip,
              "to that database and back, on top of what this machine takes");
  benchmarks.push_back({command, [&] { return MeasureCreates(settings, creates); }});
  command = app.add_subcommand(
      "through", "CreateAsset through to the provider, against the thinnest proxy that is durable");
  command->add_option("--callers", through.callers, "calls in flight")
      ->check(at_least_one)
      ->capture_default_str();
  benchmarks.push_back({command, [&] { return MeasureThrough(settings, through); }});
  command = app.add_subcommand("reads", "GetAsset, against a bare server with the same point read");
  command->add_option("--callers", reads.callers, "calls in flight")
      ->check(at_least_one)
      ->capture_default_str();
  command->add_option("--assets", reads.assets, "assets to read")
      ->check(at_least_one)
      ->capture_default_str();
  benchmarks.push_back({command, [&] { return MeasureReads(settings, reads); }});
  command =
      app.add_subcommand("fanout", "one change delivered to many streams, against a naive fan-out");
  command->add_option("--streams", fanout.streams, "open streams")
      ->check(at_least_one)
      ->capture_default_str();
  command->add_option("--rounds", fanout.rounds, "changes that are timed one by one")
      ->check(at_least_one)
      ->capture_default_str();
  command->add_option("--burst", fanout.burst, "changes in a row, for deliveries per second")
      ->check(at_least_one)
      ->capture_default_str();
  benchmarks.push_back({command, [&] { return MeasureFanOut(settings, fanout); }});
  command = app.add_subcommand(
      "watchers",
      "polls that reach the provider for one unfinished asset, without and with watchers");
  command->add_option("--watchers", watchers.watchers, "streams that watch it")
      ->check(at_least_one)
      ->capture_default_str();
  AddDuration(*command, "--interval", &watchers.interval, "the polling interval; 10ms and more");
  command->add_option("--intervals", watchers.intervals, "how many of them to count polls for")
      ->check(at_least_one)
      ->capture_default_str();
  benchmarks.push_back({command, [&] { return CountPolls(settings, watchers); }});
  command =
      app.add_subcommand("idle", "CPU of a gateway with unfinished placements, none of them due");
  command->add_option("--placements", idle.placements, "unfinished placements")
      ->check(at_least_one)
      ->capture_default_str();
  AddDuration(*command, "--time", &idle.time, "how long to measure");
  benchmarks.push_back({command, [&] { return MeasureIdle(settings, idle); }});
  command = app.add_subcommand(
      "restart",
      "a gateway killed with much unfinished work: how soon the next one serves, and its polls");
  command->add_option("--units", restart.units, "unfinished placements")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  AddDuration(*command, "--interval", &restart.interval,
              "the polling interval, over which the first polls are to spread");
  benchmarks.push_back({command, [&] { return MeasureRestart(settings, restart); }});
  command = app.add_subcommand(
      "million",
      "reads, watches and creates beside a million finished assets, against ten thousand");
  command->add_option("--few", million.few, "finished assets in one store")
      ->check(CLI::Range(1'000, 100'000'000))
      ->capture_default_str();
  command->add_option("--many", million.many, "and in the other")
      ->check(CLI::Range(1'000, 100'000'000))
      ->capture_default_str();
  command->add_flag("--postgres", million.postgres,
                    "in databases of a PostgreSQL server that is started for this, without fsync, "
                    "with its data in /tmp");
  benchmarks.push_back({command, [&] { return MeasureMillion(settings, million); }});
  auto* all = app.add_subcommand("all", "all of these, with their defaults");
  // Started by this program itself.
  auto* reference = app.add_subcommand("reference", "")->group("");
  reference->add_option("folder", reference_folder)->required();
  std::string provider_url;
  auto* thin_proxy = app.add_subcommand("thin-proxy", "")->group("");
  thin_proxy->add_option("folder", reference_folder)->required();
  thin_proxy->add_option("base_url", provider_url)->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  absl::Status status;
  if (reference->parsed()) {
    status = ServeReference(reference_folder);
  } else if (thin_proxy->parsed()) {
    status = ServeThinProxy(reference_folder, provider_url);
  } else {
    RemoveScratchFoldersOnSignals();
    curl_global_init(CURL_GLOBAL_DEFAULT);
    settings.dir = std::filesystem::absolute(settings.dir);
    if (settings.quick) {
      settings.latency = absl::Milliseconds(1);
      settings.warm_up = absl::Milliseconds(50);
      settings.measure = absl::Milliseconds(200);
      creates.callers = 8;
      through.callers = 8;
      reads.assets = 10;
      fanout.streams = 20;
      fanout.rounds = 2;
      fanout.burst = 5;
      watchers.watchers = 20;
      watchers.interval = absl::Milliseconds(20);
      watchers.intervals = 10;
      idle.placements = 50;
      idle.time = absl::Milliseconds(200);
      restart.units = 100;
      restart.interval = absl::Milliseconds(500);
      million.few = 1'200;
      million.many = 2'400;
    }
    absl::PrintF("%s\n", DescribeMachine(settings.dir));
    for (const Benchmark& benchmark : benchmarks) {
      if (!all->parsed() && !benchmark.command->parsed()) continue;
      absl::PrintF("\n");
      status = benchmark.run();
      if (!status.ok()) break;
    }
  }
  if (!status.ok()) {
    std::fprintf(stderr, "assetgate-bench: %s\n", std::string(status.message()).c_str());
    return 1;
  }
  return 0;
}
