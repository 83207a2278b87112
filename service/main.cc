// The gateway's program: flags → config → server.
#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "auth/handshake.h"
#include "base/build_info.h"
#include "base/clock.h"
#include "base/line_limit.h"
#include "base/log.h"
#include "config/config.h"
#include "config/load.h"
#include "config/reload.h"
#include "doctor/doctor.h"
#include "http/curl_client.h"
#include "providers/dialects.h"
#include "server/reload_thread.h"
#include "server/server.h"
#include "store/open.h"

namespace {

using assetgate::base::Log;

// Exit codes.
constexpr int kFailed = 1;
constexpr int kBadUsageOrConfig = 2;

// A gateway with fewer descriptors soon runs out of them: each connection needs one.
constexpr rlim_t kFewDescriptors = 8192;

// A read of the config that takes longer is blocked by a file.
constexpr absl::Duration kSlowRead = absl::Seconds(5);

// A shutdown takes drain_delay and shutdown_timeout, and at most this much longer.
constexpr absl::Duration kShutdownMargin = absl::Seconds(15);

// gRPC and Protocol Buffers log through plain functions, so the logs that these write to are
// global.
const Log* library_log = nullptr;
assetgate::auth::HandshakeLog* handshake_log = nullptr;

// Limits the lines that a peer can cause.
assetgate::base::LineLimit* library_lines = nullptr;
constexpr double kLibraryLinesPerSecond = 5;

void LogForGrpc(gpr_log_func_args* args) {
  if (library_log == nullptr || args->severity != GPR_LOG_SEVERITY_ERROR) return;
  if (const auto why = assetgate::auth::HandshakeFailure(args->file, args->message)) {
    return handshake_log->Failed(*why);
  }
  const std::optional<std::int64_t> held_back = library_lines->Take();
  if (!held_back.has_value()) return;
  library_log->Warning("grpc", {{"file", args->file},
                                {"line", args->line},
                                {"detail", args->message},
                                {"held_back", *held_back}});
}

// For example of a request with text that is not UTF-8.
void LogForProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                    const std::string& message) {
  if (library_log == nullptr || level < google::protobuf::LOGLEVEL_ERROR) return;
  library_log->Warning("protobuf", {{"file", file}, {"line", line}, {"detail", message}});
}

// A core file would hold keys and the content of requests.
void ForbidCoreFiles() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

// Raises the soft limit of descriptors to the hard limit. Returns the limit.
rlim_t TakeAllDescriptors() {
  rlimit descriptors{};
  if (getrlimit(RLIMIT_NOFILE, &descriptors) != 0) return 0;
  descriptors.rlim_cur = descriptors.rlim_max;
  setrlimit(RLIMIT_NOFILE, &descriptors);
  return descriptors.rlim_cur;
}

// Exits the process when a shutdown takes too long because something is blocked. Acknowledged work
// is in the store, as after a crash.
class ShutdownLimit {
 public:
  ShutdownLimit(absl::Duration limit, const Log& log)
      : thread_([this, limit, &log] {
          if (ended_.WaitForNotificationWithTimeout(limit)) return;
          log.Error("the shutdown takes too long; exiting at once",
                    {{"waited", absl::FormatDuration(limit)}});
          _exit(kFailed);
        }) {}
  ~ShutdownLimit() {
    ended_.Notify();
    thread_.join();
  }
  ShutdownLimit(const ShutdownLimit&) = delete;
  ShutdownLimit& operator=(const ShutdownLimit&) = delete;

 private:
  absl::Notification ended_;
  std::thread thread_;
};

// Prints each finding as soon as it is made, with its remedy on the next line.
int Examine(const std::string& config_path, const assetgate::config::Environment& environment) {
  using assetgate::doctor::Finding;
  signal(SIGPIPE, SIG_IGN);
  const assetgate::base::SystemClock clock;
  assetgate::http::CurlClientOptions options;
  options.user_agent = std::string("assetgate/") + assetgate::base::ThisBuild().version;
  assetgate::http::CurlClient http(options, clock);
  const bool well = assetgate::doctor::Examine(
      config_path, {environment, http, clock}, [](const Finding& finding) {
        const char* verdict = finding.verdict == Finding::Verdict::kOk        ? "ok"
                              : finding.verdict == Finding::Verdict::kWarning ? "warning"
                                                                              : "FAILED";
        std::printf("%-7s  %s: %s\n", verdict, finding.what.c_str(), finding.detail.c_str());
        if (!finding.remedy.empty()) {
          std::printf("         what to do: %s\n", finding.remedy.c_str());
        }
        std::fflush(stdout);
      });
  return well ? 0 : kFailed;
}

