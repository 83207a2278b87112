// assetgate-bench: measures the gateway as a real process on loopback.
#include <curl/curl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <optional>
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

// The options of every benchmark.
struct Options {
  CreatesOptions creates;
  ThroughOptions through;
  ReadsOptions reads;
  FanOutOptions fanout;
  WatchersOptions watchers;
  IdleOptions idle;
  RestartOptions restart;
  MillionOptions million;
};

// What all benchmarks share. `settings` has the defaults.
void AddSettings(CLI::App& app, Settings& settings) {
  app.add_option("--gateway", settings.gateway, "the gateway's program")->capture_default_str();
  app.add_option("--simulator", settings.simulator, "the simulator's program")
      ->capture_default_str();
  app.add_option("--dir", settings.dir, "parent of the store's folder; should be on a real disk")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--provider", settings.dialect,
                 "the provider to place assets with (through: always zerozero)")
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
}

void AddCount(CLI::App& command, const std::string& name, int& count, const std::string& help,
              int min = 1, int max = 1'000'000) {
  command.add_option(name, count, help)->check(CLI::Range(min, max))->capture_default_str();
}

void AddCreates(CLI::App& command, CreatesOptions& options) {
  AddCount(command, "--callers", options.callers, "calls in flight");
  AddDuration(command, "--poll-interval", &options.poll_interval,
              "poll the assets meanwhile, they become ACTIVE at the first one; 0: no polls");
  command.add_flag("--postgres", options.postgres,
                   "in a database of a PostgreSQL server that is started for this, without fsync");
  AddDuration(command, "--round-trip", &options.round_trip,
              "to that database and back, on top of what this machine takes");
}

void AddThrough(CLI::App& command, ThroughOptions& options) {
  AddCount(command, "--callers", options.callers, "calls in flight");
}

void AddReads(CLI::App& command, ReadsOptions& options) {
  AddCount(command, "--callers", options.callers, "calls in flight");
  AddCount(command, "--assets", options.assets, "assets to read");
}

void AddFanOut(CLI::App& command, FanOutOptions& options) {
  AddCount(command, "--streams", options.streams, "open streams");
  AddCount(command, "--rounds", options.rounds, "changes that are timed one by one");
  AddCount(command, "--burst", options.burst, "changes in a row, for deliveries per second");
}

void AddWatchers(CLI::App& command, WatchersOptions& options) {
  AddCount(command, "--watchers", options.watchers, "streams that watch it");
  AddDuration(command, "--interval", &options.interval, "the polling interval; 10ms and more");
  AddCount(command, "--intervals", options.intervals, "how many of them to count polls for");
}

void AddIdle(CLI::App& command, IdleOptions& options) {
  AddCount(command, "--placements", options.placements, "unfinished placements");
  AddDuration(command, "--time", &options.time, "how long to measure");
}

