// provider-simulator: simulates all providers on loopback.
#include <csignal>
#include <cstdio>
#include <iostream>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/build_info.h"
#include "tests/simulator/simulator.h"

namespace {

using assetgate::simulator::Simulator;

constexpr char kAbout[] =
    R"(Simulates the providers of assetgate: keeps groups, assets and videos in memory, lets them proceed by
the clock, and answers as strictly as the providers' documentation says.

%s
When it is ready it prints "provider-simulator listening on http://127.0.0.1:PORT" to stdout.)";

// Where each provider is mounted, and what its requests carry.
std::string About() {
  std::string table = absl::StrFormat("  %-11s %-16s %s\n", "provider", "mounted at", "key");
  for (const auto& dialect : assetgate::simulator::AllDialects()) {
    absl::StrAppendFormat(&table, "  %-11s %-16s %ssim-key\n", dialect->name(), dialect->prefix(),
                          dialect->key_header());
  }
  return absl::StrFormat(kAbout, table);
}

constexpr char kMore[] =
    R"(These words in the path of a media URL, or in square brackets in a prompt, decide how the work ends:
`dead-link` (cannot be fetched), `moderated` (refused), `stuck` (never ends).

Faults, timing, switches, the request log and the state of things are at /_control/:
  curl -X POST http://127.0.0.1:PORT/_control/faults -d \
    '{"provider":"kyy","call":"asset.create","fault":{"kind":"status","status":503},"times":3}'
  curl http://127.0.0.1:PORT/_control/stats
tests/simulator/README.md describes all of it. Ends with 0 on SIGTERM and SIGINT.)";

// A duration flag: 250ms, 2s, 1m30s.
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
  Simulator::Options options;
  bool no_request_log = false;
  CLI::App app(About(), "provider-simulator");
  app.footer(kMore);
  app.set_version_flag("--version", assetgate::base::VersionText("provider-simulator"));
  app.add_option("--port", options.server.port, "port to listen on; 0 takes any free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--address", options.server.address, "IPv4 address to listen on")
      ->check(CLI::ValidIPV4)
      ->capture_default_str();
  app.add_option("--public-url", options.public_url,
                 "what links to results begin with, if clients reach this program by another name");
  app.add_option("--api-key", options.api_keys,
                 "key that is accepted; repeat it for more accounts that do not see each other")
      ->type_name("KEY")
      ->capture_default_str();
  AddDuration(app, "--asset-delay", &options.timing.asset_delay,
              "from the creation of an asset until it is Active");
  AddDuration(app, "--queue-delay", &options.timing.queue_delay,
              "from the creation of a video until work on it starts");
  AddDuration(app, "--video-delay", &options.timing.video_delay,
              "from then until the video is done");
  AddDuration(app, "--latency", &options.timing.latency, "before each answer of a provider");
  app.add_option("--threads", options.server.threads,
                 "connections served at once; an idle keep-alive connection counts")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_flag("--no-request-log", no_request_log,
               "count requests without keeping them; saves CPU in benchmarks");
  CLI11_PARSE(app, argc, argv);
  options.keep_requests = !no_request_log;

  // Blocked before any thread starts, so that every thread inherits it and sigwait gets them.
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGINT);
  sigaddset(&ending, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  Simulator simulator(std::move(options));
  if (const absl::Status status = simulator.Start(); !status.ok()) {
    std::cerr << "provider-simulator: " << status.message() << std::endl;
    return 1;
  }
  std::cout << "provider-simulator listening on " << simulator.url() << std::endl;
  int signal = 0;
  sigwait(&ending, &signal);
  simulator.Stop();
  return 0;
}