int Serve(assetgate::config::Config config, assetgate::config::Reader& reader) {
  // Blocked before any thread exists, so that only sigwait below gets them. This thread reads no
  // files while it serves: a file that does not answer cannot delay a signal.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // Ignored, so that a file at its size limit is a failed write, which the store reports and
  // survives.
  signal(SIGXFSZ, SIG_IGN);

  static const Log log(config.log_format, config.log_level);
  static const assetgate::base::SystemClock clock;
  static assetgate::auth::HandshakeLog handshakes(log, clock);
  static assetgate::base::LineLimit lines(clock, kLibraryLinesPerSecond);
  library_lines = &lines;
  library_log = &log;
  handshake_log = &handshakes;
  gpr_set_log_function(LogForGrpc);
  // Overrides GRPC_VERBOSITY: the reasons of failed handshakes come from gRPC's log.
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  google::protobuf::SetLogHandler(LogForProtobuf);

  if (const rlim_t descriptors = TakeAllDescriptors(); descriptors < kFewDescriptors) {
    log.Warning("few file descriptors, and each connection needs one; raise ulimit -n",
                {{"descriptors", static_cast<std::int64_t>(descriptors)},
                 {"wanted", static_cast<std::int64_t>(kFewDescriptors)}});
  }
  auto server = assetgate::Server::Start(std::move(config), log);
  if (!server.ok()) {
    std::fprintf(stderr, "assetgate: %s\n", std::string(server.status().message()).c_str());
    return kFailed;
  }
  auto files = std::make_unique<assetgate::ReloadThread>(
      reader,
      assetgate::ReloadThread::Actions{[&server](absl::StatusOr<assetgate::config::Config> next) {
                                         (*server)->Reload(std::move(next));
                                       },
                                       [&server] { (*server)->Reread(); }});
  int received = 0;
  while (received != SIGINT && received != SIGTERM) {
    if (sigwait(&signals, &received) != 0 || received != SIGHUP) continue;
    if (const absl::Duration since = files->Wake(); since > kSlowRead) {
      log.Warning("the config is still being read; a file that it names does not answer",
                  {{"since", absl::FormatDuration(since)}});
    }
  }
  const bool read = files->Stop();
  const absl::Duration drain_delay = (*server)->drain_delay();
  const ShutdownLimit limit(drain_delay + (*server)->shutdown_timeout() + kShutdownMargin, log);
  log.Info("shutting down", {{"signal", received == SIGINT ? "SIGINT" : "SIGTERM"},
                             {"drain_delay", absl::FormatDuration(drain_delay)}});
  (*server)->Leave();
  // A second signal ends the delay.
  sigdelset(&signals, SIGHUP);
  const timespec delay = absl::ToTimespec(drain_delay);
  sigtimedwait(&signals, nullptr, &delay);
  (*server)->Shutdown();
  if (!read) {
    log.Warning("exited while a file did not answer");
    _exit(0);
  }
  files.reset();
  server->reset();
  log.Info("shut down");
  return 0;
}

struct Flags {
  std::string config_path;
  std::string check_path;
  bool mark_restored = false;
  bool doctor = false;
};

// Reads the flags. Returns the exit code where the program ends here.
std::optional<int> ParseFlags(int argc, char** argv, Flags& flags) {
  CLI::App app{
      "assetgate: one gRPC service in front of many providers of generated video.\n\n"
      "Serves AssetService, VideoService and ProviderService as the config says, until SIGTERM or\n"
      "SIGINT; then it serves on for drain_delay (a second signal ends that), finishes the calls\n"
      "and submissions under way, and exits with 0. When the config, or a file that it names,\n"
      "changes, and at once on SIGHUP, the config is reloaded: changes that need no restart go\n"
      "into force, and the log names the others.\n\n"
      "After restoring a backup of the store, run --mark-restored once before serving: see\n"
      "docs/operations.md.\n\n"
      "Exit codes: 0 success; 1 the store or a port could not be opened, or --doctor found a\n"
      "failure; 2 invalid flags or config."};
  auto* config_option =
      app.add_option("--config", flags.config_path, "Serve with this config (YAML)")
          ->type_name("FILE");
  auto* check_option =
      app.add_option(
             "--check-config", flags.check_path,
             "Check this config, with the secrets, certificates and keys that it names, and "
             "exit; opens no port and no store")
          ->type_name("FILE");
  config_option->excludes(check_option);
  app.add_flag(
         "--mark-restored", flags.mark_restored,
         "With --config: mark the store as restored from a backup, and exit. Watches with older "
         "resume tokens then start over with a RESET instead of missing changes. No gateway "
         "may have the store open")
      ->needs(config_option);
  app.add_flag(
         "--doctor", flags.doctor,
         "With --config: check the config, its secrets, store and ports, and the way to each "
         "provider, from this machine; print one line each, with what to do; exit with 1 if a "
         "check failed. Creates, changes and locks nothing, costs nothing, and works beside a "
         "running gateway")
      ->needs(config_option);
  app.set_version_flag("--version", assetgate::base::VersionText("assetgate"));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsageOrConfig;
  }
  if (flags.config_path.empty() && flags.check_path.empty()) {
    std::fputs("assetgate: use --config FILE to serve, or --help\n", stderr);
    return kBadUsageOrConfig;
  }
  return std::nullopt;
}

int Fail(int code, const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  ForbidCoreFiles();
  // Debian's Abseil checks for lock cycles on every Lock, which only tests need.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  Flags flags;
  if (const std::optional<int> code = ParseFlags(argc, argv, flags)) return *code;

  assetgate::config::Environment environment;
  environment.dialects = assetgate::providers::AllDialects();
  if (flags.doctor) return Examine(flags.config_path, environment);
  const std::string& path = flags.check_path.empty() ? flags.config_path : flags.check_path;
  assetgate::config::Reader reader(path, environment);
  auto config = reader.Read();
  if (!config.ok()) return Fail(kBadUsageOrConfig, config.status());
  if (const absl::Status times = assetgate::config::CheckTimes(*config); !times.ok()) {
    return Fail(kBadUsageOrConfig, times);
  }
  if (!flags.check_path.empty()) {
    std::printf("%s: valid\n", path.c_str());
    return 0;
  }
  if (flags.mark_restored) {
    const auto marked = assetgate::store::MarkRestored(config->store);
    if (!marked.ok()) {
      std::fprintf(stderr, "assetgate: %s\n", std::string(marked.status().message()).c_str());
      return kFailed;
    }
    std::printf("%s\n", marked->c_str());
    return 0;
  }
  return Serve(*std::move(config), reader);
}