void AddRestart(CLI::App& command, RestartOptions& options) {
  AddCount(command, "--units", options.units, "unfinished placements", 1, 100'000);
  AddDuration(command, "--interval", &options.interval,
              "the polling interval, over which the first polls are to spread");
}

void AddMillion(CLI::App& command, MillionOptions& options) {
  AddCount(command, "--few", options.few, "finished assets in one store", 1'000, 100'000'000);
  AddCount(command, "--many", options.many, "and in the other", 1'000, 100'000'000);
  command.add_flag("--postgres", options.postgres,
                   "in databases of a PostgreSQL server that is started for this, without fsync, "
                   "with its data in /tmp");
}

// Everything runs, as fast as it can.
void MakeQuick(Settings& settings, Options& options) {
  settings.latency = absl::Milliseconds(1);
  settings.warm_up = absl::Milliseconds(50);
  settings.measure = absl::Milliseconds(200);
  options.creates.callers = 8;
  options.through.callers = 8;
  options.reads.assets = 10;
  options.fanout.streams = 20;
  options.fanout.rounds = 2;
  options.fanout.burst = 5;
  options.watchers.watchers = 20;
  options.watchers.interval = absl::Milliseconds(20);
  options.watchers.intervals = 10;
  options.idle.placements = 50;
  options.idle.time = absl::Milliseconds(200);
  options.restart.units = 100;
  options.restart.interval = absl::Milliseconds(500);
  options.million.few = 1'200;
  options.million.many = 2'400;
}

// The subcommands that measure, in the order of "all".
class Benchmarks {
 public:
  Benchmarks(CLI::App& app, const Settings& settings) : app_(app), settings_(settings) {}
  Benchmarks(const Benchmarks&) = delete;
  Benchmarks& operator=(const Benchmarks&) = delete;

  template <typename OptionsT>
  void Add(const char* name, const char* about, OptionsT& options,
           void (*add)(CLI::App&, OptionsT&),
           absl::Status (*measure)(const Settings&, const OptionsT&)) {
    CLI::App* const command = app_.add_subcommand(name, about);
    add(*command, options);
    benchmarks_.push_back(
        {command, [this, measure, &options] { return measure(settings_, options); }});
  }

  // Runs those that were asked for.
  absl::Status Run(bool all) const {
    for (const Benchmark& benchmark : benchmarks_) {
      if (!all && !benchmark.command->parsed()) continue;
      absl::PrintF("\n");
      if (absl::Status status = benchmark.run(); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  struct Benchmark {
    CLI::App* command;
    std::function<absl::Status()> run;
  };

  CLI::App& app_;
  const Settings& settings_;
  std::vector<Benchmark> benchmarks_;
};

void AddAll(Benchmarks& benchmarks, Options& options) {
  benchmarks.Add("creates",
                 "CreateAsset through to the provider: rate, latency, CPU, commits per fsync",
                 options.creates, &AddCreates, &MeasureCreates);
  benchmarks.Add("through",
                 "CreateAsset through to the provider, against the thinnest proxy that is durable",
                 options.through, &AddThrough, &MeasureThrough);
  benchmarks.Add("reads", "GetAsset, against a bare server with the same point read", options.reads,
                 &AddReads, &MeasureReads);
  benchmarks.Add("fanout", "one change delivered to many streams, against a naive fan-out",
                 options.fanout, &AddFanOut, &MeasureFanOut);
  benchmarks.Add(
      "watchers",
      "polls that reach the provider for one unfinished asset, without and with watchers",
      options.watchers, &AddWatchers, &CountPolls);
  benchmarks.Add("idle", "CPU of a gateway with unfinished placements, none of them due",
                 options.idle, &AddIdle, &MeasureIdle);
  benchmarks.Add(
      "restart",
      "a gateway killed with much unfinished work: how soon the next one serves, and its polls",
      options.restart, &AddRestart, &MeasureRestart);
  benchmarks.Add(
      "million",
      "reads, watches and creates beside a million finished assets, against ten thousand",
      options.million, &AddMillion, &MeasureMillion);
}

// The servers that this program starts itself (see reference.h): hidden subcommands.
struct References {
  explicit References(CLI::App& app)
      : reference(app.add_subcommand("reference", "")->group("")),
        thin_proxy(app.add_subcommand("thin-proxy", "")->group("")) {
    reference->add_option("folder", folder)->required();
    thin_proxy->add_option("folder", folder)->required();
    thin_proxy->add_option("base_url", provider_url)->required();
  }

  // Serves until it is killed, if one was asked for.
  std::optional<absl::Status> Serve() const {
    if (reference->parsed()) return ServeReference(folder);
    if (thin_proxy->parsed()) return ServeThinProxy(folder, provider_url);
    return std::nullopt;
  }

  CLI::App* reference;
  CLI::App* thin_proxy;
  std::string folder;
  std::string provider_url;
};

int Report(const absl::Status& status) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "assetgate-bench: %s\n", std::string(status.message()).c_str());
  return 1;
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
  Options options;

  CLI::App app(kAbout, "assetgate-bench");
  app.footer(kMore);
  app.require_subcommand(1);
  app.fallthrough();
  AddSettings(app, settings);
  Benchmarks benchmarks(app, settings);
  AddAll(benchmarks, options);
  const auto* all = app.add_subcommand("all", "all of these, with their defaults");
  const References references(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  if (const std::optional<absl::Status> served = references.Serve()) return Report(*served);
  RemoveScratchFoldersOnSignals();
  curl_global_init(CURL_GLOBAL_DEFAULT);
  settings.dir = std::filesystem::absolute(settings.dir);
  if (settings.quick) MakeQuick(settings, options);
  absl::PrintF("%s\n", DescribeMachine(settings.dir));
  return Report(benchmarks.Run(all->parsed()));
}
